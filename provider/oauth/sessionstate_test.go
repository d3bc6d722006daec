package oauth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// withSessionManagement turns OIDC Session Management on.
func withSessionManagement(c *provider.Config) { c.SessionManagement = true }

// stateOf returns the state of the browser, "" for none.
func stateOf(t *testing.T, v *providertest.Visitor) string {
	t.Helper()
	name := "signet_state"
	if strings.HasPrefix(v.Bed.Issuer, "https:") {
		name = "__Host-" + name
	}
	if c := v.Cookie(t, name); c != nil {
		return c.Value
	}
	return ""
}

// wantSessionState checks the session_state of a response as the iframe does, for a page at the
// origin of the redirect URI.
func wantSessionState(t *testing.T, name string, s providertest.Stop, clientID, state string) {
	t.Helper()
	got := s.Response(t).Get("session_state")
	hash, salt, _ := strings.Cut(got, ".")
	sum := sha256.Sum256([]byte(clientID + " " + s.LeftTo.Scheme + "://" + s.LeftTo.Host + " " + state + " " + salt))
	if hash != hex.EncodeToString(sum[:]) || len(salt) != 16 || strings.Contains(got, " ") {
		t.Errorf("%s: session_state %q does not belong to the state %q", name, got, state)
	}
}

// P-74: Each response has a session_state for the state of the browser.
// P-16: Error responses contain only the allowed parameters, see WantError.
func TestSessionState_IsInEachResponse(t *testing.T) {
	for _, issuer := range []string{"", providertest.HTTPSIssuer} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v, stranger := b.Visitor(t), b.Visitor(t)
			v.SignInForCode(t)
			state := stateOf(t, v)
			if state == "" {
				t.Fatal("the browser has no state")
			}
			for _, mode := range []string{"query", "fragment", "form_post"} {
				for name, s := range map[string]providertest.Stop{
					"code":              v.Get(t, b.AuthorizeURL("response_mode", mode)),
					"code by prompt":    v.Get(t, b.AuthorizeURL("response_mode", mode, "prompt", "none")),
					"consent_required":  v.Get(t, b.AuthorizeURL("response_mode", mode, "prompt", "none", "scope", "openid phone")),
					"invalid_request":   v.Get(t, b.AuthorizeURL("response_mode", mode, "prompt", "unheard")),
					"access_denied":     v.Submit(t, v.Get(t, b.AuthorizeURL("response_mode", mode, "prompt", "consent")).Form(t), "decision", "deny"),
					"without a session": stranger.Get(t, b.AuthorizeURL("response_mode", mode, "prompt", "none")),
				} {
					want := state
					if name == "without a session" {
						s.WantError(t, "login_required")
						want = ""
					} else if strings.Contains(name, "_") {
						s.WantError(t, name)
					}
					wantSessionState(t, mode+", "+name, s, b.Client.ID, want)
				}
			}
			one, two := v.Get(t, b.AuthorizeURL()).Response(t), v.Get(t, b.AuthorizeURL()).Response(t)
			if one.Get("session_state") == two.Get("session_state") {
				t.Error("two responses have the same salt")
			}
		}, withSessionManagement, providertest.WithIssuerIfSet(issuer))
	}
}

// The state follows the session of the browser. It is another one for another user or session, none
// after a sign-out, and stays the same if the same user signs in again in the session.
func TestSessionState_FollowsTheSession(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, withSessionManagement, providertest.WithAppOrigins(providertest.Shop))
		b.RegisterApp(t)
		b.User(t, "bob@example.com", providertest.Password)
		v := b.Visitor(t)
		states := []string{""}
		changes := func(name string, changed bool, act func()) {
			t.Helper()
			before := stateOf(t, v)
			act()
			now := stateOf(t, v)
			if (now != before) != changed || changed && now != "" && slices.Contains(states, now) {
				t.Errorf("%s: the state was %q and is %q, want a change: %v", name, before, now, changed)
			}
			states = append(states, now)
		}
		var tokens map[string]any
		changes("sign-in", true, func() { tokens = v.SignInAndRedeem(t, providertest.Alice) })
		changes("request", false, func() { v.CodeFromSession(t) })
		changes("another sign-in of the user", false, func() { v.SignInAndRedeem(t, providertest.Alice) })
		changes("password changed, with a new session", true, func() { v.ChangePassword(t, providertest.Password, providertest.NewPassword) })
		changes("another user", true, func() { tokens = v.SignInAndRedeem(t, "bob@example.com") })
		changes("sign-out", true, func() { v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string))) })
		if stateOf(t, v) != "" {
			t.Errorf("after the sign-out the browser has the state %q", stateOf(t, v))
		}
		changes("sign-in of the app", true, func() {
			providertest.WantStatus(t, v.CallApp(t, "/login", `{"username":"bob@example.com","password":"`+providertest.Password+`"}`), http.StatusOK)
		})
		changes("sign-out of the app", true, func() { v.CallApp(t, "/logout", "") })
		changes("sign-in", true, func() { tokens = v.SignInAndRedeem(t, "bob@example.com") })
		changes("session ended elsewhere", false, func() {
			user, _, err := b.DB.UserByEmail(t.Context(), "bob@example.com")
			if err == nil {
				err = b.DB.EndSession(t.Context(), user.ID, providertest.SidOf(t, tokens).(string), "asked", storage.By{At: b.Now()})
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		changes("next request", true, func() {
			s := v.Get(t, b.AuthorizeURL("prompt", "none"))
			wantSessionState(t, "next request", s, b.Client.ID, "")
		})
	})
}

