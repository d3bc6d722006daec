package interaction_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// account is an account with a proven address at corp.example.
type account struct {
	storage.User
	b  *providertest.Testbed
	up *providertest.Upstreams
}

// newAccount makes an account; for pass "", it has no password.
func newAccount(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams, u storage.User, pass string) account {
	t.Helper()
	u.EmailVerified = true
	if pass != "" {
		return account{b.CreateUser(t, u, pass), b, up}
	}
	made, err := b.DB.CreateUser(context.Background(), u, "", storage.By{At: b.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return account{made, b, up}
}

// attach links an identity to the account, as an operator's import would.
func (a account) attach(t *testing.T, connector string) storage.Identity {
	t.Helper()
	i := storage.Identity{Connector: connector, UserID: a.ID}
	switch connector {
	case "google":
		i.Issuer, i.Subject = a.up.Google.URL, "110169484474386276334"
	case "github":
		i.Issuer, i.Subject = a.up.GitHub.URL, "583231"
	default: // a removed connector, or another identity at the liar
		i.Issuer, i.Subject = a.up.Liar.URL, "the first of "+a.ID
	}
	_, err := a.b.DB.SignInThrough(context.Background(), storage.ConnectorSignIn{
		Identity: i, AttemptID: storage.NewID("a"), Until: storage.At(a.b.Now().Add(time.Hour)),
		SignIn: storage.SignIn{HandleHash: storage.NewID("h"), IdleFor: time.Hour, AbsoluteFor: time.Hour},
	}, a.b.Now())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// waits signs in through the liar with a new identity that has the address of the account.
// It returns the page that asks for a proof of the account.
func (a account) waits(t *testing.T, v *providertest.Visitor, pairs ...string) (page providertest.Stop, subject string) {
	t.Helper()
	subject = storage.NewID("s")
	a.up.Liar.SetFaults(providertest.ChangeClaims("sub", subject, "email", a.Email, "preferred_username", "mallory"))
	page = v.Get(t, a.b.AuthorizeURL(pairs...))
	if strings.Contains(page.Body, `id="other"`) { // a user is signed in
		page = v.Get(t, page.Link(t, "other"))
	}
	return v.SignInThrough(t, page, "liar", "victim"), subject
}

// proves gives the proof that the page asks for: with the password, or through a connector.
func (a account) proves(t *testing.T, v *providertest.Visitor, page providertest.Stop, way string) providertest.Stop {
	t.Helper()
	switch way {
	case "password":
		return v.Submit(t, page.FormTo(t, "/login/link", "", ""), "password", providertest.Password)
	case "liar":
		a.up.Liar.SetFaults(providertest.ChangeClaims("sub", "the first of "+a.ID, "email", a.Email))
	}
	return v.SignInThrough(t, page, way, map[string]string{"google": "ada", "github": "octo", "liar": "victim"}[way])
}

// offered lists the ways that a page offers.
func offered(page providertest.Stop) []string {
	var ways []string
	if strings.Contains(page.Body, `id="password"`) {
		ways = append(ways, "password")
	}
	for _, part := range strings.Split(page.Body, `id="connector-`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		ways = append(ways, id)
	}
	slices.Sort(ways)
	return ways
}

// wantLinked fails unless the waiting identity is linked as wanted.
func (a account) wantLinked(t *testing.T, subject string, want bool) {
	t.Helper()
	if got := slices.Contains(a.b.IdentitiesOf(t, a.ID), "liar "+subject); got != want {
		t.Fatalf("the waiting identity is linked: %v, want %v", got, want)
	}
}

// For every set of ways to sign in that an account may have: the page offers exactly the ways
// that work, and each proves the account. Then a page asks before the waiting identity is
// connected. Without any way, the page says to ask the operator.
func TestAccountProof_EveryWayToSignIn(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		linkable := []string{"google", "liar", "removed"}
		for set := range 1 << (len(linkable) + 1) {
			pass, want := "", []string{}
			if set&(1<<len(linkable)) != 0 {
				pass, want = providertest.Password, append(want, "password")
			}
			a := newAccount(t, b, up, storage.User{Email: fmt.Sprintf("p%d@corp.example", set)}, pass)
			var attached []storage.Identity
			for i, connector := range linkable {
				if set&(1<<i) == 0 {
					continue
				}
				attached = append(attached, a.attach(t, connector))
				if connector != "removed" {
					want = append(want, connector)
				}
			}
			slices.Sort(want)
			a.walk(t, want, set)
			for _, i := range attached {
				if err := b.DB.UnlinkIdentity(context.Background(), storage.IdentityRemoval{Identity: i, AllowLast: true}, b.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// walk proves the account by every way, and connects the identity, except by the first way
// of every second set.
func (a account) walk(t *testing.T, want []string, set int) {
	t.Helper()
	v := a.b.Visitor(t)
	page, _ := a.waits(t, v)
	if got := offered(page); page.At.Path != "/login/link" || !slices.Equal(got, want) {
		t.Fatalf("set %d: at %s the page offers %q, want %q:\n%s", set, page.At, got, want, page.Body)
	}
	v.WantNoSession(t)
	if len(want) == 0 {
		page.WantText(t, `id="help"`, "Ask the operator")
		v.Get(t, page.Link(t, "back")).FormTo(t, "/login/liar", "", "")
		return
	}
	for i, way := range want {
		v := a.b.Visitor(t)
		page, subject := a.waits(t, v)
		page = a.proves(t, v, page, way)
		page.WantText(t, "Connect the <bdi>Elsewhere</bdi> account “<bdi>mallory</bdi>” to <bdi>"+a.Email+"</bdi>?")
		a.wantLinked(t, subject, false)
		decision := "connect"
		if i == 0 && set%2 == 0 {
			decision = "not-now"
		}
		if got := v.Subject(t, v.DecideLink(t, page, decision)); got != a.ID {
			t.Fatalf("set %d, by %s: signed in as %s", set, way, got)
		}
		a.wantLinked(t, subject, decision == "connect")
		// After either decision, the identity does not wait any more.
		if again := v.Submit(t, page.FormTo(t, "/login/link/confirm", "", ""), "decision", "connect"); again.StatusCode != http.StatusConflict {
			t.Errorf("set %d, by %s: the page again: status %d", set, way, again.StatusCode)
		}
		a.wantLinked(t, subject, decision == "connect")
	}
}

// A trip that was started to prove an account signs in to no other account and makes none.
// The identity still waits after that.
func TestAccountProof_OpensOnlyThatAccount(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		a := newAccount(t, b, up, storage.User{Email: "vic@corp.example"}, "")
		a.attach(t, "google")
		a.attach(t, "github")
		bob := newAccount(t, b, up, storage.User{Email: "bob@corp.example"}, "")
		if _, err := b.DB.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity: storage.Identity{Connector: "google", Issuer: up.Google.URL, Subject: graceSubject(t), UserID: bob.ID}, AttemptID: "bob", Until: storage.At(b.Now().Add(time.Hour)),
			SignIn: storage.SignIn{HandleHash: "bob", IdleFor: time.Hour, AbsoluteFor: time.Hour},
		}, b.Now()); err != nil {
			t.Fatal(err)
		}
		v := b.Visitor(t)
		page, subject := a.waits(t, v)
		made := b.UsersCreated(t)
		for what, wrong := range map[string][2]string{
			"identity of another user": {"google", "grace"}, "new identity": {"github", "hidden"}, "new identity with an address": {"github", "big"},
		} {
			s := v.SignInThrough(t, page, wrong[0], wrong[1])
			v.WantProblem(t, s, http.StatusForbidden, "other_account")
			if back := v.Get(t, s.Link(t, "start")); back.At.Path != "/login/link" || !slices.Equal(offered(back), []string{"github", "google"}) {
				t.Fatalf("%s: the way back leads to %s", what, back.At)
			}
		}
		// The same holds for a trip that is cancelled at the upstream.
		s := v.Get(t, v.ChooseAccount(t, v.PressConnector(t, page, "github"), ""))
		v.WantProblem(t, s, http.StatusForbidden, "upstream_denied")
		if back := v.Get(t, s.Link(t, "start")); back.At.Path != "/login/link" {
			t.Fatalf("cancelled: the way back leads to %s", back.At)
		}
		if n := b.UsersCreated(t); n != made {
			t.Errorf("%d accounts were made", n-made)
		}
		if got := v.Subject(t, v.DecideLink(t, a.proves(t, v, page, "google"), "connect")); got != a.ID {
			t.Errorf("signed in as %s", got)
		}
		a.wantLinked(t, subject, true)
	})
}

func graceSubject(t *testing.T) string {
	t.Helper()
	for _, known := range federationtest.GoogleAccounts() {
		if known.Key == "grace" {
			return known.Subject
		}
	}
	t.Fatal("the pretend Google knows no grace")
	return ""
}

// After a sign-in on the sign-in page, only the account with the address is asked whether to
// connect the waiting identity.
func TestAccountProof_OtherAccountsConnectNothing(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		a := newAccount(t, b, up, storage.User{Email: "vic@corp.example"}, providertest.Password)
		a.attach(t, "github")
		t.Run("another user", func(t *testing.T) {
			v := b.Visitor(t)
			page, subject := a.waits(t, v)
			back := v.SignIn(t, v.Get(t, page.Link(t, "back")), providertest.Alice, providertest.Password)
			if got := v.Subject(t, back); got != b.Alice.ID {
				t.Fatalf("signed in as %s", got)
			}
			a.wantLinked(t, subject, false)
			if s := v.Get(t, page.At.String()); s.StatusCode != http.StatusConflict {
				t.Errorf("the identity still waits: status %d at %s", s.StatusCode, s.At)
			}
		})
		t.Run("the account, by another way of the sign-in page", func(t *testing.T) {
			v := b.Visitor(t)
			page, subject := a.waits(t, v)
			asked := v.SignInThrough(t, v.Get(t, page.Link(t, "back")), "github", "octo")
			v.Subject(t, v.DecideLink(t, asked, "connect"))
			a.wantLinked(t, subject, true)
		})
		t.Run("an application signs in", func(t *testing.T) {
			v := b.Visitor(t)
			b.RegisterApp(t)
			page, subject := a.waits(t, v)
			body := `{"username":"` + a.Email + `","password":"` + providertest.Password + `"}`
			providertest.WantStatus(t, v.CallApp(t, "/login", body), http.StatusOK)
			a.wantLinked(t, subject, false)
			v.Subject(t, v.DecideLink(t, v.Get(t, page.At.String()), "connect")) // the sign-in of the app is a proof, too
			a.wantLinked(t, subject, true)
		})
	}, func(_ *providertest.Upstreams, c *provider.Config) { providertest.WithAppOrigins(providertest.Shop)(c) })
}

// A session of the account with a recent proof counts as the proof. A session with an older
// proof, or through an upstream that states no auth_time, does not.
func TestAccountProof_RecentSessionIsEnough(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		a := newAccount(t, b, up, storage.User{Email: "vic@corp.example"}, providertest.Password)
		a.attach(t, "github")
		for _, c := range []struct {
			name  string
			come  func(v *providertest.Visitor)
			later time.Duration
			asks  bool
		}{
			{"by password, now", func(v *providertest.Visitor) { v.SignInAndRedeem(t, a.Email) }, 0, true},
			{"by password, long ago", func(v *providertest.Visitor) { v.SignInAndRedeem(t, a.Email) }, 6 * time.Minute, false},
			{"by GitHub", func(v *providertest.Visitor) { v.AuthorizeThrough(t, "github", "octo") }, 0, false},
			{"of another", func(v *providertest.Visitor) { v.SignInAndRedeem(t, providertest.Alice) }, 0, false},
		} {
			v := b.Visitor(t)
			c.come(v)
			b.Advance(c.later)
			page, subject := a.waits(t, v, "prompt", "login")
			asks := strings.Contains(page.Body, `id="not-now"`)
			if page.At.Path != "/login/link" || asks != c.asks {
				t.Errorf("%s: at %s, asks whether to connect: %v, want %v", c.name, page.At, asks, c.asks)
			}
			a.wantLinked(t, subject, false)
			if !asks {
				page = a.proves(t, v, page, "password")
			}
			v.DecideLink(t, page, "connect")
			a.wantLinked(t, subject, true)
		}
	})
}

