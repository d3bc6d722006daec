package oauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/provider"
	"signet/provider/providertest"
)

// AZ-16: state returns byte for byte and encoded, or is refused if too long. It injects no
// header.
func TestAuthorize_StateComesBackByteForByte(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, state := range []string{
			"a\r\nSet-Cookie: x=1\r\n\r\n<script>", `"'<>\`, "&=#%+ ;?/", "&code=evil&iss=https://evil.example", "#access_token=x", "%0d%0a%00",
			"π é \u2028\u2029 \u202e", "\t\v\f\x01\x7f", "+", " ", strings.Repeat("s", 1500), strings.Repeat("<", 150),
		} {
			for _, change := range [][]string{
				{}, {"response_mode", "fragment"}, {"prompt", "none"}, {"scope", "none-that-exists"}, {"response_type", "token"},
			} {
				v.ByBoth(t, b.Params(append(change, "state", state)...), func(t *testing.T, s providertest.Stop) {
					t.Helper()
					if got := s.Response(t)["state"]; len(got) != 1 || got[0] != state {
						t.Fatalf("state: got %q, want %q in %s", got, state, s.LeftTo)
					}
					if location := s.Header.Get("Location"); strings.ContainsFunc(location, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"<>\`, r) }) {
						t.Fatalf("location is not percent-encoded: %q", location)
					}
					if !strings.HasPrefix(s.LeftTo.String(), "https://app.example.com/callback?from=signet") || len(s.Cookies()) > 0 {
						t.Fatalf("state changes the redirect URI or sets cookies: %s, cookies %v", s.LeftTo, s.Cookies())
					}
				})
			}
		}
		// P-11: a response has no state if the request had none.
		if s := v.Get(t, b.AuthorizeURL("state", "")); s.Response(t).Has("state") {
			t.Errorf("got a state that was not sent: %s", s.LeftTo)
		}
	})
}

// AZ-16: state returns byte for byte and encoded, or is refused if too long. It injects no
// header.
// AZ-17: nonce is in the ID token unchanged; a nonce that is too long or missing where
// required is refused.
func TestAuthorize_MalformedOrLongValuesShowPage(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, name := range []string{"state", "nonce", "scope", "login_hint", "claims", "redirect_uri", "client_id", "unheard_of"} {
			for _, value := range []string{"a\x00b", "\xff\xfe", "\xc0\x80", "\xed\xa0\x80", strings.Repeat("x", 3000), strings.Repeat("x", 60_000)} {
				params := b.Params()
				params.Set(name, value)
				v.ByBoth(t, params, func(t *testing.T, s providertest.Stop) {
					t.Helper()
					s.WantPage(t, http.StatusBadRequest, "invalid_request")
				})
			}
			huge := b.Params(name, strings.Repeat("x", 1<<20))
			v.Get(t, b.Issuer+"/authorize?"+huge.Encode()).WantPage(t, http.StatusBadRequest, "invalid_request")
			v.Post(t, huge).WantPage(t, http.StatusRequestEntityTooLarge, "invalid_request")
		}
		for _, broken := range []string{"%zz", "%", "a;b=c", "state=%f"} {
			v.Get(t, b.AuthorizeURL()+"&"+broken).WantPage(t, http.StatusBadRequest, "invalid_request")
		}
	})
}

// A sealed request travels in URLs and cookies. It is refused if it is too long for them.
// AZ-16: state returns byte for byte and encoded, or is refused if too long. It injects no
// header.
func TestAuthorize_RequestTooLongWhenSealedShowsPage(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for name, unit := range map[string]string{"state": "<", "nonce": "&", "login_hint": "\x01", "acr_values": "a ", "ui_locales": "\u2028", "claims": `{"":0}`} {
			for n := 100; n < 2000; n *= 2 {
				value := strings.Repeat(unit, n)
				if name == "claims" {
					value = `{"id_token":{"acr":{"values":["` + strings.Repeat("<", n) + `"]}}}`
				}
				// Unescaped characters, which no browser sends but other programs may.
				raw := strings.NewReplacer("%3C", "<", "%7B", "{", "%22", `"`).Replace(url.QueryEscape(value))
				a := v.Fetch(t, b.AuthorizeURL(name, "")+"&"+name+"="+raw)
				switch location := a.Header.Get("Location"); {
				case a.StatusCode == http.StatusBadRequest && location == "":
				case a.StatusCode == http.StatusSeeOther && len(location) < 4000+len("/login?request="):
				default:
					t.Errorf("%d of %q in %s: status %d, location of %d characters", n, unit, name, a.StatusCode, len(location))
				}
			}
		}
	})
}

