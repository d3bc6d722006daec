package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

// interrupted are the acts that want a fresh proof: where their form is, what the page
// says that asks for one, where Cancel leads, and what the act leaves behind.
var interrupted = []struct {
	name, page, action string
	fill               []string
	asks, cancel       string
	kept               bool // one press finishes it
	done               string
}{
	{"disconnect", "/account/identities", "/account/identities/unlink", nil, "before you disconnect an account", "/account/identities", true, "/account/identities?done=unlinked"},
	{"connect", "/account/identities", "/account/identities/link", nil, "before you connect another account", "/account/identities", true, ""},
	{"withdraw", "/account/apps/withdraw?client_id=app", "/account/apps/withdraw", nil, "before you take away an application’s access", "/account/apps", true, "/account/apps?done=app"},
	{"password", "/account/password", "/account/password", []string{"current-password", password, "new-password", newPassword}, "before you change your password", "/account", false, "/account/password?done=password"},
	{"rotate", "/admin/keys/rotate", "/admin/keys/rotate", nil, "before you rotate the signing keys", "/admin/keys", true, "/admin/keys?done=rotated"},
	{"revoke", "", "/admin/keys/revoke", []string{"reason", "it leaked <b>"}, "before you revoke a signing key", "/admin/keys", true, "/admin/keys?done=revoked"},
	{"sign out everywhere", "/account/sessions/end-all", "/account/sessions/end-all", nil, "before you sign out everywhere", "/account/sessions", true, ""},
}

// TestStepUp_FinishesWhatItInterrupted: for every act the page says why it asks, leads
// back, and after the proof one press does what was wanted. No password is carried on.
func TestStepUp_FinishesWhatItInterrupted(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		b.local(t, storage.User{Email: "root@example.com", EmailVerified: true, Admin: true}, password)
		for _, act := range interrupted {
			v, who := b.visitor(t), "root@example.com"
			v.signIn(t, v.get(t, b.authorizeURL("prompt", "consent")), who, password)
			allowed := v.get(t, b.authorizeURL())
			if allowed.Left == nil {
				v.allow(t, allowed)
			}
			if act.name == "disconnect" {
				v.connect(t, "google", "ada")
			}
			b.pass(24 * time.Hour) // until the next keys may sign
			v = b.visitor(t)
			v.signIn(t, v.get(t, b.Issuer+"/account"), who, password)
			f := v.formOfAct(t, act.page, act.action)
			for i := 0; i < len(act.fill); i += 2 {
				f.values.Set(act.fill[i], act.fill[i+1])
			}
			if f.values.Has("confirm") {
				f.values.Set("confirm", f.values.Get("kid"))
			}
			b.pass(6 * time.Minute)
			asked := v.submit(t, f)
			asked.wantText(t, "Confirm it’s you", act.asks, "more than five minutes ago", who)
			if back := v.get(t, asked.link(t, "cancel")); back.At.Path != act.cancel || back.StatusCode != http.StatusOK {
				t.Errorf("%s: Cancel leads to %s, status %d", act.name, back.At, back.StatusCode)
			}
			page := v.signIn(t, asked, who, password)
			if strings.Contains(page.Body+page.At.String(), newPassword) || strings.Contains(page.At.String(), url.QueryEscape(newPassword)) {
				t.Errorf("%s: a password is carried on", act.name)
			}
			again := page.formTo(t, act.action, "", "")
			if !act.kept {
				page.wantText(t, "were not kept")
				for i := 0; i < len(act.fill); i += 2 {
					again.values.Set(act.fill[i], act.fill[i+1])
				}
			}
			for name, value := range f.values {
				if name != "ticket" && name != "username" && again.values.Get(name) != value[0] {
					t.Errorf("%s: %s is %q after the proof, want %q", act.name, name, again.values.Get(name), value[0])
				}
			}
			end := v.submit(t, again)
			switch {
			case act.name == "connect":
				if end.Left == nil {
					t.Errorf("connect: at %s, status %d", end.At, end.StatusCode)
				}
			case act.name == "sign out everywhere":
				v.wantNobody(t)
			case !strings.HasPrefix(end.At.String(), b.Issuer+act.done):
				t.Errorf("%s: at %s, status %d", act.name, end.At, end.StatusCode)
			}
			if act.name == "password" { // back to the old one
				b.setPassword(t, who, newPassword, password)
			}
		}
	})
}

// formOfAct opens the form of an act; without a page that of the active ES256 key.
func (v *visitor) formOfAct(t *testing.T, page, action string) form {
	t.Helper()
	if page == "" {
		page = revokePathOf(v.b.kid(t, "ES256", storage.KeyActive))
	}
	f := v.get(t, v.b.Issuer+page).formTo(t, action, "", "")
	return f
}

