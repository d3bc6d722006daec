package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// agent makes the browser call itself so.
func (v *visitor) agent(name string) *visitor {
	v.client.Transport = named{name}
	return v
}

type named struct{ agent string }

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", n.agent)
	return http.DefaultTransport.RoundTrip(r)
}

func TestAccount_SessionsSayWhereAndWhen(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		phone := b.visitor(t).agent(iphone)
		phone.flow(t)
		b.redeem(t, phone.again(t))
		b.pass(3 * time.Hour)
		v := b.visitor(t).agent(firefox)
		page := v.account(t, "/account/sessions")
		page.wantText(t, "Firefox on Linux", "Safari on iOS", "127.0.0.1", "(3 hours ago)", "(just now)", "<bdi>App app</bdi>",
			b.now().Add(-3*time.Hour).UTC().Format("2 January 2006"), " GMT</time>")
		if got := strings.Count(page.Body, "This device"); got != 1 {
			t.Errorf("%d sessions are marked as this device, want 1", got)
		}
		if strings.Index(page.Body, "Firefox on Linux") > strings.Index(page.Body, "Safari on iOS") {
			t.Error("this device does not stand first")
		}
		page = phone.account(t, "/account/sessions")
		if strings.Index(page.Body, "Firefox on Linux") < strings.Index(page.Body, "Safari on iOS") {
			t.Error("the phone does not stand first on the phone")
		}
	})
}

// TestAD11_AgentStaysText: what a browser calls itself is anything.
func TestAD11_AgentStaysText(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.visitor(t).agent(`<script>alert(1)</script> Chrome/"><img src=x>`).account(t, "/account")
		b.visitor(t).agent(``).account(t, "/account")
		page := b.visitor(t).agent(`<b>`+strings.Repeat("x", 5000)).account(t, "/account/sessions")
		for _, markup := range []string{"<script>alert", "<img src=x", "<b>"} {
			if strings.Contains(page.Body, markup) {
				t.Errorf("the page has %s", markup)
			}
		}
		page.wantText(t, "<strong>Chrome</strong>", "<strong>Unknown browser</strong>")
	})
}

func TestAccount_EndOneSessionEndsItsTokensAlone(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		other := b.visitor(t)
		online := b.redeem(t, other.flow(t))
		theirs := b.otherSession(t)
		b.consentTo(t, "openid email offline_access")
		offline := b.redeem(t, other.again(t, "scope", "openid offline_access"))
		v := b.visitor(t)
		mine := b.redeem(t, v.signIn(t, v.get(t, b.authorizeURL()), alice, password).code(t))

		b.pass(time.Hour) // it needs no step-up
		page := v.account(t, "/account/sessions")
		page = v.submit(t, page.formTo(t, "/account/sessions/end", "sid", theirs.ID))
		page.wantAt(t, "/account/sessions?done=session")
		page.wantText(t, "That session was signed out.")
		b.wantDead(t, online)
		b.refreshed(t, offline["refresh_token"])
		b.refreshed(t, mine["refresh_token"])
		if page := other.get(t, b.Issuer+"/account"); page.At.Path != "/login" {
			t.Errorf("the ended session opens %s", page.At)
		}
		b.wantEvent(t, storage.SessionEnded, theirs.ID)
	})
}

func TestAccount_EndingThisSessionSignsOutHere(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		page := v.account(t, "/account/sessions")
		page = v.submit(t, page.formTo(t, "/account/sessions/end", "sid", b.otherSession(t).ID))
		page.wantAt(t, "/end_session")
		page.wantText(t, "You are signed out")
		if v.cookie(t, "signet") != nil {
			t.Error("the cookie is still there")
		}
		if got := page.Header.Get("Clear-Site-Data"); got != `"cache"` {
			t.Errorf("Clear-Site-Data: got %q", got)
		}
	})
}

