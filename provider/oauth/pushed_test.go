package oauth_test

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

func requirePushed(c *provider.Config) { c.RequirePushed = true }

// P-77: A pushed request leads to a code like any other, parameters beside it change nothing, and it
// can be opened again until the login is complete.
// PK-09, PJ-02: Parameters beside request_uri change nothing (RFC 9126, section 4).
// PJ-05: The browser sees only the reference.
// PJ-06: The reference cannot be guessed.
func TestPushed_LeadsToOneCode(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		a := b.Push(t, b.Params("state", "pushed-state", "login_hint", "canary-hint"))
		pushed := a.JSON(t)
		uri := pushed["request_uri"].(string)
		if a.StatusCode != http.StatusCreated || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Content-Type") != "application/json" || !strings.Contains(a.Body, `"expires_in":90`) {
			t.Fatalf("got %d %v %s", a.StatusCode, a.Header, a.Body)
		}
		if !regexp.MustCompile(`^urn:ietf:params:oauth:request_uri:[A-Za-z0-9_-]{43}$`).MatchString(uri) {
			t.Errorf("request_uri: got %q", uri)
		}
		v := b.Visitor(t)
		v.Get(t, b.PushedURL(uri)) // opened and left
		b.Advance(80 * time.Second)
		page := v.Get(t, b.PushedURL(uri, "redirect_uri", "https://attacker.example/", "state", "other", "scope", "openid phone", "code_challenge", strings.Repeat("A", 43)))
		if !strings.Contains(page.Body, `value="canary-hint"`) || strings.Contains(page.At.String(), "pushed-state") || len(page.At.String()) > 700 {
			t.Errorf("the sign-in page is at %s", page.At)
		}
		b.Advance(5 * time.Minute) // from the arrival on, it lives as long as every request
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
		v.Get(t, b.PushedURL(uri)) // the browser goes back and forward
		response := v.Allow(t, page).Response(t)
		if response.Get("state") != "pushed-state" || response.Get("iss") != b.Issuer {
			t.Errorf("got %v", response)
		}
		tokens := b.Redeem(t, response.Get("code"))
		if tokens["scope"] != "openid email" {
			t.Errorf("scope: got %v", tokens["scope"])
		}
		v.Get(t, b.PushedURL(uri)).WantPage(t, http.StatusBadRequest, "invalid_request_uri")
		if !strings.Contains(b.Log.String(), `"cause":"pushed_request_used"`) {
			t.Error("the log does not name the cause")
		}
	})
}

// P-77: The reference is bound to its client and expires. A reference that cannot be used writes
// nothing: everyone can send one, and SQLite has one writer.
func TestPushed_RefusedReferences(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		other := b.AsClient(b.Register(t, storage.Web, "other", providertest.Callback))
		uri := b.MustPush(t)
		_, writes := b.DB.Calls()
		for name, c := range map[string]struct{ address, code, cause string }{
			"another client":    {other.PushedURL(uri), "invalid_request_uri", "pushed_request_unknown"},
			"an invented one":   {b.PushedURL(uri[:len(uri)-1] + "_"), "invalid_request_uri", "pushed_request_unknown"},
			"no client_id":      {b.Issuer + "/authorize?request_uri=" + url.QueryEscape(uri), "invalid_client", "client_id_missing"},
			"an unknown client": {b.Issuer + "/authorize?client_id=nobody&request_uri=" + url.QueryEscape(uri), "invalid_client", "unknown_client"},
			"sent twice":        {b.PushedURL(uri) + "&request_uri=x", "invalid_request", "malformed_request"},
		} {
			logged := len(b.Log.String())
			b.Visitor(t).Get(t, c.address).WantPage(t, http.StatusBadRequest, c.code)
			if log := b.Log.String()[logged:]; !strings.Contains(log, `"cause":"`+c.cause+`"`) {
				t.Errorf("%s: want the cause %s in %s", name, c.cause, log)
			}
		}
		if _, after := b.DB.Calls(); after != writes {
			t.Errorf("refused references: got %d write transactions, want 0", after-writes)
		}
		v := b.Visitor(t)
		opened := v.Get(t, b.PushedURL(uri))
		late := b.MustPush(t)
		b.Advance(91 * time.Second)
		v.Get(t, b.PushedURL(late)).WantPage(t, http.StatusBadRequest, "invalid_request_uri")
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"https://app.example.com/new"} })
		v.Get(t, b.PushedURL(uri)).WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
		if opened.StatusCode != http.StatusOK {
			t.Errorf("the page: got %d", opened.StatusCode)
		}
	})
}

