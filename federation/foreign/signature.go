package foreign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // registers the hashes of the algorithms
	_ "crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// UnverifiedJWS is a JWS in compact form (RFC 7515, section 3.1). Its signature has not been
// checked.
type UnverifiedJWS struct {
	Algorithm string // alg
	KeyID     string // kid; "" if it has none
	Payload   []byte // do not use it before Verify or VerifyHMAC reports true

	header    Members
	input     string // the signed text
	signature []byte
}

// ReadJWS splits a JWS in compact form. From the header it reads only alg, kid and crit. It
// never uses embedded keys and certificates (jwk, jku, x5c, x5u), so they may be malformed.
//
// Errors may be logged; they continue a sentence that begins with the token.
func ReadJWS(text string) (UnverifiedJWS, error) {
	parts := strings.SplitN(text, ".", 4)
	if len(parts) != 3 {
		return UnverifiedJWS{}, errors.New("is not a JWT of three parts")
	}
	raw := make([][]byte, 3)
	for i, name := range []string{"header", "payload", "signature"} {
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil || strings.ContainsAny(parts[i], "\r\n") {
			return UnverifiedJWS{}, fmt.Errorf("has a %s that is not base64url without padding", name)
		}
		raw[i] = decoded
	}
	s := UnverifiedJWS{Payload: raw[1], input: parts[0] + "." + parts[1], signature: raw[2]}
	header, err := ReadMembers(raw[0])
	if err != nil {
		return UnverifiedJWS{}, fmt.Errorf("has a header that %w", err)
	}
	s.header = header
	if critical, err := header.Raw("crit"); critical != nil || err != nil {
		return UnverifiedJWS{}, errors.New("has a header with crit, which requires an unsupported extension") // RFC 7515, section 4.1.11
	}
	if s.Algorithm, err = s.headerText("alg"); err != nil {
		return UnverifiedJWS{}, err
	}
	if s.KeyID, err = s.headerText("kid"); err != nil {
		return UnverifiedJWS{}, err
	}
	return s, nil
}

// Type returns the header typ in lower case and without the prefix "application/" (RFC 7515,
// section 4.1.9); "" if it is absent. It is an error if typ is not a string.
func (s UnverifiedJWS) Type() (string, error) {
	text, err := s.headerText("typ")
	return strings.TrimPrefix(strings.ToLower(text), "application/"), err
}

// headerText returns a member of the header that must be a string; "" if it is absent or null.
func (s UnverifiedJWS) headerText(name string) (string, error) {
	value, err := s.header.Value(name)
	if err != nil {
		return "", fmt.Errorf("has a header whose %s %w", name, err)
	}
	text, ok := value.(string)
	if !ok && value != nil {
		return "", fmt.Errorf("has a header whose %s is not a string", name)
	}
	return text, nil
}

// HashOf returns the hash function of a signature algorithm (RFC 7518, section 3.1). For EdDSA
// it is that of Ed25519, SHA-512. 0: the algorithm is not supported.
func HashOf(algorithm string) crypto.Hash {
	if algorithm == "EdDSA" || algorithm == "Ed25519" {
		return crypto.SHA512
	}
	if len(algorithm) != 5 || !slices.Contains([]string{"HS", "RS", "PS", "ES"}, algorithm[:2]) {
		return 0
	}
	return map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[2:]]
}

// Fits reports whether the key may verify signatures by that algorithm: it has the right
// kind, its use is not encryption, and it does not name another algorithm (RFC 7517, sections
// 4.2 to 4.4; RFC 9864 has two names for Ed25519).
func (k Key) Fits(algorithm string) bool {
	named := k.Algorithm == "" || k.Algorithm == algorithm || isEd25519(k.Algorithm) && isEd25519(algorithm)
	return named && k.Use != "enc" && slices.Contains(signingAlgorithms[k.kind()], algorithm)
}

func isEd25519(algorithm string) bool { return algorithm == "EdDSA" || algorithm == "Ed25519" }

// Verify reports whether the signature is valid for the key. It does not compare key ids.
func (k Key) Verify(s UnverifiedJWS) bool {
	if !k.Fits(s.Algorithm) {
		return false
	}
	hash := HashOf(s.Algorithm)
	digest := func() []byte {
		h := hash.New()
		h.Write([]byte(s.input))
		return h.Sum(nil)
	}
	switch public := k.Public.(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(s.Algorithm, "PS") { // RFC 7518, section 3.5
			return rsa.VerifyPSS(public, hash, digest(), s.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(public, hash, digest(), s.signature) == nil
	case *ecdsa.PublicKey:
		size := (public.Params().BitSize + 7) / 8
		if len(s.signature) != 2*size { // RFC 7518, section 3.4
			return false
		}
		r, t := new(big.Int).SetBytes(s.signature[:size]), new(big.Int).SetBytes(s.signature[size:])
		return ecdsa.Verify(public, digest(), r, t)
	case ed25519.PublicKey:
		return ed25519.Verify(public, []byte(s.input), s.signature)
	}
	return false
}

// VerifyHMAC reports whether the signature is valid for a secret, by HS256, HS384 or HS512. It
// reports false for all other algorithms.
func (s UnverifiedJWS) VerifyHMAC(secret []byte) bool {
	hash := HashOf(s.Algorithm)
	if !strings.HasPrefix(s.Algorithm, "HS") || hash == 0 || len(secret) == 0 {
		return false
	}
	mac := hmac.New(hash.New, secret)
	mac.Write([]byte(s.input))
	return hmac.Equal(mac.Sum(nil), s.signature)
}

// LooksLikeJWS reports whether an answer has the form of a compact JWS rather than of JSON.
func LooksLikeJWS(body []byte) bool {
	body = bytes.TrimSpace(body)
	return bytes.HasPrefix(body, []byte("ey")) && bytes.Count(body, []byte(".")) == 2
}
