package foreign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode"
)

// Key is a public key of another party.
type Key struct {
	ID        string           // kid; "" if it has none
	Algorithm string           // alg; "" if it has none
	Use       string           // sig or enc; "": both
	Public    crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// The limits of RSA keys. NIST SP 800-131A, section 3: at least 2048 bits. FIPS 186-5,
// appendix A.1.1: an odd exponent above 65536. crypto/rsa accepts at most 31 bits.
const (
	minModulusBits = 2048 // bits
	maxModulusBits = 8192
	minExponent    = 65537
	maxExponent    = 1<<31 - 1
)

// privateMembers lists the members of a JWK that hold secrets (RFC 7518, section 6; RFC 9964).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// ReadKey reads one JWK (RFC 7517): a public key for verification or encryption, without
// members that contradict each other. It accepts RSA of 2048 to 8192 bits, the curves P-256,
// P-384 and P-521, and Ed25519. Unknown members are ignored (RFC 7517, section 4). The error
// continues a sentence that begins with the key.
func ReadKey(members map[string]any) (Key, error) {
	key, err := readKey(members)
	if err != nil {
		return Key{}, err
	}
	text, err := readTexts(members, "use", "x5t", "x5t#S256", "x5u")
	if err != nil {
		return Key{}, err
	}
	if key.Use, err = readUse(members, text); err != nil {
		return Key{}, err
	}
	if err := checkAlgorithm(&key); err != nil {
		return Key{}, err
	}
	return key, checkCertificates(members, text, key.Public)
}

// readKey reads the key material, kid and alg. It does not read or check the use.
func readKey(members map[string]any) (Key, error) {
	for _, name := range privateMembers {
		if _, held := members[name]; held {
			return Key{}, errors.New("holds a private or symmetric key: register only the public key, and replace this key, because it is no longer secret")
		}
	}
	text, err := readTexts(members, "kty", "kid", "alg", "crv", "n", "e", "x", "y")
	if err != nil {
		return Key{}, err
	}
	key := Key{ID: text["kid"], Algorithm: text["alg"]}
	_, named := members["kid"]
	if named && key.ID == "" || len(key.ID) > 255 || strings.ContainsFunc(key.ID, unicode.IsControl) {
		return Key{}, errors.New("has an invalid kid: use 1 to 255 characters without control characters")
	}
	key.Public, err = readPublic(text)
	return key, err
}

// readTexts returns the listed members, which must be strings if they are present.
func readTexts(members map[string]any, names ...string) (map[string]string, error) {
	read := make(map[string]string, len(names))
	for _, name := range names {
		value, found := members[name]
		if !found {
			continue
		}
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("has a member %s that is not a string", name)
		}
		read[name] = text
	}
	return read, nil
}

// unsupported is an error for a valid key of a kind that we do not use.
type unsupported string

// Error returns the text of the error.
func (u unsupported) Error() string { return string(u) }

func readPublic(text map[string]string) (crypto.PublicKey, error) {
	switch text["kty"] {
	case "RSA":
		return readRSA(text)
	case "EC":
		return readEC(text)
	case "OKP":
		return readEd25519(text)
	case "":
		return nil, errors.New("has no kty")
	}
	return nil, unsupported("has an unsupported kty: use RSA, EC or OKP")
}

// decodeMember decodes a member in base64url (RFC 7515, section 2). It refuses line breaks,
// which encoding/base64 would skip.
func decodeMember(text map[string]string, name string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text[name])
	if err != nil || len(raw) == 0 || strings.ContainsAny(text[name], "\r\n") {
		return nil, fmt.Errorf("has no member %s in base64url without padding", name)
	}
	return raw, nil
}

