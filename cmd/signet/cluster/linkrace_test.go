package cluster_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
)

// withMails returns the settings of a process that sends mails through the server, on this port.
func withMails(t *testing.T, s *mailtest.Server, port int) []string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"SIGNET_SMTP_HOST=" + s.Host, fmt.Sprint("SIGNET_SMTP_PORT=", port), "SIGNET_MAIL_FROM=no-reply@example.com", "SIGNET_OUTBOUND_EXTRA_CA=" + ca}
}

// signUpSettings are the settings of a process at which everybody can sign up.
func signUpSettings(t *testing.T, in *inbox) []string {
	t.Helper()
	return append(withMails(t, in.Server, in.Port), "SIGNET_SIGNUP=open", "SIGNET_TRUSTED_PROXIES=127.0.0.1")
}

// newNetwork makes the requests of a browser come from a network of its own, so that the limits
// of mails do not count them together.
type newNetwork int

func (n newNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.18.%d.%d", n/250, n%250+1))
	return http.DefaultTransport.RoundTrip(r)
}

// inbox collects the mails of a server for several tests at once.
type inbox struct {
	*mailtest.Server
	mu    sync.Mutex
	mails []mailtest.Mail
}

// link waits for the mail with this subject to the address, and returns its link.
func (in *inbox) link(t *testing.T, email, subject string) string {
	t.Helper()
	var link string
	signettest.Eventually(t, 30*time.Second, "the mail "+subject+" arrives", func() bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.mails = append(in.mails, in.Received()...)
		for _, m := range in.mails {
			if m.To[0] == email && m.Subject() == subject {
				link, _ = providertest.LinkIn(t, m)
			}
		}
		return link != ""
	})
	return link
}

// busy is the answer of a node that cannot hash or write in time. It changes nothing.
const busy = "503 Service Unavailable"

// forget deletes the mails to an address.
func (in *inbox) forget(email string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.mails = slices.DeleteFunc(in.mails, func(m mailtest.Mail) bool { return m.To[0] == email })
}

// TestProcesses_TwoProofsAtOnce uses two links at once, ten times each at two processes. The owner
// asked for the first, which sets a new password. An attacker set up the account and asked for the
// second. The attacker is evicted once, and the owner's new password stays.
func TestProcesses_TwoProofsAtOnce(t *testing.T) {
	in := &inbox{Server: mailtest.Start(t)}
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		backend := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
		for round := range signettest.Soaking(1, 50) {
			email := fmt.Sprintf("victim%d-%s@example.com", round, backend)
			const old, chosen = "the password of mallory", "the password of the owner"
			c.Command(t, old, nil, "user", "create", "--email", email, "--password-stdin", "--json")
			b := signettest.NewFormBrowser(t)
			b.Client.Transport = newNetwork(round)
			b.Open(c.Issuer + "/account/email")
			b.Send("login", "", map[string]string{"username": email, "password": old})
			b.Click("send-link")
			b.Open(c.Issuer + "/reset")
			b.Send("reset", "", map[string]string{"email": email})
			verify := linkForm(t, c, in.link(t, email, "Verify your email address"), url.Values{"act": {"evict"}})
			reset := linkForm(t, c, in.link(t, email, "Choose a new password"), url.Values{"new-password": {chosen}})

			answers := make([]map[string]int, 2)
			var both sync.WaitGroup
			for i, form := range []func(string) *http.Request{verify, reset} {
				both.Go(func() { answers[i] = sendToAll(t, at, 10, form) })
			}
			both.Wait()
			for _, got := range answers {
				if got[""] > 1 || got[""]+got["link_used"]+got["link_ended"]+got[busy] != 10 {
					t.Errorf("ten times the same link: got these answers (\"\" is success): %v", got)
				}
			}
			if answers[0][""]+answers[1][""] == 0 {
				t.Error("no link worked")
			}
			var evictions struct{ Events []struct{ ID string } }
			c.Command(t, "", &evictions, "events", "--type", "user.evicted", "--user", email, "--json")
			if len(evictions.Events) != 1 {
				t.Errorf("%d evictions", len(evictions.Events))
			}
			if got := signsIn(t, c, email, chosen); got != (answers[1][""] == 1) {
				t.Errorf("the password of the owner signs in: %v, and the link for it worked %d times", got, answers[1][""])
			}
			if signsIn(t, c, email, old) {
				t.Error("the password of mallory signs in")
			}
			b.Open(c.Issuer + "/account")
			if b.At.Path != "/login" {
				t.Errorf("mallory is still signed in: at %s", b.At)
			}
		}
	}, signUpSettings(t, in)...)
}

