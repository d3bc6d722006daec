package provider_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/storage"
)

// bench is one signed-in visitor with a fresh specimen of everything that is
// signed, sealed, or known under a name.
type bench struct {
	b      *testbed
	v      *visitor
	tokens map[string]any
}

func (b *testbed) bench(t *testing.T) *bench {
	t.Helper()
	v := b.visitor(t)
	page := v.signIn(t, v.get(t, b.authorizeURL()), alice, password)
	if page.Left == nil {
		page = v.allow(t, page)
	}
	return &bench{b, v, b.redeem(t, page.code(t))}
}

// kinds of things that Signet hands out, and where each is good.
var kinds = []struct {
	name string
	make func(t *testing.T, s *bench) string
	good []string // consumers that accept it
}{
	{"access token", func(_ *testing.T, s *bench) string { return s.tokens["access_token"].(string) },
		[]string{"bearer", "bearer in the body", "introspect"}},
	{"ID token", func(_ *testing.T, s *bench) string { return s.tokens["id_token"].(string) },
		[]string{"hint at authorize", "hint at end_session"}},
	{"refresh token", func(_ *testing.T, s *bench) string { return s.tokens["refresh_token"].(string) }, []string{"refresh", "introspect"}},
	{"logout token", func(t *testing.T, s *bench) string { return s.logoutToken(t) }, nil}, // for clients alone
	{"code", func(t *testing.T, s *bench) string { return s.v.again(t) }, []string{"code"}},
	{"request", func(t *testing.T, s *bench) string { return s.request(t, "prompt", "none") }, []string{"next", "login", "consent page", "select page"}},
	{"consent ticket", func(t *testing.T, s *bench) string { return s.ticket(t, "/consent") }, []string{"consent"}},
	{"choice ticket", func(t *testing.T, s *bench) string { return s.ticket(t, "/select") }, []string{"select"}},
	{"logout message", func(t *testing.T, s *bench) string { return s.confirm(t).values.Get("logout") }, []string{"logout"}},
	{"logout ticket", func(t *testing.T, s *bench) string { return s.confirm(t).values.Get("ticket") }, []string{"logout ticket"}},
	{"session handle", func(t *testing.T, s *bench) string { return s.v.cookie(t, "signet").Value }, []string{"cookie"}},
	{"client secret", func(_ *testing.T, s *bench) string { return s.b.Secret }, []string{"client secret"}},
	{"sid", func(t *testing.T, s *bench) string { return fmt.Sprint(claimsOf(t, s.tokens["id_token"])["sid"]) }, nil},
	{"gid", func(t *testing.T, s *bench) string { return fmt.Sprint(claimsOf(t, s.tokens["access_token"])["gid"]) }, nil},
	{"jti", func(t *testing.T, s *bench) string { return fmt.Sprint(claimsOf(t, s.tokens["access_token"])["jti"]) }, nil},
	{"subject", func(_ *testing.T, s *bench) string { return s.b.Alice.ID }, nil},
	{"client id", func(_ *testing.T, s *bench) string { return s.b.Client.ID }, nil},
	{"kid", func(t *testing.T, s *bench) string { return fmt.Sprint(headerOf(t, s.tokens["id_token"])["kid"]) }, nil},
	{"client assertion", func(t *testing.T, s *bench) string { return foreignJWT(t, "JWT", s.b.Client.ID, s.b.Issuer) }, nil},
	{"request object", func(t *testing.T, s *bench) string {
		return foreignJWT(t, "oauth-authz-req+jwt", s.b.Client.ID, s.b.Issuer)
	}, nil},
	{"DPoP proof", func(t *testing.T, s *bench) string { return foreignJWT(t, "dpop+jwt", s.b.Client.ID, s.b.Issuer) }, nil},
}

