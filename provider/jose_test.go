package provider_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/providertest"
)

// kinds are all values that Signet issues, with the places that accept each.
var kinds = []struct {
	name string
	make func(t *testing.T, s *providertest.Bench) string
	good []string // consumers that accept it
}{
	{"access token", func(_ *testing.T, s *providertest.Bench) string { return s.Tokens["access_token"].(string) },
		[]string{"bearer", "bearer in the body", "introspect"}},
	{"ID token", func(_ *testing.T, s *providertest.Bench) string { return s.Tokens["id_token"].(string) },
		[]string{"hint at authorize", "hint at end_session"}},
	{"refresh token", func(_ *testing.T, s *providertest.Bench) string { return s.Tokens["refresh_token"].(string) }, []string{"refresh", "introspect"}},
	{"logout token", func(t *testing.T, s *providertest.Bench) string { return s.LogoutToken(t) }, nil}, // only clients accept it
	{"code", func(t *testing.T, s *providertest.Bench) string { return s.Visitor.CodeFromSession(t) }, []string{"code"}},
	{"request", func(t *testing.T, s *providertest.Bench) string { return s.Request(t, "prompt", "none") }, []string{"next", "login", "consent page", "select page"}},
	{"consent ticket", func(t *testing.T, s *providertest.Bench) string { return s.Ticket(t, "/consent") }, []string{"consent"}},
	{"choice ticket", func(t *testing.T, s *providertest.Bench) string { return s.Ticket(t, "/select") }, []string{"select"}},
	{"logout message", func(t *testing.T, s *providertest.Bench) string { return s.SignOutForm(t).Values.Get("logout") }, []string{"logout"}},
	{"logout ticket", func(t *testing.T, s *providertest.Bench) string { return s.SignOutForm(t).Values.Get("ticket") }, []string{"logout ticket"}},
	{"session handle", func(t *testing.T, s *providertest.Bench) string { return s.Visitor.Cookie(t, "signet").Value }, []string{"cookie"}},
	{"client secret", func(_ *testing.T, s *providertest.Bench) string { return s.Bed.Secret }, []string{"client secret"}},
	{"sid", func(t *testing.T, s *providertest.Bench) string {
		return fmt.Sprint(providertest.ClaimsOf(t, s.Tokens["id_token"])["sid"])
	}, nil},
	{"gid", func(t *testing.T, s *providertest.Bench) string {
		return fmt.Sprint(providertest.ClaimsOf(t, s.Tokens["access_token"])["gid"])
	}, nil},
	{"jti", func(t *testing.T, s *providertest.Bench) string {
		return fmt.Sprint(providertest.ClaimsOf(t, s.Tokens["access_token"])["jti"])
	}, nil},
	{"subject", func(_ *testing.T, s *providertest.Bench) string { return s.Bed.Alice.ID }, nil},
	{"client id", func(_ *testing.T, s *providertest.Bench) string { return s.Bed.Client.ID }, nil},
	{"kid", func(t *testing.T, s *providertest.Bench) string {
		return fmt.Sprint(providertest.HeaderOf(t, s.Tokens["id_token"])["kid"])
	}, nil},
	{"workload token", func(t *testing.T, s *providertest.Bench) string {
		client, issuer := s.Workload(t)
		return issuer.Key.Sign(client.KubernetesToken(issuer.URL))
	}, []string{"workload token"}},
	{"client assertion", func(t *testing.T, s *providertest.Bench) string {
		return foreignJWT(t, "JWT", s.Bed.Client.ID, s.Bed.Issuer)
	}, nil},
	{"request object", func(t *testing.T, s *providertest.Bench) string {
		return foreignJWT(t, "oauth-authz-req+jwt", s.Bed.Client.ID, s.Bed.Issuer)
	}, nil},
	{"DPoP proof", func(t *testing.T, s *providertest.Bench) string {
		return foreignJWT(t, "dpop+jwt", s.Bed.Client.ID, s.Bed.Issuer)
	}, nil},
}

// TestTokens_OnlyTheDiagonalWorks presents every kind of token and code at every place that
// accepts one.
//
// JW-07: each kind is accepted only where it belongs. CO-08: a code is no other kind.
func TestTokens_OnlyTheDiagonalWorks(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		cells := 0
		for _, kind := range kinds {
			s := b.Bench(t)
			for consumer, accepts := range providertest.Consumers {
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
			if !s.Visitor.SignedIn(t) {
				t.Errorf("a %s at the wrong place has ended the session", kind.name)
			}
			for _, consumer := range kind.good {
				cells++
				s := b.Bench(t)
				if value := kind.make(t, s); !providertest.Consumers[consumer](t, s, value) {
					t.Errorf("%s was refused as %s, want it accepted there", kind.name, consumer)
				}
			}
		}
		if cells != len(kinds)*len(providertest.Consumers) {
			t.Errorf("tried %d cells of the table, want %d", cells, len(kinds)*len(providertest.Consumers))
		}
	})
}