// The proof counts like any sign-in of its kind. The dispatcher still asks for everything
// else that the request demands.
func TestAccountProof_RequestIsStillSatisfied(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for _, pairs := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "300"}, {"prompt", "select_account"}, {"prompt", "consent"}} {
			for _, way := range []string{"password", "github"} {
				a := newAccount(t, b, up, storage.User{Email: storage.NewID("p") + "@corp.example"}, providertest.Password)
				identity := a.attach(t, "github")
				v := b.Visitor(t)
				page, subject := a.waits(t, v, pairs...)
				s := v.DecideLink(t, a.proves(t, v, page, way), "connect")
				a.wantLinked(t, subject, true)
				fresh := pairs[1] == "login" || pairs[0] == "max_age"
				if way == "github" && fresh {
					s.WantText(t, "Confirm it’s you")
					s = v.Submit(t, s.FormTo(t, "/login", "", ""), "password", providertest.Password)
				}
				if got := v.Subject(t, s); got != a.ID {
					t.Errorf("%v by %s: signed in as %s", pairs, way, got)
				}
				if err := b.DB.UnlinkIdentity(t.Context(), storage.IdentityRemoval{Identity: identity, AllowLast: true}, b.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// The ticket of a page works for no other user, session, request or identity.
func TestAccountProof_TicketIsForOnePage(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		a := newAccount(t, b, up, storage.User{Email: "vic@corp.example"}, providertest.Password)
		v := b.Visitor(t)
		asked := func() (providertest.Form, string) {
			page, subject := a.waits(t, v, "prompt", "login")
			if len(offered(page)) > 0 {
				page = a.proves(t, v, page, "password")
			}
			return page.FormTo(t, "/login/link/confirm", "", ""), subject
		}
		first, one := asked()
		second, two := asked() // in another tab, with another request: the first identity does not wait any more
		refuse := func(what string, v *providertest.Visitor, f providertest.Form) {
			t.Helper()
			if s := v.Submit(t, providertest.Form{Action: f.Action, Values: f.Values}, "decision", "connect"); s.StatusCode != http.StatusConflict {
				t.Errorf("%s: status %d at %s", what, s.StatusCode, s.At)
			}
			a.wantLinked(t, one, false)
			a.wantLinked(t, two, false)
		}
		refuse("the first tab", v, first)
		mixed := providertest.Form{Action: second.Action, Values: url.Values{"request": second.Values["request"], "ticket": first.Values["ticket"]}}
		refuse("the ticket of another identity", v, mixed)
		refuse("no ticket", v, providertest.Form{Action: second.Action, Values: url.Values{"request": second.Values["request"]}})
		refuse("another browser", b.Visitor(t), second)
		v.Get(t, b.AuthorizeURL("prompt", "login")) // a new session of another user in the same browser
		w := v.Get(t, b.Issuer+"/login?other=1&request="+url.QueryEscape(v.Get(t, b.AuthorizeURL("prompt", "login")).FormTo(t, "/login", "", "").Values.Get("request")))
		v.SignIn(t, w, providertest.Alice, providertest.Password)
		refuse("after another user signed in", v, second)
		// The owner of the account comes back too late: the identity does not wait any more.
		v.SignInAndRedeem(t, a.Email)
		third, three := asked()
		b.Advance(11 * time.Minute)
		refuse("after eleven minutes", v, third)
		a.wantLinked(t, three, false)
	})
}

// No proof opens an account that is switched off, and nothing is connected to it.
func TestAccountProof_DisabledAccountIsRefused(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		a := newAccount(t, b, up, storage.User{Email: "vic@corp.example"}, providertest.Password)
		a.attach(t, "google")
		v := b.Visitor(t)
		page, subject := a.waits(t, v)
		asked := b.Visitor(t)
		shown, second := a.waits(t, asked)
		shown = a.proves(t, asked, shown, "google")
		b.DisableUser(t, a.ID)
		if s := a.proves(t, v, page, "password"); s.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("by password: status %d", s.StatusCode)
		}
		v.WantProblem(t, a.proves(t, v, page, "google"), http.StatusForbidden, "account_switched_off")
		if s := asked.Submit(t, shown.FormTo(t, "/login/link/confirm", "", ""), "decision", "connect"); s.StatusCode != http.StatusConflict {
			t.Errorf("connect: status %d", s.StatusCode)
		}
		for _, s := range []string{subject, second} {
			a.wantLinked(t, s, false)
		}
	})
}

