package proxy_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
	"signet/federation/federationtest"
)

// elsewhere is the id of the connector, of the longest allowed length.
var elsewhere = "elsewhere-" + strings.Repeat("e", 22)

// Limits: the parts of the Cookie header in characters, and a header block in bytes.
const (
	mostCookies = 6144
	mostTrips   = 2400
	mostPerson  = 1024
	mostHeaders = 4096
)

// crowded is a browser that holds the largest value of every cookie at the same time. It
// restores the cookies that a flow removed before the next flow, as other tabs could.
type crowded struct {
	*signettest.FormBrowser
	*site
	upstream *federationtest.Lying
	subjects int
	state    string
	held     map[string]*http.Cookie
	largest  map[string]int // characters, by part of the Cookie header
}

var root = &url.URL{Scheme: "https", Host: "id.example.com", Path: "/"}

// RoundTrip fails the test if the cookies of the request or the headers of the answer are too
// large.
func (c *crowded) RoundTrip(r *http.Request) (*http.Response, error) {
	shares := map[string]int{}
	for _, cookie := range r.Cookies() {
		shares[shareOf(cookie.Name)] += len(cookie.Name) + len(cookie.Value) + len("=; ")
	}
	shares["all"] = len(r.Header.Get("Cookie"))
	for share, most := range map[string]int{"all": mostCookies, "trips": mostTrips, "person": mostPerson} {
		c.largest[share] = max(c.largest[share], shares[share])
		if shares[share] > most {
			c.T.Errorf("%s %.80s: the cookies of %s have %d characters, and may have %d", r.Method, r.URL, share, shares[share], most)
		}
	}
	answer, err := watched{c.T.(*testing.T), c.transport}.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	size := len("HTTP/1.1 ") + len(answer.Status) + len("\r\n\r\n")
	for name, values := range answer.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	if c.largest["headers"] = max(c.largest["headers"], size); size > mostHeaders {
		c.T.Errorf("%s %.80s: the header block has %d bytes", r.Method, r.URL, size)
	}
	for _, cookie := range answer.Cookies() {
		if cookie.MaxAge >= 0 {
			if was := c.held[cookie.Name]; shareOf(cookie.Name) != "trips" && (was == nil || len(was.Value) <= len(cookie.Value)) {
				c.held[cookie.Name] = cookie
			}
		}
	}
	return answer, nil
}

func shareOf(name string) string {
	switch {
	case strings.Contains(name, "_up_") || strings.Contains(name, "_for_"):
		return "trips"
	case strings.HasSuffix(name, "_token"):
		return "tokens"
	}
	return "person"
}

// crowd restores all cookies except that of the session: a browser has one session, or has
// signed out.
func (c *crowded) crowd() {
	now := c.Client.Jar.Cookies(root)
	has := func(share string) bool {
		return slices.ContainsFunc(now, func(k *http.Cookie) bool { return shareOf(k.Name) == share })
	}
	var back []*http.Cookie
	for name, cookie := range c.held {
		switch share := shareOf(name); {
		case name == "__Host-signet", share == "trips" && has("trips"), share == "tokens" && has("tokens"):
		case slices.ContainsFunc(now, func(k *http.Cookie) bool { return k.Name == name }):
		default:
			back = append(back, cookie)
		}
	}
	c.Client.Jar.SetCookies(root, back)
}

func (c *crowded) signOut() {
	c.Client.Jar.SetCookies(root, []*http.Cookie{{Name: "__Host-signet", Path: "/", Secure: true, MaxAge: -1}})
}

// another makes the upstream assert an unknown person with a subject of the longest length.
func (c *crowded) another() {
	c.subjects++
	c.upstream.SetFaults(federationtest.Faults{
		Discovery: map[string]any{"issuer": issuerElsewhere(c.upstream)}, Callback: map[string]string{"iss": issuerElsewhere(c.upstream)},
		Claims: map[string]any{
			"iss": issuerElsewhere(c.upstream), "sub": noise(200 + c.subjects)[:200] + noise(55), "email": c.Email, "email_verified": true,
			"preferred_username": noise(64), "auth_time": nil,
		},
	})
}

func issuerElsewhere(l *federationtest.Lying) string {
	return l.URL + "/" + strings.Repeat("tenant", 40) + "/v2.0"
}

// arrive opens the callback of the upstream.
func (c *crowded) arrive() {
	c.T.Helper()
	if c.Left == nil {
		c.T.Fatalf("at %.200s: %q", c.At, c.Text())
	}
	back, err := federationtest.ChooseAccount(http.DefaultClient, c.Left.String(), "victim")
	if err != nil {
		c.T.Fatal(err)
	}
	c.crowd()
	c.Left = nil
	c.Open(issuer + "/login/" + elsewhere + "/callback?" + back.Encode())
}

func (c *crowded) givePassword() {
	c.T.Helper()
	c.crowd()
	c.Send("login", "", map[string]string{"username": c.Email, "password": password})
}

// press starts a sign-in at the upstream by its button, three times.
func (c *crowded) press(state string) {
	c.T.Helper()
	for range 3 {
		c.Left = nil
		c.Open(c.authorize(state))
		c.Click("connector-" + elsewhere)
	}
	maps.DeleteFunc(c.held, func(name string, _ *http.Cookie) bool { return shareOf(name) == "trips" })
	for _, cookie := range c.Client.Jar.Cookies(root) {
		if shareOf(cookie.Name) == "trips" {
			cookie.Path, cookie.Secure = "/", true
			c.held[cookie.Name] = cookie
		}
	}
}