// TestProcesses_OneAccountForAnAddress creates the account of one address in several ways at once:
// by an invitation and by the link of a sign-up at two processes, and by a command. One of them
// wins, and the account has the roles of the winner.
func TestProcesses_OneAccountForAnAddress(t *testing.T) {
	in := &inbox{Server: mailtest.Start(t)}
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		backend := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
		for round := range signettest.Soaking(1, 100) {
			email := fmt.Sprintf("new%d-%s@example.com", round, backend)
			fields := func() url.Values { return url.Values{"name": {"Zoe"}, "new-password": {"a chosen password"}} }
			var made struct{ Link string }
			c.Command(t, "", &made, "user", "invite", email, "--role", "invited", "--no-mail", "--json")
			forms := []func(string) *http.Request{
				linkForm(t, c, made.Link, fields()), linkForm(t, c, askToSignUp(t, c, in, round, email), fields()),
			}
			answers := make([]map[string]int, len(forms))
			var created int
			var all sync.WaitGroup
			for i, form := range forms {
				all.Go(func() { answers[i] = sendToAll(t, at, 4, form) })
			}
			all.Go(func() {
				create := []string{"user", "create", "--email", email, "--role", "created", "--json"}
				created = program.Run(t.Context(), signettest.Surroundings(c.Instance.Env, "", io.Discard, io.Discard), create)
			})
			all.Wait()
			var winners [][]string // their roles
			for i, roles := range [][]string{{"invited"}, nil} {
				got := answers[i]
				if got[""]+got["link_used"]+got["link_address_taken"]+got["link_ended"]+got[busy] != 4 {
					t.Errorf("the link of %q: got these answers (\"\" is success): %v", roles, got)
				}
				for range got[""] {
					winners = append(winners, roles)
				}
			}
			if created == exit.OK {
				winners = append(winners, []string{"created"})
			} else if created != exit.Conflict {
				t.Errorf("the command: exit code %d", created)
			}
			var user struct{ Roles []string }
			c.Command(t, "", &user, "user", "show", email, "--json")
			if len(winners) != 1 || !slices.Equal(user.Roles, winners[0]) {
				t.Errorf("the account has the roles %q; successes for the roles %q", user.Roles, winners)
			}
		}
	}, signUpSettings(t, in)...)
}

// changed is the answer to a confirmed change: a page that sets the new cookie of the session.
const changed = "200 OK"

// mover is a browser that is signed in as a user and changes the address of the account.
type mover struct {
	*signettest.FormBrowser
	c  *signettest.Cluster
	in *inbox
}

// signInMover creates a user with this address and signs a browser in.
func signInMover(t *testing.T, c *signettest.Cluster, in *inbox, network int, email string) mover {
	t.Helper()
	const password = "the password of the mover"
	c.Command(t, password, nil, "user", "create", "--email", email, "--email-verified", "--password-stdin", "--json")
	m := mover{signettest.NewFormBrowser(t), c, in}
	m.Client.Transport = newNetwork(network)
	m.Open(c.Issuer + "/account/email/change")
	m.Send("login", "", map[string]string{"username": email, "password": password})
	return m
}

