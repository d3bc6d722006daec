package provider_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/provider"
)

func TestAZ16_StateComesBackByteForByte(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, state := range []string{
			"a\r\nSet-Cookie: x=1\r\n\r\n<script>", `"'<>\`, "&=#%+ ;?/", "&code=evil&iss=https://evil.example", "#access_token=x", "%0d%0a%00",
			"π é \u2028\u2029 \u202e", "\t\v\f\x01\x7f", "+", " ", strings.Repeat("s", 1500), strings.Repeat("<", 150),
		} {
			for _, change := range [][]string{
				{}, {"response_mode", "fragment"}, {"prompt", "none"}, {"scope", "none-that-exists"}, {"response_type", "token"},
			} {
				v.byBoth(t, b.params(append(change, "state", state)...), func(t *testing.T, s stop) {
					t.Helper()
					if got := s.response(t)["state"]; len(got) != 1 || got[0] != state {
						t.Fatalf("state: got %q, want %q in %s", got, state, s.Left)
					}
					if location := s.Header.Get("Location"); strings.ContainsFunc(location, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"<>\`, r) }) {
						t.Fatalf("location is not percent-encoded: %q", location)
					}
					if !strings.HasPrefix(s.Left.String(), "https://app.example.com/callback?from=signet") || len(s.Cookies()) > 0 {
						t.Fatalf("state leads elsewhere: %s, cookies %v", s.Left, s.Cookies())
					}
				})
			}
		}
		// P11: none where none was sent.
		if s := v.get(t, b.authorizeURL("state", "")); s.response(t).Has("state") {
			t.Errorf("a state out of nothing: %s", s.Left)
		}
	})
}

func TestAZ16_AZ17_UnreadableOrEndlessValuesAreAPage(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for _, name := range []string{"state", "nonce", "scope", "login_hint", "claims", "redirect_uri", "client_id", "unheard_of"} {
			for _, value := range []string{"a\x00b", "\xff\xfe", "\xc0\x80", "\xed\xa0\x80", strings.Repeat("x", 3000), strings.Repeat("x", 60_000)} {
				params := b.params()
				params.Set(name, value)
				v.byBoth(t, params, func(t *testing.T, s stop) {
					t.Helper()
					s.wantPage(t, http.StatusBadRequest, "invalid_request")
				})
			}
			huge := b.params(name, strings.Repeat("x", 1<<20))
			v.get(t, b.Issuer+"/authorize?"+huge.Encode()).wantPage(t, http.StatusBadRequest, "invalid_request")
			v.post(t, huge).wantPage(t, http.StatusRequestEntityTooLarge, "invalid_request")
		}
		for _, broken := range []string{"%zz", "%", "a;b=c", "state=%f"} {
			v.get(t, b.authorizeURL()+"&"+broken).wantPage(t, http.StatusBadRequest, "invalid_request")
		}
	})
}

// A request travels on in URLs and cookies: what grows on its way is refused too.
func TestAZ16_RequestThatGrowsWhenSealedIsAPage(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for name, unit := range map[string]string{"state": "<", "nonce": "&", "login_hint": "\x01", "acr_values": "a ", "ui_locales": "\u2028", "claims": `{"":0}`} {
			for n := 100; n < 2000; n *= 2 {
				value := strings.Repeat(unit, n)
				if name == "claims" {
					value = `{"id_token":{"acr":{"values":["` + strings.Repeat("<", n) + `"]}}}`
				}
				// Raw characters, as no browser but any program sends them.
				raw := strings.NewReplacer("%3C", "<", "%7B", "{", "%22", `"`).Replace(url.QueryEscape(value))
				a := v.fetch(t, b.authorizeURL(name, "")+"&"+name+"="+raw)
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

// TestAZ17_NonceIsEchoedExactly also covers P20 and the nonce of P83.
func TestAZ17_NonceIsEchoedExactly(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, nonce := range []string{strings.Repeat("n", 64), strings.Repeat("é", 200), `"\<script>`, " \r\n\t", "&nonce=other", "0", "null"} {
			id := claimsOf(t, b.redeem(t, v.again(t, "nonce", nonce))["id_token"])
			if id["nonce"] != nonce {
				t.Errorf("nonce: got %q, want %q", id["nonce"], nonce)
			}
		}
		if id := claimsOf(t, b.redeem(t, v.again(t, "nonce", ""))["id_token"]); id["nonce"] != nil {
			t.Errorf("a nonce out of nothing: %v", id["nonce"])
		}
	})
}

