package accountstates_test

import (
	"net/http"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage/storagetest"
)

// wantOperator wants a page to say that the operator helps.
func wantOperator(t *testing.T, name string, page providertest.Stop) {
	t.Helper()
	if !strings.Contains(page.Body, "perator of this service") {
		t.Errorf("%s (%s, status %d) does not name the operator:\n%s", name, page.At, page.StatusCode, page.Body)
	}
}

// If the things that are left let nobody in, or allow no change, that page says that the operator helps.
// TestModel_EveryOwnerGetsBackIn says which losses lead to which page.
func TestPages_NameTheOperator(t *testing.T) {
	t.Run("no mails", func(t *testing.T) {
		p := open(t, storagetest.SQLite(t), false)
		o := p.person(t, births(false)[0])
		v := p.Visitor(t)
		wrong := v.SignIn(t, v.Get(t, p.app.AuthorizeURL()), o.email, "forgotten password")
		wrong.WantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
		wantOperator(t, signInPage, wrong)
		v = p.Visitor(t)
		o.signIn(t, v, v.Get(t, p.app.AuthorizeURL()), password, none)
		again := v.SignIn(t, v.Get(t, p.app.AuthorizeURL("prompt", "login")), o.email, "forgotten password")
		again.WantText(t, `id="why"`)
		wantOperator(t, "page that asks for a new proof", again)
	})
	t.Run("mails", func(t *testing.T) {
		p := open(t, storagetest.SQLite(t), true)
		o := p.person(t, births(true)[0])
		v := p.Visitor(t)
		wantOperator(t, resetPage, v.Submit(t, v.Get(t, p.Issuer+"/reset").Form(t), "email", o.email))

		u := p.person(t, births(true)[2])
		u.recover(t, forgotPassword, none)
		if last := p.inbox[len(p.inbox)-1]; !strings.Contains(last.Text, "ontact the administrator of") {
			t.Errorf("the %s does not name the administrator:\n%s", noPasswordMail, last.Text)
		}

		at := o.try(t, o.born, step{Way: password, Second: none, Act: addApp})
		for at.Codes {
			at = o.state(t)
			if !at.Codes {
				break
			}
			v := p.Visitor(t)
			o.signIn(t, v, v.Get(t, p.app.AuthorizeURL()), password, code).Code(t)
		}
		v = p.Visitor(t)
		page := o.signIn(t, v, v.Get(t, p.app.AuthorizeURL()), password, none)
		wantOperator(t, factorPage, v.Get(t, page.Link(t, "switch")))

		// Only a strong passkey is left that reaches two factors, and it is lost.
		at = o.try(t, at, step{Way: password, Second: app, Act: addPasskey})
		o.try(t, at, step{Way: password, Second: app, Act: removeApp})
		v = p.Visitor(t)
		o.signIn(t, v, v.Get(t, p.app.AuthorizeURL()), password, none).Code(t)
		page, _ = o.act(t, v, addApp)
		wantOperator(t, "page that asks for the passkey", page)
	})
}
