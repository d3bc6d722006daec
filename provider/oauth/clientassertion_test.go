package oauth_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/assertion"
	"signet/provider/keys"
	"signet/provider/providertest"
	"signet/storage"
)

// clientKeys has a key for every algorithm.
var clientKeys = func() map[string]providertest.ClientKey {
	made := map[string]providertest.ClientKey{}
	for _, alg := range keys.SigningAlgorithms() {
		made[alg] = providertest.NewClientKey(alg, "key-"+alg)
	}
	return made
}()

// allKeys registers all clientKeys.
func allKeys(c *storage.Client) {
	c.Metadata.JWKS = providertest.JWKS(slices.Collect(maps.Values(clientKeys))...)
}

// changed returns the claims of a valid assertion with changes. nil removes a claim, and a
// duration stands for a time from now.
func changed(b *providertest.Testbed, changes map[string]any) map[string]any {
	claims := b.AssertionClaims()
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		if d, is := value.(time.Duration); is {
			claims[name] = b.Now().Add(d).Unix()
		}
	}
	return claims
}

// P-34: A client authenticates with a key of its own at every endpoint, with the issuer or the
// token endpoint as aud.
// TK-11: The algorithm comes from the registered key.
func TestClientAssertion_EveryAlgorithmAtEveryEndpoint(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b = b.KeyClient(t, "robot", allKeys)
		for alg, key := range clientKeys {
			for _, path := range providertest.FormEndpoints {
				form, want := url.Values{"token": {"none"}}, http.StatusOK
				switch path {
				case "/token":
					form = providertest.OwnToken()
				case "/device_authorization":
					want = http.StatusBadRequest // unauthorized_client: a service has no device grant
				}
				a := b.PostAssertion(t, path, form, key.Sign(b.AssertionClaims()))
				if a.StatusCode != want || strings.Contains(a.Body, "invalid_client") {
					t.Errorf("%s at %s: got %d %s", alg, path, a.StatusCode, a.Body)
				}
			}
		}
	})
}

// P-78: the audience may be the issuer, and also the token endpoint or the endpoint of the request.
func TestClientAssertion_AcceptedForms(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		key := clientKeys["ES256"]
		b = b.KeyClient(t, "robot", allKeys)
		for name, c := range map[string]struct {
			claims, header map[string]any
			form           url.Values
		}{
			"the client_id too":               {form: url.Values{"client_id": {"robot"}}},
			"aud is the token endpoint":       {claims: map[string]any{"aud": b.Issuer + "/token"}},
			"aud is a list":                   {claims: map[string]any{"aud": []string{b.Issuer}}},
			"aud lists both":                  {claims: map[string]any{"aud": []string{b.Issuer, b.Issuer + "/token"}}},
			"iat and nbf are 10 s ahead":      {claims: map[string]any{"iat": 10 * time.Second, "nbf": 10 * time.Second}},
			"no iat":                          {claims: map[string]any{"iat": nil}},
			"exp is an hour ahead":            {claims: map[string]any{"exp": time.Hour}},
			"exp is a fraction":               {claims: map[string]any{"exp": float64(b.Now().Unix()) + 60.5}},
			"no typ":                          {header: map[string]any{"typ": nil}},
			"the typ of client assertions":    {header: map[string]any{"typ": "client-authentication+jwt"}},
			"an unknown claim":                {claims: map[string]any{"more": map[string]any{"a": 1}}},
			"a jti of many characters":        {claims: map[string]any{"jti": strings.Repeat("é/", 80)}},
			"no kid":                          {header: map[string]any{"kid": nil}},
			"a certificate that nobody reads": {header: map[string]any{"x5u": "https://attacker.example/"}},
		} {
			form := providertest.OwnToken()
			for name, values := range c.form {
				form[name] = values
			}
			a := b.PostAssertion(t, "/token", form, key.Sign(changed(b, c.claims), c.header))
			if a.StatusCode != http.StatusOK {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		a := b.PostAssertion(t, "/introspect", url.Values{"token": {"x"}}, key.Sign(changed(b, map[string]any{"aud": b.Issuer + "/introspect"})))
		if a.StatusCode != http.StatusOK {
			t.Errorf("aud is the endpoint of the request: got %d %s", a.StatusCode, a.Body)
		}
	})
}

