package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/assertion"
	"signet/provider/providertest"
	"signet/storage"
)

// objectKey signs the request objects of these tests.
var objectKey = clientKeys["ES256"]

// signs registers all clientKeys for a client that authenticates with a secret, and returns the
// testbed as this client.
func signs(t *testing.T, b *providertest.Testbed, change ...func(*storage.Client)) *providertest.Testbed {
	t.Helper()
	return b.AsClient(b.RegisterWith(t, storage.Web, storage.NewID("signing-"), func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.SkipConsent = []string{providertest.Callback}, true
		allKeys(c)
		for _, f := range change {
			f(c)
		}
	}))
}

// changedObject returns the members of a valid request object with changes, see changed.
func changedObject(b *providertest.Testbed, changes map[string]any) map[string]any {
	claims := b.ObjectClaims("state", "inside")
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

// P-30: A request object is processed fully: state, nonce, challenge and every other parameter in it
// count, with numbers and objects in their JSON form, and it needs no parameter but client_id beside it.
func TestRequestObject_LeadsToCode(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b = signs(t, b)
		object := providertest.SignObject(objectKey, changedObject(b, map[string]any{
			"nonce": "inside", "max_age": 3600, "login_hint": "canary-hint", "response_mode": "fragment", "jti": "x", "nbf": -time.Minute, "unheard_of": []any{1},
			"claims": map[string]any{"id_token": map[string]any{"email": map[string]any{"essential": true}}},
		}))
		v := b.Visitor(t)
		v.ByBoth(t, b.ObjectParams(object), func(t *testing.T, s providertest.Stop) {
			t.Helper()
			if !strings.Contains(s.Body, `value="canary-hint"`) {
				t.Errorf("login_hint in the object has no effect: at %s", s.At)
			}
		})
		left := v.SignIn(t, v.Get(t, b.Issuer+"/authorize?"+b.ObjectParams(object).Encode()), providertest.Alice, providertest.Password)
		if !strings.Contains(left.LeftTo.Fragment, "state=inside") {
			t.Errorf("left to %s", left.LeftTo)
		}
		response, err := url.ParseQuery(left.LeftTo.Fragment)
		if err != nil {
			t.Fatal(err)
		}
		claims := providertest.ClaimsOf(t, b.Redeem(t, response.Get("code"))["id_token"])
		if claims["nonce"] != "inside" || claims["email"] != providertest.Alice || claims["auth_time"] == nil {
			t.Errorf("ID token: %v", claims)
		}
	})
}

// PJ-08: Parameters outside the object change nothing (RFC 9101, section 6.3).
// PK-09: This is so for the challenge too.
func TestRequestObject_ParametersOutsideDoNotCount(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b = signs(t, b)
		outside := []string{
			"redirect_uri", providertest.EvilRedirectURI, "state", "outside", "nonce", "outside", "scope", "openid phone", "response_type", "token",
			"code_challenge", strings.Repeat("A", 43), "code_challenge_method", "plain", "prompt", "none", "max_age", "-1", "claims", "[", "registration", "{}", "response_mode", "pigeon",
		}
		left := b.Visitor(t)
		page := left.SignIn(t, left.Get(t, b.SignedURL(objectKey, changedObject(b, nil), outside...)), providertest.Alice, providertest.Password)
		if got := page.Response(t).Get("state"); got != "inside" {
			t.Errorf("state: got %q", got)
		}
		tokens := b.Redeem(t, page.Code(t))
		if tokens["scope"] != "openid email" {
			t.Errorf("scope: got %v", tokens["scope"])
		}
		// What is missing in the object is missing in the request.
		v := b.Visitor(t)
		v.Get(t, b.SignedURL(objectKey, changedObject(b, map[string]any{"scope": nil}), "scope", "openid")).WantError(t, "invalid_scope")
		v.Get(t, b.SignedURL(objectKey, changedObject(b, map[string]any{"redirect_uri": nil}), "redirect_uri", providertest.Callback)).WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
		v.Get(t, b.SignedURL(objectKey, changedObject(b, map[string]any{"redirect_uri": providertest.EvilRedirectURI}), "redirect_uri", providertest.Callback)).WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
		noState := v.Get(t, b.SignedURL(objectKey, changedObject(b, map[string]any{"state": nil, "prompt": "none"}), "state", "outside"))
		noState.WantError(t, "login_required")
		if noState.Response(t).Has("state") {
			t.Errorf("the state outside the object came back: %s", noState.LeftTo)
		}
	})
}

