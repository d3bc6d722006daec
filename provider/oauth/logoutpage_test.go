package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// The signed-out page has links to the application that sent the user, and to another sign-in.
func TestEndSession_SignedOutPageLinks(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for name, c := range map[string]struct {
			home, begin string // client_uri and initiate_login_uri of the client
			named       bool   // the request has client_id
			back, again string // where the links lead
		}{
			"without client_id":       {home: "https://app.example.com/", begin: "https://app.example.com/begin", again: b.Issuer + "/account"},
			"without URLs":            {named: true, again: b.Issuer + "/account"},
			"with client_uri":         {named: true, home: "https://app.example.com/", back: "https://app.example.com/", again: b.Issuer + "/account"},
			"with initiate_login_uri": {named: true, begin: "https://app.example.com/begin?x=1", again: "https://app.example.com/begin?iss=" + url.QueryEscape(b.Issuer) + "&x=1"},
			"with both":               {named: true, home: "https://app.example.com/", begin: "https://app.example.com/begin", back: "https://app.example.com/", again: "https://app.example.com/begin?iss=" + url.QueryEscape(b.Issuer)},
		} {
			b.ChangeClient(t, func(client *storage.Client) {
				client.Metadata.ClientURI, client.Metadata.InitiateLoginURI = c.home, c.begin
			})
			target := b.EndSessionURL()
			if c.named {
				target = b.EndSessionURL("client_id", b.Client.ID)
			}
			v := b.Visitor(t)
			v.SignInAndRedeem(t, providertest.Alice)
			done := v.Submit(t, v.Get(t, target).Form(t), "decision", "allow")
			for _, page := range []providertest.Stop{done, v.Get(t, target)} { // the second request comes without a session
				if got := page.Link(t, "again"); got != c.again {
					t.Errorf("%s: signing in again leads to %s, want %s", name, got, c.again)
				}
				if shown := strings.Contains(page.Body, `id="continue"`); shown != (c.back != "") || shown && page.Link(t, "continue") != c.back {
					t.Errorf("%s: want a link back to %q:\n%s", name, c.back, page.Body)
				}
			}
		}
		v := b.Visitor(t)
		page := v.Get(t, v.Get(t, b.EndSessionURL()).Link(t, "again"))
		v.SignIn(t, page, providertest.Alice, providertest.Password).WantAt(t, "/account")
	})
}

// The page says that a session has ended only to the browser whose session has just ended.
func TestEndSession_SignedOutPageTellsTheTruth(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const ended, none = "Your session in this browser has ended.", "In this browser, you aren’t signed in."
		confirmed, hinted, again := b.Visitor(t), b.Visitor(t), b.Visitor(t)
		confirmed.SignInAndRedeem(t, providertest.Alice)
		again.SignInAndRedeem(t, providertest.Alice)
		tokens := hinted.SignInAndRedeem(t, providertest.Alice)
		page := again.Get(t, b.EndSessionURL())
		again.Submit(t, page.Form(t), "decision", "allow")
		for name, c := range map[string]struct {
			page providertest.Stop
			says string
		}{
			"confirmed":                 {confirmed.Submit(t, confirmed.Get(t, b.EndSessionURL()).Form(t), "decision", "allow"), ended},
			"with a hint":               {hinted.Get(t, b.Issuer+"/end_session?id_token_hint="+tokens["id_token"].(string)), ended},
			"no session":                {b.Visitor(t).Get(t, b.EndSessionURL()), none},
			"no session any more":       {confirmed.Get(t, b.EndSessionURL()), none},
			"a form that is sent again": {again.Submit(t, page.Form(t), "decision", "allow"), none},
			"an invented end":           {b.Visitor(t).Get(t, b.Issuer+"/end_session?ended=x"), none},
		} {
			other := map[string]string{ended: none, none: ended}[c.says]
			if !strings.Contains(c.page.Body, c.says) || strings.Contains(c.page.Body, other) {
				t.Errorf("%s: want %q:\n%s", name, c.says, c.page.Body)
			}
		}
	})
}

// The error page shows whether the user is signed in. A form of another site comes without the
// session cookie, so the page leaves this open.
func TestEndSession_ErrorPageShowsWhetherSignedIn(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		foreign := func(v *providertest.Visitor) providertest.Stop {
			r, _ := http.NewRequest(http.MethodPost, b.Issuer+"/end_session", strings.NewReader("logout=broken"))
			r.Header.Set("Content-Type", providertest.FormType)
			r.Header.Set("Origin", "https://app.example.com")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			bare := *v.Client
			bare.Jar = nil // SameSite=Lax
			return providertest.Stop{Answer: providertest.Do(t, &bare, r), At: r.URL}
		}
		get := func(query string) func(*providertest.Visitor) providertest.Stop {
			return func(v *providertest.Visitor) providertest.Stop { return v.Get(t, b.Issuer+"/end_session?"+query) }
		}
		const in, out, unknown = "You’re still signed in.", "In this browser, you aren’t signed in.", "If you’re signed in, you can sign out here."
		for what, ask := range map[string]func(*providertest.Visitor) providertest.Stop{
			"a repeated parameter": get("state=1&state=2"), "a malformed query": get("state=%zz"), "a broken link": get("logout=broken"), "a form of another site": foreign,
		} {
			nobody, somebody, ended := b.Visitor(t), b.Visitor(t), b.Visitor(t)
			somebody.SignInAndRedeem(t, providertest.Alice)
			ended.SignInAndRedeem(t, providertest.Alice)
			ended.Submit(t, ended.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
			for state, c := range map[string]struct {
				visitor *providertest.Visitor
				says    string
				leads   string
			}{"no session": {nobody, out, "/"}, "session": {somebody, in, "/end_session"}, "ended session": {ended, out, "/"}} {
				if what == "a form of another site" {
					c.says, c.leads = unknown, "/end_session"
				}
				page := ask(c.visitor)
				page.WantPage(t, http.StatusBadRequest, "invalid_request")
				for _, claim := range []string{in, out, unknown} {
					if strings.Contains(page.Body, claim) != (claim == c.says) {
						t.Errorf("%s with %s: want %q:\n%s", what, state, c.says, page.Body)
					}
				}
				if got := page.Link(t, "start"); got != b.Issuer+c.leads {
					t.Errorf("%s with %s: leads to %s", what, state, got)
				}
			}
		}
	})
}
