package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/keystest"
	"signet/storage"
)

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// kind is a kind of token: how to make one, and the only function that may open it.
type kind struct {
	name string
	make func(*testing.T, *testNode) string
	open func(*testNode, string) error
}

var kinds = []kind{
	{"access ES256", func(t *testing.T, h *testNode) string { return h.AccessToken(t, "ES256") }, openAccess},
	{"access RS256", func(t *testing.T, h *testNode) string { return h.AccessToken(t, "RS256") }, openAccess},
	{"ID ES256", func(t *testing.T, h *testNode) string { return h.IDToken(t, "ES256") }, openHint},
	{"ID RS256", func(t *testing.T, h *testNode) string { return h.IDToken(t, "RS256") }, openHint},
	{"refresh", func(t *testing.T, h *testNode) string { return h.RefreshToken(t) }, openRefresh},
	{"sealed request", func(t *testing.T, h *testNode) string { return h.SealedMessage(t, "request") }, unseal("request")},
	{"sealed code", func(t *testing.T, h *testNode) string { return h.SealedMessage(t, "code") }, unseal("code")},
	{"sealed rt+jwt", func(t *testing.T, h *testNode) string { return h.SealedMessage(t, "rt+jwt") }, unseal("rt+jwt")},
}

func openAccess(h *testNode, token string) error {
	got, err := h.VerifyAccess(token, noon)
	if err != nil && got.Subject != "" {
		return nil // content returned with an error counts as opened: a caller may read it
	}
	return err
}

func openHint(h *testNode, token string) error {
	got, err := h.VerifyIDTokenHint(token, noon)
	if err != nil && got.Subject != "" {
		return nil
	}
	return err
}

func openRefresh(h *testNode, token string) error {
	_, err := h.OpenRefresh(token, noon)
	return err
}

func unseal(purpose string) func(*testNode, string) error {
	return func(h *testNode, message string) error {
		_, err := h.Unseal(purpose, message, noon)
		return err
	}
}

// JW-07: Each kind of token is accepted only where that kind belongs (RFC 8725, section
// 3.12).
func TestTokens_EachKindOpensOnlyAsItself(t *testing.T) {
	h := open(t)
	for _, made := range kinds {
		token := made.make(t, h)
		for _, asked := range kinds {
			same := strings.Fields(made.name)[0] == strings.Fields(asked.name)[0] &&
				(made.name == asked.name || !strings.HasPrefix(made.name, "sealed"))
			err := asked.open(h, token)
			if same && err != nil {
				t.Errorf("%s opened as %s: %v", made.name, asked.name, err)
			}
			if !same && !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("%s opened as %s: got %v, want ErrInvalid", made.name, asked.name, err)
			}
		}
	}
}

// wantRefused fails the test if any verifier accepts one of the tokens.
func (h *testNode) wantRefused(t *testing.T, tokens map[string]string) {
	t.Helper()
	if len(tokens) == 0 {
		t.Fatal("no tokens to check")
	}
	for name, token := range tokens {
		for verifier, open := range map[string]func(*testNode, string) error{
			"access": openAccess, "hint": openHint, "refresh": openRefresh, "sealed": unseal("request"),
		} {
			if err := open(h, token); !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("%s, as %s: got %v, want ErrInvalid", name, verifier, err)
			}
		}
	}
}

// splitToken returns the segments of a token.
func splitToken(token string) (header, payload, signature string) {
	parts := strings.Split(token, ".")
	return parts[0], parts[1], parts[2]
}

