package interaction_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// stands are the pages of a sign-in, each as a tab may stand at it, and what the person
// then does in another tab, or before going back.
var stands = []struct {
	path  string
	pairs []string
}{
	{"/consent", []string{"scope", "openid email"}}, // first: later ones are covered by this consent
	{"/login", nil},
	{"/login", []string{"prompt", "login"}},
	{"/login", []string{"max_age", "300"}},
	{"/login", []string{"max_age", "0"}},
	{"/select", []string{"prompt", "select_account"}},
	{"/consent", []string{"prompt", "consent"}},
}

// TestAnswered_PageThatIsComeBackToGoesOn: Back to a page of a sign-in that is finished, or
// another tab that stands there, leads to the application at once. Nothing is asked twice.
func TestAnswered_PageThatIsComeBackToGoesOn(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		for _, c := range stands {
			v := b.Visitor(t)
			if c.path != "/login" {
				v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
			}
			page := v.Get(t, b.AuthorizeURL(c.pairs...))
			if page.At.Path != c.path {
				t.Fatalf("%v: at %s, want %s", c.pairs, page.At, c.path)
			}
			v.Redo(t, page).Code(t)
			again := v.Get(t, page.At.String())
			if again.Left == nil {
				t.Errorf("%v: Back to %s shows a page at %s, status %d", c.pairs, c.path, again.At, again.StatusCode)
				continue
			}
			again.Code(t)
			// The old form, too, surprises nobody.
			if s := v.Redo(t, page); s.Left == nil || s.Response(t).Get("code") == "" {
				t.Errorf("%v: the form of %s again: at %s, left to %v", c.pairs, c.path, s.At, s.Left)
			}
		}
	})
}

// TestAnswered_TabOfAnotherRequestGoesOn: a tab that stands at the sign-in page for another
// request goes on as soon as somebody has signed in, unless that request wants more.
func TestAnswered_TabOfAnotherRequestGoesOn(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, c := range []struct {
			pairs []string
			asks  bool
		}{
			{nil, false}, {[]string{"max_age", "300"}, false}, {[]string{"prompt", "login"}, true}, {[]string{"max_age", "0"}, true},
		} {
			v := b.Visitor(t)
			tab := v.Get(t, b.AuthorizeURL(append(c.pairs, "state", "other")...))
			v.Redo(t, v.Get(t, b.AuthorizeURL()))
			reloaded := v.Get(t, tab.At.String())
			if asks := reloaded.Left == nil; asks != c.asks {
				t.Errorf("%v: at %s, left to %v", c.pairs, reloaded.At, reloaded.Left)
			}
		}
		// Another account is wanted, or was hinted at: that page stays.
		v := b.Visitor(t)
		v.Redo(t, v.Get(t, b.AuthorizeURL()))
		other := v.Get(t, b.AuthorizeURL("prompt", "login")).Link(t, "other")
		v.Get(t, other).FormTo(t, "/login", "", "")
		// A person who has refused may change their mind.
		refused := v.Get(t, b.AuthorizeURL("prompt", "consent"))
		v.Submit(t, refused.Form(t), "decision", "deny").WantError(t, "access_denied")
		if again := v.Get(t, refused.At.String()); again.At.Path != "/consent" || again.Left != nil {
			t.Errorf("after a refusal: at %s, left to %v", again.At, again.Left)
		}
	})
}

// TestAnswered_OwnPages: the sign-in page on the way to a page of ours, and to one that wants
// a new proof, likewise.
func TestAnswered_OwnPages(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		stood := v.Get(t, b.Issuer+"/account/sessions")
		v.SignIn(t, stood, providertest.Alice, providertest.Password).WantAt(t, "/account/sessions")
		v.Get(t, stood.At.String()).WantAt(t, "/account/sessions")
		b.Pass(6 * time.Minute)
		proof := v.Get(t, b.Issuer+"/account/password")
		proof.WantText(t, "Confirm it’s you")
		v.SignIn(t, proof, providertest.Alice, providertest.Password).WantAt(t, "/account/password")
		v.Get(t, proof.At.String()).WantAt(t, "/account/password")
	})
}

// TestAnswered_RefusedTripLeadsBackToItsPage: somebody who is signed in and asked for another
// account comes back to the page for that, and not to the application with the first account.
func TestAnswered_RefusedTripLeadsBackToItsPage(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Flow(t)
		choice := v.Get(t, b.AuthorizeURL("prompt", "select_account"))
		other := v.Submit(t, choice.Form(t), "decision", "other")
		refused := v.Get(t, v.Choose(t, v.Press(t, other, "google"), ""))
		if refused.StatusCode != http.StatusForbidden {
			t.Fatalf("status %d", refused.StatusCode)
		}
		back := v.Get(t, refused.Link(t, "start"))
		if back.At.Path != "/login" && back.At.Path != "/select" {
			t.Errorf("the way back leads to %s, left to %v", back.At, back.Left)
		}
		up.Liar.SetFaults(providertest.LieOf("email", "vic@corp.example"))
		newAccount(t, b, up, storage.User{Email: "vic@corp.example"}, "")
		plain := v.Get(t, b.Issuer+"/login?other=1&request="+url.QueryEscape(v.Get(t, b.AuthorizeURL("prompt", "login")).FormTo(t, "/login", "", "").Values.Get("request")))
		helpless := v.Through(t, plain, "liar", "victim")
		if back := v.Get(t, helpless.Link(t, "back")); back.Left != nil || back.At.Path != "/login" {
			t.Errorf("the way back from the proof leads to %s, left to %v", back.At, back.Left)
		}
	})
}
