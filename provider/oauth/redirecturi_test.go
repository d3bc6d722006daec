package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
)

// lookAlikes are URIs that equal the callback in some comparisons, but not byte by byte. The keys
// are requirement numbers.
var lookAlikes = map[string][]string{
	"RU-01": {
		"https://app.example.com/callback/../evil?from=signet", "https://app.example.com/callback/%2e%2e/evil?from=signet",
		"https://app.example.com/callback/.?from=signet", "https://app.example.com/callback/?from=signet", "https://app.example.com/callback?from=signet/",
		"https://app.example.com/callback", "https://app.example.com/callback?from=signet&x=1", "https://app.example.com/callback?x=1&from=signet",
		"https://app.example.com/callback?from=other", "https://app.example.com/callback?from=signet#", "https://app.example.com/callback?from=signet#x",
		"https://app.example.com/callback/extra?from=signet", "https://app.example.com/callbackevil?from=signet", "https://app.example.com//callback?from=signet",
		"https://app.example.com/./callback?from=signet", "https://app.example.com/callback;x?from=signet", "https://app.example.com/callback?from=signet&",
		" " + providertest.Callback, providertest.Callback + " ", providertest.Callback + "\n", "\t" + providertest.Callback, providertest.Callback + "," + providertest.EvilRedirectURI, providertest.Callback + " " + providertest.EvilRedirectURI,
	},
	"RU-02": {
		"https://app.example.com@evil.example/callback?from=signet", "https://app.example.com:x@evil.example/callback?from=signet",
		`https://evil.example\@app.example.com/callback?from=signet`, `https://evil.example\.app.example.com/callback?from=signet`,
		"https://user@app.example.com/callback?from=signet", "https://@app.example.com/callback?from=signet",
		"https://evil.example/https://app.example.com/callback?from=signet", "https://app.example.com.evil.example/callback?from=signet",
		"https://evilapp.example.com/callback?from=signet", "https://sub.app.example.com/callback?from=signet", "https://example.com/callback?from=signet",
	},
	"RU-03": {
		"HTTPS://app.example.com/callback?from=signet", "https://APP.example.com/callback?from=signet", "https://app.example.com/Callback?from=signet",
		"https://app.example.com/callback?From=signet",
	},
	"RU-04": {
		"https://app.example.com/%63allback?from=signet", "https://app.example.com/%2563allback?from=signet", "https://app.example.com/callback%3Ffrom=signet",
		"https://app%2eexample.com/callback?from=signet", "https%3A%2F%2Fapp.example.com%2Fcallback%3Ffrom%3Dsignet", "https://app.example.com/callback?from=%73ignet",
		"https://app.example.com/callback?from=signet%20", "https://app.example.com/callback%00?from=signet", "https://app。example.com/callback?from=signet",
		"https://аpp.example.com/callback?from=signet", // a Cyrillic а
	},
	"RU-06": {
		"https://app.example.com:443/callback?from=signet", "https://app.example.com:8443/callback?from=signet", "https://app.example.com:/callback?from=signet",
		"http://127.0.0.1/callback?from=signet", "https://app.example.com./callback?from=signet",
	},
	"RU-07": {
		"javascript:alert(1)", "javascript://app.example.com/callback?from=signet%0aalert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
		"blob:" + providertest.Callback, "myapp:/callback", "view-source:" + providertest.Callback,
	},
	"RU-12": {"http://app.example.com/callback?from=signet"},
	"RU-13": {"https://other.example.com/callback"}, // registered for another client
	"RU-16": {providertest.EvilRedirectURI, "https://app.example.com/", "/callback?from=signet", "//app.example.com/callback?from=signet", "app.example.com/callback", "x", "*", "null", "."},
}