func TestRequestObject_AcceptedForms(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b = signs(t, b, func(c *storage.Client) { c.Resources = []string{providertest.MailAPI, providertest.FilesAPI} })
		for name, c := range map[string]struct{ claims, header map[string]any }{
			"no typ":                        {nil, map[string]any{"typ": nil}},
			"typ JWT":                       {nil, map[string]any{"typ": "JWT"}},
			"the whole media type":          {nil, map[string]any{"typ": "application/oauth-authz-req+jwt"}},
			"no kid":                        {nil, map[string]any{"kid": nil}},
			"several aud":                   {map[string]any{"aud": []string{"https://other.example", b.Issuer}}, nil},
			"no iat":                        {map[string]any{"iat": nil}, nil},
			"nbf and iat are 8 s ahead":     {map[string]any{"nbf": 8 * time.Second, "iat": 8 * time.Second}, nil},
			"exp is an hour ahead":          {map[string]any{"exp": time.Hour}, nil},
			"two resources":                 {map[string]any{"resource": []string{providertest.MailAPI, providertest.FilesAPI}}, nil},
			"one resource":                  {map[string]any{"resource": providertest.MailAPI}, nil},
			"null and empty values":         {map[string]any{"prompt": nil, "max_age": "", "claims": json.RawMessage("null")}, nil},
			"a number as text":              {map[string]any{"max_age": "100"}, nil},
			"claims as text":                {map[string]any{"claims": `{"userinfo":{"name":null}}`}, nil},
			"the sub of somebody":           {map[string]any{"sub": "someone"}, nil},
			"a key that is never looked at": {nil, map[string]any{"jku": "https://attacker.example/"}},
		} {
			signed := objectKey.Sign(changedObject(b, c.claims), map[string]any{"typ": "oauth-authz-req+jwt"}, c.header)
			if page := b.Visitor(t).Get(t, b.Issuer+"/authorize?"+b.ObjectParams(signed).Encode()); page.At.Path != "/login" {
				t.Errorf("%s: got %d at %s, left to %v", name, page.StatusCode, page.At, page.LeftTo)
			}
		}
	})
}