// consumers are the places that take one of them; each tells whether it did.
var consumers = map[string]func(t *testing.T, s *bench, value string) bool{
	"bearer": func(t *testing.T, s *bench, value string) bool {
		return s.b.userinfo(t, value).StatusCode == http.StatusOK
	},
	"bearer in the body": func(t *testing.T, s *bench, value string) bool {
		a := s.b.ask(t, http.MethodPost, "", url.Values{"access_token": {value}}.Encode(), "Content-Type", formType)
		return a.StatusCode == http.StatusOK
	},
	"introspect": func(t *testing.T, s *bench, value string) bool {
		a := s.b.post(t, "/introspect", formType, strings.NewReader(url.Values{"token": {value}}.Encode()))
		return a.StatusCode == http.StatusOK && a.json(t)["active"] == true
	},
	"hint at authorize": func(t *testing.T, s *bench, value string) bool {
		page := s.v.get(t, s.b.authorizeURL("id_token_hint", value, "prompt", "none"))
		if page.Left == nil && page.StatusCode == http.StatusBadRequest {
			return false // longer than any request may be
		}
		return page.response(t).Get("error") != "invalid_request"
	},
	"hint at end_session": func(t *testing.T, s *bench, value string) bool {
		if !s.v.signedIn(t) {
			t.Fatal("there is no session to end")
		}
		s.v.fetch(t, s.b.Issuer+"/end_session?"+url.Values{"id_token_hint": {value}}.Encode())
		return !s.v.signedIn(t)
	},
	"logout": func(t *testing.T, s *bench, value string) bool {
		return s.v.fetch(t, s.b.Issuer+"/end_session?"+url.Values{"logout": {value}}.Encode()).StatusCode == http.StatusOK
	},
	"code": func(t *testing.T, s *bench, value string) bool {
		return s.b.tokenRequest(t, s.b.codeForm(value)).StatusCode == http.StatusOK
	},
	"refresh": func(t *testing.T, s *bench, value string) bool {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {value}}
		return s.b.tokenRequest(t, form).StatusCode == http.StatusOK
	},
	"next":         func(t *testing.T, s *bench, value string) bool { return s.opens(t, "/authorize/next", value) },
	"login":        func(t *testing.T, s *bench, value string) bool { return s.opens(t, "/login", value) },
	"consent page": func(t *testing.T, s *bench, value string) bool { return s.opens(t, "/consent", value) },
	"select page":  func(t *testing.T, s *bench, value string) bool { return s.opens(t, "/select", value) },
	"consent": func(t *testing.T, s *bench, value string) bool {
		return s.takesTicket(t, s.form(t, "/consent"), value, "allow")
	},
	"select": func(t *testing.T, s *bench, value string) bool {
		return s.takesTicket(t, s.form(t, "/select"), value, "continue")
	},
	"logout ticket": func(t *testing.T, s *bench, value string) bool {
		return s.takesTicket(t, s.confirm(t), value, "deny")
	},
	"cookie": func(t *testing.T, s *bench, value string) bool {
		r, _ := http.NewRequest(http.MethodGet, s.b.Issuer+"/", nil)
		r.AddCookie(&http.Cookie{Name: "signet", Value: value})
		return strings.Contains(do(t, direct, r).Body, alice)
	},
	"client secret": func(t *testing.T, s *bench, value string) bool {
		a := s.b.tokenRequest(t, s.b.codeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", basic(s.b.Client.ID, value)) })
		return a.StatusCode == http.StatusBadRequest && a.json(t)["error"] == "invalid_grant"
	},
}