func readRSA(text map[string]string) (*rsa.PublicKey, error) {
	modulus, err := decodeMember(text, "n")
	if err != nil {
		return nil, err
	}
	exponent, err := decodeMember(text, "e")
	if err != nil {
		return nil, err
	}
	n, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent)
	switch bits := n.BitLen(); {
	case bits < minModulusBits || bits > maxModulusBits:
		return nil, fmt.Errorf("is an RSA key of %d bits: use %d to %d", bits, minModulusBits, maxModulusBits)
	case !e.IsInt64() || e.Int64() < minExponent || e.Int64() > maxExponent || e.Bit(0) == 0:
		return nil, fmt.Errorf("has an RSA exponent other than an odd number from %d to %d: use 65537 (AQAB)", minExponent, maxExponent)
	case n.Bit(0) == 0 || new(big.Int).GCD(nil, nil, n, smallPrimes).BitLen() > 1:
		return nil, errors.New("has an RSA modulus with a small factor: make a new key")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// smallPrimes is the product of the odd primes below 752 (NIST SP 800-89, section 5.3.3).
var smallPrimes = func() *big.Int {
	product := big.NewInt(1)
	for n := int64(3); n < 752; n += 2 {
		if prime := big.NewInt(n); prime.ProbablyPrime(0) {
			product.Mul(product, prime)
		}
	}
	return product
}()

func readEC(text map[string]string) (*ecdsa.PublicKey, error) {
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[text["crv"]]
	if curve == nil {
		return nil, unsupported("has an unsupported crv: use P-256, P-384 or P-521")
	}
	size := (curve.Params().BitSize + 7) / 8
	point := []byte{4} // SEC 1, section 2.3.4: an uncompressed point
	for _, name := range []string{"x", "y"} {
		raw, err := decodeMember(text, name)
		if err != nil {
			return nil, err
		}
		if len(raw) != size {
			return nil, fmt.Errorf("has a member %s of %d bytes: %s takes %d", name, len(raw), text["crv"], size)
		}
		point = append(point, raw...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("is not a point on %s", text["crv"])
	}
	return key, nil
}

func readEd25519(text map[string]string) (ed25519.PublicKey, error) {
	if text["crv"] != "Ed25519" {
		return nil, unsupported("has an unsupported crv: use Ed25519")
	}
	raw, err := decodeMember(text, "x")
	if err != nil {
		return nil, err
	}
	if len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("has a member x of %d bytes: Ed25519 takes %d", len(raw), ed25519.PublicKeySize)
	}
	if !isValidEd25519(raw) {
		return nil, errors.New("is not a point on Ed25519, or has a small order: make a new key")
	}
	return ed25519.PublicKey(raw), nil
}

// signingAlgorithms and encryptionAlgorithms list the algorithms for each kind of key (RFC
// 7518, sections 3.1 and 4.1; RFC 9864).
var (
	signingAlgorithms = map[string][]string{
		"RSA":     {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
		"P-256":   {"ES256"},
		"P-384":   {"ES384"},
		"P-521":   {"ES512"},
		"Ed25519": {"EdDSA", "Ed25519"},
	}
	encryptionAlgorithms = map[string][]string{
		"RSA":     {"RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"},
		"P-256":   {"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"},
		"P-384":   {"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"},
		"P-521":   {"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"},
		"Ed25519": nil,
	}
)

// kind returns the key of signingAlgorithms and encryptionAlgorithms for k.
func (k Key) kind() string {
	switch public := k.Public.(type) {
	case *ecdsa.PublicKey:
		return public.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "RSA"
}

// checkAlgorithm compares alg and use with the kind of key and with each other. If only alg
// is present, it sets the use.
func checkAlgorithm(key *Key) error {
	kind := key.kind()
	if key.Use == "enc" && encryptionAlgorithms[kind] == nil {
		return errors.New("is for encryption, which Ed25519 cannot do")
	}
	use := ""
	switch {
	case key.Algorithm == "":
		return nil
	case slices.Contains(signingAlgorithms[kind], key.Algorithm):
		use = "sig"
	case slices.Contains(encryptionAlgorithms[kind], key.Algorithm):
		use = "enc"
	default:
		return fmt.Errorf("has an alg that does not belong to a key of %s", kind)
	}
	if key.Use != "" && key.Use != use {
		return errors.New("has an alg that contradicts its use or key_ops")
	}
	key.Use = use
	return nil
}

// useOfOperation maps the key_ops of public keys to a use (RFC 7517, section 4.3).
var useOfOperation = map[string]string{"verify": "sig", "encrypt": "enc", "wrapKey": "enc", "deriveKey": "enc", "deriveBits": "enc"}

// readUse returns the use from use and key_ops, which must agree (RFC 7517, section 4.3).
func readUse(members map[string]any, text map[string]string) (string, error) {
	use, named := text["use"]
	if named && use != "sig" && use != "enc" {
		return "", errors.New("has a use other than sig or enc")
	}
	value, found := members["key_ops"]
	if !found {
		return use, nil
	}
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return "", errors.New("has key_ops that are not a list of strings")
	}
	seen := map[string]bool{}
	for _, item := range list {
		name, _ := item.(string)
		purpose := useOfOperation[name]
		switch {
		case purpose == "":
			return "", errors.New("has key_ops that a public key cannot do: use verify")
		case seen[name]:
			return "", errors.New("has the same value twice in key_ops")
		case use != "" && use != purpose:
			return "", errors.New("has key_ops that contradict its use or each other")
		}
		seen[name], use = true, purpose
	}
	return use, nil
}
