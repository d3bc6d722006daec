package provider_test

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
	"signet/federation/federationtest"
	"signet/provider"
)

// attempts are the cookies of trips that the browser has open.
func (v *visitor) attempts(t *testing.T) []*http.Cookie {
	t.Helper()
	u, _ := url.Parse(v.b.Issuer)
	var list []*http.Cookie
	for _, c := range v.client.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, "signet_up_") {
			list = append(list, c)
		}
	}
	return list
}

// TestFD05_StateIsGoodOnceInOneBrowser: missing, made up, of another browser,
// expired, used twice.
func TestFD05_StateIsGoodOnceInOneBrowser(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		callback := v.choose(t, v.press(t, v.get(t, b.authorizeURL()), "google"), "ada")
		wantLost := func(what string, who *visitor, target string) {
			t.Helper()
			s := who.get(t, target)
			if s.StatusCode != http.StatusBadRequest || !strings.Contains(s.Body, "unknown_attempt") || s.Left != nil {
				t.Fatalf("%s: status %d, left to %v:\n%s", what, s.StatusCode, s.Left, s.Body)
			}
			who.wantNobody(t)
		}
		// TestFD08: an attacker's callback in the victim's browser signs nobody in.
		wantLost("another browser", b.visitor(t), callback)
		other := b.visitor(t)
		other.press(t, other.get(t, b.authorizeURL()), "google")
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

		v.allow(t, v.get(t, callback)).code(t)
		again := v.get(t, callback)
		if again.StatusCode != http.StatusBadRequest || !strings.Contains(again.Body, "unknown_attempt") {
			t.Fatalf("the callback again: status %d", again.StatusCode)
		}

		late := b.visitor(t)
		callback = late.choose(t, late.press(t, late.get(t, b.authorizeURL()), "google"), "ada")
		kept := late.attempts(t)
		b.pass(11 * time.Minute)
		u, _ := url.Parse(b.Issuer)
		late.client.Jar.SetCookies(u, kept) // a browser that forgets nothing
		wantLost("after eleven minutes", late, callback)
	})
}

// A cookie that is kept and sent again does not make a second sign-in, not even
// with another code of the same upstream.
func TestFD11_AttemptIsSpentBySigningIn(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		at := v.press(t, v.get(t, b.authorizeURL()), "google")
		kept := v.attempts(t)
		first, second := v.choose(t, at, "ada"), v.choose(t, at, "ada")
		v.allow(t, v.get(t, first)).code(t)
		thief := b.visitor(t)
		u, _ := url.Parse(b.Issuer)
		thief.client.Jar.SetCookies(u, kept)
		thief.wantProblem(t, thief.get(t, second), http.StatusBadRequest, "unknown_attempt")
	})
}

func TestFD11_AttemptSpentTwiceAtOnce(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		v.allow(t, v.comeBy(t, "google", "ada")) // the account is there
		v = b.visitor(t)
		at := v.press(t, v.get(t, b.authorizeURL()), "google")
		kept := v.attempts(t)
		u, _ := url.Parse(b.Issuer)
		rivals, callbacks := make([]*visitor, 8), make([]string, 8)
		for i := range rivals {
			rivals[i], callbacks[i] = b.visitor(t), v.choose(t, at, "ada")
			rivals[i].client.Jar.SetCookies(u, kept)
		}
		var won, lost atomic.Int64
		race(len(rivals), func(i int) {
			a := rivals[i].fetch(t, callbacks[i])
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
			t.Errorf("%d won and %d lost, want one and seven", won.Load(), lost.Load())
		}
	})
}

// TestFD32_TwoTabsAtOnce: two requests, two upstreams, back in the other order.
func TestFD32_TwoTabsAtOnce(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		google := v.press(t, v.get(t, b.authorizeURL("state", "tab one")), "google")
		github := v.press(t, v.get(t, b.authorizeURL("state", "tab two")), "github")
		second := v.allow(t, v.get(t, v.choose(t, github, "octo")))
		if got := second.response(t).Get("state"); got != "tab two" {
			t.Errorf("state %q", got)
		}
		if sub := claimsOf(t, b.redeem(t, second.code(t))["id_token"])["sub"]; sub != b.userBy(t, octoEmail).ID {
			t.Errorf("the second tab is %v", sub)
		}
		first := v.allow(t, v.get(t, v.choose(t, google, "ada")))
		if got := first.response(t).Get("state"); got != "tab one" {
			t.Errorf("state %q", got)
		}
		if sub := claimsOf(t, b.redeem(t, first.code(t))["id_token"])["sub"]; sub != b.userBy(t, adaEmail).ID {
			t.Errorf("the first tab is %v", sub)
		}
		b.wantIdentities(t, b.userBy(t, octoEmail).ID, octoID)
	})
}