// es256 signs with the real private half, which an attacker does not have. So if a verifier
// refuses the token, the reason is its header or payload, not its signature.
func (h *testNode) es256(t *testing.T, kid, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + payload
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, keys.PrivateHalf(h.Ring, kid).(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + b64(signature)
}

func TestForgeryTool_MakesValidTokens(t *testing.T) {
	h := open(t, "ES256")
	kid := h.Kid(t, "ES256", storage.KeyActive)
	_, payload, _ := splitToken(h.AccessToken(t, "ES256"))
	token := h.es256(t, kid, `{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`, payload)
	if err := openAccess(h, token); err != nil {
		t.Errorf("a valid token is refused, so the tests below prove nothing: %v", err)
	}
}

// JW-02: HS256 with the public key as the secret is refused (RFC 8725, section 2.1).
func TestTokens_PublicKeyAsSecretIsRefused(t *testing.T) {
	h := open(t)
	forged := map[string]string{}
	for _, alg := range []string{"ES256", "RS256"} {
		kid := h.Kid(t, alg, storage.KeyActive)
		public := keys.PrivateHalf(h.Ring, kid).Public()
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		secrets := map[string][]byte{
			"DER":  der,
			"PEM":  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
			"JWKS": h.JWKS().Body,
			"kid":  []byte(kid),
			"none": nil,
		}
		for _, row := range h.Rows(t) {
			if row.ID == kid {
				secrets["JWK"] = []byte(row.Public)
			}
		}
		if k, ok := public.(*rsa.PublicKey); ok {
			secrets["modulus"] = k.N.Bytes()
		}
		_, payload, _ := splitToken(h.AccessToken(t, alg))
		for name, secret := range secrets {
			for _, kind := range []string{"at+jwt", "JWT", "rt+jwt"} {
				for _, claimed := range []string{"HS256", "none", alg} {
					input := b64([]byte(`{"alg":"`+claimed+`","kid":"`+kid+`","typ":"`+kind+`"}`)) + "." + payload
					mac := hmac.New(sha256.New, secret)
					mac.Write([]byte(input))
					forged[alg+" "+name+" "+kind+" "+claimed] = input + "." + b64(mac.Sum(nil))
				}
			}
		}
	}
	h.wantRefused(t, forged)
}

// JW-03: The algorithm must be the one of the key (RFC 8725, section 3.1).
func TestTokens_OtherAlgorithmThanTheKeysIsRefused(t *testing.T) {
	h := open(t)
	forged := map[string]string{}

	rsaKid := h.Kid(t, "RS256", storage.KeyActive)
	rsaKey := keys.PrivateHalf(h.Ring, rsaKid).(*rsa.PrivateKey)
	_, payload, _ := splitToken(h.AccessToken(t, "RS256"))
	for _, alg := range []string{"PS256", "RS256"} { // PSS under either name
		input := b64([]byte(`{"alg":"`+alg+`","kid":"`+rsaKid+`","typ":"at+jwt"}`)) + "." + payload
		digest := sha256.Sum256([]byte(input))
		pss, err := rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, digest[:], nil)
		if err != nil {
			t.Fatal(err)
		}
		forged[alg+" by PSS"] = input + "." + b64(pss)
	}
	for _, alg := range []string{"RS512", "RS256"} {
		input := b64([]byte(`{"alg":"`+alg+`","kid":"`+rsaKid+`","typ":"at+jwt"}`)) + "." + payload
		digest := sha512.Sum512([]byte(input))
		signature, err := rsa.SignPKCS1v15(rand.Reader, rsaKey, crypto.SHA512, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		forged[alg+" by SHA-512"] = input + "." + b64(signature)
	}
	kid := h.Kid(t, "ES256", storage.KeyActive)
	for _, alg := range []string{"none", "None", "es256", "ES384", "ES512", "EdDSA", "RS256", "HS256", ""} {
		forged["ES256 as "+alg] = h.es256(t, kid, `{"alg":"`+alg+`","kid":"`+kid+`","typ":"at+jwt"}`, payload)
	}
	header, _, _ := splitToken(h.AccessToken(t, "ES256"))
	forged["no signature"] = header + "." + payload + "."
	forged["zero signature"] = header + "." + payload + "." + b64(make([]byte, 64))
	next := h.Kid(t, "ES256", storage.KeyNext)
	forged["other key's signature"] = h.es256(t, next, `{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`, payload)
	h.wantRefused(t, forged)
}

// JW-05: kid is only a map key: paths, SQL, wrong types and long values do nothing (RFC 8725,
// section 3.10).
func TestTokens_UnknownKidIsRefused(t *testing.T) {
	h := open(t)
	kid, next := h.Kid(t, "ES256", storage.KeyActive), h.Kid(t, "ES256", storage.KeyNext)
	_, payload, _ := splitToken(h.AccessToken(t, "ES256"))
	forged := map[string]string{}
	for _, bad := range []string{
		`"../../dev/null"`, `"' OR 1=1 --"`, `"\u0000"`, `7`, `["` + kid + `"]`, `null`, `""`, `{}`,
		`"` + strings.Repeat("A", 1<<20) + `"`, `"` + next + `"`, `"` + h.Kid(t, "RS256", storage.KeyActive) + `"`,
		`"https://evil.example/key"`, `"` + kid + ` "`, `"` + strings.ToLower(kid) + `"`, `"` + kid[:42] + `"`,
		`"` + h.Kid(t, storage.InternalLine, storage.KeyActive) + `"`,
	} {
		forged["kid "+bad[:min(len(bad), 40)]] = h.es256(t, kid, `{"alg":"ES256","kid":`+bad+`,"typ":"at+jwt"}`, payload)
	}
	forged["no kid"] = h.es256(t, kid, `{"alg":"ES256","typ":"at+jwt"}`, payload)
	forged["kid twice"] = h.es256(t, kid, `{"alg":"ES256","kid":"x","kid":"`+kid+`","typ":"at+jwt"}`, payload)
	h.wantRefused(t, forged)
}

// JW-06: jwk, jku, x5c and x5u headers are never followed.
func TestTokens_KeysInTheHeaderAreRefused(t *testing.T) {
	h := open(t, "ES256")
	h.wantHeadersRefused(t, map[string]string{
		"jwk": `"jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`,
		"jku": `"jku":"https://evil.example/jwks"`,
		"x5u": `"x5u":"https://evil.example/cert"`,
		"x5c": `"x5c":["MIIB"]`,
	})
}

// JW-08: An unknown or empty crit, and b64: false, are refused (RFC 7515, section 4.1.11).
func TestTokens_CriticalHeadersAreRefused(t *testing.T) {
	h := open(t, "ES256")
	h.wantHeadersRefused(t, map[string]string{
		"unknown":    `"crit":["exp2"],"exp2":1`,
		"known":      `"crit":["b64"],"b64":true`,
		"b64 false":  `"crit":["b64"],"b64":false`,
		"empty":      `"crit":[]`,
		"b64 alone":  `"b64":false`,
		"cty":        `"cty":"JWT"`,
		"zip":        `"zip":"DEF"`,
		"encryption": `"enc":"A256GCM"`,
	})
}

// wantHeadersRefused adds each member to a valid header, as the first and as the last one,
// and fails the test if a verifier accepts the token.
func (h *testNode) wantHeadersRefused(t *testing.T, members map[string]string) {
	t.Helper()
	kid := h.Kid(t, "ES256", storage.KeyActive)
	_, payload, _ := splitToken(h.AccessToken(t, "ES256"))
	forged := map[string]string{}
	for name, member := range members {
		forged[name+" last"] = h.es256(t, kid, `{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt",`+member+`}`, payload)
		forged[name+" first"] = h.es256(t, kid, `{`+member+`,"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`, payload)
	}
	h.wantRefused(t, forged)
}

// JW-09: A token that is too long is refused before it is split.
func TestTokens_SizeIsCheckedFirst(t *testing.T) {
	h := open(t, "ES256")
	header, payload, signature := splitToken(h.AccessToken(t, "ES256"))
	tokens := map[string]string{
		"empty":           "",
		"dots":            strings.Repeat(".", 100_000),
		"few dots":        "...",
		"two dots":        "..",
		"1 MB of payload": header + "." + strings.Repeat("A", 1<<20) + "." + signature,
		"1 MB of header":  strings.Repeat("A", 1<<20) + "." + payload + "." + signature,
		"five parts":      header + ".." + payload + "." + signature + ".",
		"10 MB":           strings.Repeat("A", 10<<20),
	}
	h.wantRefused(t, tokens)
	huge := tokens["10 MB"]
	if n := testing.AllocsPerRun(10, func() { h.VerifyAccess(huge, noon) }); n > 10 {
		t.Errorf("%v allocations for a token that is too long", n)
	}
}

func TestSignAccess_RefusesTokenThatIsTooLong(t *testing.T) {
	h := open(t, "ES256")
	token := keystest.AccessContent()
	token.Scope = strings.Repeat("a", 8<<10)
	if _, err := h.SignAccess("ES256", token); err == nil {
		t.Error("a token of more than 8 KiB was made")
	}
}

// JW-16: Base64 that is not canonical is refused (RFC 7515, section 2).
func TestTokens_NonCanonicalEncodingIsRefused(t *testing.T) {
	h := open(t)
	for _, made := range kinds {
		token := made.make(t, h)
		last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", token[len(token)-1])
		spellings := map[string]string{
			"padding":      token + "=",
			"two paddings": token + "==",
			"line break":   token + "\n",
			"CR LF":        token + "\r\n",
			"inner break":  token[:len(token)-5] + "\n" + token[len(token)-5:],
			"first break":  "\n" + token,
			"space":        token + " ",
			"NUL":          token + "\x00",
		}
		if plain := strings.NewReplacer("-", "+", "_", "/").Replace(token); plain != token {
			spellings["standard alphabet"] = plain
		}
		if free := freeBits(token); free > 0 {
			spellings["spare bits"] = token[:len(token)-1] +
				string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1])
		}
		for name, spelled := range spellings {
			if err := made.open(h, spelled); !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("%s with %s: got %v, want ErrInvalid", made.name, name, err)
			}
		}
	}
}

