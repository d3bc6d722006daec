package interaction_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/federation"
	"signet/provider"
	"signet/provider/providertest"
)

// FD-05: state works once, for its attempt and in its browser.
func TestAttempt_StateWorksOnceInOneBrowser(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		callback := v.ChooseAccount(t, v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "google"), "ada")
		wantLost := func(what string, who *providertest.Visitor, target string) {
			t.Helper()
			s := who.Get(t, target)
			if s.StatusCode != http.StatusBadRequest || !strings.Contains(s.Body, "unknown_attempt") || s.LeftTo != nil {
				t.Fatalf("%s: status %d, left to %v:\n%s", what, s.StatusCode, s.LeftTo, s.Body)
			}
			who.WantNoSession(t)
		}
		// FD-08: an attacker's callback in the victim's browser signs nobody in.
		wantLost("another browser", b.Visitor(t), callback)
		other := b.Visitor(t)
		other.PressConnector(t, other.Get(t, b.AuthorizeURL()), "google")
		wantLost("another browser with an attempt of its own", other, callback)
		at, _ := url.Parse(callback)
		for what, state := range map[string]string{
			"no state": "", "made up": "AAAAAAAAAAAAAAAAAAAAAAAAAA.x", "cookie syntax": "A;B=C.x", "id alone": at.Query().Get("state")[:26],
		} {
			query := at.Query()
			query.Set("state", state)
			wantLost(what, v, at.Scheme+"://"+at.Host+at.Path+"?"+query.Encode())
		}
		twice := callback + "&state=" + url.QueryEscape(at.Query().Get("state"))
		wantLost("state twice", v, twice)

		v.Allow(t, v.Get(t, callback)).Code(t)
		again := v.Get(t, callback)
		if again.StatusCode != http.StatusBadRequest || !strings.Contains(again.Body, "unknown_attempt") {
			t.Fatalf("the callback again: status %d", again.StatusCode)
		}

		late := b.Visitor(t)
		callback = late.ChooseAccount(t, late.PressConnector(t, late.Get(t, b.AuthorizeURL()), "google"), "ada")
		kept := late.TripCookies(t)
		b.Advance(11 * time.Minute)
		u, _ := url.Parse(b.Issuer)
		late.Client.Jar.SetCookies(u, kept) // a browser that keeps expired cookies
		wantLost("after eleven minutes", late, callback)
	})
}

// A copy of the attempt's cookie cannot sign in a second time, not even with another code of
// the same upstream.
// FD-11: The result of an upstream sign-in works once.
func TestAttempt_SignInUsesItUp(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		at := v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "google")
		kept := v.TripCookies(t)
		first, second := v.ChooseAccount(t, at, "ada"), v.ChooseAccount(t, at, "ada")
		v.Allow(t, v.Get(t, first)).Code(t)
		thief := b.Visitor(t)
		u, _ := url.Parse(b.Issuer)
		thief.Client.Jar.SetCookies(u, kept)
		thief.WantProblem(t, thief.Get(t, second), http.StatusBadRequest, "unknown_attempt")
	})
}

// FD-11: The result of an upstream sign-in works once.
func TestAttempt_ConcurrentCallbacksSignInOnce(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "google", "ada")) // makes the account
		v = b.Visitor(t)
		at := v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "google")
		kept := v.TripCookies(t)
		u, _ := url.Parse(b.Issuer)
		rivals, callbacks := make([]*providertest.Visitor, 8), make([]string, 8)
		for i := range rivals {
			rivals[i], callbacks[i] = b.Visitor(t), v.ChooseAccount(t, at, "ada")
			rivals[i].Client.Jar.SetCookies(u, kept)
		}
		var won, lost atomic.Int64
		providertest.Race(len(rivals), func(i int) {
			a := rivals[i].Fetch(t, callbacks[i])
			switch {
			case a.StatusCode == http.StatusSeeOther && strings.HasPrefix(a.Header.Get("Location"), "/authorize/next?"):
				won.Add(1)
			case a.StatusCode == http.StatusBadRequest && strings.Contains(a.Body, "unknown_attempt"):
				lost.Add(1)
			default:
				t.Errorf("status %d: %s", a.StatusCode, a.Body)
			}
		})
		if won.Load() != 1 || lost.Load() != 7 {
			t.Errorf("%d callbacks signed in and %d were refused, want 1 and 7", won.Load(), lost.Load())
		}
	})
}