// foreignJWT returns a JWT that another key has signed.
func foreignJWT(t *testing.T, typ, client, issuer string) string {
	t.Helper()
	key := foreignKey(t)
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

// foreignKey makes a key that Signet does not know.
func foreignKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestTokens_AlgorithmMustBeTheKeys changes the algorithm of tokens.
//
// JW-02: HS256 with the public key as the secret is refused. JW-03: so is every algorithm that
// is not the one of the key.
func TestTokens_AlgorithmMustBeTheKeys(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Bench(t).WantForgeriesRefused(t, func(g providertest.Specimen) map[string]string {
			forged := map[string]string{}
			public := g.Key.Public()
			der, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			jwk, err := jose.JSONWebKey{Key: public}.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			secrets := map[string][]byte{
				"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "JWK": jwk, "nothing": nil, "kid": []byte(g.Kid),
			}
			if k, ok := public.(*rsa.PublicKey); ok {
				secrets["modulus"] = k.N.Bytes()
			}
			for name, secret := range secrets {
				for _, alg := range []string{"HS256", "none", g.Alg} {
					input := providertest.B64(strings.Replace(g.Header(), g.Alg, alg, 1)) + "." + providertest.B64(g.Payload)
					mac := hmac.New(sha256.New, secret)
					mac.Write([]byte(input))
					forged["HMAC with "+name+" as "+alg] = input + "." + providertest.B64(string(mac.Sum(nil)))
				}
			}
			for _, alg := range []string{"none", "None", "NONE", "", "ES384", "ES512", "PS256", "RS512", "EdDSA", "HS256", "es256", "rs256", "RS256 ", "dir"} {
				header := strings.Replace(g.Header(), g.Alg, alg, 1)
				forged["genuine signature as "+alg] = providertest.Signed(t, g.Key, header, g.Payload)
				forged["no signature as "+alg] = providertest.B64(header) + "." + providertest.B64(g.Payload) + "."
			}
			forged["another key"] = providertest.Signed(t, foreignKey(t), g.Header(), g.Payload)
			return forged
		})
	})
}

