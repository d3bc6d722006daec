package foreign_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/federation/foreign"
)

// jwk is a JWK as the owner of the key writes it.
type jwk map[string]any

// with returns a copy with other members, by pairs of name and value; nil removes a member.
func (k jwk) with(pairs ...any) jwk {
	changed := maps.Clone(k)
	for i := 0; i < len(pairs); i += 2 {
		if changed[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(changed, pairs[i].(string))
		}
	}
	return changed
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// pair is a private key and its public half as a JWK.
type pair struct {
	private   crypto.Signer
	public    jwk
	algorithm jose.SignatureAlgorithm
}

// pairs returns one key pair of each kind, generated once.
var pairs = sync.OnceValue(func() map[string]pair {
	made := map[string]pair{}
	add := func(name string, private crypto.Signer, algorithm jose.SignatureAlgorithm) {
		text, err := json.Marshal(jose.JSONWebKey{Key: private.Public()})
		if err != nil {
			panic(err)
		}
		public := jwk{}
		if err := json.Unmarshal(text, &public); err != nil {
			panic(err)
		}
		made[name] = pair{private, public, algorithm}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	add("RSA", key, jose.RS256)
	for name, c := range map[string]struct {
		curve     elliptic.Curve
		algorithm jose.SignatureAlgorithm
	}{"P-256": {elliptic.P256(), jose.ES256}, "P-384": {elliptic.P384(), jose.ES384}, "P-521": {elliptic.P521(), jose.ES512}} {
		key, err := ecdsa.GenerateKey(c.curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		add(name, key, c.algorithm)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	add("Ed25519", ed, jose.EdDSA)
	return made
})

// newCertificate returns a self-signed certificate for a key.
func newCertificate(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func document(t testing.TB, keys ...any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": append([]any{}, keys...)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// goodKeys returns valid keys in the forms that other programs write.
func goodKeys(t testing.TB) map[string]jwk {
	ks := pairs()
	r, p := ks["RSA"].public, ks["P-256"].public
	raw := newCertificate(t, ks["RSA"].private)
	one, two := sha1.Sum(raw), sha256.Sum256(raw)
	all := map[string]jwk{
		"RSA with a use":               r.with("use", "sig", "kid", "a"),
		"RSA with an alg":              r.with("alg", "PS512"),
		"RSA with key_ops":             r.with("key_ops", []string{"verify"}),
		"all of it":                    r.with("use", "sig", "alg", "RS256", "key_ops", []string{"verify"}, "kid", "a"),
		"RSA for encryption":           r.with("use", "enc", "alg", "RSA-OAEP-256", "key_ops", []string{"encrypt", "wrapKey"}),
		"EC for encryption":            p.with("use", "enc", "alg", "ECDH-ES+A128KW", "key_ops", []string{"deriveKey"}),
		"Ed25519 by its own name":      ks["Ed25519"].public.with("alg", "Ed25519"),
		"members that nobody knows":    p.with("issuer", "https://id.example.com", "exp", 1, "nbf", map[string]any{"a": []int{1}}),
		"a certificate":                r.with("x5c", []string{base64.StdEncoding.EncodeToString(raw)}, "x5t", b64(one[:]), "x5t#S256", b64(two[:])),
		"thumbprints alone":            r.with("x5t", b64(one[:]), "x5t#S256", b64(two[:]), "x5u", "https://id.example.com/cert.pem"),
		"thumbprints in hexadecimal":   r.with("x5c", []string{base64.StdEncoding.EncodeToString(raw)}, "x5t", b64(fmt.Appendf(nil, "%X", one)), "x5t#S256", b64(fmt.Appendf(nil, "%x", two))),
		"a kid beyond ASCII":           p.with("kid", "Schlüssel 1"),
		"a modulus with a zero before": r.with("n", b64(append([]byte{0}, decoded(r["n"])...))),
	}
	for name, k := range ks {
		all[name] = k.public
		all[name+" with its alg"] = k.public.with("alg", string(k.algorithm))
	}
	return all
}

func decoded(text any) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(text.(string))
	if err != nil {
		panic(err)
	}
	return raw
}

func TestReadKeySet_GoJOSEReadsTheSameKeys(t *testing.T) {
	for name, key := range goodKeys(t) {
		read, err := foreign.ReadKeySet(document(t, key))
		if err != nil || len(read) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkSameKeyInGoJOSE(t, name, key, read[0])
	}
}

// checkSameKeyInGoJOSE checks that go-jose reads the same key.
func checkSameKeyInGoJOSE(t testing.TB, name string, key any, read foreign.Key) {
	t.Helper()
	text, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	var other jose.JSONWebKey
	if err := json.Unmarshal(text, &other); err != nil || !other.Valid() || !other.IsPublic() {
		t.Errorf("%s: go-jose refuses it: %v", name, err)
		return
	}
	if same, ok := read.Public.(interface{ Equal(crypto.PublicKey) bool }); !ok || !same.Equal(other.Key) || other.KeyID != read.ID || other.Algorithm != read.Algorithm {
		t.Errorf("%s: go-jose reads another key", name)
	}
}

// TestReadKey_KeyVerifiesSignatureOfItsPrivateKey for every accepted kind of key.
func TestReadKey_KeyVerifiesSignatureOfItsPrivateKey(t *testing.T) {
	for name, k := range pairs() {
		read, err := foreign.ReadKey(k.public)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: k.private}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte("a claim"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(read.Public); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// badKeySets returns invalid key sets, each with a part of the expected error.
func badKeySets(t testing.TB) map[string]struct {
	document []byte
	reason   string
} {
	ks := pairs()
	r, p, ed := ks["RSA"].public, ks["P-256"].public, ks["Ed25519"].public
	raw := newCertificate(t, ks["P-256"].private)
	of := func(keys ...any) []byte { return document(t, keys...) }
	number := func(n *big.Int) string { return b64(n.Bytes()) }
	modulus := new(big.Int).SetBytes(decoded(r["n"]))
	many := make([]any, 21)
	for i := range many {
		many[i] = p.with("kid", fmt.Sprint(i))
	}
	off := decoded(p["x"])
	off[31] ^= 1
	off2 := decoded(ed["x"])
	for off2[0]++; isAcceptedEd25519(off2); off2[0]++ {
	}
	twisted, _ := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05") // of order 8
	list := map[string]struct {
		document []byte
		reason   string
	}{
		"nothing":                         {nil, "JSON"},
		"an array":                        {[]byte(`[]`), "not an object"},
		"an object":                       {[]byte(`{}`), "at least one key"},
		"no keys":                         {[]byte(`{"keys":[]}`), "at least one key"},
		"keys that are none":              {[]byte(`{"keys":{}}`), "at least one key"},
		"keys of nothing":                 {[]byte(`{"keys":[null]}`), "not a JSON object"},
		"keys in other letters":           {[]byte(`{"KEYS":[{}]}`), "at least one key"},
		"keys twice":                      {[]byte(`{"keys":[{}],"keys":[{}]}`), "repeated"},
		"keys twice in other letters":     {[]byte(`{"keys":[{}],"Keys":[{}]}`), "case"},
		"half a surrogate pair":           {[]byte(`{"keys":[{"kty":"EC","kid":"\ud800"}]}`), "surrogate"},
		"something behind it":             {append(of(p), "{}"...), "follows"},
		"a key alone":                     {[]byte(`{"kty":"EC","crv":"P-256"}`), "single key"},
		"more than 64 KiB":                {[]byte(strings.Repeat(" ", 64<<10) + `{"keys":[]}`), "64 KiB"},
		"21 keys":                         {of(many...), "at most 20"},
		"two keys of one kid":             {of(p.with("kid", "a"), r.with("kid", "a")), "twice"},
		"two keys, one without a kid":     {of(p.with("kid", "a"), r), "without a kid"},
		"two keys without a kid":          {of(p, r), "without a kid"},
		"a bad key behind a good one":     {of(p.with("kid", "a"), r.with("kid", "b", "e", "AQ")), "number 2"},
		"no kty":                          {of(p.with("kty", nil)), "no kty"},
		"a kty that is none":              {of(p.with("kty", "ec")), "unsupported kty"},
		"a kty that is a number":          {of(p.with("kty", 1)), "not a string"},
		"a symmetric key":                 {of(jwk{"kty": "oct", "k": b64(make([]byte, 32))}), "private or symmetric"},
		"a symmetric key without it":      {of(jwk{"kty": "oct"}), "unsupported kty"},
		"a kid that is empty":             {of(p.with("kid", "")), "kid"},
		"a kid that is a number":          {of(p.with("kid", 1)), "kid"},
		"a kid of two lines":              {of(p.with("kid", "a\nb")), "kid"},
		"a kid of 256 characters":         {of(p.with("kid", strings.Repeat("a", 256))), "kid"},
		"512 bits":                        {of(r.with("n", number(new(big.Int).Rsh(modulus, 2048-512)))), "512 bits"},
		"1024 bits":                       {of(r.with("n", number(new(big.Int).Rsh(modulus, 1024)))), "1024 bits"},
		"2047 bits":                       {of(r.with("n", number(new(big.Int).Rsh(modulus, 1)))), "2047 bits"},
		"8193 bits":                       {of(r.with("n", number(new(big.Int).SetBit(modulus, 8192, 1)))), "8193 bits"},
		"no modulus":                      {of(r.with("n", nil)), "member n"},
		"an empty modulus":                {of(r.with("n", "")), "member n"},
		"a modulus with padding":          {of(r.with("n", r["n"].(string)+"==")), "member n"},
		"a modulus of two lines":          {of(r.with("n", r["n"].(string)[:4]+"\n"+r["n"].(string)[4:])), "member n"},
		"a modulus in plain base64":       {of(r.with("n", "+/"+r["n"].(string)[2:])), "member n"},
		"a modulus with bits behind":      {of(r.with("n", r["n"].(string)[:341]+"B")), "member n"},
		"an even modulus":                 {of(r.with("n", number(new(big.Int).SetBit(modulus, 0, 0)))), "small factor"},
		"a modulus with a small factor":   {of(r.with("n", number(withFactor(modulus, 743)))), "small factor"},
		"no exponent":                     {of(r.with("e", nil)), "member e"},
		"an exponent that is a number":    {of(r.with("e", 65537)), "not a string"},
		"exponent 1":                      {of(r.with("e", "AQ")), "exponent"},
		"exponent 0":                      {of(r.with("e", "AA")), "exponent"},
		"exponent 3":                      {of(r.with("e", "Aw")), "exponent"},
		"an even exponent":                {of(r.with("e", number(big.NewInt(65538)))), "exponent"},
		"an exponent of 32 bits":          {of(r.with("e", number(big.NewInt(1<<31+1)))), "exponent"},
		"an exponent of 64 bits and more": {of(r.with("e", b64([]byte("123456789")))), "exponent"},
		"a point off the curve":           {of(p.with("x", b64(off))), "not a point"},
		"the point of nothing":            {of(p.with("x", b64(make([]byte, 32)), "y", b64(make([]byte, 32)))), "not a point"},
		"a point of another curve":        {of(p.with("crv", "P-384")), "takes 48"},
		"a coordinate beyond the field":   {of(p.with("x", b64([]byte(strings.Repeat("\xff", 32))))), "not a point"},
		"a short coordinate":              {of(p.with("y", b64(decoded(p["y"])[1:]))), "takes 32"},
		"a long coordinate":               {of(p.with("y", b64(append([]byte{0}, decoded(p["y"])...)))), "takes 32"},
		"half a point":                    {of(p.with("y", nil)), "member y"},
		"no curve":                        {of(p.with("crv", nil)), "unsupported crv"},
		"the curve of bitcoins":           {of(p.with("crv", "secp256k1")), "unsupported crv"},
		"a curve of Ed25519 that is none": {of(ed.with("crv", "X25519")), "unsupported crv"},
		"an EC key on Ed25519":            {of(p.with("crv", "Ed25519")), "unsupported crv"},
		"a short Ed25519 key":             {of(ed.with("x", b64(decoded(ed["x"])[1:]))), "takes 32"},
		"a long Ed25519 key":              {of(ed.with("x", b64(make([]byte, 33)))), "takes 32"},
		"an Ed25519 point off the curve":  {of(ed.with("x", b64(off2))), "not a point"},
		"an Ed25519 point of order 1":     {of(ed.with("x", b64(append([]byte{1}, make([]byte, 31)...)))), "small order"},
		"an Ed25519 point of order 4":     {of(ed.with("x", b64(make([]byte, 32)))), "small order"},
		"an Ed25519 point of order 8":     {of(ed.with("x", b64(twisted))), "small order"},
		"an Ed25519 point not reduced":    {of(ed.with("x", b64([]byte("\xee"+strings.Repeat("\xff", 30)+"\x7f")))), "small order"},
		"a use that is none":              {of(p.with("use", "verify")), "use"},
		"a use that is a number":          {of(p.with("use", 1)), "use"},
		"a use that is empty":             {of(p.with("use", "")), "use"},
		"use and alg":                     {of(r.with("use", "enc", "alg", "RS256")), "contradicts"},
		"alg and use":                     {of(r.with("use", "sig", "alg", "RSA-OAEP")), "contradicts"},
		"use and key_ops":                 {of(r.with("use", "sig", "key_ops", []string{"encrypt"})), "contradict"},
		"alg and key_ops":                 {of(r.with("alg", "RS256", "key_ops", []string{"encrypt"})), "contradicts"},
		"key_ops and key_ops":             {of(r.with("key_ops", []string{"verify", "encrypt"})), "contradict"},
		"key_ops of a private key":        {of(r.with("key_ops", []string{"sign"})), "public key"},
		"key_ops twice":                   {of(r.with("key_ops", []string{"verify", "verify"})), "twice"},
		"key_ops of nothing":              {of(r.with("key_ops", []string{})), "key_ops"},
		"key_ops that are text":           {of(r.with("key_ops", "verify")), "key_ops"},
		"key_ops that are numbers":        {of(r.with("key_ops", []int{1})), "key_ops"},
		"an alg of another kind":          {of(r.with("alg", "ES256")), "does not belong"},
		"an alg of another curve":         {of(p.with("alg", "ES384")), "does not belong"},
		"a symmetric alg":                 {of(r.with("alg", "HS256")), "does not belong"},
		"no alg by name":                  {of(r.with("alg", "none")), "does not belong"},
		"an alg that is none":             {of(p.with("alg", "es256")), "does not belong"},
		"an Ed25519 key for encryption":   {of(ed.with("use", "enc")), "Ed25519 cannot"},
		"an EC alg for Ed25519":           {of(ed.with("alg", "ECDH-ES")), "does not belong"},
		"a certificate of another key":    {of(r.with("x5c", []string{base64.StdEncoding.EncodeToString(raw)})), "another key"},
		"a certificate that is none":      {of(r.with("x5c", []string{"AAAA"})), "x5c"},
		"a certificate that is text":      {of(r.with("x5c", "AAAA")), "x5c"},
		"no certificate":                  {of(r.with("x5c", []string{})), "x5c"},
		"a thumbprint of something else":  {of(p.with("x5c", []string{base64.StdEncoding.EncodeToString(raw)}, "x5t#S256", b64(make([]byte, 32)))), "thumbprint"},
		"a thumbprint that is too short":  {of(p.with("x5t", "AAAA")), "thumbprint"},
		"an x5u that is no URL":           {of(p.with("x5u", ":")), "x5u"},
	}
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		for value, text := range map[string]any{"a value": "AQAB", "nothing": json.RawMessage("null"), "an empty value": ""} {
			list["private member "+member+" with "+value] = struct {
				document []byte
				reason   string
			}{of(p.with(member, text)), "private or symmetric"}
		}
	}
	return list
}

// isAcceptedEd25519 reports whether ReadKey accepts the Ed25519 key; it refuses points off the curve.
func isAcceptedEd25519(raw []byte) bool {
	_, err := foreign.ReadKey(jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(raw)})
	return err == nil
}

// withFactor returns a number near n that is divisible by factor.
func withFactor(n *big.Int, factor int64) *big.Int {
	f := big.NewInt(2 * factor)
	near := new(big.Int).Sub(n, new(big.Int).Mod(n, f))
	return near.Add(near, big.NewInt(factor))
}

func TestReadKeySet_BadKeysAreRefusedWithTheirReason(t *testing.T) {
	for name, c := range badKeySets(t) {
		if _, err := foreign.ReadKeySet(c.document); err == nil {
			t.Errorf("%s is accepted: %.200s", name, c.document)
		} else if !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s is refused with %q, want a reason about %q", name, err, c.reason)
		}
	}
}

// FuzzClientJWKS checks that go-jose reads the same keys as this package from every accepted
// set, and that the keys are within the limits.
func FuzzClientJWKS(f *testing.F) {
	for _, key := range goodKeys(f) {
		f.Add(document(f, key))
	}
	for _, c := range badKeySets(f) {
		f.Add(c.document)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := foreign.ReadKeySet(text)
		if err != nil {
			if keys != nil || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Fatalf("an error with keys or of several lines: %q", err)
			}
			return
		}
		var raw struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal(text, &raw); err != nil || len(raw.Keys) != len(keys) || len(keys) > 20 {
			t.Fatalf("%d keys of %d: %v", len(keys), len(raw.Keys), err)
		}
		ids := map[string]bool{}
		for i, key := range keys {
			checkSameKeyInGoJOSE(t, "accepted key", raw.Keys[i], key)
			if ids[key.ID] {
				t.Fatal("a kid is repeated")
			}
			ids[key.ID] = true
			if key, ok := key.Public.(*rsa.PublicKey); ok && (key.N.BitLen() < 2048 || key.N.BitLen() > 8192 || key.E < 65537 || key.E%2 == 0) {
				t.Fatalf("RSA of %d bits with exponent %d", key.N.BitLen(), key.E)
			}
		}
	})
}
