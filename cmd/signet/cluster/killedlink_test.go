package cluster_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/signettest"
	"signet/provider/mail/mailtest"
	"signet/provider/passkey/passkeytest"
	"signet/storage/storagetest"
)

// linkAct is an act of a one-time link. Each call of make prepares another one. The mails of the
// cluster arrive in the inbox.
type linkAct struct {
	name string
	make func(t *testing.T, c *signettest.Cluster, in *inbox, round int) preparedLink
}

// preparedLink is a link and the accounts before and after its act. before fails if a part of the
// act is done, after if a part of it is missing.
type preparedLink struct {
	link          string
	fields        url.Values
	before, after func(t *testing.T)
	browser       *signettest.FormBrowser // in which the link works; nil: in each
}

// form returns requests that send the form of the link.
func (p preparedLink) form(t *testing.T, c *signettest.Cluster) func(string) *http.Request {
	t.Helper()
	form := linkForm(t, c, p.link, p.fields)
	if p.browser == nil {
		return form
	}
	cookies := p.browser.Client.Jar.Cookies(p.browser.At)
	return func(address string) *http.Request {
		request := form(address)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		return request
	}
}

var linkActs = []linkAct{
	{"password", func(t *testing.T, c *signettest.Cluster, _ *inbox, round int) preparedLink {
		email, old, chosen := fmt.Sprintf("p%d@example.com", round), "an old password", fmt.Sprint("a chosen password ", round)
		c.Command(t, old, nil, "user", "create", "--email", email, "--email-verified", "--password-stdin", "--json")
		var made struct{ Link string }
		c.Command(t, "", &made, "user", "link", email, "--for", "password", "--json")
		return preparedLink{
			link: made.Link, fields: url.Values{"new-password": {chosen}},
			before: func(t *testing.T) { wantSignIn(t, c, email, old) }, after: func(t *testing.T) { wantSignIn(t, c, email, chosen) },
		}
	}},
	{"invitation", func(t *testing.T, c *signettest.Cluster, _ *inbox, round int) preparedLink {
		email, chosen := fmt.Sprintf("i%d@example.com", round), "a chosen password"
		var made struct{ Link string }
		c.Command(t, "", &made, "user", "invite", email, "--role", "dev", "--no-mail", "--json")
		return preparedLink{
			link: made.Link, fields: url.Values{"name": {"Zoe"}, "new-password": {chosen}},
			before: func(t *testing.T) { c.CommandFails(t, exit.NotFound, "user", "show", email) },
			after:  func(t *testing.T) { wantNewAccount(t, c, email, chosen, "dev") },
		}
	}},
	{"sign-up", func(t *testing.T, c *signettest.Cluster, in *inbox, round int) preparedLink {
		email, chosen := fmt.Sprintf("s%d@example.com", round), "a chosen password"
		return preparedLink{
			link: askToSignUp(t, c, in, round, email), fields: url.Values{"name": {"Zoe"}, "new-password": {chosen}},
			before: func(t *testing.T) { c.CommandFails(t, exit.NotFound, "user", "show", email) },
			after:  func(t *testing.T) { wantNewAccount(t, c, email, chosen) },
		}
	}},
	{"passkey", func(t *testing.T, c *signettest.Cluster, _ *inbox, round int) preparedLink {
		email := fmt.Sprintf("k%d@example.com", round)
		c.Command(t, c.Password, nil, "user", "create", "--email", email, "--email-verified", "--password-stdin", "--json")
		address, fields := passkeyLink(t, c, email)
		return preparedLink{
			link: address, fields: fields,
			before: func(t *testing.T) { wantPasskeys(t, c, email, 0) }, after: func(t *testing.T) { wantPasskeys(t, c, email, 1) },
		}
	}},
	{"first factor", func(t *testing.T, c *signettest.Cluster, in *inbox, round int) preparedLink {
		address, b := askToEnrol(t, c, in, round, fmt.Sprintf("f%d@example.com", round))
		wantShown := func(t *testing.T, id string) {
			if b.Open(c.Issuer + "/account/security/totp"); signettest.FindByID(b.Page, id) == nil {
				t.Errorf("nothing with the id %q at %s: %s", id, b.At, b.Text())
			}
		}
		return preparedLink{
			link: address, fields: url.Values{"act": {"confirm"}}, browser: b,
			before: func(t *testing.T) { wantShown(t, "send-link") }, after: func(t *testing.T) { wantShown(t, "secret") },
		}
	}},
	{"undo", func(t *testing.T, c *signettest.Cluster, in *inbox, round int) preparedLink {
		owner, evil := fmt.Sprintf("owner%d@example.com", round), fmt.Sprintf("evil%d@example.com", round)
		attacker := signInMover(t, c, in, round, owner)
		attacker.ask(t, evil)
		attacker.Open(in.link(t, evil, "Confirm your new email address"))
		attacker.Send("verify-email", "verify", nil)
		wantOnly := func(t *testing.T, is, isNot string) {
			c.Command(t, "", nil, "user", "show", is, "--json")
			c.CommandFails(t, exit.NotFound, "user", "show", isNot)
		}
		return preparedLink{
			link: in.link(t, owner, "The address of your account was changed"), fields: url.Values{},
			before: func(t *testing.T) { wantOnly(t, evil, owner) },
			after: func(t *testing.T) {
				wantOnly(t, owner, evil)
				if attacker.Open(c.Issuer + "/account"); attacker.At.Path != "/login" {
					t.Errorf("the attacker is still signed in: at %s", attacker.At)
				}
			},
		}
	}},
}