// ask asks for a change to this address, and returns requests that confirm it by the mailed link.
func (m mover) ask(t *testing.T, to string) func(string) *http.Request {
	t.Helper()
	m.Open(m.c.Issuer + "/account/email/change")
	m.Send("change-email", "send-link", map[string]string{"email": to})
	link := m.in.link(t, to, "Confirm your new email address")
	form := linkForm(t, m.c, link, url.Values{"act": {"verify"}})
	issuer, err := url.Parse(m.c.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	cookies := m.Client.Jar.Cookies(issuer)
	return func(address string) *http.Request {
		request := form(address)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		return request
	}
}

// TestProcesses_UndoAgainstAFurtherChange undoes an attacker's change of an address at two
// processes, while the attacker confirms another change. In both orders, the owner has the address
// in the end, and the attacker has no session.
func TestProcesses_UndoAgainstAFurtherChange(t *testing.T) {
	in := &inbox{Server: mailtest.Start(t)}
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		backend := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
		for round := range signettest.Soaking(1, 50) {
			name := func(who string) string { return fmt.Sprintf("%s%d-%s@example.com", who, round, backend) }
			attacker := signInMover(t, c, in, round, name("owner"))
			attacker.ask(t, name("evil"))
			attacker.Open(in.link(t, name("evil"), "Confirm your new email address"))
			attacker.Send("verify-email", "verify", nil)
			undo := linkForm(t, c, in.link(t, name("owner"), "The address of your account was changed"), url.Values{})
			further := attacker.ask(t, name("further"))

			answers := make([]map[string]int, 2)
			var both sync.WaitGroup
			for i, form := range []func(string) *http.Request{undo, further} {
				both.Go(func() { answers[i] = sendToAll(t, at, 10, form) })
			}
			both.Wait()
			if answers[0][""] != 1 || answers[1][changed] > 1 {
				t.Errorf("the undo: %v, the further change: %v", answers[0], answers[1])
			}
			var user struct {
				EmailVerified bool `json:"email_verified"`
			}
			if c.Command(t, "", &user, "user", "show", name("owner"), "--json"); !user.EmailVerified {
				t.Errorf("the owner's address: %+v", user)
			}
			c.CommandFails(t, exit.NotFound, "user", "show", name("further"))
			if attacker.Open(c.Issuer + "/account"); attacker.At.Path != "/login" {
				t.Errorf("the attacker is still signed in: at %s", attacker.At)
			}
		}
	}, signUpSettings(t, in)...)
}

// TestProcesses_TwoUsersChangeToOneAddress confirms the changes of two users to one address at two
// processes. One of them gets it.
func TestProcesses_TwoUsersChangeToOneAddress(t *testing.T) {
	in := &inbox{Server: mailtest.Start(t)}
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		backend := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
		for round := range signettest.Soaking(1, 50) {
			name := func(who string) string { return fmt.Sprintf("%s%d-%s@example.com", who, round, backend) }
			var forms []func(string) *http.Request
			for i, who := range []string{"one", "two"} {
				m := signInMover(t, c, in, 2*round+i, name(who))
				forms = append(forms, m.ask(t, name("new")))
				in.forget(name("new"))
			}
			answers := make([]map[string]int, 2)
			var both sync.WaitGroup
			for i, form := range forms {
				both.Go(func() { answers[i] = sendToAll(t, at, 5, form) })
			}
			both.Wait()
			if answers[0][changed]+answers[1][changed] != 1 {
				t.Errorf("two users change to one address: %v", answers)
			}
			for i, who := range []string{"one", "two"} { // the loser has the former address
				if want := map[bool]int{true: exit.NotFound, false: exit.OK}[answers[i][changed] == 1]; want != exit.OK {
					c.CommandFails(t, want, "user", "show", name(who))
				} else {
					c.Command(t, "", nil, "user", "show", name(who), "--json")
				}
			}
			c.Command(t, "", nil, "user", "show", name("new"), "--json")
		}
	}, signUpSettings(t, in)...)
}