// unsigned returns a JWT with alg none, or with an HMAC of alg over secret.
func unsigned(t *testing.T, claims map[string]any, alg string, secret []byte) string {
	t.Helper()
	if alg != "none" {
		return hmacSigned(t, claims, alg, secret)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + "."
}

func hmacSigned(t *testing.T, claims map[string]any, alg string, secret []byte) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TK-11: Assertions with wrong claims or keys are refused (RFC 7523, section 3).
// TK-13: Assertions without iss or sub are refused before any look-up.
// TK-14: One JWT is accepted for one purpose only (RFC 8725, section 3.12).
// TK-15: Assertions that a foreign key has signed are refused.
// TK-29: Assertions with times out of range are refused.
func TestClientAssertion_WrongOnesAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		owner, key := b, clientKeys["ES256"]
		stranger := providertest.NewClientKey("ES256", key.ID)
		b = b.KeyClient(t, "robot", func(c *storage.Client) { c.Metadata.JWKS = providertest.JWKS(key, clientKeys["RS256"]) })
		b.KeyClient(t, "other", func(c *storage.Client) { c.Metadata.JWKS = providertest.JWKS(stranger) })
		public, err := x509.MarshalPKIXPublicKey(key.Private.Public())
		if err != nil {
			t.Fatal(err)
		}
		signed := func(changes map[string]any, header ...map[string]any) func() string {
			return func() string { return key.Sign(changed(b, changes), header...) }
		}
		for name, c := range map[string]struct {
			jwt   func() string
			cause string
		}{
			"no iss":                      {signed(map[string]any{"iss": nil}), "assertion_malformed"},
			"empty iss and sub":           {signed(map[string]any{"iss": "", "sub": ""}), "assertion_malformed"},
			"no sub":                      {signed(map[string]any{"sub": nil}), "assertion_malformed"},
			"a number as sub":             {signed(map[string]any{"sub": 7}), "assertion_malformed"},
			"iss is not sub":              {signed(map[string]any{"iss": "other"}), "assertion_not_own"},
			"another client":              {signed(map[string]any{"iss": "other", "sub": "other"}), "assertion_signature"},
			"an unknown client":           {signed(map[string]any{"iss": "nobody", "sub": "nobody"}), "unknown_client"},
			"a client with a secret":      {signed(map[string]any{"iss": owner.Client.ID, "sub": owner.Client.ID}), "assertion_not_allowed"},
			"no aud":                      {signed(map[string]any{"aud": nil}), "assertion_audience"},
			"an empty list as aud":        {signed(map[string]any{"aud": []string{}}), "assertion_audience"},
			"another aud":                 {signed(map[string]any{"aud": "https://other.example"}), "assertion_audience"},
			"an aud with a slash more":    {signed(map[string]any{"aud": b.Issuer + "/"}), "assertion_audience"},
			"an aud list with a stranger": {signed(map[string]any{"aud": []string{b.Issuer, "https://other.example"}}), "assertion_audience"},
			"another endpoint as aud":     {signed(map[string]any{"aud": b.Issuer + "/introspect"}), "assertion_audience"},
			"a number in aud":             {signed(map[string]any{"aud": []any{b.Issuer, 7}}), "assertion_malformed"},
			"no exp":                      {signed(map[string]any{"exp": nil}), "assertion_times"},
			"exp is text":                 {signed(map[string]any{"exp": "soon"}), "assertion_malformed"},
			"exp is five minutes past":    {signed(map[string]any{"exp": -5 * time.Minute}), "assertion_expired"},
			"exp is over an hour ahead":   {signed(map[string]any{"exp": 62 * time.Minute}), "assertion_times"},
			"exp is in milliseconds":      {signed(map[string]any{"exp": b.Now().UnixMilli()}), "assertion_malformed"},
			"iat is 61 s ahead":           {signed(map[string]any{"iat": 61 * time.Second}), "assertion_times"},
			"nbf is 61 s ahead":           {signed(map[string]any{"nbf": 61 * time.Second}), "assertion_times"},
			"no jti":                      {signed(map[string]any{"jti": nil}), "assertion_without_id"},
			"a jti of 1 KB":               {signed(map[string]any{"jti": strings.Repeat("a", 1000)}), "assertion_malformed"},
			"an assertion of 9 KB":        {signed(map[string]any{"more": strings.Repeat("a", 9000)}), "assertion_malformed"},
			"an unknown kid":              {signed(nil, map[string]any{"kid": "other"}), "assertion_signature"},
			"the kid of another key":      {signed(nil, map[string]any{"kid": "key-RS256"}), "assertion_signature"},
			"an access token's typ":       {signed(nil, map[string]any{"typ": "at+jwt"}), "assertion_malformed"},
			"a request object's typ":      {signed(nil, map[string]any{"typ": "oauth-authz-req+jwt"}), "assertion_malformed"},
			"a proof's typ":               {signed(nil, map[string]any{"typ": "application/dpop+jwt"}), "assertion_malformed"},
			"a number as typ":             {signed(nil, map[string]any{"typ": 7}), "assertion_malformed"},
			"crit":                        {signed(nil, map[string]any{"crit": []string{"exp"}}), "assertion_malformed"},
			"an own key in the header": {func() string {
				return stranger.Sign(b.AssertionClaims(), map[string]any{"kid": nil, "jwk": jose.JSONWebKey{Key: stranger.Private.Public()}})
			}, "assertion_signature"},
			"the key of another client": {func() string { return stranger.Sign(b.AssertionClaims()) }, "assertion_signature"},
			"a damaged signature":       {func() string { text := signed(nil)(); return text[:len(text)-10] + "AAAAAAAAAA" }, "assertion_signature"},
			"alg none":                  {func() string { return unsigned(t, b.AssertionClaims(), "none", nil) }, "assertion_algorithm"},
			"HS256 with the public key": {func() string { return unsigned(t, b.AssertionClaims(), "HS256", public) }, "assertion_algorithm"},
			"HS256 with the JWKS":       {func() string { return unsigned(t, b.AssertionClaims(), "HS256", []byte(b.Client.Metadata.JWKS)) }, "assertion_algorithm"},
			"an algorithm that we lack": {func() string { return providertest.NewClientKey("ES384", key.ID).Sign(b.AssertionClaims()) }, "assertion_algorithm"},
			"PS256 with the RS256 key": {func() string {
				return providertest.ClientKey{Private: clientKeys["RS256"].Private, Algorithm: "PS256", ID: "key-RS256"}.Sign(b.AssertionClaims())
			}, "assertion_signature"},
			"an algorithm of no key": {func() string { return clientKeys["EdDSA"].Sign(b.AssertionClaims()) }, "assertion_signature"},
			"an access token of ours": {func() string {
				a := b.PostAssertion(t, "/token", providertest.OwnToken(), signed(nil)())
				return a.JSON(t)["access_token"].(string)
			}, "assertion_malformed"},
			"no JWT":  {func() string { return "x.y" }, "assertion_malformed"},
			"nothing": {func() string { return "" }, "assertion_malformed"},
		} {
			b.Advance(16 * time.Minute) // so that no request is throttled
			jwt, logged := c.jwt(), len(b.Log.String())
			a := b.PostAssertion(t, "/token", providertest.OwnToken(), jwt)
			providertest.WantRefusedClient(t, name, a)
			if strings.Contains(a.Body, "assertion") {
				t.Errorf("%s: the answer names the cause: %s", name, a.Body)
			}
			log := b.Log.String()[logged:]
			if !strings.Contains(log, `"cause":"`+c.cause+`"`) {
				t.Errorf("%s: want the cause %s in %s", name, c.cause, log)
			}
			if len(jwt) > 20 && strings.Contains(log, jwt) {
				t.Errorf("%s: the log has the assertion", name)
			}
		}
	})
}