// P-20: nonce is optional in the code flow.
// AZ-17: nonce is in the ID token unchanged; a nonce that is too long or missing where
// required is refused.
func TestAuthorize_NonceIsEchoedExactly(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, nonce := range []string{strings.Repeat("n", 64), strings.Repeat("é", 200), `"\<script>`, " \r\n\t", "&nonce=other", "0", "null"} {
			id := providertest.ClaimsOf(t, b.Redeem(t, v.CodeFromSession(t, "nonce", nonce))["id_token"])
			if id["nonce"] != nonce {
				t.Errorf("nonce: got %q, want %q", id["nonce"], nonce)
			}
		}
		if id := providertest.ClaimsOf(t, b.Redeem(t, v.CodeFromSession(t, "nonce", ""))["id_token"]); id["nonce"] != nil {
			t.Errorf("got a nonce that was not sent: %v", id["nonce"])
		}
	})
}

// AZ-18: scope is parsed in bounded time; invalid characters give invalid_scope, unknown
// scopes are dropped.
func TestAuthorize_Scope(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, scope := range []string{"openid \x01", "openid\temail", "openid\nemail", `openid "email"`, `openid \`, "openid \x7f", "openid é", "openid\u00a0email", "nothing", "OPENID", "nothing at all"} {
			v.ByBoth(t, b.Params("scope", scope), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				s.WantError(t, "invalid_scope")
			})
		}
		v.Get(t, b.AuthorizeURL("scope", "")).WantError(t, "invalid_scope")

		for scope, want := range map[string]string{
			"openid email":                              "openid email",
			"openid  openid email openid":               "openid email",
			" email openid ":                            "email openid",
			"openid unheard-of email urn:x:admin admin": "openid email",
			"openid " + strings.Repeat("x ", 1000):      "openid",
			"openid " + strings.Repeat("email ", 300):   "openid email",
		} {
			if got := b.Redeem(t, v.CodeFromSession(t, "scope", scope))["scope"]; got != want {
				t.Errorf("scope %.40q: got %v, want %s", scope, got, want)
			}
		}
		v.Post(t, b.Params("scope", strings.Repeat("a ", 25_000))).WantPage(t, http.StatusBadRequest, "invalid_request")
		v.Post(t, b.Params("scope", strings.Repeat("a ", 50_000))).WantPage(t, http.StatusRequestEntityTooLarge, "invalid_request")
	})
}

// P-21: display, ui_locales, claims_locales, login_hint and acr_values are never an error.
func TestAuthorize_HintsAreNeverAnError(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for name, values := range map[string][]string{
			"display":        {"page", "popup", "touch", "wap", "hologram"},
			"ui_locales":     {"de fr-CA en", "xx-not-a-locale", "../../etc/passwd", "%"},
			"claims_locales": {"de", "?"},
			"login_hint":     {"nobody@example.com", "not an address", `"><b>`},
			"acr_values":     {"urn:signet:1fa", "urn:unheard:of other", "0"},
		} {
			for _, value := range values {
				b.Redeem(t, v.CodeFromSession(t, name, value))
				if s := b.Visitor(t).Get(t, b.AuthorizeURL(name, value)); s.At.Path != "/login" || s.StatusCode != http.StatusOK {
					t.Errorf("%s=%s: at %s, status %d", name, value, s.At.Path, s.StatusCode)
				}
			}
		}
	})
}

