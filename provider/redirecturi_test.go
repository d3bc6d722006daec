package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/directory"
	"signet/storage"
)

const evil = "https://evil.example/callback?from=signet"

// lookAlikes are URIs that some comparison of another kind than byte by byte
// would take for callback, by the id of the attack.
var lookAlikes = map[string][]string{
	"RU-01": {
		"https://app.example.com/callback/../evil?from=signet", "https://app.example.com/callback/%2e%2e/evil?from=signet",
		"https://app.example.com/callback/.?from=signet", "https://app.example.com/callback/?from=signet", "https://app.example.com/callback?from=signet/",
		"https://app.example.com/callback", "https://app.example.com/callback?from=signet&x=1", "https://app.example.com/callback?x=1&from=signet",
		"https://app.example.com/callback?from=other", "https://app.example.com/callback?from=signet#", "https://app.example.com/callback?from=signet#x",
		"https://app.example.com/callback/extra?from=signet", "https://app.example.com/callbackevil?from=signet", "https://app.example.com//callback?from=signet",
		"https://app.example.com/./callback?from=signet", "https://app.example.com/callback;x?from=signet", "https://app.example.com/callback?from=signet&",
		" " + callback, callback + " ", callback + "\n", "\t" + callback, callback + "," + evil, callback + " " + evil,
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
		"blob:" + callback, "myapp:/callback", "view-source:" + callback,
	},
	"RU-12": {"http://app.example.com/callback?from=signet"},
	"RU-13": {"https://other.example.com/callback"}, // registered, but by another client
	"RU-16": {evil, "https://app.example.com/", "/callback?from=signet", "//app.example.com/callback?from=signet", "app.example.com/callback", "x", "*", "null", "."},
}

// TestRU_LookAlikesAreAPage: whatever is not the registered string is a page, by
// GET and POST, with and without a session, and leads nowhere at /token either.
func TestRU_LookAlikesAreAPage(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.register(t, storage.Web, "other", "https://other.example.com/callback")
		b.follow(t)
		known := b.visitor(t)
		code := known.flow(t)
		for id, uris := range lookAlikes {
			for _, uri := range uris {
				for _, v := range []*visitor{known, b.visitor(t)} {
					v.byBoth(t, b.params("redirect_uri", uri), func(t *testing.T, s stop) {
						t.Helper()
						if s.Left != nil || s.StatusCode != http.StatusBadRequest || s.At.Path != "/authorize" {
							t.Errorf("%s: %q: left to %v, status %d at %s", id, uri, s.Left, s.StatusCode, s.At.Path)
							return
						}
						s.wantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
					})
				}
				// RU-10: the code's own URI counts, not one that resembles it.
				a := b.tokenRequest(t, b.codeForm(code, "redirect_uri", uri))
				wantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
			}
		}
		b.redeem(t, code) // what came without the right URI has spent nothing
	})
}

func TestRU04_TheValueCheckedIsTheValueUsed(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		// Registered in a form that parsing and printing again would change.
		for i, uri := range []string{
			"https://app.example.com/%63b?x=%7e&y=a+b&&z", "https://app.example.com/cb?", "https://app.example.com", "https://app.example.com/a;b/(c)'d!",
			"https://app.example.com/cb?q=%E2%82%AC%2f", "https://app.example.com:8443/",
		} {
			client, _ := b.register(t, storage.Web, "exact"+string(rune('a'+i)), uri)
			if err := directory.CheckClient(client); err != nil {
				t.Fatalf("%s: %v", uri, err)
			}
			s := b.visitor(t).get(t, b.authorizeURL("client_id", client.ID, "redirect_uri", uri, "prompt", "none"))
			if location := s.Header.Get("Location"); !strings.HasPrefix(location, uri) || !strings.Contains(location[len(uri):], "error=login_required") {
				t.Errorf("registered %s, sent to %s", uri, location)
			} else if rest := location[len(uri):]; rest[0] != '?' && rest[0] != '&' {
				t.Errorf("registered %s, sent to %s", uri, location)
			}
		}
	})
}

func TestP14_RegisteredQueryIsKept(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, change := range [][]string{{}, {"prompt", "none", "scope", "openid phone"}, {"response_mode", "fragment"}} {
			s := v.get(t, b.authorizeURL(change...))
			if s.Left == nil || !strings.HasPrefix(s.Left.String(), callback) || s.Left.Query().Get("from") != "signet" {
				t.Errorf("%v: the registered query is lost: %v", change, s.Left)
			}
		}
	})
}

