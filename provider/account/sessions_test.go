package account_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

func TestAccount_SessionsShowBrowserAndTime(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		phone := b.Visitor(t).SetUserAgent(iphone)
		phone.SignInForCode(t)
		b.Redeem(t, phone.CodeFromSession(t))
		b.Advance(3 * time.Hour)
		v := b.Visitor(t).SetUserAgent(firefox)
		page := v.Account(t, "/account/sessions")
		page.WantText(t, "Firefox on Linux", "Safari on iOS", "127.0.0.1", "(3 hours ago)", "(just now)", "<bdi>App app</bdi>",
			b.Now().Add(-3*time.Hour).UTC().Format("2 January 2006"), " GMT</time>")
		if got := strings.Count(page.Body, "This device"); got != 1 {
			t.Errorf("%d sessions are marked as this device, want 1", got)
		}
		if strings.Index(page.Body, "Firefox on Linux") > strings.Index(page.Body, "Safari on iOS") {
			t.Error("this device is not the first in the list")
		}
		page = phone.Account(t, "/account/sessions")
		if strings.Index(page.Body, "Firefox on Linux") < strings.Index(page.Body, "Safari on iOS") {
			t.Error("on the phone, the phone is not the first in the list")
		}
	})
}

// A browser may send any User-Agent; the page must escape it.
// AD-11: Names, addresses and user agents are escaped wherever they are shown.
func TestAccount_AgentStaysText(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Visitor(t).SetUserAgent(`<script>alert(1)</script> Chrome/"><img src=x>`).Account(t, "/account")
		b.Visitor(t).SetUserAgent(``).Account(t, "/account")
		page := b.Visitor(t).SetUserAgent(`<b>`+strings.Repeat("x", 5000)).Account(t, "/account/sessions")
		for _, markup := range []string{"<script>alert", "<img src=x", "<b>"} {
			if strings.Contains(page.Body, markup) {
				t.Errorf("the page has %s", markup)
			}
		}
		page.WantText(t, "<strong>Chrome</strong>", "<strong>Unknown browser</strong>")
	})
}

func TestAccount_EndSessionEndsOnlyItsTokens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		other := b.Visitor(t)
		online := b.Redeem(t, other.SignInForCode(t))
		theirs := otherSession(t, b)
		b.ConsentTo(t, "openid email offline_access")
		offline := b.Redeem(t, other.CodeFromSession(t, "scope", "openid offline_access"))
		v := b.Visitor(t)
		mine := b.Redeem(t, v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password).Code(t))

		b.Advance(time.Hour) // this act needs no step-up
		page := v.Account(t, "/account/sessions")
		page = v.Submit(t, page.FormTo(t, "/account/sessions/end", "sid", theirs.ID))
		page.WantAt(t, "/account/sessions?done=session")
		page.WantText(t, "That session was signed out.")
		b.WantRevoked(t, online)
		b.MustRefresh(t, offline["refresh_token"])
		b.MustRefresh(t, mine["refresh_token"])
		if page := other.Get(t, b.Issuer+"/account"); page.At.Path != "/login" {
			t.Errorf("the ended session leads to %s, want the sign-in page", page.At)
		}
		b.WantEvent(t, storage.SessionEnded, theirs.ID)
	})
}

func TestAccount_EndThisSessionSignsOut(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := v.Account(t, "/account/sessions")
		page = v.Submit(t, page.FormTo(t, "/account/sessions/end", "sid", otherSession(t, b).ID))
		page.WantAt(t, "/end_session")
		page.WantText(t, "You’re signed out")
		if v.Cookie(t, "signet") != nil {
			t.Error("the cookie is still there")
		}
		if got := page.Header.Get("Clear-Site-Data"); got != `"cache"` {
			t.Errorf("Clear-Site-Data: got %q", got)
		}
	})
}