func (b *testbed) setPassword(t *testing.T, email, from, to string) {
	t.Helper()
	v := b.visitor(t)
	page := v.signIn(t, v.get(t, b.Issuer+"/account/password"), email, from)
	v.submit(t, page.formTo(t, "/account/password", "", ""), "current-password", from, "new-password", to).wantAt(t, "/account/password?done=password")
}

// TestStepUp_WhatWasTypedBelongsToOneSession: the sealed words of one administrator's
// form show up in no other session, not for another key, and not for ever.
func TestStepUp_WhatWasTypedBelongsToOneSession(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.local(t, storage.User{Email: "root@example.com", EmailVerified: true, Admin: true}, password)
		enter := func() *visitor {
			v := b.visitor(t)
			v.signIn(t, v.get(t, b.Issuer+"/admin"), "root@example.com", password)
			return v
		}
		v := enter()
		f := v.formOfAct(t, "", "/admin/keys/revoke")
		f.values.Set("reason", "it leaked")
		b.pass(6 * time.Minute)
		mine := v.signIn(t, v.submit(t, f), "root@example.com", password)
		mine.wantText(t, "it leaked")
		typed := mine.At.Query().Get("typed")
		for what, s := range map[string]stop{
			"another session": enter().get(t, mine.At.String()),
			"another key":     v.get(t, b.Issuer+revokePathOf(b.kid(t, "RS256", storage.KeyActive))+"&typed="+typed),
			"nonsense":        v.get(t, b.Issuer+revokePathOf(f.values.Get("kid"))+"&typed=x"),
		} {
			if s.StatusCode != http.StatusOK || strings.Contains(s.Body, "it leaked") {
				t.Errorf("%s: status %d, shows the words: %v", what, s.StatusCode, strings.Contains(s.Body, "it leaked"))
			}
		}
		b.pass(31 * time.Minute)
		late := v.signIn(t, v.get(t, mine.At.String()), "root@example.com", password)
		if late.StatusCode != http.StatusOK || strings.Contains(late.Body, "it leaked") {
			t.Errorf("half an hour later: status %d", late.StatusCode)
		}
		// A text that does not fit into an address is typed again.
		f = v.formOfAct(t, "", "/admin/keys/revoke")
		f.values.Set("reason", strings.Repeat("long ", 1000))
		b.pass(6 * time.Minute)
		if page := v.signIn(t, v.submit(t, f), "root@example.com", password); page.StatusCode != http.StatusOK || page.At.Query().Has("typed") {
			t.Errorf("a long reason: at %s, status %d", page.At, page.StatusCode)
		}
	})
}

// TestStepUp_OfSomebodyWithGitHubAlone: our own pages say what to do, at once and after a
// try, and never let the act through.
func TestStepUp_OfSomebodyWithGitHubAlone(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		v.allow(t, v.comeBy(t, "github", "octo", "prompt", "consent")).code(t)
		for _, path := range []string{"/account/sessions/end-all", "/account/apps/withdraw?client_id=app"} {
			page := v.get(t, b.Issuer+path)
			page.wantText(t, "Confirm it’s you", "GitHub cannot confirm that it is you", "Ask the operator of this service to give your account a password")
			if strings.Contains(page.Body, `id="connector-`) || strings.Contains(page.Body, `id="decline"`) {
				t.Errorf("%s offers what cannot help", path)
			}
			// The button of another page does not help either.
			f := form{b.Issuer + "/login/github", url.Values{"request": {requestOf(t, page)}}}
			left := v.submit(t, f)
			if tried := v.get(t, v.choose(t, left.Left, "octo")); tried.At.Path != "/login" {
				t.Errorf("%s: a silent arrival opens %s", path, tried.At)
			} else {
				tried.wantText(t, "signed you in without asking", "Ask the operator")
			}
		}
		// With an upstream that says when, what it says counts, and trying again is offered.
		up.says(b, time.Hour)
		w := b.visitor(t)
		w.allow(t, w.comeBy(t, "liar", "victim", "prompt", "consent")).code(t)
		page := w.through(t, w.get(t, b.Issuer+"/account/sessions/end-all"), "liar", "victim")
		page.wantText(t, "Confirm it’s you", "Sign out there first and try again")
		up.says(b, time.Minute)
		w.through(t, page, "liar", "victim").wantAt(t, "/account/sessions/end-all")
	})
}

// requestOf is the sealed request that a page of a step was opened with.
func requestOf(t *testing.T, s stop) string {
	t.Helper()
	sealed := s.At.Query().Get("request")
	if sealed == "" {
		t.Fatalf("no request at %s", s.At)
	}
	return sealed
}