// wrongObjects returns request objects that must be refused, each with the cause in the log.
func wrongObjects(t *testing.T, b, owner *providertest.Testbed) map[string]struct{ object, cause string } {
	signed := func(claims map[string]any, header ...map[string]any) string {
		return objectKey.Sign(changedObject(b, claims), header...)
	}
	stranger := providertest.NewClientKey("ES256", objectKey.ID)
	repeated := providertest.Signed(t, objectKey.Private, `{"alg":"ES256"}`, `{"iss":"`+b.Client.ID+`","state":"a","state":"b"}`)
	tokens := owner.Redeem(t, owner.Visitor(t).SignInForCode(t))
	parts := strings.Split(signed(nil), ".")
	return map[string]struct{ object, cause string }{
		"no iss":                     {signed(map[string]any{"iss": nil}), "request_object_not_own"},
		"another iss":                {signed(map[string]any{"iss": owner.Client.ID}), "request_object_not_own"},
		"a number as iss":            {signed(map[string]any{"iss": 7}), "request_object_malformed"},
		"no client_id":               {signed(map[string]any{"client_id": nil}), "request_object_not_own"},
		"another client_id":          {signed(map[string]any{"client_id": owner.Client.ID}), "request_object_not_own"},
		"no aud":                     {signed(map[string]any{"aud": nil}), "request_object_audience"},
		"another aud":                {signed(map[string]any{"aud": "https://other.example"}), "request_object_audience"},
		"the token endpoint as aud":  {signed(map[string]any{"aud": b.Issuer + "/token"}), "request_object_audience"},
		"no exp":                     {signed(map[string]any{"exp": nil}), "request_object_times"},
		"exp is five minutes past":   {signed(map[string]any{"exp": -5 * time.Minute}), "request_object_expired"},
		"exp is over an hour ahead":  {signed(map[string]any{"exp": 62 * time.Minute}), "request_object_times"},
		"exp is text":                {signed(map[string]any{"exp": "soon"}), "request_object_malformed"},
		"iat is 61 s ahead":          {signed(map[string]any{"iat": 61 * time.Second}), "request_object_times"},
		"nbf is 61 s ahead":          {signed(map[string]any{"nbf": 61 * time.Second}), "request_object_times"},
		"request inside":             {signed(map[string]any{"request": signed(nil)}), "request_object_nested"},
		"request_uri inside":         {signed(map[string]any{"request_uri": "https://app.example.com/r"}), "request_object_nested"},
		"an assertion":               {objectKey.Sign(b.AssertionClaims()), "request_object_not_own"},
		"an assertion with the rest": {signed(map[string]any{"sub": b.Client.ID}), "request_object_not_own"},
		"an assertion's typ":         {signed(nil, map[string]any{"typ": "client-authentication+jwt"}), "request_object_malformed"},
		"an access token's typ":      {signed(nil, map[string]any{"typ": "at+jwt"}), "request_object_malformed"},
		"a proof's typ":              {signed(nil, map[string]any{"typ": "dpop+jwt"}), "request_object_malformed"},
		"our ID token":               {tokens["id_token"].(string), "request_object_not_own"},
		"our access token":           {tokens["access_token"].(string), "request_object_malformed"},
		"alg none":                   {unsigned(t, changedObject(b, nil), "none", nil), "request_object_algorithm"},
		"an HMAC of the secret":      {unsigned(t, changedObject(b, nil), "HS256", []byte(b.Secret+b.Secret)), "request_object_algorithm"},
		"another client's key":       {stranger.Sign(changedObject(b, nil)), "request_object_signature"},
		"an unknown kid":             {signed(nil, map[string]any{"kid": "other"}), "request_object_signature"},
		"a changed payload":          {parts[0] + "." + strings.Split(signed(map[string]any{"state": "x"}), ".")[1] + "." + parts[2], "request_object_signature"},
		"crit":                       {signed(nil, map[string]any{"crit": []string{"b64"}}), "request_object_malformed"},
		"a repeated member":          {repeated, "request_object_malformed"},
		"NUL":                        {signed(map[string]any{"state": "a\x00"}), "request_object_malformed"},
		"a number as resource":       {signed(map[string]any{"resource": []any{7}}), "request_object_malformed"},
		"encrypted":                  {"e30.e30.e30.e30.e30", "request_object_malformed"},
		"no JWT":                     {"x", "request_object_malformed"},
	}
}