// connect proves the account with its password and connects the pending identity.
func (c *crowded) connect() {
	c.T.Helper()
	if c.At.Path != "/login/link" {
		c.T.Fatalf("at %.200s: %q", c.At, c.Text())
	}
	c.givePassword()
	c.crowd()
	c.Click("connect")
}

func (c *crowded) back() { c.T.Helper(); c.site.redeem(c.FormBrowser, c.state); c.Left = nil }

// startCrowded starts the site with names of the longest length.
func startCrowded(t *testing.T, proxy string) *crowded {
	t.Helper()
	l, err := federationtest.StartLying(federationtest.Setup{RedirectURIs: []string{issuer + "/login/" + elsewhere + "/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	domain := strings.ToLower(strings.NewReplacer("-", "x", "_", "y").Replace(noise(63) + "." + noise(62) + "." + noise(50)))
	email := strings.ToLower(strings.ReplaceAll(noise(64), "-", "x")) + "@" + domain + ".example.com"
	c := &crowded{upstream: l, held: map[string]*http.Cookie{}, largest: map[string]int{}}
	c.site = startSiteWith(t, proxy, email, fmt.Sprintf(`
  - id: %s
    type: oidc
    issuer: %s
    trust: verifies
    client_id: %s
    client_secret: %s
`, elsewhere, issuerElsewhere(l), l.ClientID, l.ClientSecret), app+"/"+noise(1500))
	c.FormBrowser = signettest.NewFormBrowser(t)
	c.another()
	c.state = noise(2600)
	plain := &http.Client{Transport: c.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	most := sort.Search(2600, func(n int) bool {
		answer, err := plain.Get(c.authorize(c.state[:n+1]))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode != http.StatusSeeOther
	})
	c.state = c.state[:most-60] // prompt and hints need space too
	c.Client.Transport = c
	return c
}

// TestProxies_LargestOfAllCookiesAtOncePass goes through every flow in a browser that holds the
// largest value of every cookie, and measures the cookies and the headers of each answer.
func TestProxies_LargestOfAllCookiesAtOncePass(t *testing.T) {
	eachProxy(t, passAllCookies)
}

func passAllCookies(t *testing.T, proxy string) {
	c := startCrowded(t, proxy)
	// First the browser collects each cookie.
	c.press(c.state)
	c.arrive()
	c.connect()
	c.back()
	c.goesToTheShop(c.FormBrowser)
	flows := map[string]func(){
		"password": func() {
			c.signOut()
			c.Open(c.authorize(c.state))
			c.givePassword()
			c.back()
			c.Open(c.authorize(c.state, "prompt", "login"))
			c.givePassword()
			c.back()
		},
		"upstream": func() {
			c.signOut()
			c.press(c.state)
			c.arrive()
			c.back()
		},
		"an identity that waits": func() {
			c.signOut()
			c.another()
			c.press(c.state)
			c.arrive()
			c.connect()
			c.back()
		},
		"consent": func() {
			c.Open(c.authorize(c.state, "prompt", "consent"))
			c.crowd()
			c.Send("consent", "allow", nil)
			c.back()
		},
		"select": func() {
			c.Open(c.authorize(c.state, "prompt", "select_account"))
			c.crowd()
			c.Click("continue")
			c.back()
		},
		"account": func() {
			c.signOut()
			c.press(c.state)
			c.arrive() // no new proof
			c.back()
			c.another()
			c.Open(issuer + "/account/identities")
			c.Click("link-" + elsewhere)
			c.givePassword()
			c.crowd()
			c.Click("confirm")
			c.arrive()
			if c.At.Path != "/account/identities" || c.At.Query().Get("done") != "linked" {
				t.Fatalf("at %s: %q", c.At, c.Text())
			}
			c.crowd()
			c.Open(issuer + "/account/identities/unlink?identity=" + lastIdentity(c.FormBrowser))
			c.crowd()
			c.Click("confirm")
			for _, page := range []string{"", "/profile", "/password", "/sessions", "/apps"} {
				c.crowd()
				c.Open(issuer + "/account" + page)
			}
		},
		"the app": func() {
			c.goesToTheShop(c.FormBrowser)
			c.crowd()
			c.call(c.FormBrowser, http.MethodGet, "/session", "")
			c.crowd()
			c.call(c.FormBrowser, http.MethodPost, "/logout", "")
			c.signOut()
			c.Open(issuer + "/account")
			c.givePassword()
		},
		"end_session": func() {
			bye := url.Values{"post_logout_redirect_uri": {app + "/" + noise(1500)}, "client_id": {c.web.ID}, "state": {noise(700)}}
			c.Open(issuer + "/end_session?" + bye.Encode())
			c.crowd()
			c.Click("allow")
			if c.Left == nil || c.Left.Query().Get("state") != noise(700) {
				t.Errorf("signed out at %.200s, left to %.200v", c.At, c.Left)
			}
			c.Left = nil
			c.Open(issuer + "/account")
			c.givePassword()
		},
	}
	for _, name := range slices.Sorted(maps.Keys(flows)) {
		c.crowd()
		flows[name]()
		if t.Failed() {
			t.Fatalf("in the flow %s", name)
		}
	}
	t.Logf("the largest: %v, state %d", c.largest, len(c.state))
	for share, least := range map[string]int{"all": 5700, "trips": 2200, "person": 900, "headers": 3700} {
		if c.largest[share] < least {
			t.Errorf("%s: %d at most, want the test to reach %d", share, c.largest[share], least)
		}
	}
}

// lastIdentity returns the key of the last identity on the page.
func lastIdentity(b *signettest.FormBrowser) (key string) {
	for node := range b.Page.Descendants() {
		if node.Data == "button" && signettest.Attribute(node, "name") == "identity" {
			key = signettest.Attribute(node, "value")
		}
	}
	return key
}