// Every URI that is not exactly the registered one leads to an error page: by GET and POST, with
// and without a session. The token endpoint refuses it too.
//
// RU-01, RU-02, RU-03, RU-04, RU-06, RU-07, RU-12, RU-13, RU-16: redirect URIs are compared as
// exact strings.
func TestRedirectURI_LookAlikesShowPage(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Register(t, storage.Web, "other", "https://other.example.com/callback")
		b.Follow(t)
		known := b.Visitor(t)
		code := known.SignInForCode(t)
		for id, uris := range lookAlikes {
			for _, uri := range uris {
				for _, v := range []*providertest.Visitor{known, b.Visitor(t)} {
					v.ByBoth(t, b.Params("redirect_uri", uri), func(t *testing.T, s providertest.Stop) {
						t.Helper()
						if s.LeftTo != nil || s.StatusCode != http.StatusBadRequest || s.At.Path != "/authorize" {
							t.Errorf("%s: %q: left to %v, status %d at %s", id, uri, s.LeftTo, s.StatusCode, s.At.Path)
							return
						}
						s.WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
					})
				}
				// RU-10: the token request must repeat the URI of the authorization request.
				a := b.TokenRequest(t, b.CodeForm(code, "redirect_uri", uri))
				providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
			}
		}
		b.Redeem(t, code) // the refused requests have not spent the code
	})
}

// RU-04: Percent-encoded forms of a registered URI do not match.
func TestRedirectURI_IsUsedExactlyAsRegistered(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		// Parsing and formatting would change these URIs.
		for i, uri := range []string{
			"https://app.example.com/%63b?x=%7e&y=a+b&&z", "https://app.example.com/cb?", "https://app.example.com", "https://app.example.com/a;b/(c)'d!",
			"https://app.example.com/cb?q=%E2%82%AC%2f", "https://app.example.com:8443/",
		} {
			client, _ := b.Register(t, storage.Web, "exact"+string(rune('a'+i)), uri)
			if err := directory.CheckClient(client); err != nil {
				t.Fatalf("%s: %v", uri, err)
			}
			s := b.Visitor(t).Get(t, b.AuthorizeURL("client_id", client.ID, "redirect_uri", uri, "prompt", "none"))
			if location := s.Header.Get("Location"); !strings.HasPrefix(location, uri) || !strings.Contains(location[len(uri):], "error=login_required") {
				t.Errorf("registered %s, sent to %s", uri, location)
			} else if rest := location[len(uri):]; rest[0] != '?' && rest[0] != '&' {
				t.Errorf("registered %s, sent to %s", uri, location)
			}
		}
	})
}

// P-14: The query of a registered redirect URI is kept.
func TestRedirectURI_RegisteredQueryIsKept(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, change := range [][]string{{}, {"prompt", "none", "scope", "openid phone"}, {"response_mode", "fragment"}} {
			s := v.Get(t, b.AuthorizeURL(change...))
			if s.LeftTo == nil || !strings.HasPrefix(s.LeftTo.String(), providertest.Callback) || s.LeftTo.Query().Get("from") != "signet" {
				t.Errorf("%v: the registered query is lost: %v", change, s.LeftTo)
			}
		}
	})
}

// The test covers the comparison at a request. The rules for registration are tested in
// provider/directory.
// RU-06: only the port of a loopback redirect URI of a native client may differ (RFC 8252,
// section 7.3).
func TestRedirectURI_LoopbackPort(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		native, _ := b.Register(t, storage.Native, "native", "http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb")
		spa, _ := b.Register(t, storage.SPA, "spa", "http://127.0.0.1:3000/cb")
		b.Client, b.Secret = native, ""
		v := b.Visitor(t)
		// The response and the token request use the port of the authorization request.
		for _, uri := range []string{"http://127.0.0.1:51004/cb", "http://[::1]:65535/cb", "http://127.0.0.1/cb", "com.example.app:/cb"} {
			s := v.Get(t, b.AuthorizeURL("redirect_uri", uri))
			if s.At.Path == "/login" {
				s = v.SignIn(t, s, providertest.Alice, providertest.Password)
			}
			s = v.Allow(t, s)
			if s.LeftTo == nil || !strings.HasPrefix(s.LeftTo.String(), uri+"?") {
				t.Fatalf("%s: left to %v", uri, s.LeftTo)
			}
			code := s.Code(t)
			b.RefuseCode(t, code, "invalid_grant", "redirect_uri", "http://127.0.0.1:51005/cb")
			if a := b.TokenRequest(t, b.CodeForm(code, "redirect_uri", uri)); a.StatusCode != http.StatusOK {
				t.Errorf("%s: redeem: %d %s", uri, a.StatusCode, a.Body)
			}
		}
		for _, uri := range []string{
			"https://127.0.0.1:51004/cb", "http://localhost:51004/cb", "http://127.9.9.9:51004/cb", "http://127.1:51004/cb", "http://2130706433/cb", "http://0x7f.1/cb",
			"http://u@127.0.0.1:51004/cb", "http://127.0.0.1:51004@evil.example/cb", "http://127.0.0.1:51004/cb#x", "http://[::ffff:127.0.0.1]:51004/cb",
			"http://127.0.0.1:51004/cb?x=1", "http://127.0.0.1:51004/cb/", "http://127.0.0.1:51004/cb/..", "http://127.0.0.1:/cb", "http://127.0.0.1:0/cb",
			"http://127.0.0.1:99999/cb", "http://127.0.0.1:+80/cb", "http://127.0.0.1:80:80/cb", "http://127.0.0.1.evil.example/cb", "http://[::1%25lo]:51004/cb",
			"http://[0:0:0:0:0:0:0:1]/cb", "com.example.app:8080/cb", "com.example.app://cb", "com.example.APP:/cb",
		} {
			v.Get(t, b.AuthorizeURL("redirect_uri", uri)).WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
		}
		// Only native clients may use any port.
		b.Client = spa
		v.Get(t, b.AuthorizeURL("redirect_uri", "http://127.0.0.1:3001/cb")).WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
	})
}