// sealed is the request that the bench's forms belong to: one for all, so that a
// ticket of one form differs from that of another in its purpose alone.
func (s *bench) request(t *testing.T, pairs ...string) string {
	t.Helper()
	u, err := url.Parse(s.b.nextURL(t, s.v, pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("request")
}

func (s *bench) opens(t *testing.T, path, sealed string) bool {
	t.Helper()
	a := s.v.fetch(t, s.b.Issuer+path+"?"+url.Values{"request": {sealed}}.Encode())
	return a.StatusCode < 400
}

// form is the form of a step, for one request of this bench.
func (s *bench) form(t *testing.T, path string) form {
	t.Helper()
	if s.tokens["request"] == nil {
		s.tokens["request"] = s.request(t)
	}
	page := s.v.get(t, s.b.Issuer+path+"?"+url.Values{"request": {s.tokens["request"].(string)}}.Encode())
	return page.form(t)
}

func (s *bench) ticket(t *testing.T, path string) string { return s.form(t, path).values.Get("ticket") }

// confirm is the form that asks whether to sign out, always for the same message:
// a ticket is bound to what was shown.
func (s *bench) confirm(t *testing.T) form {
	t.Helper()
	if s.tokens["confirm"] == nil {
		s.tokens["confirm"] = s.v.get(t, s.b.Issuer+"/end_session").form(t)
	}
	f := s.tokens["confirm"].(form)
	return form{f.action, maps.Clone(f.values)}
}

func (s *bench) takesTicket(t *testing.T, f form, ticket, decision string) bool {
	t.Helper()
	f.values.Set("ticket", ticket)
	f.values.Set("decision", decision)
	a := do(t, s.v.client, s.v.formRequest(t, f))
	if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusConflict {
		t.Fatalf("%s with a ticket: got %d %s", f.action, a.StatusCode, a.Body)
	}
	return a.StatusCode == http.StatusOK
}

// signedIn asks the home page.
func (v *visitor) signedIn(t *testing.T) bool {
	t.Helper()
	return strings.Contains(v.fetch(t, v.b.Issuer+"/").Body, alice)
}

// Everything that Signet hands out, at every place that takes something: only the
// diagonal works.
func TestJW07_TestCO08_OnlyTheDiagonalWorks(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		cells := 0
		for _, kind := range kinds {
			s := b.bench(t)
			for consumer, accepts := range consumers {
				good := false
				for _, name := range kind.good {
					good = good || name == consumer
				}
				if good {
					continue
				}
				cells++
				if value := kind.make(t, s); accepts(t, s, value) {
					t.Errorf("%s was accepted as %s: %.60s…", kind.name, consumer, value)
				}
			}
			if !s.v.signedIn(t) {
				t.Errorf("a %s at the wrong place has ended the session", kind.name)
			}
			for _, consumer := range kind.good {
				cells++
				s := b.bench(t)
				if value := kind.make(t, s); !consumers[consumer](t, s, value) {
					t.Errorf("%s was refused as %s: the table would prove nothing", kind.name, consumer)
				}
			}
		}
		if cells != len(kinds)*len(consumers) {
			t.Errorf("%d cells, want %d", cells, len(kinds)*len(consumers))
		}
	})
}

// foreignJWT is signed by a key of the client's, or of anybody's.
func foreignJWT(t *testing.T, typ, client, issuer string) string {
	t.Helper()
	key := anybodysKey(t)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: typ == "dpop+jwt"}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	payload, err := json.Marshal(map[string]any{
		"iss": client, "sub": client, "aud": issuer, "jti": rand.Text(), "iat": now, "exp": now + 60, "client_id": client,
		"htm": "POST", "htu": issuer + "/token", "response_type": "code",
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func anybodysKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signer is the active key of a line, as only a thief of database and master key
// has it: what is refused although this key has signed it is refused for itself.
func (b *testbed) signer(t *testing.T, line string) (string, crypto.Signer) {
	t.Helper()
	rows, err := b.DB.Keys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Line == line && row.State == storage.KeyActive {
			key, err := x509.ParsePKCS8PrivateKey(b.privateKey(t, row))
			if err != nil {
				t.Fatal(err)
			}
			return row.ID, key.(crypto.Signer)
		}
	}
	t.Fatalf("no active key of %s", line)
	return "", nil
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// signed is a JWS of exactly these bytes.
func signed(t *testing.T, key crypto.Signer, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	digest := sha256.Sum256([]byte(input))
	if k, ok := key.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, k, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, 64)
		r.FillBytes(raw[:32])
		s.FillBytes(raw[32:])
		return input + "." + b64(string(raw))
	}
	raw, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(string(raw))
}