// A user can only end her own sessions, even with the session id of another user in the form.
// LO-03: An empty user id reaches no statement that ends sessions.
func TestAccount_SessionOfAnotherUserIsNotFound(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		var others []*providertest.Visitor
		var sids []string
		for _, email := range []string{"bob@example.com", "carol@example.com"} {
			user := b.User(t, email, "the password of "+email)
			other := b.Visitor(t)
			other.SignIn(t, other.Get(t, b.Issuer+"/account"), email, "the password of "+email).WantAt(t, "/account")
			others, sids = append(others, other), append(sids, b.SessionsOf(t, user.ID)[0].ID)
		}
		f := v.Account(t, "/account/sessions").FormTo(t, "/account/sessions/end", "", "")
		for _, sid := range append(sids, "ses_unknown", "", "' OR 1=1 --", "%") {
			v.Submit(t, f, "sid", sid).WantPage(t, http.StatusNotFound, "not_found")
		}
		v.Submit(t, v.Account(t, "/account/sessions/end-all").FormTo(t, "/account/sessions/end-all", "", ""), "sid", sids[0]).
			WantPage(t, http.StatusBadRequest, "invalid_request")
		v.Submit(t, v.Account(t, "/account/sessions/end-all").FormTo(t, "/account/sessions/end-all", "", "")).WantAt(t, "/end_session")
		for _, other := range others {
			other.Get(t, b.Issuer+"/account").WantAt(t, "/account")
		}
	})
}

func TestAccount_EndOthersKeepsThisSessionAndOfflineTokens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		other := b.Visitor(t)
		online := b.Redeem(t, other.SignInForCode(t))
		b.ConsentTo(t, "openid email offline_access")
		offline := b.Redeem(t, other.CodeFromSession(t, "scope", "openid offline_access"))
		third := b.Visitor(t)
		third.Account(t, "/account")
		v := b.Visitor(t)
		page := v.Account(t, "/account/sessions")
		page = v.Submit(t, page.FormTo(t, "/account/sessions/end-others", "", ""))
		page.WantAt(t, "/account/sessions?done=others")
		page.WantText(t, "All other sessions were signed out.", "This device")
		if strings.Contains(page.Body, `id="end-others"`) {
			t.Error("there are no other sessions, but the page has a button to end them")
		}
		b.WantRevoked(t, online)
		b.MustRefresh(t, offline["refresh_token"])
		for _, gone := range []*providertest.Visitor{other, third} {
			if page := gone.Get(t, b.Issuer+"/account"); page.At.Path != "/login" {
				t.Errorf("an ended session opens %s", page.At)
			}
		}
	})
}

// Signing out everywhere ends the sessions of other browsers, online and offline tokens, and
// codes that are not redeemed yet.
// LO-09: "Sign out everywhere" ends all sessions, codes and refresh tokens of the user.
func TestAccount_SignOutEverywhereEndsAll(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		other := b.Visitor(t)
		online := b.Redeem(t, other.SignInForCode(t))
		b.ConsentTo(t, "openid email offline_access")
		offline := b.Redeem(t, other.CodeFromSession(t, "scope", "openid offline_access"))
		code := other.CodeFromSession(t)
		v := b.Visitor(t)
		page := v.Account(t, "/account/sessions/end-all")
		page.WantText(t, "your session in every browser", "including those that keep it while you’re away")
		page = v.Submit(t, page.FormTo(t, "/account/sessions/end-all", "", ""))
		page.WantAt(t, "/end_session")
		page.WantText(t, "You’re signed out")
		b.WantRevoked(t, online)
		b.WantRevoked(t, offline)
		b.RefuseCode(t, code, "invalid_grant")
		if v.Cookie(t, "signet") != nil {
			t.Error("the cookie is still there")
		}
		for _, gone := range []*providertest.Visitor{v, other} {
			if page := gone.Get(t, b.Issuer+"/account"); page.At.Path != "/login" {
				t.Errorf("an ended session opens %s", page.At)
			}
		}
		b.WantEvent(t, storage.SessionsEnded, b.Alice.ID)
		v.Account(t, "/account/apps").WantText(t, "App app") // the consent is kept
	})
}

// A form that is sent twice, or sent in a later session, ends nothing more.
// LO-15: A logout confirmation works once and only in its own session.
func TestAccount_FormSentTwiceDoesNothingMore(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		other := b.Visitor(t)
		other.Account(t, "/account")
		theirs := otherSession(t, b)
		v := b.Visitor(t)
		f := v.Account(t, "/account/sessions").FormTo(t, "/account/sessions/end", "sid", theirs.ID)
		v.Submit(t, f).WantAt(t, "/account/sessions?done=session")
		v.Submit(t, f).WantPage(t, http.StatusNotFound, "This session has ended")
		other.Account(t, "/account") // the same person, in a new session
		v.Submit(t, f).WantPage(t, http.StatusNotFound, "This session has ended")
		other.Get(t, b.Issuer+"/account").WantAt(t, "/account")
	})
}
