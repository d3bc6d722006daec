package demo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// TestDemo_SignIn tests the main job: a person opens /demo of `signet dev` in a real browser,
// signs in, allows access, and sees verified, decoded tokens.
func TestDemo_SignIn(t *testing.T) {
	for _, javascript := range signettest.JavaScript() {
		t.Run(map[bool]string{true: "with JavaScript", false: "without JavaScript"}[javascript], func(t *testing.T) {
			dev := signettest.StartDev(t)
			var saw demoReport
			dev.Browse(t, "signin.mjs", map[string]any{"javascript": javascript}, &saw)
			saw.assertRefusal(t)
			saw.assertTokens(t, dev.Issuer)
			saw.assertCookies(t, javascript)
			if !strings.Contains(saw.Consent, "localhost") || !strings.Contains(saw.Consent, signettest.DemoEmail) {
				t.Errorf("the consent page names neither the client's host nor the account: %q", saw.Consent)
			}
			if saw.Back == "" || strings.HasPrefix(saw.Back, "Error") || saw.Stays != 1 {
				t.Errorf("going back after the sign-in shows %q, and the demo shows its tokens %d times", saw.Back, saw.Stays)
			}
			if strings.Contains(saw.Home, signettest.DemoEmail) {
				t.Errorf("signed out, and the home page still knows who it was: %q", saw.Home)
			}
			signettest.RefuseComplaints(t, saw.Complaints)
		})
	}
}

// demoReport holds the observations of signin.mjs.
type demoReport struct {
	Titles  []string
	Refused struct {
		Alert, Username, Password string
		Invalid                   int
	}
	Consent    string
	Tokens     []demoToken
	UserInfo   map[string]any
	Cookies    []signettest.BrowserCookie
	Readable   string // document.cookie
	Back       string // title of the page one step back
	Stays      int
	Home       string
	Complaints []string
}

type demoToken struct {
	Name, Checked  string
	Header, Claims map[string]any
}

func (r demoReport) assertRefusal(t *testing.T) {
	t.Helper()
	if r.Refused.Alert == "" || r.Refused.Username != signettest.DemoEmail || r.Refused.Password != "" || r.Refused.Invalid == 0 {
		t.Errorf("a wrong password is answered by %+v; want an alert, the name kept, the password not, the fields marked", r.Refused)
	}
	if !slices.ContainsFunc(r.Titles, func(title string) bool { return strings.HasPrefix(title, "Error: ") }) {
		t.Errorf("no title says that there was an error: %q", r.Titles)
	}
}

func (r demoReport) assertTokens(t *testing.T, issuer string) {
	t.Helper()
	if len(r.Tokens) != 2 {
		t.Fatalf("the demo shows %d tokens, want an ID token and an access token", len(r.Tokens))
	}
	id, access := r.Tokens[0], r.Tokens[1]
	for _, want := range []struct {
		what      string
		got, want any
	}{
		{"ID token alg", id.Header["alg"], "RS256"}, // OIDC Core, section 15.1: the default of a client
		{"access token typ", access.Header["typ"], "at+jwt"},
		{"access token alg", access.Header["alg"], "ES256"},
		{"ID token iss", id.Claims["iss"], issuer},
		{"ID token aud", fmt.Sprint(id.Claims["aud"]), "[demo]"},
		{"ID token acr", id.Claims["acr"], "urn:signet:1fa"},
		{"ID token amr", fmt.Sprint(id.Claims["amr"]), "[pwd]"},
		{"access token iss", access.Claims["iss"], issuer},
		{"access token client_id", access.Claims["client_id"], "demo"},
		{"access token sub", access.Claims["sub"], id.Claims["sub"]},
		{"access token sid", access.Claims["sid"], id.Claims["sid"]},
		{"access token auth_time", access.Claims["auth_time"], id.Claims["auth_time"]},
		{"userinfo sub", r.UserInfo["sub"], id.Claims["sub"]},
		{"userinfo email", r.UserInfo["email"], signettest.DemoEmail},
		{"an email address in the ID token", id.Claims["email"], nil}, // OIDC Core, section 5.4: only userinfo has it
	} {
		if want.got != want.want {
			t.Errorf("%s: got %v, want %v", want.what, want.got, want.want)
		}
	}
	if sub, _ := id.Claims["sub"].(string); !strings.HasPrefix(sub, "usr_") {
		t.Errorf("sub: got %q, want usr_…", sub)
	}
	for _, claim := range []string{"nonce", "at_hash", "sid", "exp", "iat"} {
		if id.Claims[claim] == nil {
			t.Errorf("the ID token has no %s", claim)
		}
	}
	for _, claim := range []string{"jti", "gid", "scope", "exp", "iat"} {
		if access.Claims[claim] == nil {
			t.Errorf("the access token has no %s", claim)
		}
	}
}

// assertCookies checks that no script can read a cookie, and that no cookie outlives the
// browser except those of "Keep me signed in" and of the remembered device.
func (r demoReport) assertCookies(t *testing.T, kept bool) {
	t.Helper()
	if r.Readable != "" {
		t.Errorf("a script can read %q", r.Readable)
	}
	var session signettest.BrowserCookie
	for _, c := range r.Cookies {
		if !c.HTTPOnly || c.SameSite == "None" {
			t.Errorf("cookie %s: HttpOnly %t, SameSite %s", c.Name, c.HTTPOnly, c.SameSite)
		}
		if c.Name == "signet" {
			session = c
		}
	}
	week := float64(time.Now().Add(6 * 24 * time.Hour).Unix())
	switch {
	case session.Name == "" || session.Path != "/" || session.SameSite != "Lax":
		t.Errorf("the session cookie is %+v among %+v", session, r.Cookies)
	case kept && session.Expires < week:
		t.Errorf("kept, and the session cookie ends at %.0f", session.Expires)
	case !kept && session.Expires != -1:
		t.Errorf("not kept, and the session cookie lives until %.0f", session.Expires)
	}
}
