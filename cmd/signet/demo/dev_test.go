package demo_test

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/cmd/signet/demo"
	"signet/cmd/signet/signettest"
)

// TestDev_SignsInAtTheDemo goes the whole way in a browser without JavaScript: from the demo
// to decoded tokens, and out again.
func TestDev_SignsInAtTheDemo(t *testing.T) {
	d := signettest.StartDev(t)
	b := signettest.NewFormBrowser(t)
	b.Open(d.Issuer + demo.Path)
	if got := visible(b.Page); !strings.Contains(got, demo.UserEmail) || strings.Contains(got, d.Password) {
		t.Errorf("before the sign-in the demo says: %s", got)
	}
	b.Open(d.Issuer + demo.Path + "/login")
	b.Send("login", "", map[string]string{"username": demo.UserEmail, "password": d.Password})
	b.Send("consent", "allow", nil)
	if b.At.Path != demo.Path || b.At.RawQuery != "" {
		t.Errorf("the sign-in ended at %s: the code must not stay in the address", b.At)
	}
	shown := visible(b.Page)
	for _, want := range []string{
		`"iss": "` + d.Issuer + `"`, `"aud": [ "demo" ]`, `"typ": "at+jwt"`, `"alg": "RS256"`, `"email": "` + demo.UserEmail + `"`,
		"verified by go-oidc; at_hash matches the access token",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the demo does not show %s:\n%s", want, shown)
		}
	}

	// Sign out at the demo. The provider then asks for the password again.
	out, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.Issuer+demo.Path+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	out.Header.Set("Origin", d.Issuer)
	b.Do(out)
	if got := visible(b.Page); strings.Contains(got, `"iss"`) {
		t.Errorf("after the sign-out the demo shows: %s", got)
	}
	b.Open(d.Issuer + demo.Path + "/login")
	if signettest.FindByID(b.Page, "password") == nil {
		t.Errorf("after the sign-out a sign-in asks for no password, but shows %s: %s", b.At, visible(b.Page))
	}
}

// The demo catches the mails, shows them with their links, and sends none.
func TestDev_ShowsItsMails(t *testing.T) {
	d := signettest.StartDev(t)
	signIn := func() {
		b := signettest.NewFormBrowser(t)
		b.Open(d.Issuer + demo.Path + "/login")
		b.Send("login", "", map[string]string{"username": demo.UserEmail, "password": d.Password})
	}
	b := signettest.NewFormBrowser(t)
	b.Open(d.Issuer + demo.MailPath)
	if got := visible(b.Page); !strings.Contains(got, "There are no mails yet.") {
		t.Errorf("before any mail: %s", got)
	}
	signIn()
	signIn() // from a new browser
	signettest.Eventually(t, 30*time.Second, "the mail is shown", func() bool {
		b.Open(d.Issuer + demo.MailPath)
		return strings.Contains(visible(b.Page), "New sign-in to your account")
	})
	shown := visible(b.Page)
	for _, want := range []string{"To " + demo.UserEmail, "Network address: 127.0.0.1", "Open the link of this mail"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not on the page: %s", want, shown)
		}
	}
}

// visible returns the text of a page, with single spaces as white space.
func visible(page *html.Node) string {
	var text strings.Builder
	for n := range page.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

// TestDemo_RefusesAnswersThatAreNotItsOwn sends a wrong answer of each kind to the callback.
// None of them may sign in.
func TestDemo_RefusesAnswersThatAreNotItsOwn(t *testing.T) {
	d := signettest.StartDev(t)
	for name, wrong := range map[string]struct {
		change func(answer url.Values)
		says   string
	}{
		"another state":      {func(a url.Values) { a.Set("state", "another") }, "has not started that sign-in"},
		"no state":           {func(a url.Values) { a.Del("state") }, "has not started that sign-in"},
		"the state's end":    {func(a url.Values) { a.Set("state", "x"+a.Get("state")[1:]) }, "state differs"},
		"another issuer":     {func(a url.Values) { a.Set("iss", "https://evil.example") }, "iss differs"},
		"no issuer":          {func(a url.Values) { a.Del("iss") }, "iss differs"},
		"an error":           {func(a url.Values) { a.Set("error", "access_denied") }, "access_denied"},
		"nothing":            {func(a url.Values) { a.Del("code") }, "neither a code nor an error"},
		"a code made up":     {func(a url.Values) { a.Set("code", "made-up") }, "invalid_grant"},
		"markup as an error": {func(a url.Values) { a.Set("error", "<script>x</script>") }, "<script>x</script>"},
	} {
		t.Run(name, func(t *testing.T) {
			b := signettest.NewFormBrowser(t)
			answer := url.Values{"state": {beginSignIn(t, b, d)}, "iss": {d.Issuer}, "code": {"some-code"}}
			wrong.change(answer)
			b.Open(d.Issuer + demo.Path + "/callback?" + answer.Encode())
			if got := visible(b.Page); !strings.Contains(got, wrong.says) {
				t.Errorf("the demo says %s, want something about %q", got, wrong.says)
			}
			for n := range b.Page.Descendants() {
				if n.Data == "script" && n.FirstChild != nil {
					t.Errorf("a script of its own: %s", n.FirstChild.Data)
				}
			}
			b.Open(d.Issuer + demo.Path)
			if strings.Contains(visible(b.Page), `"iss"`) {
				t.Error("the demo is signed in")
			}
		})
	}
}

// beginSignIn starts a sign-in at the demo, without going to the provider, and returns its
// state.
func beginSignIn(t *testing.T, b *signettest.FormBrowser, d signettest.DemoInstance) string {
	t.Helper()
	follow := b.Client.CheckRedirect
	b.Client.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		b.Left = next.URL
		return http.ErrUseLastResponse
	}
	b.Open(d.Issuer + demo.Path + "/login")
	b.Client.CheckRedirect = follow
	if b.Left == nil || b.Left.Query().Get("state") == "" {
		t.Fatalf("the demo sends the browser to %v", b.Left)
	}
	return b.Left.Query().Get("state")
}