// TestKilled_LinkIsSpentWithItsAct kills the process at any moment while it acts on a link.
// Afterwards either the link is spent and its act is done as a whole, or nothing is done and the
// link still works. Another process on the same database answers that.
func TestKilled_LinkIsSpentWithItsAct(t *testing.T) {
	for name, database := range map[string]func() string{
		"sqlite": func() string { return "" }, "postgres": func() string { return storagetest.Postgres(t).Config().Database },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, in := signettest.NewCluster(t, database()), &inbox{Server: mailtest.Start(t)}
			c.Env = append(c.Env, signUpSettings(t, in)...)
			startWithPasskeys(t, c)
			for _, act := range linkActs {
				spent, valid := 0, 0
				p := act.make(t, c, in, 0)
				begun := time.Now()
				if status := sendLink(t, p.form(t, c)(c.Issuer)); status != http.StatusSeeOther && status != http.StatusOK {
					t.Fatalf("%s: status %d", act.name, status)
				}
				long := time.Since(begun)
				p.after(t)
				for round := range signettest.Soaking(1, 60) {
					p := act.make(t, c, in, round+1)
					victim := c.Start(t, false)
					request := p.form(t, c)(victim.Address)
					answered := make(chan struct{})
					go func() {
						defer close(answered)
						if response, err := http.DefaultTransport.RoundTrip(request); err == nil {
							response.Body.Close()
						}
					}()
					<-time.After(time.Duration(rand.Int64N(int64(3 * long))))
					victim.Kill()
					<-answered
					switch status := readLink(t, p.link); status {
					case http.StatusGone: // used, or its address has an account
						spent++
					case http.StatusOK:
						valid++
						p.before(t)
						if status := sendLink(t, p.form(t, c)(c.Issuer)); status != http.StatusSeeOther && status != http.StatusOK {
							t.Fatalf("%s: status %d for a link that is not spent", act.name, status)
						}
					default:
						t.Fatalf("%s: status %d", act.name, status)
					}
					p.after(t)
				}
				t.Logf("%s: killed after the commit %d times, before it %d times", act.name, spent, valid)
			}
		})
	}
}

// startWithPasskeys starts the first process with an issuer that can have passkeys: an IP address has
// none.
func startWithPasskeys(t *testing.T, c *signettest.Cluster) *signettest.Process {
	t.Helper()
	issuer := strings.Replace(c.Issuer, "127.0.0.1", "localhost", 1)
	c.Env, c.Instance.Env = append(c.Env, "SIGNET_ISSUER="+issuer), append(c.Instance.Env, "SIGNET_ISSUER="+issuer)
	p := c.Start(t, true)
	c.Issuer = issuer
	return p
}