// TK-09: A client that is registered for private_key_jwt may not use a secret, and the reverse.
func TestClientAssertion_NoOtherMethod(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		key := clientKeys["ES256"]
		robot := b.KeyClient(t, "robot", allKeys)
		for name, present := range presentations {
			form := providertest.OwnToken()
			a := robot.TokenRequest(t, form, func(r *http.Request) {
				r.Header.Del("Authorization")
				present(form, r.Header, "robot", b.Secret)
				*r = *withBody(r, form.Encode())
			})
			if name == "assertion" {
				continue // its value is no JWT
			}
			providertest.WantRefusedClient(t, name, a)
		}
		robot.WantPostedError(t, key, url.Values{"client_secret": {"x"}}, http.StatusBadRequest, "invalid_request")
		robot.WantPostedError(t, key, url.Values{"client_id": {b.Client.ID}}, http.StatusUnauthorized, "invalid_client")
		form := url.Values{"client_assertion": {key.Sign(robot.AssertionClaims())}, "client_assertion_type": {assertion.Type}, "client_id": {b.Client.ID}, "grant_type": {"client_credentials"}}
		providertest.WantOAuthError(t, b.TokenRequest(t, form, func(r *http.Request) { r.SetBasicAuth("robot", "") }), http.StatusBadRequest, "invalid_request")
		robot.WantPostedError(t, key, url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}}, http.StatusUnauthorized, "invalid_client")
	})
}