// P-77: A reference that is opened again and again expires all the same, and the log names that cause.
func TestPushed_ExpiresThoughOpenedAgain(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		uri, v := b.MustPush(t), b.Visitor(t)
		for _, wait := range []time.Duration{80 * time.Second, 29 * time.Minute} {
			b.Advance(wait)
			v.Get(t, b.PushedURL(uri)).Form(t)
		}
		b.Advance(2 * time.Minute)
		v.Get(t, b.PushedURL(uri)).WantPage(t, http.StatusBadRequest, "invalid_request_uri")
		if log := b.Log.String(); !strings.Contains(log, `"cause":"pushed_request_expired"`) {
			t.Error("the log does not name the cause")
		}
	})
}

// PJ-03: A pushed request is checked, with client authentication, when it is pushed.
func TestPushed_CheckedWhenPushed(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		form := func(pairs ...string) url.Values { return b.Params(pairs...) }
		for name, c := range map[string]struct {
			form url.Values
			code string
		}{
			"request_uri":           {form("request_uri", "urn:ietf:params:oauth:request_uri:x"), "invalid_request"},
			"request":               {form("request", "e30.e30."), "request_not_supported"},
			"another redirect_uri":  {form("redirect_uri", "https://attacker.example/"), "invalid_request"},
			"no redirect_uri":       {form("redirect_uri", ""), "invalid_request"},
			"another response_type": {form("response_type", "token"), "unsupported_response_type"},
			"no scope":              {form("scope", ""), "invalid_scope"},
			"an unknown resource":   {form("resource", "https://api.example"), "invalid_target"},
			"plain":                 {form("code_challenge_method", "plain"), "invalid_request"},
			"another client":        {form("client_id", "nobody"), "invalid_request"},
			"a state of 20,000":     {form("state", strings.Repeat("s", 20000)), "invalid_request"},
			"a code of 60,000":      {form("response_mode", "form_post", "nonce", randomText(45000)), "invalid_request"},
			"a hint of 40,000":      {form("login_hint", randomText(40000)), "invalid_request"},
			"an unknown prompt":     {form("prompt", "maybe"), "invalid_request"},
			"authorization_details": {form("authorization_details", "[]"), "invalid_authorization_details"},
		} {
			providertest.WantOAuthError(t, b.Push(t, c.form), http.StatusBadRequest, c.code)
			_ = name
		}
		wrong := b.AsClient(b.Client, "wrong")
		providertest.WantOAuthError(t, wrong.Push(t, form()), http.StatusUnauthorized, "invalid_client")
		get := b.Visitor(t).Fetch(t, b.Issuer+"/par")
		if get.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET: got %d", get.StatusCode)
		}
		key := clientKeys["ES256"]
		keyed := b.AsClient(b.RegisterWith(t, storage.Web, "keyed", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.TokenEndpointAuthMethod = []string{providertest.Callback}, storage.AuthPrivateKey
			allKeys(c)
		}))
		for _, audience := range []any{b.Issuer, b.Issuer + "/token", b.Issuer + "/par", []string{b.Issuer, b.Issuer + "/par"}} {
			a := keyed.PostAssertion(t, "/par", keyed.Params(), key.Sign(changed(keyed, map[string]any{"aud": audience})))
			if a.StatusCode != http.StatusCreated {
				t.Errorf("an assertion for %v: got %d %s", audience, a.StatusCode, a.Body)
			}
		}
	})
}

// randomText returns n characters that cannot be compressed.
func randomText(n int) string {
	raw := make([]byte, n)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)[:n]
}

