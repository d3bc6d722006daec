package account_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

func TestIdentities_ConnectAndDisconnect(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Account(t, "/account/identities").WantText(t, "None yet.", "Connect <bdi>Google</bdi>", "Connect <bdi>GitHub</bdi>")
		page := v.Connect(t, "google", "ada")
		page.WantAt(t, "/account/identities?done=linked")
		page.WantText(t, "The account was connected.", providertest.AdaEmail, "Ada Example", "Disconnect")
		b.WantIdentities(t, b.Alice.ID, providertest.AdaID)
		b.WantNoUser(t, providertest.AdaEmail)
		if u := b.UserByEmail(t, providertest.Alice); u.Name != "Alice Liddell" {
			t.Errorf("connecting the account changed the name to %q", u.Name)
		}
		if e := b.WantEvent(t, storage.IdentityLinked, b.Alice.ID); e.Connector != "google" {
			t.Errorf("connector of the event: got %q, want google", e.Connector)
		}
		// She signs in through the connector, and then with her password.
		other := b.Visitor(t)
		if got := other.Subject(t, other.AuthorizeThrough(t, "google", "ada")); got != b.Alice.ID {
			t.Fatalf("signed in as %s, want alice", got)
		}
		page = v.Submit(t, v.Get(t, b.Issuer+"/account/identities").UnlinkForms(t)[0])
		page.WantAt(t, "/account/identities?done=unlinked")
		page.WantText(t, "The account was disconnected.", "None yet.")
		b.WantIdentities(t, b.Alice.ID)
		b.WantEvent(t, storage.IdentityUnlinked, b.Alice.ID)
		other.WantNoSession(t) // this session began through the connector
		v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
		// Ada's identity no longer belongs to the account.
		last := b.Visitor(t)
		if got := last.Subject(t, last.AuthorizeThrough(t, "google", "ada")); got == b.Alice.ID {
			t.Error("the identity still opens the account")
		}
	})
}

// A user without a password must keep one identity.
// FD-26: A user cannot disconnect the last way to sign in, nor the identity of another user.
func TestIdentities_LastIdentityCannotBeDisconnected(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "google", "ada"))
		ada := b.UserByEmail(t, providertest.AdaEmail)
		page := v.Get(t, b.Issuer+"/account/identities")
		refused := v.Submit(t, page.UnlinkForms(t)[0])
		refused.WantPage(t, http.StatusConflict, "last_way_in")
		refused.WantText(t, ">Connected accounts</a>")
		if back := v.Get(t, refused.Link(t, "start")); back.At.Path != "/account/identities" {
			t.Errorf("the link on the error page leads to %s", back.At)
		}
		b.WantIdentities(t, ada.ID, providertest.AdaID)
		v.Connect(t, "github", "octo").WantAt(t, "/account/identities?done=linked")

		// Of two requests at once, one is refused.
		forms := v.Get(t, b.Issuer+"/account/identities").UnlinkForms(t)
		requests := []*http.Request{v.FormRequest(t, forms[0]), v.FormRequest(t, forms[1])}
		var won, lost atomic.Int64
		providertest.Race(2, func(i int) {
			switch a := providertest.Do(t, v.Client, requests[i]); {
			case strings.Contains(a.Header.Get("Refresh"), "done=unlinked"):
				won.Add(1)
			case a.StatusCode == http.StatusConflict && strings.Contains(a.Body, "last_way_in"):
				lost.Add(1)
			default:
				t.Errorf("status %d: %s", a.StatusCode, a.Body)
			}
		})
		if won.Load() != 1 || lost.Load() != 1 || len(b.IdentitiesOf(t, ada.ID)) != 1 {
			t.Errorf("%d disconnected and %d refused, identities left %q: want one of each", won.Load(), lost.Load(), b.IdentitiesOf(t, ada.ID))
		}
	})
}