// RU-07: Schemes such as javascript: or data:, and private schemes without a dot, are
// refused.
func TestRedirectURI_ScriptURIInAnOldRowIsRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		uris := []string{"javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///x", "blob:https://app.example.com/x"}
		b.Register(t, storage.Native, "old", uris...)
		v := b.Visitor(t)
		for _, uri := range uris {
			v.ByBoth(t, b.Params("client_id", "old", "redirect_uri", uri, "prompt", "none"), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				s.WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
			})
		}
	})
}

// P-13: redirect URIs are compared exactly, and are always required, even if only one is
// registered.
// RU-09: A request without redirect_uri is refused.
func TestRedirectURI_MissingRedirectURIShowsPage(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Register(t, storage.Web, "two", providertest.Callback, "https://app.example.com/second")
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, client := range []string{b.Client.ID, "two"} {
			v.ByBoth(t, b.Params("client_id", client, "redirect_uri", ""), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				s.WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
			})
			v.Get(t, b.AuthorizeURL("client_id", client, "redirect_uri", "")+"&redirect_uri=").WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
		}
	})
}

// RU-10: The token request must repeat the redirect_uri of the authorization request (RFC
// 6749, section 4.1.3).
func TestRedirectURI_TokenRequestNeedsTheSameURI(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		second := "https://app.example.com/second"
		b.Client, b.Secret = b.Register(t, storage.Web, "two", providertest.Callback, second)
		code := b.Visitor(t).SignInForCode(t)
		b.RefuseCode(t, code, "invalid_grant", "redirect_uri", second) // registered, but not the URI of this request
		b.RefuseCode(t, code, "invalid_grant", "redirect_uri", "")
		b.RefuseCode(t, code, "invalid_grant", "redirect_uri", url.QueryEscape(providertest.Callback))
		b.Redeem(t, code)
	})
}

// RU-14: A huge URI, NUL or invalid UTF-8 gives 400 on both databases.
func TestRedirectURI_LongAndMalformedURIsAreRefused(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		code := v.SignInForCode(t)
		for _, uri := range []string{"https://app.example.com/" + strings.Repeat("a", 100<<10), providertest.Callback + "\x00", providertest.Callback + "\xff", "\x00", "\xff\xfe", "https://[::1", "https://%", ":"} {
			v.ByBoth(t, b.Params("redirect_uri", uri), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				if s.LeftTo != nil || s.StatusCode < 400 || s.StatusCode >= 500 {
					t.Errorf("%.40q: left to %v, status %d", uri, s.LeftTo, s.StatusCode)
				}
			})
			if a := b.TokenRequest(t, b.CodeForm(code, "redirect_uri", uri)); a.StatusCode < 400 || a.StatusCode >= 500 {
				t.Errorf("%.40q at /token: status %d: %s", uri, a.StatusCode, a.Body)
			}
		}
		b.Redeem(t, code)
	})
}