func TestFederation_AtMostThreeAttempts(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		page := v.get(t, b.authorizeURL())
		var trips []*url.URL
		for range 5 {
			trips = append(trips, v.press(t, page, "google"))
		}
		if n := len(v.attempts(t)); n != 3 {
			t.Fatalf("%d attempts, want 3", n)
		}
		v.wantProblem(t, v.get(t, v.choose(t, trips[1], "ada")), http.StatusBadRequest, "unknown_attempt")
		v.allow(t, v.get(t, v.choose(t, trips[2], "ada"))).code(t) // the third newest is there
	})
}

// A browser keeps a cookie of 4,096 bytes with its name and attributes (RFC 6265,
// section 6.1). The largest request that is accepted must come back from an
// upstream; one that is a little larger is refused at once.
func TestFederation_LargestRequestFitsItsAttemptCookie(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		long := strings.Repeat("i", 32)
		v := b.visitor(t)
		largest, cookie := 0, 0
		for n := 700; n > 0 && largest == 0; n-- {
			state := strings.Repeat("\x01", 200) + strings.Repeat("s", n+500) // JSON writes six bytes for each \x01
			page := v.get(t, b.authorizeURL("state", state, "prompt", "login", "max_age", "1000000"))
			if page.StatusCode != http.StatusOK {
				continue
			}
			largest = len(page.formTo(t, "/login", "", "").values.Get("request"))
			a := do(t, v.client, v.formRequest(t, page.formTo(t, "/login/"+long, "", "")))
			start := v.fetch(t, b.Issuer+strings.TrimPrefix(a.Header.Get("Refresh"), "0;url="))
			for _, line := range start.Header.Values("Set-Cookie") {
				if strings.HasPrefix(line, "signet_up_") {
					// On https the name is longer by its prefix, and there is one more attribute.
					cookie = len(line) + len("__Host-") + len("; Secure")
				}
			}
			left, err := url.Parse(start.Header.Get("Location"))
			if err != nil || left.Host == "" {
				t.Fatalf("no way to the upstream: status %d, %q", start.StatusCode, start.Header.Get("Location"))
			}
			back := v.allow(t, v.get(t, v.choose(t, left, "ada")))
			if got := back.response(t).Get("state"); got != state {
				t.Errorf("state came back with %d bytes, want %d", len(got), len(state))
			}
		}
		t.Logf("a request of %d characters makes a cookie of %d bytes", largest, cookie)
		if largest < 3190 || cookie == 0 || cookie > 4096 {
			t.Errorf("a request of %d characters makes a cookie of %d bytes, want the largest and at most 4096", largest, cookie)
		}
	}, alter("google", func(c *provider.Connector) { c.ID = strings.Repeat("i", 32) }), func(up *upstreams, c *provider.Config) {
		// The pretend Google knows the redirect URI of its usual name only.
		g, err := federationtest.StartGoogle(federationtest.Setup{
			RedirectURIs: []string{c.Issuer + "/login/" + strings.Repeat("i", 32) + "/callback"}, Now: c.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Close)
		c.Connectors[0].Issuer, c.Connectors[0].ClientID, c.Connectors[0].ClientSecret = g.URL, g.ClientID, federation.NewSecret(g.ClientSecret)
	})
}

// TestFD06_StateOfOneConnectorAtAnother: the mix-up of RFC 9700, section 4.4.
func TestFD06_StateOfOneConnectorAtAnother(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		callback := v.choose(t, v.press(t, v.get(t, b.authorizeURL()), "google"), "ada")
		crossed := strings.Replace(callback, "/login/google/", "/login/liar/", 1)
		since := len(b.Log.String())
		v.wantProblem(t, v.get(t, crossed), http.StatusBadRequest, "unknown_attempt")
		b.wantCause(t, since, "attempt_of_other_connector")
		for query, cause := range map[string]string{"": "state_malformed", "?state=x": "state_malformed", "?state=%zz": "malformed_request"} {
			since = len(b.Log.String())
			v.wantProblem(t, v.get(t, b.Issuer+"/login/google/callback"+query), http.StatusBadRequest, "unknown_attempt")
			b.wantCause(t, since, cause)
		}
		since = len(b.Log.String())
		v.wantProblem(t, v.get(t, callback), http.StatusBadRequest, "unknown_attempt") // its cookie is gone
		b.wantCause(t, since, "attempt_not_of_browser")
		if n := len(up.liar.Requests()); n != 0 {
			t.Errorf("the other upstream was sent the code: %q", up.liar.Requests())
		}
	})
}

