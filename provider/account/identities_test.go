package provider_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider"
	"signet/storage"
)

// connect presses the button of a connector on the account page, and signs in
// there.
func (v *visitor) connect(t *testing.T, connector, account string) stop {
	t.Helper()
	page := v.get(t, v.b.Issuer+"/account/identities")
	left := v.submit(t, page.formTo(t, "/account/identities/link", "connector", connector))
	if left.Left == nil {
		t.Fatalf("connecting %s leads to %s, status %d:\n%s", connector, left.At, left.StatusCode, left.Body)
	}
	return v.get(t, v.choose(t, left.Left, account))
}

// disconnects are the forms of the page that take an identity away, in its order.
func (s stop) disconnects(t *testing.T) []form {
	t.Helper()
	var forms []form
	for _, part := range strings.Split(s.Body, `name="identity" value="`)[1:] {
		key, _, _ := strings.Cut(part, `"`)
		forms = append(forms, s.formTo(t, "/account/identities/unlink", "identity", key))
	}
	return forms
}

func TestIdentities_ConnectAndDisconnect(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		v.account(t, "/account/identities").wantText(t, "None so far.", "Connect <bdi>Google</bdi>", "Connect <bdi>GitHub</bdi>")
		page := v.connect(t, "google", "ada")
		page.wantAt(t, "/account/identities?done=linked")
		page.wantText(t, "The account was connected.", adaEmail, "Ada Example", "Disconnect")
		b.wantIdentities(t, b.Alice.ID, adaID)
		b.wantNoUser(t, adaEmail)
		if u := b.userBy(t, alice); u.Name != "Alice Liddell" {
			t.Errorf("the link renamed her %q", u.Name)
		}
		if e := b.wantEvent(t, storage.IdentityLinked, b.Alice.ID); e.Connector != "google" {
			t.Errorf("the event names %q", e.Connector)
		}
		// She comes in by it, and again by her password.
		other := b.visitor(t)
		if got := other.subject(t, other.comeBy(t, "google", "ada")); got != b.Alice.ID {
			t.Fatalf("signed in as %s, want alice", got)
		}
		page = v.submit(t, v.get(t, b.Issuer+"/account/identities").disconnects(t)[0])
		page.wantAt(t, "/account/identities?done=unlinked")
		page.wantText(t, "The account was disconnected.", "None so far.")
		b.wantIdentities(t, b.Alice.ID)
		b.wantEvent(t, storage.IdentityUnlinked, b.Alice.ID)
		other.wantNobody(t) // came in by it
		v.get(t, b.Issuer+"/account").wantAt(t, "/account")
		// Ada is a stranger again.
		last := b.visitor(t)
		if got := last.subject(t, last.comeBy(t, "google", "ada")); got == b.Alice.ID {
			t.Error("the identity still opens the account")
		}
	})
}

// TestFD26_LastWayInStays: somebody without a password keeps one identity.
func TestFD26_LastWayInStays(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		v.allow(t, v.comeBy(t, "google", "ada"))
		ada := b.userBy(t, adaEmail)
		page := v.get(t, b.Issuer+"/account/identities")
		refused := v.submit(t, page.disconnects(t)[0])
		refused.wantPage(t, http.StatusConflict, "last_way_in")
		if back := v.get(t, refused.link(t, "start")); back.At.Path != "/account/identities" {
			t.Errorf("the way back leads to %s", back.At)
		}
		b.wantIdentities(t, ada.ID, adaID)
		v.connect(t, "github", "octo").wantAt(t, "/account/identities?done=linked")

		// Both at once: one stays.
		forms := v.get(t, b.Issuer+"/account/identities").disconnects(t)
		requests := []*http.Request{v.formRequest(t, forms[0]), v.formRequest(t, forms[1])}
		var won, lost atomic.Int64
		race(2, func(i int) {
			switch a := do(t, v.client, requests[i]); {
			case strings.Contains(a.Header.Get("Refresh"), "done=unlinked"):
				won.Add(1)
			case a.StatusCode == http.StatusConflict && strings.Contains(a.Body, "last_way_in"):
				lost.Add(1)
			default:
				t.Errorf("status %d: %s", a.StatusCode, a.Body)
			}
		})
		if won.Load() != 1 || lost.Load() != 1 || len(b.identitiesOf(t, ada.ID)) != 1 {
			t.Errorf("%d won, %d lost, left %q", won.Load(), lost.Load(), b.identitiesOf(t, ada.ID))
		}
	})
}