// A request that is too long for a URL can be pushed. The page for such a request names this way.
func TestPushed_LongRequest(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		claims := `{"id_token":{"acr":{"values":["` + strings.Repeat("a", 4000) + `"]}}}`
		page := b.Visitor(t).Get(t, b.AuthorizeURL("claims", claims))
		page.WantPage(t, http.StatusBadRequest, "invalid_request")
		if !strings.Contains(page.Body, "pushed authorization request endpoint") {
			t.Errorf("the page does not name pushed requests: %s", page.Body)
		}
		v := b.Visitor(t)
		at := v.Get(t, b.PushedURL(b.MustPush(t, "claims", claims)))
		b.Redeem(t, v.Allow(t, v.SignIn(t, at, providertest.Alice, providertest.Password)).Code(t))
	})
}

// P-76: A client or the server can require pushed requests.
func TestPushed_Required(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.RequirePushed = true })
		b.Visitor(t).Get(t, b.AuthorizeURL()).WantError(t, "invalid_request")
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.PushedURL(b.MustPush(t))), providertest.Alice, providertest.Password)
	})
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Visitor(t).Get(t, b.AuthorizeURL()).WantError(t, "invalid_request")
		if b.Discovery(t)["require_pushed_authorization_requests"] != true {
			t.Error("the discovery document does not require pushed requests")
		}
		spa := b.AsClient(b.Register(t, storage.SPA, "spa", "https://spa.example.com/cb"))
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, spa.PushedURL(spa.MustPush(t))), providertest.Alice, providertest.Password)
	}, requirePushed)
}

// A client that does not authenticate cannot fill the database.
func TestPushed_PublicClientsAreLimited(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		spa := b.AsClient(b.Register(t, storage.SPA, "spa", "https://spa.example.com/cb"))
		last := providertest.Answer{}
		for range 301 {
			last = spa.Push(t, spa.Params())
		}
		if last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" {
			t.Errorf("the 301st: got %d %s", last.StatusCode, last.Body)
		}
		if a := b.Push(t, b.Params()); a.StatusCode != http.StatusCreated {
			t.Errorf("a client with a secret: got %d %s", a.StatusCode, a.Body)
		}
	})
}

// MN-01: However many requests of a browser arrive at once, on two nodes, a pushed request leads to
// one code.
func TestPushed_OneCodeInARace(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.ChangeClient(t, func(c *storage.Client) { c.SkipConsent = true })
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password).Code(t)
		node, session := b.Node(t), v.Cookie(t, "signet")
		for range 3 {
			uri := b.MustPush(t)
			var codes atomic.Int64
			providertest.Race(16, func(i int) {
				address := b.PushedURL(uri)
				if i%2 == 1 {
					address = node.PushedURL(uri)
				}
				r := providertest.NewGetRequest(t, address)
				r.AddCookie(session)
				a := providertest.Do(t, providertest.Direct, r)
				if strings.Contains(a.Header.Get("Location"), "code=") {
					codes.Add(1)
				} else if a.StatusCode != http.StatusBadRequest {
					t.Errorf("got %d %s", a.StatusCode, a.Body)
				}
			})
			if codes.Load() != 1 {
				t.Errorf("got %d codes, want 1", codes.Load())
			}
		}
	})
}

// A pushed request keeps its response type and mode through the pages of the sign-in.
func TestPushed_KeepsResponseTypeAndMode(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.ChangeClient(t, func(c *storage.Client) {
			c.Metadata.ResponseTypes = append(c.Metadata.ResponseTypes, "code id_token")
			c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, "implicit")
		})
		for _, mode := range []string{"fragment", "form_post"} {
			v := b.Visitor(t)
			page := v.SignIn(t, v.Get(t, b.PushedURL(b.MustPush(t, "response_type", "code id_token", "response_mode", mode))), providertest.Alice, providertest.Password)
			if page.LeftTo == nil {
				page = v.Allow(t, page)
			}
			response := page.Response(t)
			if response.Get("code") == "" || response.Get("id_token") == "" {
				t.Errorf("%s: got %v", mode, response)
			}
		}
	})
}