// Two tabs with different requests and upstreams come back in reverse order.
// FD-32: Two tabs with two upstreams do not mix up their sign-ins.
func TestAttempt_TwoTabs(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		google := v.PressConnector(t, v.Get(t, b.AuthorizeURL("state", "tab one")), "google")
		github := v.PressConnector(t, v.Get(t, b.AuthorizeURL("state", "tab two")), "github")
		second := v.Allow(t, v.Get(t, v.ChooseAccount(t, github, "octo")))
		if got := second.Response(t).Get("state"); got != "tab two" {
			t.Errorf("state %q", got)
		}
		if sub := providertest.ClaimsOf(t, b.Redeem(t, second.Code(t))["id_token"])["sub"]; sub != b.UserByEmail(t, providertest.OctoEmail).ID {
			t.Errorf("the second tab is %v", sub)
		}
		first := v.Allow(t, v.Get(t, v.ChooseAccount(t, google, "ada")))
		if got := first.Response(t).Get("state"); got != "tab one" {
			t.Errorf("state %q", got)
		}
		if sub := providertest.ClaimsOf(t, b.Redeem(t, first.Code(t))["id_token"])["sub"]; sub != b.UserByEmail(t, providertest.AdaEmail).ID {
			t.Errorf("the first tab is %v", sub)
		}
		b.WantIdentities(t, b.UserByEmail(t, providertest.OctoEmail).ID, providertest.OctoID)
	})
}

func TestAttempt_AtMostThreePerBrowser(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL())
		var trips []*url.URL
		for range 5 {
			trips = append(trips, v.PressConnector(t, page, "google"))
		}
		if n := len(v.AttemptCookies(t)); n != 3 {
			t.Fatalf("%d attempts, want 3", n)
		}
		v.WantProblem(t, v.Get(t, v.ChooseAccount(t, trips[1], "ada")), http.StatusBadRequest, "unknown_attempt")
		v.Allow(t, v.Get(t, v.ChooseAccount(t, trips[2], "ada"))).Code(t) // the third newest is still stored
	})
}

// The mix-up attack of RFC 9700, section 4.4.
// FD-06: An answer of one upstream is refused at the callback of another (RFC 9207; RFC 9700,
// section 4.4).
func TestAttempt_StateOfOneConnectorAtAnother(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		callback := v.ChooseAccount(t, v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "google"), "ada")
		crossed := strings.Replace(callback, "/login/google/", "/login/liar/", 1)
		since := len(b.Log.String())
		v.WantProblem(t, v.Get(t, crossed), http.StatusBadRequest, "unknown_attempt")
		wantCause(t, b, since, "attempt_of_other_connector")
		for query, cause := range map[string]string{"": "state_malformed", "?state=x": "state_malformed", "?state=%zz": "malformed_request"} {
			since = len(b.Log.String())
			v.WantProblem(t, v.Get(t, b.Issuer+"/login/google/callback"+query), http.StatusBadRequest, "unknown_attempt")
			wantCause(t, b, since, cause)
		}
		since = len(b.Log.String())
		v.WantProblem(t, v.Get(t, callback), http.StatusBadRequest, "unknown_attempt") // its cookie is gone
		wantCause(t, b, since, "attempt_not_of_browser")
		if n := len(up.Liar.Requests()); n != 0 {
			t.Errorf("the other upstream was sent the code: %q", up.Liar.Requests())
		}
	})
}

// Only a form of this server starts a trip to an upstream. Links of other sites are refused,
// and so is the departure of another connector or request.
func TestDeparture_NeedsOwnForm(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL())
		f := page.FormTo(t, "/login/google", "", "")
		r := v.FormRequest(t, f)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := providertest.Do(t, v.Client, r); a.StatusCode != http.StatusForbidden {
			t.Errorf("a form of another site: status %d", a.StatusCode)
		}
		if a := v.Fetch(t, f.Action+"?"+f.Values.Encode()); a.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("a link to the button: status %d", a.StatusCode)
		}
		start := strings.TrimPrefix(providertest.Do(t, v.Client, v.FormRequest(t, f)).Header.Get("Refresh"), "0;url=")
		at, _ := url.Parse(b.Issuer + start)
		cross, _ := http.NewRequest(http.MethodGet, at.String(), nil)
		cross.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := providertest.Do(t, v.Client, cross); a.StatusCode != http.StatusBadRequest {
			t.Errorf("a link of another site: status %d", a.StatusCode)
		}
		for _, change := range map[string]func(q url.Values, path string) string{
			"no departure":      func(q url.Values, p string) string { q.Del("departure"); return p },
			"another connector": func(_ url.Values, p string) string { return strings.Replace(p, "google", "github", 1) },
			"another request": func(q url.Values, p string) string {
				other := v.Get(t, b.AuthorizeURL("state", "other")).FormTo(t, "/login/google", "", "")
				onward, _ := url.Parse(strings.TrimPrefix(providertest.Do(t, v.Client, v.FormRequest(t, other)).Header.Get("Refresh"), "0;url="))
				q.Set("for", onward.Query().Get("for"))
				return p
			},
		} {
			query := at.Query()
			path := change(query, at.Path)
			v.WantProblem(t, v.Get(t, b.Issuer+path+"?"+query.Encode()), http.StatusConflict, "stale_form")
		}
		b.Advance(3 * time.Minute)
		v.WantProblem(t, v.Get(t, at.String()), http.StatusConflict, "stale_form")
		if n := len(v.AttemptCookies(t)); n != 0 {
			t.Errorf("%d attempts were started", n)
		}
	})
}