// An identity of a connector that was removed is shown as such and opens nothing.
func TestFD26_RemovedConnectorIsNoWayIn(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		v.allow(t, v.comeBy(t, "google", "ada"))
		v.connect(t, "github", "octo")
		later := b.restarted(t, func(c *provider.Config) { c.Connectors = up.connectors[:1] })
		v.b = later
		page := v.get(t, later.Issuer+"/account/identities")
		page.wantText(t, "not offered here any more")
		forms := page.disconnects(t)
		v.submit(t, forms[0]).wantPage(t, http.StatusConflict, "last_way_in")
		v.submit(t, forms[1]).wantAt(t, "/account/identities?done=unlinked")
		b.wantIdentities(t, b.userBy(t, adaEmail).ID, adaID)
	})
}

func TestFD26_IdentityOfSomebodyElse(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		mallory := b.visitor(t)
		mallory.allow(t, mallory.comeBy(t, "google", "ada"))
		theirs := mallory.get(t, b.Issuer+"/account/identities").disconnects(t)[0]
		v := b.visitor(t)
		v.account(t, "/account/identities")
		v.connect(t, "github", "octo")
		page := v.get(t, b.Issuer+"/account/identities")
		own := page.disconnects(t)[0]

		// Connecting it is refused too, and says whose fault it is not.
		taken := v.connect(t, "google", "ada")
		if taken.StatusCode != http.StatusConflict || !strings.Contains(taken.Body, "identity_in_use") {
			t.Fatalf("status %d:\n%s", taken.StatusCode, taken.Body)
		}
		if back := v.get(t, taken.link(t, "start")); back.At.Path != "/account/identities" {
			t.Errorf("the way back leads to %s", back.At)
		}
		// Her ticket with the other's key, the other's ticket with her own.
		for what, key := range map[string]string{"theirs": theirs.values.Get("identity"), "unknown": "00", "none": ""} {
			f := form{own.action, url.Values{"ticket": own.values["ticket"], "identity": {key}}}
			if s := v.submit(t, f); s.StatusCode != http.StatusNotFound || !strings.Contains(s.Body, "not_found") {
				t.Errorf("%s: status %d", what, s.StatusCode)
			}
		}
		f := form{own.action, url.Values{"ticket": theirs.values["ticket"], "identity": own.values["identity"]}}
		v.submit(t, f).wantPage(t, http.StatusConflict, "stale_form")
		b.wantIdentities(t, b.Alice.ID, octoID)
		b.wantIdentities(t, b.userBy(t, adaEmail).ID, adaID)
	})
}

func TestIdentities_ChangesNeedAFreshSignIn(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		v.account(t, "/account/identities")
		v.connect(t, "google", "ada")
		page := v.get(t, b.Issuer+"/account/identities")
		forms := append(page.disconnects(t), page.formTo(t, "/account/identities/link", "connector", "github"))
		for _, f := range forms {
			b.pass(6 * time.Minute)
			asked := v.submit(t, f)
			if asked.At.Path != "/login" || asked.Left != nil {
				t.Fatalf("%s after six minutes: at %s (left to %v)", f.action, asked.At, asked.Left)
			}
			b.wantIdentities(t, b.Alice.ID, adaID)
			if back := v.signIn(t, asked, alice, password); !strings.HasPrefix(back.At.String(), f.action+"?") {
				t.Fatalf("at %s, want the page of the act", back.At)
			}
		}
	})
}