// TestLO03_ForeignSessionIsNotThere: of three users only one is affected by what
// she does, whatever her form says.
func TestLO03_ForeignSessionIsNotThere(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.account(t, "/account")
		var others []*visitor
		var sids []string
		for _, email := range []string{"bob@example.com", "carol@example.com"} {
			user := b.user(t, email, "the password of "+email)
			other := b.visitor(t)
			other.signIn(t, other.get(t, b.Issuer+"/account"), email, "the password of "+email).wantAt(t, "/account")
			others, sids = append(others, other), append(sids, b.sessionsOf(t, user.ID)[0].ID)
		}
		f := v.account(t, "/account/sessions").formTo(t, "/account/sessions/end", "", "")
		for _, sid := range append(sids, "ses_unknown", "", "' OR 1=1 --", "%") {
			v.submit(t, f, "sid", sid).wantPage(t, http.StatusNotFound, "not_found")
		}
		v.submit(t, v.account(t, "/account/sessions/end-all").formTo(t, "/account/sessions/end-all", "", ""), "sid", sids[0]).
			wantPage(t, http.StatusBadRequest, "invalid_request")
		v.submit(t, v.account(t, "/account/sessions/end-all").formTo(t, "/account/sessions/end-all", "", "")).wantAt(t, "/end_session")
		for _, other := range others {
			other.get(t, b.Issuer+"/account").wantAt(t, "/account")
		}
	})
}

func TestAccount_EndOthersLeavesThisAndOffline(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		other := b.visitor(t)
		online := b.redeem(t, other.flow(t))
		b.consentTo(t, "openid email offline_access")
		offline := b.redeem(t, other.again(t, "scope", "openid offline_access"))
		third := b.visitor(t)
		third.account(t, "/account")
		v := b.visitor(t)
		page := v.account(t, "/account/sessions")
		page = v.submit(t, page.formTo(t, "/account/sessions/end-others", "", ""))
		page.wantAt(t, "/account/sessions?done=others")
		page.wantText(t, "All other sessions were signed out.", "This device")
		if strings.Contains(page.Body, `id="end-others"`) {
			t.Error("there are no others, and yet a button for them")
		}
		b.wantDead(t, online)
		b.refreshed(t, offline["refresh_token"])
		for _, gone := range []*visitor{other, third} {
			if page := gone.get(t, b.Issuer+"/account"); page.At.Path != "/login" {
				t.Errorf("an ended session opens %s", page.At)
			}
		}
	})
}

// TestLO09_SignOutEverywhereEndsAll: other browsers, online and offline tokens and
// codes under way.
func TestLO09_SignOutEverywhereEndsAll(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		other := b.visitor(t)
		online := b.redeem(t, other.flow(t))
		b.consentTo(t, "openid email offline_access")
		offline := b.redeem(t, other.again(t, "scope", "openid offline_access"))
		code := other.again(t)
		v := b.visitor(t)
		page := v.account(t, "/account/sessions/end-all")
		page.wantText(t, "your session in every browser", "also of those that keep it while you are away")
		page = v.submit(t, page.formTo(t, "/account/sessions/end-all", "", ""))
		page.wantAt(t, "/end_session")
		page.wantText(t, "You are signed out")
		b.wantDead(t, online)
		b.wantDead(t, offline)
		b.refuseCode(t, code, "invalid_grant")
		if v.cookie(t, "signet") != nil {
			t.Error("the cookie is still there")
		}
		for _, gone := range []*visitor{v, other} {
			if page := gone.get(t, b.Issuer+"/account"); page.At.Path != "/login" {
				t.Errorf("an ended session opens %s", page.At)
			}
		}
		b.wantEvent(t, storage.SessionsEnded, b.Alice.ID)
		v.account(t, "/account/apps").wantText(t, "App app") // what was allowed stays allowed
	})
}

// TestLO15_FormsOfOneSessionEndNothingInAnother also covers a form that is sent twice.
func TestLO15_FormSentTwiceDoesNothingMore(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		other := b.visitor(t)
		other.account(t, "/account")
		theirs := b.otherSession(t)
		v := b.visitor(t)
		f := v.account(t, "/account/sessions").formTo(t, "/account/sessions/end", "sid", theirs.ID)
		v.submit(t, f).wantAt(t, "/account/sessions?done=session")
		v.submit(t, f).wantPage(t, http.StatusNotFound, "This session has ended")
		other.account(t, "/account") // the same person, in a new session
		v.submit(t, f).wantPage(t, http.StatusNotFound, "This session has ended")
		other.get(t, b.Issuer+"/account").wantAt(t, "/account")
	})
}