// An administrator's account needs a proof by one of its own ways to sign in, even if the
// connector may link by address.
func TestAccountProof_AdministratorNeedsOwnProof(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		a := newAccount(t, b, up, storage.User{Email: "root@corp.example", Admin: true}, "")
		v := b.Visitor(t)
		page, _ := a.waits(t, v)
		page.WantText(t, "Ask the operator")
		a.attach(t, "google")
		page, subject := a.waits(t, v)
		v.Subject(t, v.DecideLink(t, a.proves(t, v, page, "google"), "connect"))
		a.wantLinked(t, subject, true)
	}, providertest.ChangeConnector("liar", autoLink))
}

// Of several concurrent decisions one connects the identity; the others get the page for an
// outdated form. If the identity was linked to another user meanwhile, it stays there.
func TestAccountProof_ConcurrentConnect(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		a := newAccount(t, b, up, storage.User{Email: "vic@corp.example"}, providertest.Password)
		v := b.Visitor(t)
		page, subject := a.waits(t, v)
		form := a.proves(t, v, page, "password").FormTo(t, "/login/link/confirm", "", "")
		form.Values.Set("decision", "connect")
		statuses := make([]int, 6)
		providertest.Race(len(statuses), func(i int) {
			r := v.FormRequest(t, form)
			statuses[i] = providertest.Do(t, v.Client, r).StatusCode
		})
		slices.Sort(statuses)
		if statuses[0] != http.StatusOK || statuses[1] != http.StatusConflict {
			t.Errorf("statuses %v, want one that connects", statuses)
		}
		a.wantLinked(t, subject, true)
		if e := b.WantEvent(t, storage.IdentityLinked, a.ID); e.Connector != "liar" {
			t.Errorf("the event names the connector %q", e.Connector)
		}

		v = b.Visitor(t)
		page, subject = a.waits(t, v)
		page = a.proves(t, v, page, "password")
		other := newAccount(t, b, up, storage.User{Email: "other@corp.example"}, "")
		if _, err := b.DB.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity: storage.Identity{Connector: "liar", Issuer: up.Liar.URL, Subject: subject, UserID: other.ID}, AttemptID: "other", Until: storage.At(b.Now().Add(time.Hour)),
			SignIn: storage.SignIn{HandleHash: "other", IdleFor: time.Hour, AbsoluteFor: time.Hour},
		}, b.Now()); err != nil {
			t.Fatal(err)
		}
		if s := v.DecideLink(t, page, "connect"); s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "identity_in_use") {
			t.Errorf("status %d:\n%s", s.StatusCode, s.Body)
		}
		a.wantLinked(t, subject, false)
	})
}