// MN-01: An assertion is accepted once, by whichever node sees it first.
func TestClientAssertion_AcceptedOnce(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		key := clientKeys["EdDSA"]
		robot, other := b.KeyClient(t, "robot", allKeys), b.KeyClient(t, "other", allKeys)
		node := robot.Node(t)
		for round := range 5 {
			claims := robot.AssertionClaims()
			signed := key.Sign(claims)
			statuses := make([]int, 20)
			providertest.Race(len(statuses), func(i int) {
				at := robot
				if i%2 == 1 {
					at = node
				}
				statuses[i] = at.PostAssertion(t, "/token", providertest.OwnToken(), signed).StatusCode
			})
			accepted := 0
			for _, status := range statuses {
				if status == http.StatusOK {
					accepted++
				} else if status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
					t.Errorf("round %d: got %d", round, status)
				}
			}
			if accepted != 1 {
				t.Fatalf("round %d: accepted %d times: %v", round, accepted, statuses)
			}
			again := changed(other, map[string]any{"jti": claims["jti"]})
			if a := other.PostAssertion(t, "/token", providertest.OwnToken(), key.Sign(again)); a.StatusCode != http.StatusOK {
				t.Fatalf("another client with the same jti: got %d %s", a.StatusCode, a.Body)
			}
			b.Advance(16 * time.Minute) // so that no request is throttled
		}
	})
}