// freeBits returns the number of bits in the last character of the last segment that decoding
// ignores.
func freeBits(token string) int {
	segment := token[strings.LastIndexByte(token, '.')+1:]
	return len(segment) * 6 % 8
}

// IR-16: A cut or extended token is refused.
func TestTokens_TruncatedOrExtendedIsRefused(t *testing.T) {
	h := open(t)
	for _, made := range kinds {
		token := made.make(t, h)
		for cut := 1; cut <= 40; cut++ {
			if err := made.open(h, token[:len(token)-cut]); !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("%s without its last %d characters: %v", made.name, cut, err)
			}
			if err := made.open(h, token+strings.Repeat("A", cut)); !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("%s with %d characters more: %v", made.name, cut, err)
			}
		}
		for i := range token {
			altered := []byte(token)
			altered[i] = 'A'
			if altered[i] == token[i] {
				altered[i] = 'B'
			}
			// The cache of verified tokens holds the valid token here.
			if err := made.open(h, string(altered)); !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("%s with character %d altered: %v", made.name, i, err)
			}
		}
		if err := made.open(h, token); err != nil {
			t.Errorf("%s, whole: %v", made.name, err)
		}
	}
}

// JW-17: A token of another installation is refused: the issuer must match (RFC 8725, section
// 3.8).
func TestTokens_OtherIssuerWithSameKeysIsRefused(t *testing.T) {
	h := open(t)
	for _, other := range []string{issuer + "/", "https://ID.example.com", "http://id.example.com", issuer + "/tenant"} {
		theirs, err := h.openAgain(t, func(c *keystest.Config) { c.Issuer = other })
		if err != nil {
			t.Fatal(err)
		}
		for _, made := range kinds {
			if strings.HasPrefix(made.name, "sealed") {
				continue // sealed messages have no issuer: issuers do not share keys
			}
			if err := made.open(h, made.make(t, theirs)); !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("%s of %s: got %v, want ErrInvalid", made.name, other, err)
			}
		}
	}
}