// Only upstreams that answer with form_post may post to the callback.
// FD-33: If an upstream sends code and error, the error counts; a posted callback is accepted
// only where needed.
func TestAttempt_CallbackByPOST(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		at, _ := url.Parse(v.ChooseAccount(t, v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "google"), "ada"))
		a := postAcross(t, at.Scheme+"://"+at.Host+at.Path, at.Query())
		if a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != http.MethodGet {
			t.Errorf("status %d, Allow %q", a.StatusCode, a.Header.Get("Allow"))
		}
	})
}

// An upstream that answers with a POST (Apple): the form comes without our cookies. It is
// sealed, and a redirect to GET sends it again with the cookies.
// FD-33: If an upstream sends code and error, the error counts; a posted callback is accepted
// only where needed.
func TestAttempt_PostedCallbackBecomesGETWithCookie(t *testing.T) {
	der, err := x509.MarshalPKCS8PrivateKey(newP256(t))
	if err != nil {
		t.Fatal(err)
	}
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		trip := func(who *providertest.Visitor) (string, url.Values) {
			left := who.PressConnector(t, who.Get(t, b.AuthorizeURL()), "liar")
			if got := left.Query().Get("response_mode"); got != "form_post" {
				t.Fatalf("response_mode %q", got)
			}
			at, _ := url.Parse(who.ChooseAccount(t, left, "victim"))
			return at.Scheme + "://" + at.Host + at.Path, at.Query()
		}
		target, form := trip(v)
		form.Set("user", `{"name":{"firstName":"Vic","lastName":"Apple"},"email":"alice@example.com"}`)
		posted := postAcross(t, target, form)
		if posted.StatusCode != http.StatusSeeOther || len(posted.Cookies()) > 0 {
			t.Fatalf("status %d, cookies %v: %s", posted.StatusCode, posted.Cookies(), posted.Body)
		}
		onward := b.Issuer + posted.Header.Get("Location")
		for _, secret := range []string{form.Get("code"), form.Get("state"), "Apple"} {
			if strings.Contains(onward, url.QueryEscape(secret)) {
				t.Errorf("the address shows %q", secret)
			}
		}
		stranger := b.Visitor(t) // another browser cannot use the address
		stranger.WantProblem(t, stranger.Get(t, onward), http.StatusBadRequest, "unknown_attempt")
		sub := v.Subject(t, v.Get(t, onward))
		user := b.UserByEmail(t, providertest.VictimMail)
		if sub != user.ID || user.Name != "Vic Apple" {
			t.Errorf("signed in as %s; %s is %q", sub, user.ID, user.Name)
		}
		b.WantIdentities(t, b.Alice.ID)

		late := b.Visitor(t)
		target, form = trip(late)
		onward = b.Issuer + postAcross(t, target, form).Header.Get("Location")
		b.Advance(61 * time.Second)
		late.WantProblem(t, late.Get(t, onward), http.StatusBadRequest, "unknown_attempt")
		form.Set("code", strings.Repeat("a", 4000))
		if a := postAcross(t, target, form); a.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("an endless form: status %d", a.StatusCode)
		}
		another := b.Visitor(t)
		target, form = trip(another)
		form.Set("user", strings.Repeat("a", 4000))
		form["unread"] = []string{strings.Repeat("a", 4000), "\x00", "\xff"}
		if posted := postAcross(t, target, form); another.Subject(t, another.Get(t, b.Issuer+posted.Header.Get("Location"))) != user.ID {
			t.Error("parameters that the sign-in does not read prevent it")
		}
		if a := postAcross(t, target, url.Values{}); a.StatusCode != http.StatusSeeOther {
			t.Errorf("an empty form: status %d", a.StatusCode)
		}
	}, providertest.ChangeConnector("liar", func(c *provider.Connector) {
		c.Kind, c.ClientSecret, c.ClientKeyID, c.TeamID = federation.Apple, federation.Secret{}, "KEY1", "TEAM1"
		c.ClientKey = federation.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}))
}

func newP256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// postAcross posts a form as a browser does from a page of another site: without the
// SameSite=Lax cookies.
func postAcross(t *testing.T, target string, form url.Values) providertest.Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Origin", "https://appleid.apple.com")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return providertest.Do(t, providertest.Direct, r)
}

// wantCause fails unless the first request after log position since was refused for this
// cause.
func wantCause(t *testing.T, b *providertest.Testbed, since int, cause string) {
	t.Helper()
	lines := b.RequestLines(t, since)
	if got := lines[0]; got["cause"] != cause {
		t.Errorf("cause %v, want %s: %v", got["cause"], cause, got)
	}
}