// AZ-25: HTML or script in any parameter is escaped where it is shown.
func TestAuthorize_ReflectedTextStaysText(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		payloads := []string{
			`'"><x-canary onerror=alert(1)>`, `</title></textarea><x-canary>`, `javascript:x-canary`, "` onfocus=x-canary autofocus `",
			`{{.Secret}}<x-canary/>`, `<script>x-canary</script>`, "\"\r\nonfocus=x-canary",
		}
		names := []string{
			"login_hint", "ui_locales", "acr_values", "display", "error", "error_description", "error_hint", "claims_locales",
			"state", "nonce", "return_to", "title", "client_name",
		}
		for _, payload := range payloads {
			var pairs []string
			for _, name := range names {
				pairs = append(pairs, name, payload)
			}
			v := b.Visitor(t)
			login := v.Get(t, b.AuthorizeURL(pairs...))
			wantNoCanary(t, login)
			if got := login.Form(t).Values.Get("username"); !slices.Equal(strings.Fields(got), strings.Fields(payload)) {
				t.Errorf("login_hint %q is shown as %q", payload, got)
			}
			wantNoCanary(t, v.Submit(t, login.Form(t), "username", payload, "password", payload))
			wantNoCanary(t, v.SignIn(t, login, providertest.Alice, providertest.Password)) // the consent page
			wantNoCanary(t, v.Get(t, b.Issuer+"/login?return_to="+url.QueryEscape(payload)))
			wantNoCanary(t, v.Get(t, b.Issuer+"/authorize/next?request="+url.QueryEscape(payload)))
			wantNoCanary(t, v.Get(t, b.AuthorizeURL("redirect_uri", payload)))
			wantNoCanary(t, v.Get(t, b.AuthorizeURL("client_id", payload)))
			wantNoCanary(t, v.Get(t, b.AuthorizeURL()+"&"+url.QueryEscape(payload)+"=1&"+url.QueryEscape(payload)+"=2"))
			b.Advance(31 * time.Minute)
			wantNoCanary(t, v.Get(t, login.At.String())) // expired, with a link that starts it again
		}
	}, func(c *provider.Config) { c.Development = true })
}

// wantNoCanary fails if the canary is outside of text, values of inputs, and queries of links
// to this provider.
func wantNoCanary(t *testing.T, s providertest.Stop) {
	t.Helper()
	if s.LeftTo != nil || !strings.HasPrefix(s.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("not a page: left to %v, %s", s.LeftTo, s.Header.Get("Content-Type"))
	}
	if policy := s.Header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy: %s", policy)
	}
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "x-canary" || (n.Data == "script" && n.FirstChild != nil) {
			t.Errorf("the page has an element of the attacker: <%s> on %s", n.Data, s.At.Path)
		}
		for _, a := range n.Attr {
			ours := strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "//")
			link := slices.Contains([]string{"href", "src", "action"}, a.Key)
			if strings.HasPrefix(a.Key, "on") || (link && !ours && !strings.HasPrefix(a.Val, "#")) || strings.Contains(a.Key, "canary") {
				t.Errorf("<%s %s=%q> on %s", n.Data, a.Key, a.Val, s.At.Path)
			}
		}
	}
}

// authorization_details is refused at every endpoint, because it is not supported (RFC 9396).
func TestAuthorizationDetails_AreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const details = `[{"type":"payment_initiation"}]`
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t, "scope", "openid email offline_access"))
		v.ByBoth(t, b.Params("authorization_details", details), func(t *testing.T, s providertest.Stop) {
			t.Helper()
			s.WantError(t, "invalid_authorization_details")
		})
		code := v.CodeFromSession(t)
		b.RefuseCode(t, code, "invalid_authorization_details", "authorization_details", details)
		b.RefuseRefresh(t, tokens["refresh_token"], "invalid_authorization_details", "authorization_details", details)
		b.Redeem(t, code) // the refusals have spent neither the code nor the token
		b.MustRefresh(t, tokens["refresh_token"])
	})
}