// An identity of a removed connector is marked on the page and does not count as a way to
// sign in.
// FD-26: A user cannot disconnect the last way to sign in, nor the identity of another user.
func TestIdentities_RemovedConnectorDoesNotCountAsSignIn(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "google", "ada"))
		v.Connect(t, "github", "octo")
		later := b.Restarted(t, func(c *provider.Config) { c.Connectors = up.Connectors[:1] })
		v.Bed = later
		page := v.Get(t, later.Issuer+"/account/identities")
		page.WantText(t, "no longer offered")
		forms := page.UnlinkForms(t)
		v.Submit(t, forms[0]).WantPage(t, http.StatusConflict, "last_way_in")
		v.Submit(t, forms[1]).WantAt(t, "/account/identities?done=unlinked")
		b.WantIdentities(t, b.UserByEmail(t, providertest.AdaEmail).ID, providertest.AdaID)
	})
}

// FD-26: A user cannot disconnect the last way to sign in, nor the identity of another user.
func TestIdentities_IdentityOfAnotherUserIsRefused(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		mallory := b.Visitor(t)
		mallory.Allow(t, mallory.AuthorizeThrough(t, "google", "ada"))
		theirs := mallory.Get(t, b.Issuer+"/account/identities").UnlinkForms(t)[0]
		v := b.Visitor(t)
		v.Account(t, "/account/identities")
		v.Connect(t, "github", "octo")
		page := v.Get(t, b.Issuer+"/account/identities")
		own := page.UnlinkForms(t)[0]

		// Connecting an identity of another user is refused.
		taken := v.Connect(t, "google", "ada")
		if taken.StatusCode != http.StatusConflict || !strings.Contains(taken.Body, "identity_in_use") {
			t.Fatalf("status %d:\n%s", taken.StatusCode, taken.Body)
		}
		if back := v.Get(t, taken.Link(t, "start")); back.At.Path != "/account/identities" {
			t.Errorf("the link on the error page leads to %s", back.At)
		}
		// Her ticket with the key of the other user, and the ticket of the other user with her key.
		for name, key := range map[string]string{"theirs": theirs.Values.Get("identity"), "unknown": "00", "none": ""} {
			f := providertest.Form{Action: own.Action, Values: url.Values{"ticket": own.Values["ticket"], "identity": {key}}}
			if s := v.Submit(t, f); s.StatusCode != http.StatusNotFound || !strings.Contains(s.Body, "not_found") {
				t.Errorf("key %s: status %d, want 404", name, s.StatusCode)
			}
		}
		f := providertest.Form{Action: own.Action, Values: url.Values{"ticket": theirs.Values["ticket"], "identity": own.Values["identity"]}}
		v.Submit(t, f).WantPage(t, http.StatusConflict, "stale_form")
		b.WantIdentities(t, b.Alice.ID, providertest.OctoID)
		b.WantIdentities(t, b.UserByEmail(t, providertest.AdaEmail).ID, providertest.AdaID)
	})
}

func TestIdentities_ChangesNeedFreshSignIn(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Account(t, "/account/identities")
		v.Connect(t, "google", "ada")
		page := v.Get(t, b.Issuer+"/account/identities")
		forms := append(page.UnlinkForms(t), page.FormTo(t, "/account/identities/link", "connector", "github"))
		for _, f := range forms {
			b.Advance(6 * time.Minute)
			asked := v.Submit(t, f)
			if asked.At.Path != "/login" || asked.LeftTo != nil {
				t.Fatalf("%s after six minutes: at %s (left to %v)", f.Action, asked.At, asked.LeftTo)
			}
			b.WantIdentities(t, b.Alice.ID, providertest.AdaID)
			if back := v.SignIn(t, asked, providertest.Alice, providertest.Password); !strings.HasPrefix(back.At.String(), f.Action+"?") {
				t.Fatalf("after the step-up at %s, want the confirmation page", back.At)
			}
		}
	})
}