func TestAZ18_Scope(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, scope := range []string{"openid \x01", "openid\temail", "openid\nemail", `openid "email"`, `openid \`, "openid \x7f", "openid é", "openid\u00a0email", "nothing", "OPENID", "nothing at all"} {
			v.byBoth(t, b.params("scope", scope), func(t *testing.T, s stop) {
				t.Helper()
				s.wantError(t, "invalid_scope")
			})
		}
		v.get(t, b.authorizeURL("scope", "")).wantError(t, "invalid_scope")

		for scope, want := range map[string]string{
			"openid email":                              "openid email",
			"openid  openid email openid":               "openid email",
			" email openid ":                            "email openid",
			"openid unheard-of email urn:x:admin admin": "openid email",
			"openid " + strings.Repeat("x ", 1000):      "openid",
			"openid " + strings.Repeat("email ", 300):   "openid email",
		} {
			if got := b.redeem(t, v.again(t, "scope", scope))["scope"]; got != want {
				t.Errorf("scope %.40q: got %v, want %s", scope, got, want)
			}
		}
		v.post(t, b.params("scope", strings.Repeat("a ", 25_000))).wantPage(t, http.StatusBadRequest, "invalid_request")
		v.post(t, b.params("scope", strings.Repeat("a ", 50_000))).wantPage(t, http.StatusRequestEntityTooLarge, "invalid_request")
	})
}

func TestP21_HintsAreNeverAnError(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for name, values := range map[string][]string{
			"display":        {"page", "popup", "touch", "wap", "hologram"},
			"ui_locales":     {"de fr-CA en", "xx-not-a-locale", "../../etc/passwd", "%"},
			"claims_locales": {"de", "?"},
			"login_hint":     {"nobody@example.com", "not an address", `"><b>`},
			"acr_values":     {"urn:signet:1fa", "urn:unheard:of other", "0"},
		} {
			for _, value := range values {
				b.redeem(t, v.again(t, name, value))
				if s := b.visitor(t).get(t, b.authorizeURL(name, value)); s.At.Path != "/login" || s.StatusCode != http.StatusOK {
					t.Errorf("%s=%s: at %s, status %d", name, value, s.At.Path, s.StatusCode)
				}
			}
		}
	})
}

func TestAZ25_ReflectedTextStaysText(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
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
			v := b.visitor(t)
			login := v.get(t, b.authorizeURL(pairs...))
			wantNoCanary(t, login)
			if got := login.form(t).values.Get("username"); !slices.Equal(strings.Fields(got), strings.Fields(payload)) {
				t.Errorf("login_hint %q is shown as %q", payload, got)
			}
			wantNoCanary(t, v.submit(t, login.form(t), "username", payload, "password", payload))
			wantNoCanary(t, v.signIn(t, login, alice, password)) // the consent page
			wantNoCanary(t, v.get(t, b.Issuer+"/login?return_to="+url.QueryEscape(payload)))
			wantNoCanary(t, v.get(t, b.Issuer+"/authorize/next?request="+url.QueryEscape(payload)))
			wantNoCanary(t, v.get(t, b.authorizeURL("redirect_uri", payload)))
			wantNoCanary(t, v.get(t, b.authorizeURL("client_id", payload)))
			wantNoCanary(t, v.get(t, b.authorizeURL()+"&"+url.QueryEscape(payload)+"=1&"+url.QueryEscape(payload)+"=2"))
			b.pass(31 * time.Minute)
			wantNoCanary(t, v.get(t, login.At.String())) // expired, with a link that starts it again
		}
	}, func(c *provider.Config) { c.Development = true })
}

// wantNoCanary wants the canary nowhere but in text, in values of inputs, and in
// the queries of our own links.
func wantNoCanary(t *testing.T, s stop) {
	t.Helper()
	if s.Left != nil || !strings.HasPrefix(s.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("not a page: left to %v, %s", s.Left, s.Header.Get("Content-Type"))
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
			t.Errorf("an element of the attacker's: <%s> on %s", n.Data, s.At.Path)
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