// A browser that signed in before the setting was on gets its state with the next request.
func TestSessionState_BrowserOfBeforeGetsState(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		if stateOf(t, v) != "" {
			t.Fatal("the setting is off, and the browser has a state")
		}
		session := v.Cookie(t, b.SessionCookie())
		on := b.Node(t, withSessionManagement)
		w := on.Visitor(t)
		w.SetCookie(session.Name, session.Value)
		s := w.Get(t, on.AuthorizeURL())
		if stateOf(t, w) == "" {
			t.Fatal("the browser has no state")
		}
		wantSessionState(t, "response", s, b.Client.ID, stateOf(t, w))
	})
}

// Requests that bring the state without the session's cookie show nothing about the session: the
// browser sends them for images, frames and forms of every site, because only the session's cookie
// is SameSite=Lax. The state stays, and the response has a session_state for it.
func TestSessionState_OtherSitesCannotRemoveIt(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		state := stateOf(t, v)
		for name, c := range map[string]struct {
			method, site, use string
			stays             bool
		}{
			"image":                     {http.MethodGet, "cross-site", "image", true},
			"iframe":                    {http.MethodGet, "cross-site", "iframe", true},
			"object":                    {http.MethodGet, "cross-site", "object", true},
			"script":                    {http.MethodGet, "cross-site", "empty", true},
			"form":                      {http.MethodPost, "cross-site", "document", true},
			"form in an iframe":         {http.MethodPost, "cross-site", "iframe", true},
			"an old browser":            {http.MethodGet, "", "", true},
			"an old browser, by a form": {http.MethodPost, "", "", true},
			"a link":                    {http.MethodGet, "cross-site", "document", false}, // brings the session's cookie if there is one
			"an address that is typed":  {http.MethodGet, "none", "document", false},
		} {
			w := b.Visitor(t)
			w.SetCookie("signet_state", state)
			address, body := b.AuthorizeURL("prompt", "none"), ""
			if c.method == http.MethodPost {
				address, body, _ = strings.Cut(address, "?")
			}
			r, err := http.NewRequest(c.method, address, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", providertest.FormType)
			providertest.WithHeader("Sec-Fetch-Site", c.site)(r)
			providertest.WithHeader("Sec-Fetch-Dest", c.use)(r)
			s := w.Walk(t, r)
			if got := s.Response(t).Get("error"); got != "login_required" {
				t.Errorf("%s: got the error %q", name, got)
			}
			want := map[bool]string{true: state}[c.stays]
			if got := stateOf(t, w); got != want {
				t.Errorf("%s: the state is %q, want %q", name, got, want)
			}
			if written := slices.ContainsFunc(s.Header.Values("Set-Cookie"), func(line string) bool { return strings.Contains(line, "_state=") }); written == c.stays {
				t.Errorf("%s: the state was written: %v", name, written)
			}
			wantSessionState(t, name, s, b.Client.ID, want)
		}
	}, withSessionManagement)
}

// P-74: Scripts of the iframe read the cookie, also inside pages of other sites, so it is not
// HttpOnly, and SameSite=None; Secure on https. It proves nothing.
func TestSessionState_CookieIsReadableAndNoCredential(t *testing.T) {
	for issuer, want := range map[string]*regexp.Regexp{
		"":                       regexp.MustCompile(`^signet_state=[\w-]{24}; Path=/; SameSite=Lax$`),
		providertest.HTTPSIssuer: regexp.MustCompile(`^__Host-signet_state=[\w-]{24}; Path=/; Secure; SameSite=None$`),
	} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			a := v.SignInAnswer(t)
			lines := slices.DeleteFunc(a.Header.Values("Set-Cookie"), func(line string) bool { return !strings.Contains(line, "_state=") })
			if len(lines) != 1 || !want.MatchString(lines[0]) {
				t.Errorf("got %q, want %s", lines, want)
			}
			v.Allow(t, v.Get(t, b.AuthorizeURL()))
			thief := b.Visitor(t)
			for _, name := range []string{b.SessionCookie(), "signet_state", "__Host-signet_state", "signet_device"} {
				thief.SetCookie(name, stateOf(t, v))
			}
			if s := thief.Get(t, b.AuthorizeURL("prompt", "none")); s.Response(t).Get("error") != "login_required" {
				t.Errorf("the state signs in: left to %s", s.LeftTo)
			}
		}, withSessionManagement, providertest.WithIssuerIfSet(issuer))
	}
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		a := b.Visitor(t).SignInAnswer(t, "keep", "on")
		for _, c := range a.Cookies() {
			if c.Name == "signet_state" && time.Duration(c.MaxAge)*time.Second < 30*24*time.Hour-time.Minute {
				t.Errorf("Keep me signed in: Max-Age %d", c.MaxAge)
			}
		}
	}, withSessionManagement)
}