// passkeyLink makes a link with which the user adds a passkey, and the fields of its form.
func passkeyLink(t *testing.T, c *signettest.Cluster, email string) (address string, fields url.Values) {
	t.Helper()
	var made struct{ Link string }
	c.Command(t, "", &made, "user", "link", email, "--for", "passkey", "--json")
	b := signettest.NewFormBrowser(t)
	b.Open(made.Link)
	form := signettest.FindByID(b.Page, "add-passkey")
	if form == nil {
		t.Fatalf("no form for a passkey on %s: %s", b.At, b.Text())
	}
	user, err := base64.RawURLEncoding.DecodeString(signettest.Attribute(form, "data-user"))
	if err != nil {
		t.Fatal(err)
	}
	fields = url.Values{"credential": {passkeytest.New(t, c.Issuer).Create(t, signettest.Attribute(form, "data-challenge"), string(user))}}
	for input := range form.Descendants() {
		if signettest.Attribute(input, "name") == "challenge" {
			fields.Set("challenge", signettest.Attribute(input, "value"))
		}
	}
	return made.Link, fields
}

// wantPasskeys fails unless the user has so many passkeys.
func wantPasskeys(t *testing.T, c *signettest.Cluster, email string, want int) {
	t.Helper()
	var user struct {
		Factors []struct{ Kind string }
	}
	c.Command(t, "", &user, "user", "factors", email, "--json")
	got := 0
	for _, f := range user.Factors {
		if f.Kind == "webauthn" || f.Kind == "passkey" {
			got++
		}
	}
	if got != want {
		t.Errorf("%s has %d passkeys, want %d: %+v", email, got, want, user.Factors)
	}
}

// askToSignUp asks for a link that creates an account, in a browser and network of its own.
func askToSignUp(t *testing.T, c *signettest.Cluster, in *inbox, round int, email string) string {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Client.Transport = newNetwork(round)
	b.Open(c.Issuer + "/signup")
	b.Send("signup", "", map[string]string{"email": email})
	return in.link(t, email, "Confirm your email address")
}

// askToEnrol creates a user and asks for the link that comes before the first factor, in a browser and
// network of its own.
func askToEnrol(t *testing.T, c *signettest.Cluster, in *inbox, round int, email string) (string, *signettest.FormBrowser) {
	t.Helper()
	c.Command(t, c.Password, nil, "user", "create", "--email", email, "--email-verified", "--password-stdin", "--json")
	b := signettest.NewFormBrowser(t)
	b.Client.Transport = newNetwork(round)
	b.Open(c.Issuer + "/account/security/totp")
	b.Send("login", "", map[string]string{"username": email, "password": c.Password})
	b.Click("send-link")
	return in.link(t, email, "Add a passkey or a second factor"), b
}

// wantNewAccount fails unless a link has created a whole account.
func wantNewAccount(t *testing.T, c *signettest.Cluster, email, password string, roles ...string) {
	t.Helper()
	wantSignIn(t, c, email, password)
	var user struct {
		Name  string
		Roles []string
	}
	if c.Command(t, "", &user, "user", "show", email, "--json"); user.Name != "Zoe" || !slices.Equal(user.Roles, roles) {
		t.Errorf("half an account: %+v, want the roles %q", user, roles)
	}
}

// sendLink sends the form of a link and returns the status of the answer.
func sendLink(t *testing.T, request *http.Request) int {
	t.Helper()
	response, err := http.DefaultTransport.RoundTrip(request) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// readLink opens the page of a link and returns its status.
func readLink(t *testing.T, link string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sendLink(t, request)
}

// wantSignIn fails unless the password signs in.
func wantSignIn(t *testing.T, c *signettest.Cluster, email, password string) {
	t.Helper()
	if !signsIn(t, c, email, password) {
		t.Errorf("%s cannot sign in with %q", email, password)
	}
}

// signsIn reports whether the password signs in.
func signsIn(t *testing.T, c *signettest.Cluster, email, password string) bool {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Open(c.Issuer + "/account")
	b.Send("login", "", map[string]string{"username": email, "password": password})
	return b.At.Path == "/account"
}