// JW-13: Foreign tokens with times of a wrong type or range are refused.
func TestTokens_InvalidTimesAndMissingClaimsAreRefused(t *testing.T) {
	h := open(t, "ES256")
	kid := h.Kid(t, "ES256", storage.KeyActive)
	_, payload, _ := splitToken(h.AccessToken(t, "ES256"))
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	var good map[string]any
	if err := json.Unmarshal(raw, &good); err != nil {
		t.Fatal(err)
	}
	forged := map[string]string{}
	alter := func(name string, change func(map[string]any)) {
		claims := maps.Clone(good)
		change(claims)
		doc, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		forged[name] = h.es256(t, kid, `{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`, b64(doc))
	}
	for _, claim := range []string{"iss", "sub", "aud", "client_id", "jti", "iat", "exp"} {
		alter("no "+claim, func(c map[string]any) { delete(c, claim) })
		alter(claim+" null", func(c map[string]any) { c[claim] = nil })
		alter(claim+" of another type", func(c map[string]any) { c[claim] = map[string]any{"a": 1} })
	}
	for _, claim := range []string{"iat", "exp"} {
		for _, value := range []any{"1800000000", 1e300, -1, 0, 1800000000.5} {
			alter(fmt.Sprintf("%s %v", claim, value), func(c map[string]any) { c[claim] = value })
		}
	}
	alter("from the future", func(c map[string]any) { c["iat"] = noon.Unix() + 61 })
	alter("no audience", func(c map[string]any) { c["aud"] = []string{} })
	h.wantRefused(t, forged)
}