// An app with a scheme of its own has no page with the iframe, so it gets no session_state.
func TestSessionState_AppWithOwnSchemeGetsNone(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		native, _ := b.Register(t, storage.Native, "native", "com.example.app:/callback")
		b.Follow(t)
		s := b.Visitor(t).Get(t, b.AsClient(native, "").AuthorizeURL("redirect_uri", "com.example.app:/callback", "prompt", "none"))
		s.WantError(t, "login_required")
		if s.Response(t).Has("session_state") {
			t.Errorf("left to %s", s.LeftTo)
		}
	}, withSessionManagement)
}

// P-74: Every page may frame check_session_iframe, and nothing else.
func TestCheckSession_OnlyThisPageMayBeFramed(t *testing.T) {
	for _, path := range []string{"", "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			address, _ := b.Discovery(t)["check_session_iframe"].(string)
			if address != b.Issuer+"/check_session" {
				t.Fatalf("check_session_iframe is %q", address)
			}
			v := b.Visitor(t)
			v.SignInForCode(t)
			page := v.Get(t, address)
			for name, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "X-Frame-Options": "", "Cache-Control": "no-store", "Set-Cookie": "", "X-Content-Type-Options": "nosniff",
				"Content-Security-Policy": "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *",
			} {
				if got := page.Header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			script := regexp.MustCompile(`<script src="(` + path + `/static/check_session\.[0-9a-f]{8}\.js)" data-cookie="signet_state"></script>`).FindStringSubmatch(page.Body)
			if script == nil {
				t.Fatalf("no script in %s", page.Body)
			}
			origin := strings.TrimSuffix(b.Issuer, path)
			if a := v.Fetch(t, origin+script[1]); a.StatusCode != http.StatusOK || !strings.Contains(a.Header.Get("Content-Type"), "javascript") {
				t.Errorf("script: got %d %s", a.StatusCode, a.Header.Get("Content-Type"))
			}
			for _, path := range append(providertest.Routes(t), "/nowhere") {
				if path == "/check_session" {
					continue
				}
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					a := b.CallRoute(t, method, path, nil)
					if a.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
						t.Errorf("%s %s may be framed: %s", method, path, a.Header.Get("Content-Security-Policy"))
					}
				}
			}
			if a := b.CallRoute(t, http.MethodPost, "/check_session", nil); a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("X-Frame-Options") != "DENY" {
				t.Errorf("POST: got %d, X-Frame-Options %q", a.StatusCode, a.Header.Get("X-Frame-Options"))
			}
		}, withSessionManagement, providertest.WithIssuerPath(path))
	}
}

// While the setting is off, there is no cookie, no parameter, no page and no member of discovery.
func TestSessionManagement_OffIsInvisible(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		s := v.Get(t, b.AuthorizeURL())
		if s.Response(t).Has("session_state") || stateOf(t, v) != "" {
			t.Errorf("left to %s with the state %q", s.LeftTo, stateOf(t, v))
		}
		if _, there := b.Discovery(t)["check_session_iframe"]; there {
			t.Error("discovery has check_session_iframe")
		}
		v.Get(t, b.Issuer+"/check_session").WantPage(t, http.StatusNotFound, "not_found")
		page := v.Submit(t, v.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
		for _, line := range page.Header.Values("Set-Cookie") {
			if strings.Contains(line, "_state") {
				t.Errorf("the sign-out sets %s", line)
			}
		}
	})
}

// Session management reads nothing more from the database.
func TestSessionManagement_CostsNoCall(t *testing.T) {
	calls := map[bool][2]int64{}
	for _, on := range []bool{false, true} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			v.SignInForCode(t)
			reads, writes := b.DB.Calls()
			v.CodeFromSession(t)
			v.Get(t, b.AuthorizeURL("prompt", "unheard")).WantError(t, "invalid_request")
			v.Get(t, b.Issuer+"/nowhere")
			if on {
				v.Get(t, b.Issuer+"/check_session")
			}
			readsNow, writesNow := b.DB.Calls()
			calls[on] = [2]int64{readsNow - reads, writesNow - writes}
		}, func(c *provider.Config) { c.SessionManagement = on })
	}
	if calls[true] != calls[false] {
		t.Errorf("calls with the setting %v, without it %v", calls[true], calls[false])
	}
}