// specimen is a good token taken apart, with the key that signed it and the
// places that take its kind.
type specimen struct {
	name, alg, kid, typ, payload string
	key                          crypto.Signer
	consumers                    []string
}

func (s specimen) header() string {
	return `{"alg":"` + s.alg + `","kid":"` + s.kid + `","typ":"` + s.typ + `"}`
}

// specimens: an access token (ES256) and an ID token (RS256) of this bench.
func (s *bench) specimens(t *testing.T) []specimen {
	t.Helper()
	ec, ecKey := s.b.signer(t, "ES256")
	rs, rsKey := s.b.signer(t, "RS256")
	return []specimen{
		{"access token", "ES256", ec, "at+jwt", string(decoded(t, s.tokens["access_token"])), ecKey, []string{"bearer", "introspect"}},
		{"ID token", "RS256", rs, "JWT", string(decoded(t, s.tokens["id_token"])), rsKey, []string{"hint at authorize", "hint at end_session"}},
	}
}

// refuse wants none of these tokens to be taken where such tokens are taken, and
// the untouched one to be taken.
func (s *bench) refuse(t *testing.T, forge func(specimen) map[string]string) {
	t.Helper()
	for _, good := range s.specimens(t) {
		for name, token := range forge(good) {
			for _, consumer := range good.consumers {
				if consumer == "introspect" && strings.HasPrefix(name, "aud ") {
					continue // it tells of tokens for other audiences
				}
				if consumers[consumer](t, s, token) {
					t.Errorf("%s, %s: accepted as %s", good.name, name, consumer)
				}
			}
		}
		for _, consumer := range good.consumers {
			if !consumers[consumer](t, s, signed(t, good.key, good.header(), good.payload)) {
				t.Errorf("the good %s is refused as %s: the others would prove nothing", good.name, consumer)
			}
		}
	}
}

func TestJW02_TestJW03_AlgorithmIsTheKeys(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.bench(t).refuse(t, func(g specimen) map[string]string {
			forged := map[string]string{}
			public := g.key.Public()
			der, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			jwk, err := jose.JSONWebKey{Key: public}.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			secrets := map[string][]byte{
				"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "JWK": jwk, "nothing": nil, "kid": []byte(g.kid),
			}
			if k, ok := public.(*rsa.PublicKey); ok {
				secrets["modulus"] = k.N.Bytes()
			}
			for name, secret := range secrets {
				for _, alg := range []string{"HS256", "none", g.alg} {
					input := b64(strings.Replace(g.header(), g.alg, alg, 1)) + "." + b64(g.payload)
					mac := hmac.New(sha256.New, secret)
					mac.Write([]byte(input))
					forged["HMAC with "+name+" as "+alg] = input + "." + b64(string(mac.Sum(nil)))
				}
			}
			for _, alg := range []string{"none", "None", "NONE", "", "ES384", "ES512", "PS256", "RS512", "EdDSA", "HS256", "es256", "rs256", "RS256 ", "dir"} {
				header := strings.Replace(g.header(), g.alg, alg, 1)
				forged["genuine signature as "+alg] = signed(t, g.key, header, g.payload)
				forged["no signature as "+alg] = b64(header) + "." + b64(g.payload) + "."
			}
			forged["another key"] = signed(t, anybodysKey(t), g.header(), g.payload)
			return forged
		})
	})
}