// JW-24: A verifier returns claims only if the token is valid.
func TestTokens_ErrorComesWithoutClaims(t *testing.T) {
	h := open(t, "ES256")
	token, hint := h.AccessToken(t, "ES256"), h.IDToken(t, "ES256")
	late := noon.Add(500 * 24 * time.Hour)
	if got, err := h.VerifyAccess(token, late); err == nil || got.Subject != "" || got.Audience != nil {
		t.Errorf("expired access token: %v, %v", got, err)
	}
	if got, err := h.VerifyIDTokenHint(hint, late); err == nil || got.Subject != "" {
		t.Errorf("expired hint: %v, %v", got, err)
	}
	if got, err := h.OpenRefresh(h.RefreshToken(t)+"A", noon); err == nil || got != (keys.RefreshToken{}) {
		t.Errorf("altered refresh token: %v, %v", got, err)
	}
	message := h.SealedMessage(t, "request")
	if got, err := h.Unseal("code", message, noon); err == nil || got != nil {
		t.Errorf("message of another purpose: %q, %v", got, err)
	}
}

// KY-01: Private key material is in no JWKS, log, answer or backup in the clear.
func TestJWKS_HasNoPrivateMembers(t *testing.T) {
	h := open(t)
	var set map[string][]map[string]any
	if err := json.Unmarshal(h.JWKS().Body, &set); err != nil {
		t.Fatal(err)
	}
	members := map[string][]string{
		"EC":  {"kty", "kid", "use", "alg", "crv", "x", "y"},
		"RSA": {"kty", "kid", "use", "alg", "n", "e"},
	}
	if len(set) != 1 || len(set["keys"]) != 4 {
		t.Fatalf("got %s", h.JWKS().Body)
	}
	for _, k := range set["keys"] {
		allowed := members[k["kty"].(string)]
		if len(k) != len(allowed) {
			t.Errorf("members %v, want %v", k, allowed)
		}
		for _, name := range allowed {
			if value, _ := k[name].(string); value == "" {
				t.Errorf("%s is missing in %v", name, k)
			}
		}
		if k["use"] != "sig" {
			t.Errorf("use %v", k["use"])
		}
	}
	for _, secret := range keys.Secrets(h.Ring) {
		if bytes.Contains(h.JWKS().Body, []byte(b64(secret))) {
			t.Error("a secret of the internal line is published")
		}
	}
}