// P-35: With jwks_uri, an unknown kid leads to another fetch. Parallel requests share one. While
// the host is down, the keys of the last day are used; a withdrawn key is refused after ten
// minutes.
func TestClientAssertion_PublishedKeys(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		first, second := clientKeys["ES256"], providertest.NewClientKey("ES256", "second")
		served := providertest.ServeKeys(t, first)
		b = b.KeyClient(t, "robot", func(c *storage.Client) { c.Metadata.JWKSURI = served.URL })
		status := func(key providertest.ClientKey) int {
			return b.PostAssertion(t, "/token", providertest.OwnToken(), key.Sign(b.AssertionClaims())).StatusCode
		}
		want := func(step string, key providertest.ClientKey, wanted int, fetches int64) {
			t.Helper()
			before := served.Fetches.Load()
			if got := status(key); got != wanted {
				t.Errorf("%s: got %d, want %d", step, got, wanted)
			}
			if got := served.Fetches.Load() - before; got != fetches {
				t.Errorf("%s: got %d fetches, want %d", step, got, fetches)
			}
		}
		providertest.Race(20, func(int) {
			if got := status(first); got != http.StatusOK {
				t.Errorf("parallel: got %d", got)
			}
		})
		if got := served.Fetches.Load(); got != 1 {
			t.Fatalf("20 parallel requests: %d fetches, want 1", got)
		}
		want("a key that is not published", second, http.StatusUnauthorized, 0) // too soon after the last fetch
		b.Advance(6 * time.Second)
		want("a key that is not published, later", second, http.StatusUnauthorized, 1)
		want("at once again", second, http.StatusUnauthorized, 0)
		served.Publish(providertest.JWKS(first, second))
		b.Advance(6 * time.Second)
		want("a new key", second, http.StatusOK, 1)
		want("the old key", first, http.StatusOK, 0)
		served.Publish(providertest.JWKS(second))
		b.Advance(9 * time.Minute)
		want("a withdrawn key, nine minutes later", first, http.StatusOK, 0)
		b.Advance(2 * time.Minute)
		want("a withdrawn key, eleven minutes later", first, http.StatusUnauthorized, 1)
		served.Break()
		b.Advance(20 * time.Minute)
		want("the host is down", second, http.StatusOK, 1)
		want("the host is down, at once again", second, http.StatusOK, 0)
		b.Advance(24 * time.Hour)
		want("the host is down for a day", second, http.StatusServiceUnavailable, 1)
		if !strings.Contains(b.Log.String(), `"cause":"client_keys_unreachable"`) {
			t.Error("the log does not say that the keys cannot be fetched")
		}
		served.Publish(`{"keys":[{"kty":"oct","k":"c2VjcmV0"},` + strings.TrimPrefix(providertest.JWKS(second), `{"keys":[`))
		b.Advance(6 * time.Second)
		want("a set with a bad key", second, http.StatusOK, 1)
	})
}

// P-35: Keys need no kid, and an assertion may name none. Then every key is tried.
func TestClientAssertion_KeysWithoutID(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		nameless := providertest.NewClientKey("ES256", "")
		a := b.KeyClient(t, "nameless", func(c *storage.Client) { c.Metadata.JWKS = providertest.JWKS(nameless) })
		several := b.KeyClient(t, "several", allKeys)
		for name, c := range map[string]struct {
			b      *providertest.Testbed
			key    providertest.ClientKey
			header map[string]any
		}{
			"neither has a kid":             {a, nameless, nil},
			"only the assertion has a kid":  {a, nameless, map[string]any{"kid": "x"}},
			"only the keys have one":        {several, clientKeys["RS256"], map[string]any{"kid": nil}},
			"only the keys have one, EdDSA": {several, clientKeys["EdDSA"], map[string]any{"kid": nil}},
		} {
			if got := c.b.PostAssertion(t, "/token", providertest.OwnToken(), c.key.Sign(c.b.AssertionClaims(), c.header)); got.StatusCode != http.StatusOK {
				t.Errorf("%s: got %d %s", name, got.StatusCode, got.Body)
			}
		}
	})
}

// TK-07: Failures are limited, and do not lock out the client itself.
func TestClientAssertion_FailuresAreLimited(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b = b.KeyClient(t, "robot", allKeys)
		stranger := providertest.NewClientKey("ES256", "key-ES256")
		last := 0
		for range 21 {
			last = b.PostAssertion(t, "/token", providertest.OwnToken(), stranger.Sign(b.AssertionClaims())).StatusCode
		}
		if last != http.StatusTooManyRequests {
			t.Errorf("the 21st forgery: got %d, want 429", last)
		}
		if a := b.PostAssertion(t, "/token", providertest.OwnToken(), clientKeys["ES256"].Sign(b.AssertionClaims())); a.StatusCode != http.StatusOK {
			t.Errorf("the client itself: got %d %s", a.StatusCode, a.Body)
		}
	})
}