// A form without its ticket, with another ticket, or with an unknown field changes nothing.
func TestIdentities_FormsNeedTicket(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		page := v.Account(t, "/account/identities")
		link := page.FormTo(t, "/account/identities/link", "connector", "google")
		v.Submit(t, providertest.Form{Action: link.Action, Values: url.Values{"connector": {"google"}}}).WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, providertest.Form{Action: link.Action, Values: url.Values{"connector": {"google"}, "ticket": link.Values["ticket"], "user": {"x"}}}).WantPage(t, http.StatusBadRequest, "invalid_request")
		v.Submit(t, providertest.Form{Action: link.Action, Values: url.Values{"connector": {"nobody"}, "ticket": link.Values["ticket"]}}).WantPage(t, http.StatusNotFound, "not_found")
		v.Connect(t, "google", "ada")
		v.Connect(t, "github", "octo")
		forms := v.Get(t, b.Issuer+"/account/identities").UnlinkForms(t)
		crossed := providertest.Form{Action: forms[0].Action, Values: url.Values{"ticket": forms[0].Values["ticket"], "identity": forms[1].Values["identity"]}}
		v.Submit(t, crossed).WantPage(t, http.StatusConflict, "stale_form")
		b.WantIdentities(t, b.Alice.ID, providertest.AdaID, providertest.OctoID)
	})
}

// The identity from the upstream is only connected in the session and the browser that began
// the attempt.
// FD-09: A callback link does not attach the sender's identity to another account.
func TestIdentities_LinkIsBoundToSession(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		leave := func(v *providertest.Visitor) string {
			page := v.Account(t, "/account/identities")
			left := v.Submit(t, page.FormTo(t, "/account/identities/link", "connector", "google"))
			return v.ChooseAccount(t, left.LeftTo, "ada")
		}
		// The attacker's callback in the victim's browser.
		mallory := b.User(t, "mallory@example.com", "the password of mallory")
		attacker := b.Visitor(t)
		attacker.SignIn(t, attacker.Get(t, b.Issuer+"/account/identities"), mallory.Email, "the password of mallory")
		callback := leave(attacker)
		victim := b.Visitor(t)
		victim.Account(t, "/account")
		victim.Get(t, callback).WantPage(t, http.StatusBadRequest, "unknown_attempt")
		// The attacker's attempt, planted in the victim's browser.
		u, _ := url.Parse(b.Issuer)
		victim.Client.Jar.SetCookies(u, attacker.TripCookies(t))
		if s := victim.Get(t, callback); s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "stale_form") {
			t.Fatalf("a planted attempt: status %d", s.StatusCode)
		}
		b.WantIdentities(t, b.Alice.ID)
		b.WantIdentities(t, mallory.ID)
		// She signs out, or somebody else signs in, before the upstream answers.
		callback = leave(victim)
		victim.SignIn(t, victim.Get(t, b.AuthorizeURL("prompt", "login")), mallory.Email, "the password of mallory")
		if s := victim.Get(t, callback); s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "stale_form") {
			t.Fatalf("another user: status %d", s.StatusCode)
		}
		b.WantIdentities(t, b.Alice.ID)
		b.WantIdentities(t, mallory.ID)
		// The same user, but in another session.
		again := b.Visitor(t)
		callback = leave(again)
		again.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "signet", Path: "/", MaxAge: -1}})
		again.Account(t, "/account")
		if s := again.Get(t, callback); s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "stale_form") {
			t.Fatalf("another session: status %d", s.StatusCode)
		}
		b.WantIdentities(t, b.Alice.ID)
		if users := b.UsersCreated(t); users != 2 {
			t.Errorf("%d users, want two", users)
		}
	})
}

func TestIdentities_DeniedLinkLeadsBack(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Account(t, "/account/identities")
		denied := v.Connect(t, "google", "")
		if denied.StatusCode != http.StatusForbidden || !strings.Contains(denied.Body, "upstream_denied") {
			t.Fatalf("status %d:\n%s", denied.StatusCode, denied.Body)
		}
		if back := v.Get(t, denied.Link(t, "start")); back.At.Path != "/account/identities" {
			t.Errorf("the link on the error page leads to %s", back.At)
		}
		if !slices.Equal(b.IdentitiesOf(t, b.Alice.ID), []string{}) {
			t.Error("an identity was connected")
		}
	})
}