func TestDemo_AnAnswerNeedsTheBrowserThatAsked(t *testing.T) {
	d := signettest.StartDev(t)
	state := beginSignIn(t, signettest.NewFormBrowser(t), d)
	other := signettest.NewFormBrowser(t)
	other.Open(d.Issuer + demo.Path + "/callback?" + url.Values{"state": {state}, "iss": {d.Issuer}, "code": {"x"}}.Encode())
	if got := visible(other.Page); !strings.Contains(got, "has not started that sign-in") {
		t.Errorf("another browser's answer: %s", got)
	}

	// A cookie that is sent twice is refused.
	twice := signettest.NewFormBrowser(t)
	state = beginSignIn(t, twice, d)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.Issuer+demo.Path+"/callback?state="+state, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Cookie", "signet_demo_flow_"+state[len(state)-8:]+"=planted")
	twice.Do(request) // the jar adds the second cookie
	if got := visible(twice.Page); !strings.Contains(got, "has not started that sign-in") {
		t.Errorf("two cookies: %s", got)
	}
}

// TestDemo_SignsInInTwoTabsAtOnce starts sign-ins in several tabs and finishes them in
// another order. No tab disturbs another, and the number of cookies has a limit.
func TestDemo_SignsInInTwoTabsAtOnce(t *testing.T) {
	d := signettest.StartDev(t)
	b := signettest.NewFormBrowser(t)
	first, second := beginSignIn(t, b, d), beginSignIn(t, b, d)
	for _, state := range []string{second, first} {
		b.Open(d.Issuer + demo.Path + "/callback?" + url.Values{"state": {state}, "iss": {d.Issuer}, "code": {"made-up"}}.Encode())
		if got := visible(b.Page); !strings.Contains(got, "invalid_grant") {
			t.Errorf("the answer to one of two tabs does not reach the token endpoint: %s", got)
		}
	}
	for range 20 {
		beginSignIn(t, b, d)
	}
	at, err := url.Parse(d.Issuer + demo.Path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(b.Client.Jar.Cookies(at)); n > 9 {
		t.Errorf("the browser has %d cookies at the demo", n)
	}
}

func TestDemo_CookiesAreHttpOnlyAndStayAtTheDemo(t *testing.T) {
	d := signettest.StartDev(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(d.Issuer + demo.Path + "/login")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if len(response.Cookies()) != 1 {
		t.Fatalf("got cookies %v", response.Cookies())
	}
	c := response.Cookies()[0]
	if !strings.HasPrefix(c.Name, "signet_demo_flow_") || !c.HttpOnly || c.Path != demo.Path || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 {
		t.Errorf("got %s", response.Header.Get("Set-Cookie"))
	}
}

// TestDemo_NobodyElseSignsOut checks that a form of another site cannot end the demo's
// session.
func TestDemo_NobodyElseSignsOut(t *testing.T) {
	d := signettest.StartDev(t)
	for origin, want := range map[string]int{d.Issuer: http.StatusSeeOther, "https://evil.example": http.StatusForbidden} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.Issuer+demo.Path+"/logout", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", origin)
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("from %s: got %s, want %d", origin, response.Status, want)
		}
	}
}

// TestDemo_CredentialsAreRandom starts twice in empty folders: all passwords and secrets
// differ.
// CF-09: A release contains no fixed credentials or keys.
func TestDemo_CredentialsAreRandom(t *testing.T) {
	first, second := signettest.StartDev(t), signettest.StartDev(t)
	if first.Password == second.Password || len(first.Password) < 20 {
		t.Errorf("the passwords are %q and %q", first.Password, second.Password)
	}
}

// TestServe_HasNothingOfDev checks that a database created by serve has no demo user or
// client.
// CF-09: A release contains no fixed credentials or keys.
func TestServe_HasNothingOfDev(t *testing.T) {
	i := signettest.NewInstance(t)
	i.Serve(t)
	var clients struct {
		Clients []json.RawMessage `json:"clients"`
	}
	i.Command(t, "", &clients, "client", "list", "--json")
	if len(clients.Clients) != 0 {
		t.Errorf("there are clients: %s", clients.Clients)
	}
	var users struct {
		Users []struct{ Email string } `json:"users"`
	}
	i.Command(t, "", &users, "user", "list", "--json")
	if len(users.Users) != 1 || users.Users[0].Email != i.Email {
		t.Errorf("there are users: %+v", users.Users)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{demo.Path, demo.Path + "/login", demo.Path + "/callback", demo.Path + "/logout"} {
		response, err := (&http.Client{Jar: jar}).Get(i.Issuer + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %s", path, response.Status)
		}
	}
}