// PJ-07: Wrong request objects are refused with invalid_request_object, by redirect to the registered
// redirect URI outside the object, or on a page, and by /par.
// TK-14: A JWT is accepted for one purpose only (RFC 8725, section 3.12).
// TK-29: Objects with times out of range are refused.
func TestRequestObject_WrongOnesAreRefused(t *testing.T) {
	providertest.Each(t, func(t *testing.T, owner *providertest.Testbed) {
		b := signs(t, owner)
		v := b.Visitor(t)
		for name, c := range wrongObjects(t, b, owner) {
			logged := len(b.Log.String())
			outside := b.ObjectParams(c.object, "redirect_uri", providertest.Callback, "state", "outside", "response_type", "code")
			s := v.Post(t, outside)
			if got := s.Response(t); got.Get("error") != "invalid_request_object" || got.Get("state") != "outside" || got.Get("iss") != b.Issuer {
				t.Errorf("%s: got %v", name, got)
			}
			s.WantError(t, "invalid_request_object")
			v.Get(t, b.Issuer+"/authorize?"+b.ObjectParams(c.object).Encode()).WantPage(t, http.StatusBadRequest, "invalid_request_object")
			v.Get(t, b.Issuer+"/authorize?"+b.ObjectParams(c.object, "redirect_uri", providertest.EvilRedirectURI).Encode()).WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
			providertest.WantOAuthError(t, b.Push(t, b.ObjectParams(c.object)), http.StatusBadRequest, "invalid_request_object")
			log := b.Log.String()[logged:]
			if strings.Count(log, `"cause":"`+c.cause+`"`) < 3 {
				t.Errorf("%s: want the cause %s in %s", name, c.cause, log)
			}
			if len(c.object) > 20 && strings.Contains(log, c.object) {
				t.Errorf("%s: the log has the object", name)
			}
		}
		fragment := v.Get(t, b.Issuer+"/authorize?"+b.ObjectParams("x", "redirect_uri", providertest.Callback, "response_mode", "fragment").Encode())
		if !strings.Contains(fragment.LeftTo.Fragment, "invalid_request_object") {
			t.Errorf("response_mode outside a refused object: left to %s", fragment.LeftTo)
		}
		long := objectKey.Sign(changedObject(b, map[string]any{"state": strings.Repeat("s", assertion.MaxRequestObject)}))
		providertest.WantOAuthError(t, b.Push(t, b.ObjectParams(long)), http.StatusBadRequest, "invalid_request_object")
		v.Get(t, b.Issuer+"/authorize?"+b.ObjectParams(long).Encode()).WantPage(t, http.StatusBadRequest, "invalid_request")
	})
}

// TK-14: A request object is no client assertion, even without its typ.
func TestRequestObject_IsNoAssertion(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		robot := b.KeyClient(t, "robot", allKeys)
		claims := changed(robot, map[string]any{"sub": nil, "client_id": "robot", "response_type": "code"})
		providertest.WantRefusedClient(t, "a request object", robot.PostAssertion(t, "/token", providertest.OwnToken(), objectKey.Sign(claims)))
	})
}

// P-30, P-35: The keys may be at a jwks_uri. Parallel requests share one fetch, and a host that is down
// has its own cause.
func TestRequestObject_PublishedKeys(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		served := providertest.ServeKeys(t, objectKey)
		b = signs(t, b, func(c *storage.Client) { c.Metadata.JWKS, c.Metadata.JWKSURI = "", served.URL })
		address := b.SignedURL(objectKey, changedObject(b, map[string]any{"prompt": "none"}))
		providertest.Race(20, func(int) {
			a := providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, address))
			if !strings.Contains(a.Header.Get("Location"), "error=login_required") {
				t.Errorf("got %d %s", a.StatusCode, a.Header.Get("Location"))
			}
		})
		if got := served.Fetches.Load(); got != 1 {
			t.Errorf("got %d fetches, want 1", got)
		}
		served.Break()
		b.Advance(25 * time.Hour)
		b.Visitor(t).Get(t, b.SignedURL(objectKey, changedObject(b, nil), "redirect_uri", providertest.Callback)).WantError(t, "temporarily_unavailable")
		object := providertest.SignObject(objectKey, changedObject(b, nil))
		providertest.WantOAuthError(t, b.Push(t, b.ObjectParams(object)), http.StatusServiceUnavailable, "temporarily_unavailable")
		if !strings.Contains(b.Log.String(), `"cause":"client_keys_unreachable"`) {
			t.Error("the log does not say that the keys cannot be fetched")
		}
	})
}