// Nobody leaves for an upstream but from a form of ours: a link from elsewhere
// starts no trip, nor does a proof of departure for another one.
func TestFederation_OnlyOurFormsStartATrip(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		page := v.get(t, b.authorizeURL())
		f := page.formTo(t, "/login/google", "", "")
		r := v.formRequest(t, f)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := do(t, v.client, r); a.StatusCode != http.StatusForbidden {
			t.Errorf("a form of another site: status %d", a.StatusCode)
		}
		if a := v.fetch(t, f.action+"?"+f.values.Encode()); a.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("a link to the button: status %d", a.StatusCode)
		}
		start := strings.TrimPrefix(do(t, v.client, v.formRequest(t, f)).Header.Get("Refresh"), "0;url=")
		at, _ := url.Parse(b.Issuer + start)
		cross, _ := http.NewRequest(http.MethodGet, at.String(), nil)
		cross.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := do(t, v.client, cross); a.StatusCode != http.StatusBadRequest {
			t.Errorf("a link of another site: status %d", a.StatusCode)
		}
		for _, change := range map[string]func(q url.Values, path string) string{
			"no departure":      func(q url.Values, p string) string { q.Del("departure"); return p },
			"another connector": func(_ url.Values, p string) string { return strings.Replace(p, "google", "github", 1) },
			"another request": func(q url.Values, p string) string {
				q.Set("request", v.get(t, b.authorizeURL("state", "other")).formTo(t, "/login", "", "").values.Get("request"))
				return p
			},
		} {
			query := at.Query()
			path := change(query, at.Path)
			v.wantProblem(t, v.get(t, b.Issuer+path+"?"+query.Encode()), http.StatusConflict, "stale_form")
		}
		b.pass(3 * time.Minute)
		v.wantProblem(t, v.get(t, at.String()), http.StatusConflict, "stale_form")
		if n := len(v.attempts(t)); n != 0 {
			t.Errorf("%d attempts were started", n)
		}
	})
}

// TestFD33_CallbackByPOST: only from an upstream that answers so.
func TestFD33_CallbackByPOST(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		at, _ := url.Parse(v.choose(t, v.press(t, v.get(t, b.authorizeURL()), "google"), "ada"))
		a := postAcross(t, at.Scheme+"://"+at.Host+at.Path, at.Query())
		if a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != http.MethodGet {
			t.Errorf("status %d, Allow %q", a.StatusCode, a.Header.Get("Allow"))
		}
	})
}

// An upstream that answers by POST (Apple): the form comes without our cookies, is
// sealed, and goes on as a GET that carries them.
func TestFD33_PostedCallbackGoesOnWithItsCookie(t *testing.T) {
	der, err := x509.MarshalPKCS8PrivateKey(newP256(t))
	if err != nil {
		t.Fatal(err)
	}
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		trip := func(who *visitor) (string, url.Values) {
			left := who.press(t, who.get(t, b.authorizeURL()), "liar")
			if got := left.Query().Get("response_mode"); got != "form_post" {
				t.Fatalf("response_mode %q", got)
			}
			at, _ := url.Parse(who.choose(t, left, "victim"))
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
		stranger := b.visitor(t) // another browser gets nothing by it
		stranger.wantProblem(t, stranger.get(t, onward), http.StatusBadRequest, "unknown_attempt")
		sub := v.subject(t, v.get(t, onward))
		user := b.userBy(t, victimMail)
		if sub != user.ID || user.Name != "Vic Apple" {
			t.Errorf("signed in as %s; %s is %q", sub, user.ID, user.Name)
		}
		b.wantIdentities(t, b.Alice.ID)

		late := b.visitor(t)
		target, form = trip(late)
		onward = b.Issuer + postAcross(t, target, form).Header.Get("Location")
		b.pass(61 * time.Second)
		late.wantProblem(t, late.get(t, onward), http.StatusBadRequest, "unknown_attempt")
		form.Set("user", strings.Repeat("a", 4000))
		if a := postAcross(t, target, form); a.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("an endless form: status %d", a.StatusCode)
		}
		if a := postAcross(t, target, url.Values{}); a.StatusCode != http.StatusSeeOther {
			t.Errorf("an empty form: status %d", a.StatusCode)
		}
	}, alter("liar", func(c *provider.Connector) {
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

// postAcross posts as another site's page has a browser do: without the cookies
// that are SameSite=Lax.
func postAcross(t *testing.T, target string, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Origin", "https://appleid.apple.com")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return do(t, direct, r)
}

// wantCause wants the first request since then to be refused for that cause.
func (b *testbed) wantCause(t *testing.T, since int, cause string) {
	t.Helper()
	lines := b.requestLines(t, since)
	if got := lines[0]; got["cause"] != cause {
		t.Errorf("cause %v, want %s: %v", got["cause"], cause, got)
	}
}