func TestJW05_TestJW06_TestJW08_HeadersAreComparedAsAWhole(t *testing.T) {
	var fetched atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer evil.Close()
	onSQLite(t, func(t *testing.T, b *testbed) {
		s := b.bench(t)
		other, _ := b.signer(t, "RS256")
		mine := anybodysKey(t)
		jwk, err := jose.JSONWebKey{Key: mine.Public(), KeyID: "mine", Algorithm: "ES256"}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		s.refuse(t, func(g specimen) map[string]string {
			forged := map[string]string{}
			for _, kid := range []string{
				`"../../dev/null"`, `"' OR 1=1 --"`, `"evil-marker"`, `"\u0000"`, `1`, `[]`, `["` + g.kid + `"]`, `null`, `""`, `{"a":1}`, `true`,
				`"` + g.kid + ` "`, `"` + g.kid + `\u0000"`, `"` + strings.ToLower(g.kid) + `"`, `"` + evil.URL + `/jwks"`, `"` + strings.Repeat("x", 2000) + `"`, `"` + s.b.Client.ID + `"`,
			} {
				forged["kid "+kid] = signed(t, g.key, strings.Replace(g.header(), `"`+g.kid+`"`, kid, 1), g.payload)
			}
			if g.kid != other {
				forged["kid of another key"] = signed(t, g.key, strings.Replace(g.header(), g.kid, other, 1), g.payload)
			}
			for _, more := range []string{
				`"jwk":` + string(jwk), `"jku":"` + evil.URL + `/jwks"`, `"x5u":"` + evil.URL + `/chain"`, `"x5c":["AAAA"]`, `"x5t":"AAAA"`,
				`"crit":[]`, `"crit":["exp"],"exp":1`, `"crit":["b64"],"b64":false`, `"crit":["b64"],"b64":true`, `"crit":["evil"],"evil":1`, `"b64":false`,
				`"zip":"DEF"`, `"cty":"JWT"`, `"alg":"none"`, `"kid":"` + g.kid + `"`, `"typ":"dpop+jwt"`, `"nonce":"x"`,
				`"deep":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
			} {
				for name, key := range map[string]crypto.Signer{"ours": g.key, "mine": mine} {
					forged[more+" behind, key "+name] = signed(t, key, strings.TrimSuffix(g.header(), "}")+","+more+"}", g.payload)
					forged[more+" in front, key "+name] = signed(t, key, "{"+more+","+strings.TrimPrefix(g.header(), "{"), g.payload)
				}
			}
			for _, typ := range []string{"JWT", "at+jwt", "at+JWT", "AT+JWT", "application/at+jwt", "rt+jwt", "logout+jwt", "jwt", ""} {
				if typ != g.typ {
					forged["typ "+typ] = signed(t, g.key, strings.Replace(g.header(), `"typ":"`+g.typ+`"`, `"typ":"`+typ+`"`, 1), g.payload)
				}
			}
			forged["no typ"] = signed(t, g.key, `{"alg":"`+g.alg+`","kid":"`+g.kid+`"}`, g.payload)
			forged["no kid"] = signed(t, g.key, `{"alg":"`+g.alg+`","typ":"`+g.typ+`"}`, g.payload)
			return forged
		})
		if fetched.Load() != 0 {
			t.Errorf("%d requests went to a URL in a token", fetched.Load())
		}
		if strings.Contains(b.Log.String(), "evil-marker") || strings.Contains(b.Log.String(), "OR 1=1") {
			t.Error("what an unverified header says stands in the log")
		}
	})
}

func TestJW13_TestJW14_TestJW15_ClaimsThatCannotBe(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.bench(t).refuse(t, func(g specimen) map[string]string {
			var claims map[string]any
			decoder := json.NewDecoder(strings.NewReader(g.payload))
			decoder.UseNumber()
			if err := decoder.Decode(&claims); err != nil {
				t.Fatal(err)
			}
			forged := map[string]string{}
			set := func(name, value string) {
				changed := maps.Clone(claims)
				changed[name] = json.RawMessage(value)
				if value == "" {
					delete(changed, name)
				}
				payload, err := json.Marshal(changed)
				if err != nil {
					t.Fatal(err)
				}
				forged[name+" "+value] = signed(t, g.key, g.header(), string(payload))
			}
			now := fmt.Sprint(b.now().Unix())
			for _, name := range []string{"exp", "iat"} {
				for _, value := range []string{"", "null", `""`, `"` + now + `"`, "1e300", "-1", "0", now + ".5", "[" + now + "]", "{}", "true", "99999999999999999999"} {
					set(name, value)
				}
			}
			set("iat", fmt.Sprint(b.now().Unix()+120))
			for _, iss := range []string{"", "null", `""`, `"` + b.Issuer + `/"`, `"` + strings.ToUpper(b.Issuer) + `"`, `["` + b.Issuer + `"]`, `"https://evil.example"`, "1"} {
				set("iss", iss)
			}
			for _, aud := range []string{"", "null", "[]", "[1]", `""`, "[null]", `{"a":"` + b.Issuer + `"}`, `["evil"]`, `["` + b.Issuer + `/"]`, `["APP"]`} {
				set("aud", aud)
			}
			for _, sub := range []string{"", "null", `""`, "1", `["` + b.Alice.ID + `"]`, `{"sub":"x"}`} {
				set("sub", sub)
			}
			deep := strings.Repeat("[", 2500) + strings.Repeat("]", 2500)
			forged["deep payload"] = signed(t, g.key, g.header(), deep)
			for _, payload := range []string{"", "null", "[]", `"x"`, "1", "{", g.payload + "x", g.payload + g.payload} {
				forged["payload "+payload] = signed(t, g.key, g.header(), payload)
			}
			return forged
		})
	})
}

func TestJW09_TestJW10_TestJW23_MonstrousTokens(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		s := b.bench(t)
		pbes2 := b64(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2000000000,"p2s":"AAAA"}`)
		monsters := map[string]string{
			"1 MB":           strings.Repeat("A", 1<<20),
			"100,000 dots":   strings.Repeat(".", 100_000),
			"100,000 parts":  strings.Repeat("e30.", 100_000),
			"long header":    strings.Repeat("A", 100_000) + ".e30.AA",
			"long payload":   "e30." + strings.Repeat("A", 100_000) + ".AA",
			"PBES2":          pbes2 + ".AAAA.AAAA.AAAA.AAAA",
			"dir, deflated":  b64(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`) + "..AAAA.AAAA.AAAA",
			"empty key":      b64(`{"alg":"A128KW","enc":"A128GCM"}`) + "..AAAA.AAAA.AAAA",
			"deep header":    b64(strings.Repeat(`{"a":`, 1500)+strings.Repeat("}", 1500)) + ".e30.AA",
			"JSON":           `{"payload":"e30","signatures":[]}`,
			"flattened JSON": `{"payload":"e30","protected":"e30","signature":"AA"}`,
			"8193":           strings.Repeat("A", 8193),
		}
		for name, monster := range monsters {
			for consumer, accepts := range consumers {
				if consumer == "consent" || consumer == "select" || consumer == "logout ticket" {
					continue // answered with 413: their bodies are bounded (HT-07)
				}
				if accepts(t, s, monster) {
					t.Errorf("%s: accepted as %s", name, consumer)
				}
			}
		}
		if !s.v.signedIn(t) {
			t.Error("one of them has ended the session")
		}
		if strings.Contains(b.Log.String(), `"status":5`) {
			t.Error("one of them was an internal error")
		}
	})
}

// Another Signet, and this one under another name with the very same keys.
func TestJW17_TokensOfAnotherIssuer(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		twin := *b
		twin.serve(t)
		if twin.Issuer == b.Issuer {
			t.Fatal("the twin has the same name")
		}
		theirs := twin.bench(t)
		ours := b.bench(t)
		for consumer, token := range map[string]any{
			"bearer": theirs.tokens["access_token"], "introspect": theirs.tokens["access_token"], "refresh": theirs.tokens["refresh_token"],
			"hint at authorize": theirs.tokens["id_token"], "hint at end_session": theirs.tokens["id_token"],
		} {
			if consumers[consumer](t, ours, token.(string)) {
				t.Errorf("a token of %s is accepted as %s by %s", twin.Issuer, consumer, b.Issuer)
			}
		}
	})
}