// A request object may be pushed (RFC 9126, section 3). Parameters beside it change nothing.
func TestRequestObject_Pushed(t *testing.T) {
	providertest.Each(t, func(t *testing.T, owner *providertest.Testbed) {
		b := signs(t, owner)
		claims := `{"id_token":{"acr":{"values":["` + strings.Repeat("a", 4000) + `"]}}}`
		object := providertest.SignObject(objectKey, changedObject(b, map[string]any{"claims": json.RawMessage(claims)}))
		a := b.Push(t, b.ObjectParams(object, "state", "outside", "scope", "phone", "redirect_uri", providertest.EvilRedirectURI))
		if a.StatusCode != http.StatusCreated {
			t.Fatalf("got %d %s", a.StatusCode, a.Body)
		}
		v := b.Visitor(t)
		page := v.SignIn(t, v.Get(t, b.PushedURL(a.JSON(t)["request_uri"].(string), "request", "x")), providertest.Alice, providertest.Password)
		if got := page.Response(t).Get("state"); got != "inside" {
			t.Errorf("state: got %q", got)
		}
		if tokens := b.Redeem(t, page.Code(t)); tokens["scope"] != "openid email" {
			t.Errorf("scope: got %v", tokens["scope"])
		}
		other := signs(t, owner)
		providertest.WantOAuthError(t, other.Push(t, other.ObjectParams(object)), http.StatusBadRequest, "invalid_request_object")
		providertest.WantOAuthError(t, owner.Push(t, owner.ObjectParams(object)), http.StatusBadRequest, "request_not_supported")
		providertest.WantOAuthError(t, b.Push(t, b.ObjectParams(providertest.SignObject(objectKey, changedObject(b, map[string]any{"scope": nil})))), http.StatusBadRequest, "invalid_scope")
		providertest.WantOAuthError(t, b.Push(t, b.ObjectParams(object, "request_uri", "https://app.example.com/r")), http.StatusBadRequest, "invalid_request")
	})
}

// A client can require that its requests are signed (RFC 9101, section 10.5), and the algorithm (OIDC
// Registration, section 2). Then no page starts the request again without its signature.
func TestRequestObject_Required(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b = signs(t, b, func(c *storage.Client) {
			c.Metadata.RequireSignedRequest, c.Metadata.RequestObjectAlg = true, objectKey.Algorithm
		})
		v := b.Visitor(t)
		v.ByBoth(t, b.Params(), func(t *testing.T, s providertest.Stop) {
			t.Helper()
			s.WantError(t, "invalid_request")
		})
		providertest.WantOAuthError(t, b.Push(t, b.Params()), http.StatusBadRequest, "invalid_request")
		if n := strings.Count(b.Log.String(), `"cause":"request_not_signed"`); n != 3 {
			t.Errorf("the log has the cause %d times, want 3", n)
		}
		v.Get(t, b.SignedURL(clientKeys["RS256"], b.ObjectClaims(), "redirect_uri", providertest.Callback)).WantError(t, "invalid_request_object")
		b.Redeem(t, v.SignIn(t, v.Get(t, b.SignedURL(objectKey, b.ObjectClaims())), providertest.Alice, providertest.Password).Code(t))
		a := b.Push(t, b.ObjectParams(providertest.SignObject(objectKey, b.ObjectClaims())))
		if a.StatusCode != http.StatusCreated {
			t.Fatalf("pushed: got %d %s", a.StatusCode, a.Body)
		}
		v.Get(t, b.PushedURL(a.JSON(t)["request_uri"].(string))).Code(t)

		late := b.Visitor(t).Get(t, b.SignedURL(objectKey, b.ObjectClaims())).Form(t)
		b.Advance(2 * time.Hour)
		page := v.Get(t, b.Issuer+"/authorize/next?"+url.Values{"request": {late.Values.Get("request")}}.Encode())
		page.WantPage(t, http.StatusBadRequest, "request_expired")
		if strings.Contains(page.Body, `id="start"`) {
			t.Errorf("the page starts the request without its signature:\n%s", page.Body)
		}
	})
}

// The rule that requests must be pushed holds for request objects too.
func TestRequestObject_MustBePushedToo(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b = signs(t, b)
		b.Visitor(t).Get(t, b.SignedURL(objectKey, b.ObjectClaims())).WantError(t, "invalid_request")
	}, func(c *provider.Config) { c.RequirePushed = true })
}

// Discovery names exactly the algorithms that work, none among them unsigned or with a shared secret.
func TestRequestObject_AlgorithmsInDiscovery(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		var got []string
		for _, alg := range b.Discovery(t)["request_object_signing_alg_values_supported"].([]any) {
			got = append(got, alg.(string))
		}
		var want []string
		for alg := range clientKeys {
			want = append(want, alg)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