// TestRU06_LoopbackPort covers what differs at use; what may be registered is
// storage's to test.
func TestRU06_LoopbackPort(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		native, _ := b.register(t, storage.Native, "native", "http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb")
		spa, _ := b.register(t, storage.SPA, "spa", "http://127.0.0.1:3000/cb")
		b.Client, b.Secret = native, ""
		v := b.visitor(t)
		// The port of the request is the port of the answer, and of /token.
		for _, uri := range []string{"http://127.0.0.1:51004/cb", "http://[::1]:65535/cb", "http://127.0.0.1/cb", "com.example.app:/cb"} {
			s := v.get(t, b.authorizeURL("redirect_uri", uri))
			if s.At.Path == "/login" {
				s = v.signIn(t, s, alice, password)
			}
			s = v.allow(t, s)
			if s.Left == nil || !strings.HasPrefix(s.Left.String(), uri+"?") {
				t.Fatalf("%s: left to %v", uri, s.Left)
			}
			code := s.code(t)
			b.refuseCode(t, code, "invalid_grant", "redirect_uri", "http://127.0.0.1:51005/cb")
			if a := b.tokenRequest(t, b.codeForm(code, "redirect_uri", uri)); a.StatusCode != http.StatusOK {
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
			v.get(t, b.authorizeURL("redirect_uri", uri)).wantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
		}
		// The port is free for native clients alone.
		b.Client = spa
		v.get(t, b.authorizeURL("redirect_uri", "http://127.0.0.1:3001/cb")).wantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
	})
}

func TestRU07_RunnableURIInAnOldRowIsNotBelieved(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		uris := []string{"javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///x", "blob:https://app.example.com/x"}
		b.register(t, storage.Native, "old", uris...)
		v := b.visitor(t)
		for _, uri := range uris {
			v.byBoth(t, b.params("client_id", "old", "redirect_uri", uri, "prompt", "none"), func(t *testing.T, s stop) {
				t.Helper()
				s.wantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
			})
		}
	})
}

// TestRU09_MissingRedirectURI also covers P13: required even with one registered.
func TestRU09_MissingRedirectURI(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.register(t, storage.Web, "two", callback, "https://app.example.com/second")
		v := b.visitor(t)
		v.flow(t)
		for _, client := range []string{b.Client.ID, "two"} {
			v.byBoth(t, b.params("client_id", client, "redirect_uri", ""), func(t *testing.T, s stop) {
				t.Helper()
				s.wantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
			})
			v.get(t, b.authorizeURL("client_id", client, "redirect_uri", "")+"&redirect_uri=").wantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
		}
	})
}

func TestRU10_TokenWantsTheSameRedirectURI(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		second := "https://app.example.com/second"
		b.Client, b.Secret = b.register(t, storage.Web, "two", callback, second)
		code := b.visitor(t).flow(t)
		b.refuseCode(t, code, "invalid_grant", "redirect_uri", second) // registered, but not the one
		b.refuseCode(t, code, "invalid_grant", "redirect_uri", "")
		b.refuseCode(t, code, "invalid_grant", "redirect_uri", url.QueryEscape(callback))
		b.redeem(t, code)
	})
}

func TestRU14_EndlessAndMalformedURIs(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		code := v.flow(t)
		for _, uri := range []string{"https://app.example.com/" + strings.Repeat("a", 100<<10), callback + "\x00", callback + "\xff", "\x00", "\xff\xfe", "https://[::1", "https://%", ":"} {
			v.byBoth(t, b.params("redirect_uri", uri), func(t *testing.T, s stop) {
				t.Helper()
				if s.Left != nil || s.StatusCode < 400 || s.StatusCode >= 500 {
					t.Errorf("%.40q: left to %v, status %d", uri, s.Left, s.StatusCode)
				}
			})
			if a := b.tokenRequest(t, b.codeForm(code, "redirect_uri", uri)); a.StatusCode < 400 || a.StatusCode >= 500 {
				t.Errorf("%.40q at /token: status %d: %s", uri, a.StatusCode, a.Body)
			}
		}
		b.redeem(t, code)
	})
}