// A form without its ticket, with another's, or with a field too many does nothing.
func TestIdentities_FormsNeedTheirTicket(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		page := v.account(t, "/account/identities")
		link := page.formTo(t, "/account/identities/link", "connector", "google")
		v.submit(t, form{link.action, url.Values{"connector": {"google"}}}).wantPage(t, http.StatusConflict, "stale_form")
		v.submit(t, form{link.action, url.Values{"connector": {"google"}, "ticket": link.values["ticket"], "user": {"x"}}}).wantPage(t, http.StatusBadRequest, "invalid_request")
		v.submit(t, form{link.action, url.Values{"connector": {"nobody"}, "ticket": link.values["ticket"]}}).wantPage(t, http.StatusNotFound, "not_found")
		v.connect(t, "google", "ada")
		v.connect(t, "github", "octo")
		forms := v.get(t, b.Issuer+"/account/identities").disconnects(t)
		crossed := form{forms[0].action, url.Values{"ticket": forms[0].values["ticket"], "identity": forms[1].values["identity"]}}
		v.submit(t, crossed).wantPage(t, http.StatusConflict, "stale_form")
		b.wantIdentities(t, b.Alice.ID, adaID, octoID)
	})
}

// TestFD09_LinkBelongsToOneSession: what comes back is linked to who left, in the
// same session of the same browser, or to nobody.
func TestFD09_LinkBelongsToOneSession(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		leave := func(v *visitor) string {
			page := v.account(t, "/account/identities")
			left := v.submit(t, page.formTo(t, "/account/identities/link", "connector", "google"))
			return v.choose(t, left.Left, "ada")
		}
		// The attacker's callback in the victim's browser.
		mallory := b.user(t, "mallory@example.com", "the password of mallory")
		attacker := b.visitor(t)
		attacker.signIn(t, attacker.get(t, b.Issuer+"/account/identities"), mallory.Email, "the password of mallory")
		callback := leave(attacker)
		victim := b.visitor(t)
		victim.account(t, "/account")
		victim.get(t, callback).wantPage(t, http.StatusBadRequest, "unknown_attempt")
		// The victim's browser with the attacker's attempt planted in it.
		u, _ := url.Parse(b.Issuer)
		victim.client.Jar.SetCookies(u, attacker.attempts(t))
		if s := victim.get(t, callback); s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "stale_form") {
			t.Fatalf("a planted attempt: status %d", s.StatusCode)
		}
		b.wantIdentities(t, b.Alice.ID)
		b.wantIdentities(t, mallory.ID)
		// She signs out, or somebody else signs in, before the upstream answers.
		callback = leave(victim)
		victim.signIn(t, victim.get(t, b.authorizeURL("prompt", "login")), mallory.Email, "the password of mallory")
		if s := victim.get(t, callback); s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "stale_form") {
			t.Fatalf("another user: status %d", s.StatusCode)
		}
		b.wantIdentities(t, b.Alice.ID)
		b.wantIdentities(t, mallory.ID)
		// The same user, but in a session that did not ask for it.
		again := b.visitor(t)
		callback = leave(again)
		again.client.Jar.SetCookies(u, []*http.Cookie{{Name: "signet", Path: "/", MaxAge: -1}})
		again.account(t, "/account")
		if s := again.get(t, callback); s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "stale_form") {
			t.Fatalf("another session: status %d", s.StatusCode)
		}
		b.wantIdentities(t, b.Alice.ID)
		if users := b.usersMade(t); users != 2 {
			t.Errorf("%d users, want two", users)
		}
	})
}

func TestIdentities_RefusedTripOfALinkLeadsBack(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		v.account(t, "/account/identities")
		denied := v.connect(t, "google", "")
		if denied.StatusCode != http.StatusForbidden || !strings.Contains(denied.Body, "upstream_denied") {
			t.Fatalf("status %d:\n%s", denied.StatusCode, denied.Body)
		}
		if back := v.get(t, denied.link(t, "start")); back.At.Path != "/account/identities" {
			t.Errorf("the way back leads to %s", back.At)
		}
		if !slices.Equal(b.identitiesOf(t, b.Alice.ID), []string{}) {
			t.Error("something was linked")
		}
	})
}
