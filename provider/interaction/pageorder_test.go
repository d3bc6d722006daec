package interaction_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// openPages are the pages of a sign-in that a tab may show, with the parameters of the
// request that lead there.
var openPages = []struct {
	path  string
	pairs []string
}{
	{"/consent", []string{"scope", "openid email"}}, // first, since this consent covers the later requests
	{"/login", nil},
	{"/login", []string{"prompt", "login"}},
	{"/login", []string{"max_age", "300"}},
	{"/login", []string{"max_age", "0"}},
	{"/select", []string{"prompt", "select_account"}},
	{"/consent", []string{"prompt", "consent"}},
}

// Reloading a page of a finished sign-in leads to the application at once, and so does
// submitting its form again. Nothing is asked twice.
func TestAnswered_ReloadedPageLeadsToApplication(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		for _, c := range openPages {
			v := b.Visitor(t)
			if c.path != "/login" {
				v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
			}
			page := v.Get(t, b.AuthorizeURL(c.pairs...))
			if page.At.Path != c.path {
				t.Fatalf("%v: at %s, want %s", c.pairs, page.At, c.path)
			}
			v.AnswerPages(t, page).Code(t)
			again := v.Get(t, page.At.String())
			if again.LeftTo == nil {
				t.Errorf("%v: Back to %s shows a page at %s, status %d", c.pairs, c.path, again.At, again.StatusCode)
				continue
			}
			again.Code(t)
			// The old form leads to the application, too.
			if s := v.AnswerPages(t, page); s.LeftTo == nil || s.Response(t).Get("code") == "" {
				t.Errorf("%v: the form of %s again: at %s, left to %v", c.pairs, c.path, s.At, s.LeftTo)
			}
		}
	})
}

// After a sign-in in one tab, the reloaded sign-in page of another request leads to the
// application, unless that request demands a new sign-in.
func TestAnswered_OtherTabUsesNewSession(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, c := range []struct {
			pairs []string
			asks  bool
		}{
			{nil, false}, {[]string{"max_age", "300"}, false}, {[]string{"prompt", "login"}, true}, {[]string{"max_age", "0"}, true},
		} {
			v := b.Visitor(t)
			tab := v.Get(t, b.AuthorizeURL(append(c.pairs, "state", "other")...))
			v.AnswerPages(t, v.Get(t, b.AuthorizeURL()))
			reloaded := v.Get(t, tab.At.String())
			if asks := reloaded.LeftTo == nil; asks != c.asks {
				t.Errorf("%v: at %s, left to %v", c.pairs, reloaded.At, reloaded.LeftTo)
			}
		}
		// The sign-in page for another account is still shown.
		v := b.Visitor(t)
		v.AnswerPages(t, v.Get(t, b.AuthorizeURL()))
		other := v.Get(t, b.AuthorizeURL("prompt", "login")).Link(t, "other")
		v.Get(t, other).FormTo(t, "/login", "", "")
		// After a refusal, the consent page still accepts another decision.
		refused := v.Get(t, b.AuthorizeURL("prompt", "consent"))
		v.Submit(t, refused.Form(t), "decision", "deny").WantError(t, "access_denied")
		if again := v.Get(t, refused.At.String()); again.At.Path != "/consent" || again.LeftTo != nil {
			t.Errorf("after a refusal: at %s, left to %v", again.At, again.LeftTo)
		}
	})
}

// The same holds for the sign-in page before a page of this server, and for the page that
// asks for a new proof.
func TestAnswered_OwnPages(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		login := v.Get(t, b.Issuer+"/account/sessions")
		v.SignIn(t, login, providertest.Alice, providertest.Password).WantAt(t, "/account/sessions")
		v.Get(t, login.At.String()).WantAt(t, "/account/sessions")
		b.Advance(6 * time.Minute)
		proof := v.Get(t, b.Issuer+"/account/password")
		proof.WantText(t, "Confirm it’s you")
		v.SignIn(t, proof, providertest.Alice, providertest.Password).WantAt(t, "/account/password")
		v.Get(t, proof.At.String()).WantAt(t, "/account/password")
	})
}

// A signed-in user asks for another account, and the trip to the upstream fails. The link
// back leads to the sign-in page, not to the application with the first account.
func TestAnswered_RefusedTripLeadsBackToItsPage(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		choice := v.Get(t, b.AuthorizeURL("prompt", "select_account"))
		other := v.Submit(t, choice.Form(t), "decision", "other")
		refused := v.Get(t, v.ChooseAccount(t, v.PressConnector(t, other, "google"), ""))
		if refused.StatusCode != http.StatusForbidden {
			t.Fatalf("status %d", refused.StatusCode)
		}
		back := v.Get(t, refused.Link(t, "start"))
		if back.At.Path != "/login" && back.At.Path != "/select" {
			t.Errorf("the way back leads to %s, left to %v", back.At, back.LeftTo)
		}
		up.Liar.SetFaults(providertest.ChangeClaims("email", "vic@corp.example"))
		newAccount(t, b, up, storage.User{Email: "vic@corp.example"}, "")
		plain := v.Get(t, b.Issuer+"/login?other=1&request="+url.QueryEscape(v.Get(t, b.AuthorizeURL("prompt", "login")).FormTo(t, "/login", "", "").Values.Get("request")))
		noWay := v.SignInThrough(t, plain, "liar", "victim")
		if back := v.Get(t, noWay.Link(t, "back")); back.LeftTo != nil || back.At.Path != "/login" {
			t.Errorf("the way back from the proof leads to %s, left to %v", back.At, back.LeftTo)
		}
	})
}