// TestTokens_ChangedHeadersAreRefused changes the headers of tokens: only the exact header
// that Signet writes is accepted.
//
// JW-05: kid is only a map key. JW-06: jwk, x5c, jku and x5u are never followed. JW-08: crit
// and b64 are refused.
func TestTokens_ChangedHeadersAreRefused(t *testing.T) {
	var fetched atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer evil.Close()
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		s := b.Bench(t)
		other, _ := b.Signer(t, "RS256")
		mine := foreignKey(t)
		jwk, err := jose.JSONWebKey{Key: mine.Public(), KeyID: "mine", Algorithm: "ES256"}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		s.WantForgeriesRefused(t, func(g providertest.Specimen) map[string]string {
			forged := map[string]string{}
			for _, kid := range []string{
				`"../../dev/null"`, `"' OR 1=1 --"`, `"evil-marker"`, `"\u0000"`, `1`, `[]`, `["` + g.Kid + `"]`, `null`, `""`, `{"a":1}`, `true`,
				`"` + g.Kid + ` "`, `"` + g.Kid + `\u0000"`, `"` + strings.ToLower(g.Kid) + `"`, `"` + evil.URL + `/jwks"`, `"` + strings.Repeat("x", 2000) + `"`, `"` + s.Bed.Client.ID + `"`,
			} {
				forged["kid "+kid] = providertest.Signed(t, g.Key, strings.Replace(g.Header(), `"`+g.Kid+`"`, kid, 1), g.Payload)
			}
			if g.Kid != other {
				forged["kid of another key"] = providertest.Signed(t, g.Key, strings.Replace(g.Header(), g.Kid, other, 1), g.Payload)
			}
			for _, more := range []string{
				`"jwk":` + string(jwk), `"jku":"` + evil.URL + `/jwks"`, `"x5u":"` + evil.URL + `/chain"`, `"x5c":["AAAA"]`, `"x5t":"AAAA"`,
				`"crit":[]`, `"crit":["exp"],"exp":1`, `"crit":["b64"],"b64":false`, `"crit":["b64"],"b64":true`, `"crit":["evil"],"evil":1`, `"b64":false`,
				`"zip":"DEF"`, `"cty":"JWT"`, `"alg":"none"`, `"kid":"` + g.Kid + `"`, `"typ":"dpop+jwt"`, `"nonce":"x"`,
				`"deep":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
			} {
				for name, key := range map[string]crypto.Signer{"ours": g.Key, "mine": mine} {
					forged[more+" behind, key "+name] = providertest.Signed(t, key, strings.TrimSuffix(g.Header(), "}")+","+more+"}", g.Payload)
					forged[more+" in front, key "+name] = providertest.Signed(t, key, "{"+more+","+strings.TrimPrefix(g.Header(), "{"), g.Payload)
				}
			}
			for _, typ := range []string{"JWT", "at+jwt", "at+JWT", "AT+JWT", "application/at+jwt", "rt+jwt", "logout+jwt", "jwt", ""} {
				if typ != g.Typ {
					forged["typ "+typ] = providertest.Signed(t, g.Key, strings.Replace(g.Header(), `"typ":"`+g.Typ+`"`, `"typ":"`+typ+`"`, 1), g.Payload)
				}
			}
			forged["no typ"] = providertest.Signed(t, g.Key, `{"alg":"`+g.Alg+`","kid":"`+g.Kid+`"}`, g.Payload)
			forged["no kid"] = providertest.Signed(t, g.Key, `{"alg":"`+g.Alg+`","typ":"`+g.Typ+`"}`, g.Payload)
			return forged
		})
		if fetched.Load() != 0 {
			t.Errorf("got %d requests to a URL in a token, want none", fetched.Load())
		}
		if strings.Contains(b.Log.String(), "evil-marker") || strings.Contains(b.Log.String(), "OR 1=1") {
			t.Error("the log contains text of an unverified header")
		}
	})
}

// TestTokens_InvalidClaimsAreRefused signs tokens with invalid claims.
//
// JW-13: times of a wrong type or range are refused. JW-14: aud and iss match exactly. JW-15:
// sub is present and bounded.
func TestTokens_InvalidClaimsAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Bench(t).WantForgeriesRefused(t, func(g providertest.Specimen) map[string]string {
			var claims map[string]any
			decoder := json.NewDecoder(strings.NewReader(g.Payload))
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
				forged[name+" "+value] = providertest.Signed(t, g.Key, g.Header(), string(payload))
			}
			now := fmt.Sprint(b.Now().Unix())
			for _, name := range []string{"exp", "iat"} {
				for _, value := range []string{"", "null", `""`, `"` + now + `"`, "1e300", "-1", "0", now + ".5", "[" + now + "]", "{}", "true", "99999999999999999999"} {
					set(name, value)
				}
			}
			set("iat", fmt.Sprint(b.Now().Unix()+120))
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
			forged["deep payload"] = providertest.Signed(t, g.Key, g.Header(), deep)
			for _, payload := range []string{"", "null", "[]", `"x"`, "1", "{", g.Payload + "x", g.Payload + g.Payload} {
				forged["payload "+payload] = providertest.Signed(t, g.Key, g.Header(), payload)
			}
			return forged
		})
	})
}

// TestTokens_HugeTokensAreRefused presents huge, encrypted and deeply nested tokens.
//
// JW-09: a token that is too long is refused before it is split. JW-10: encrypted tokens are
// refused without work. JW-23: deeply nested JSON is refused quickly.
func TestTokens_HugeTokensAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		s := b.Bench(t)
		pbes2 := providertest.B64(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2000000000,"p2s":"AAAA"}`)
		monsters := map[string]string{
			"1 MB":           strings.Repeat("A", 1<<20),
			"100,000 dots":   strings.Repeat(".", 100_000),
			"100,000 parts":  strings.Repeat("e30.", 100_000),
			"long header":    strings.Repeat("A", 100_000) + ".e30.AA",
			"long payload":   "e30." + strings.Repeat("A", 100_000) + ".AA",
			"PBES2":          pbes2 + ".AAAA.AAAA.AAAA.AAAA",
			"dir, deflated":  providertest.B64(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`) + "..AAAA.AAAA.AAAA",
			"empty key":      providertest.B64(`{"alg":"A128KW","enc":"A128GCM"}`) + "..AAAA.AAAA.AAAA",
			"deep header":    providertest.B64(strings.Repeat(`{"a":`, 1500)+strings.Repeat("}", 1500)) + ".e30.AA",
			"JSON":           `{"payload":"e30","signatures":[]}`,
			"flattened JSON": `{"payload":"e30","protected":"e30","signature":"AA"}`,
			"8193":           strings.Repeat("A", 8193),
		}
		for name, monster := range monsters {
			for consumer, accepts := range providertest.Consumers {
				if consumer == "consent" || consumer == "select" || consumer == "logout ticket" {
					continue // answered with 413: the size of bodies is limited (HT-07)
				}
				if accepts(t, s, monster) {
					t.Errorf("%s: accepted as %s", name, consumer)
				}
			}
		}
		if !s.Visitor.SignedIn(t) {
			t.Error("one of them has ended the session")
		}
		if strings.Contains(b.Log.String(), `"status":5`) {
			t.Error("one of them caused an internal error")
		}
	})
}

// TestTokens_OfAnotherIssuerAreRefused uses tokens of another installation, and of the same
// one under another issuer with the same keys.
//
// JW-17: the issuer must match.
func TestTokens_OfAnotherIssuerAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		twin := *b
		twin.Serve(t)
		if twin.Issuer == b.Issuer {
			t.Fatal("the twin has the same issuer")
		}
		theirs := twin.Bench(t)
		ours := b.Bench(t)
		for consumer, token := range map[string]any{
			"bearer": theirs.Tokens["access_token"], "introspect": theirs.Tokens["access_token"], "refresh": theirs.Tokens["refresh_token"],
			"hint at authorize": theirs.Tokens["id_token"], "hint at end_session": theirs.Tokens["id_token"],
		} {
			if providertest.Consumers[consumer](t, ours, token.(string)) {
				t.Errorf("a token of %s is accepted as %s by %s", twin.Issuer, consumer, b.Issuer)
			}
		}
	})
}
