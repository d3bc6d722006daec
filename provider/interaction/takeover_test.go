package interaction_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/federation"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// An attacker registers the victim's address first, with a password, a profile, an identity
// and an application, and waits (PocketBase CVE-2026-44166). Then the owner of the address
// signs in through Google.
// FD-02: An account that somebody prepared with the address of another person is emptied
// before that person gets it.
func TestTakeover_UnprovenAccountIsEvicted(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		planted := b.CreateUser(t, storage.User{
			Email: providertest.AdaEmail, Name: "Planted", Website: "https://evil.example/", PhoneNumber: "+1 555",
		}, "password of mallory")
		mallory := b.Visitor(t)
		page := mallory.SignIn(t, mallory.Get(t, b.AuthorizeURL("scope", "openid offline_access", "prompt", "consent")), providertest.AdaEmail, "password of mallory")
		tokens := b.Redeem(t, mallory.Allow(t, page).Code(t))
		mallory.Connect(t, "github", "octo").WantAt(t, "/account/identities?done=linked")

		v := b.Visitor(t)
		page = v.AuthorizeThrough(t, "google", "ada")
		if page.At.Path != "/consent" {
			t.Fatalf("at %s with status %d: mallory's consent counts for the owner", page.At, page.StatusCode)
		}
		if got := v.Subject(t, page); got != planted.ID {
			t.Fatalf("signed in as %s, want the account of the address", got)
		}
		b.WantIdentities(t, planted.ID, providertest.AdaID)
		ada := b.UserByEmail(t, providertest.AdaEmail)
		if !ada.EmailVerified || ada.Name != "Ada Example" || ada.Website != "" || ada.PhoneNumber != "" {
			t.Errorf("parts of mallory's profile are left: %+v", ada)
		}
		mallory.WantNoSession(t)
		b.WantRevoked(t, tokens)
		b.WantEvent(t, storage.UserEvicted, planted.ID)
		refused := mallory.SignIn(t, mallory.Get(t, b.AuthorizeURL()), providertest.AdaEmail, "password of mallory")
		if refused.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("mallory's password: status %d", refused.StatusCode)
		}
		octo := b.Visitor(t)
		if got := octo.Subject(t, octo.AuthorizeThrough(t, "github", "octo")); got == planted.ID {
			t.Error("mallory's identity still opens the account")
		}
		v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
	})
}

// An administrator's account is never taken over, with a proven or an unproven address.
// FD-02: An account that somebody prepared with the address of another person is emptied
// before that person gets it.
func TestTakeover_AdministratorIsNotEvicted(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		admin := b.CreateUser(t, storage.User{Email: providertest.AdaEmail, Admin: true}, providertest.Password)
		v := b.Visitor(t)
		page := v.AuthorizeThrough(t, "google", "ada")
		if page.At.Path != "/login/link" {
			t.Fatalf("at %s", page.At)
		}
		v.WantNoSession(t)
		b.WantIdentities(t, admin.ID)
		o := b.Visitor(t)
		o.Allow(t, o.SignIn(t, o.Get(t, b.AuthorizeURL()), providertest.AdaEmail, providertest.Password))
	})
}

// The upstream sends the victim's address with every kind of email_verified except true
// (Casdoor CVE-2026-9092, Nhost CVE-2026-41574, Grafana CVE-2023-3128).
// FD-15: nOAuth, an address that the upstream has not verified.
// FD-01: An unverified email address from an upstream never opens an existing account.
func TestTakeover_UnverifiedUpstreamAddressOpensNothing(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		victim := b.CreateUser(t, storage.User{Email: providertest.VictimMail, EmailVerified: true}, providertest.Password)
		bob := b.CreateUser(t, storage.User{Email: "bob@corp.example"}, providertest.Password) // with an unproven address
		for name, verified := range map[string]any{"false": false, "absent": nil, "text": "false"} {
			for _, target := range []storage.User{victim, bob} {
				f := providertest.ChangeClaims("email", target.Email, "sub", name+target.Email)
				f.Claims["email_verified"] = verified
				up.Liar.SetFaults(f)
				v := b.Visitor(t)
				if got := v.Subject(t, v.AuthorizeThrough(t, "liar", "victim")); got == target.ID {
					t.Errorf("%s: signed in as %s", name, target.Email)
				}
				b.WantIdentities(t, target.ID)
				if u := b.UserByEmail(t, target.Email); u.ID != target.ID || u.EmailVerified != target.EmailVerified {
					t.Errorf("%s: the user with the address is now %+v", name, u)
				}
			}
		}
	}, providertest.ChangeConnector("liar", autoLink))
}

// Identities of the old upstream do not match subjects of the new one (ZITADEL
// CVE-2026-55670).
// FD-04: Links to an upstream do not match another issuer under the same connector id.
func TestTakeover_ConnectorWithNewIssuerMatchesNoOldIdentity(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		ada := v.Subject(t, v.AuthorizeThrough(t, "google", "ada"))
		// At the new upstream, another person has ada's subject.
		up.Liar.SetFaults(providertest.ChangeClaims("sub", "110169484474386276334"))
		later := b.Restarted(t, func(c *provider.Config) {
			moved := up.Connectors[2]
			moved.ID = "google"
			c.Connectors = []provider.Connector{moved}
		})
		w := b.Visitor(t)
		w.Bed = later
		callback := w.ChooseAccount(t, w.PressConnector(t, w.Get(t, later.AuthorizeURL()), "google"), "victim")
		page := w.Get(t, strings.Replace(callback, b.Issuer, later.Issuer, 1))
		if got := w.Subject(t, page); got == ada || got != b.UserByEmail(t, providertest.VictimMail).ID {
			t.Fatalf("the new upstream signs in as %s; ada is %s", got, ada)
		}
		b.WantIdentities(t, ada, providertest.AdaID)
	})
}

// The domain of a company lapses. Its buyer makes the mailboxes again, and the upstream says the
// same address with another sub (Truffle Security, 2025).
// FD-14: The sub identifies the user, not the address.
func TestTakeover_BuyerOfADomainDoesNotGetItsAccounts(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		victim := v.Subject(t, v.AuthorizeThrough(t, "liar", "victim"))
		if u := b.UserByEmail(t, providertest.VictimMail); !u.EmailVerified {
			t.Fatal("the address is not proven")
		}
		up.Liar.SetFaults(providertest.ChangeClaims("sub", "the buyer"))
		buyer := b.Visitor(t)
		page := buyer.AuthorizeThrough(t, "liar", "victim")
		if page.At.Path != "/login/link" { // it asks for a sign-in with the identity of the victim
			t.Fatalf("at %s", page.At)
		}
		page = buyer.Get(t, buyer.ChooseAccount(t, buyer.PressConnector(t, page, "liar"), "victim"))
		if page.LeftTo != nil || page.At.Path == "/consent" {
			t.Errorf("the proof is accepted: at %s", page.At)
		}
		buyer.WantNoSession(t)
		b.WantIdentities(t, victim, providertest.VictimID)
		v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
	}, providertest.ChangeConnector("liar", func(c *provider.Connector) { c.Trust, c.Domains = federation.Authoritative, []string{"corp.example"} }))
}

// A proof counts only for the identity and the browser that it was asked for (Keycloak
// CVE-2026-9087).
// FD-10: A proof of ownership names the exact identity, account and session.
func TestTakeover_ProofIsForOneIdentity(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		ada := b.CreateUser(t, storage.User{Email: providertest.AdaEmail, EmailVerified: true}, providertest.Password)
		v := b.Visitor(t)
		page := v.AuthorizeThrough(t, "google", "ada")
		f := page.FormTo(t, "/login/link", "", "")
		// The form does not work in another browser.
		other := b.Visitor(t)
		if s := other.Submit(t, f, "password", providertest.Password); s.StatusCode != http.StatusConflict {
			t.Errorf("in another browser: status %d", s.StatusCode)
		}
		// It does not work for another request of the same browser.
		second := v.Get(t, b.AuthorizeURL("state", "other")).FormTo(t, "/login", "", "").Values.Get("request")
		crossed := providertest.Form{Action: f.Action, Values: url.Values{"request": {second}, "password": {providertest.Password}}}
		if s := v.Submit(t, crossed); s.StatusCode != http.StatusConflict {
			t.Errorf("for another request: status %d", s.StatusCode)
		}
		b.WantIdentities(t, ada.ID)
		// A second waiting identity replaces the first one. Then the page of the first links nothing.
		vic := b.CreateUser(t, storage.User{Email: providertest.VictimMail, EmailVerified: true}, "password of vic")
		v.AuthorizeThrough(t, "liar", "victim")
		if s := v.Submit(t, f, "password", providertest.Password); s.StatusCode != http.StatusConflict {
			t.Errorf("the first page after the second identity: status %d", s.StatusCode)
		}
		b.WantIdentities(t, ada.ID)
		b.WantIdentities(t, vic.ID)
		// The page expires.
		page = v.AuthorizeThrough(t, "google", "ada")
		b.Advance(11 * time.Minute)
		if s := v.Submit(t, page.FormTo(t, "/login/link", "", ""), "password", providertest.Password); s.StatusCode != http.StatusConflict {
			t.Errorf("after eleven minutes: status %d", s.StatusCode)
		}
		b.WantIdentities(t, ada.ID)
	})
}

// The address at the upstream changes to the address of another user (Capgo
// CVE-2026-56215).
// FD-16: A changed address at the upstream does not move the user to another account.
func TestTakeover_ChangedUpstreamAddressKeepsLink(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		victim := v.Subject(t, v.AuthorizeThrough(t, "liar", "victim"))
		up.Liar.SetFaults(providertest.ChangeClaims("email", providertest.Alice))
		v = b.Visitor(t)
		if got := v.Subject(t, v.AuthorizeThrough(t, "liar", "victim")); got != victim {
			t.Fatalf("signed in as %s, want the linked user", got)
		}
		if u := b.UserByEmail(t, providertest.VictimMail); u.ID != victim {
			t.Errorf("the address has moved")
		}
		b.WantIdentities(t, b.Alice.ID)
	}, providertest.ChangeConnector("liar", autoLink))
}

// Claims of an upstream grant no rights (ZITADEL CVE-2024-49757).
// FD-29: a user name grants nothing.
// FD-22: If sign-up is closed, an upstream creates no users. It makes no administrators.
func TestTakeover_UpstreamClaimsMakeNobodyAnAdmin(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		f := providertest.ChangeClaims("preferred_username", "alice", "role", "admin")
		f.Claims["groups"], f.Claims["roles"], f.Claims["admin"] = []string{"admins"}, []string{"admin"}, true
		up.Liar.SetFaults(f)
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "liar", "victim"))
		if u := b.UserByEmail(t, providertest.VictimMail); u.Admin || len(u.Roles)+len(u.Groups) > 0 || u.PreferredUsername != "" {
			t.Errorf("made %+v", u)
		}
	})
}

// Hints of an application are not sent to the upstream.
// FD-28: Parameters from the client are not forwarded to an upstream unless configured.
func TestTakeover_ClientHintsAreNotForwarded(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL("login_hint", "mallory@corp.example", "hd", "evil.example", "prompt", "consent", "ui_locales", "de"))
		for _, connector := range []string{"google", "github", "liar"} {
			at := v.PressConnector(t, page, connector)
			for _, name := range []string{"login_hint", "hd", "prompt", "ui_locales", "login"} {
				if at.Query().Has(name) {
					t.Errorf("%s is sent %s=%s", connector, name, at.Query().Get(name))
				}
			}
		}
	})
}

// A callback with an error and a code is an error.
// FD-21: the text of the upstream is not shown.
// FD-33: If an upstream sends code and error, the error counts; a posted callback is accepted
// only where needed.
func TestTakeover_ErrorWinsOverCode(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		callback := v.ChooseAccount(t, v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "google"), "ada")
		page := v.Get(t, callback+"&"+url.Values{"error": {"access_denied"}, "error_description": {"<b>call 555 now</b>"}}.Encode())
		v.WantProblem(t, page, http.StatusForbidden, "upstream_denied")
		if strings.Contains(page.Body, "call 555") {
			t.Error("the page shows text of the upstream")
		}
		if n := up.Google.CountRequests("POST /token"); n != 0 {
			t.Error("the code was exchanged")
		}
	})
}

// prompt=login and max_age are sent to the upstream, and the auth_time in its answer counts.
// If that is not recent enough, the client gets an error.
// FD-34: A new proof through an upstream needs a fresh auth_time or an upstream that is known
// to ask again.
func TestTakeover_SilentSignInIsNoNewProof(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for _, c := range []struct {
			name, connector, account string
			pairs                    []string
			authTime                 any // of the liar
			sent, value              string
			fresh                    bool
		}{
			{"prompt=login, new", "liar", "victim", []string{"prompt", "login"}, 0 * time.Second, "prompt", "login", true},
			{"prompt=login, silent", "liar", "victim", []string{"prompt", "login"}, -time.Hour, "prompt", "login", false},
			{"prompt=login, nothing said", "liar", "victim", []string{"prompt", "login"}, nil, "max_age", "0", false},
			{"max_age, within", "liar", "victim", []string{"max_age", "300"}, -4 * time.Minute, "max_age", "300", true},
			{"max_age, older", "liar", "victim", []string{"max_age", "300"}, -6 * time.Minute, "max_age", "300", false},
			{"max_age, nothing said", "liar", "victim", []string{"max_age", "300"}, nil, "max_age", "300", false},
			{"max_age=0, silent", "liar", "victim", []string{"max_age", "0"}, -time.Hour, "max_age", "0", false},
			{"Google knows no prompt=login", "google", "ada", []string{"prompt", "login"}, nil, "prompt", "select_account", true},
			{"GitHub says nothing", "github", "octo", []string{"prompt", "login"}, nil, "prompt", "select_account", false},
			{"GitHub says nothing of its age", "github", "octo", []string{"max_age", "300"}, nil, "prompt", "select_account", false},
		} {
			t.Run(c.name, func(t *testing.T) {
				if c.connector == "liar" {
					claim := any(nil)
					if ago, ok := c.authTime.(time.Duration); ok {
						claim = b.Now().Add(ago).Unix()
					}
					up.Liar.SetFaults(providertest.ChangeClaim("auth_time", claim))
				}
				v := b.Visitor(t)
				at := v.PressConnector(t, v.Get(t, b.AuthorizeURL(c.pairs...)), c.connector)
				if got := at.Query().Get(c.sent); got != c.value {
					t.Errorf("sent %s=%q, want %q", c.sent, got, c.value)
				}
				page := v.Get(t, v.ChooseAccount(t, at, c.account))
				if !c.fresh {
					// The account has no other way, so the client gets the error with a reason.
					page.WantError(t, "login_required")
					if said := page.Response(t).Get("error_description"); !strings.Contains(said, "--prompt-login best-effort") {
						t.Errorf("error_description %q does not name the setting that helps", said)
					}
					return
				}
				if page.LeftTo == nil {
					page = v.Allow(t, page)
				}
				claims := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])
				if ago, ok := c.authTime.(time.Duration); ok {
					want := b.Now().Add(ago).Unix()
					if got := providertest.NumberOf(t, claims["auth_time"]); got < want-5 || got > want+5 {
						t.Errorf("auth_time %d, want about %d, as at the upstream", got, want)
					}
				}
			})
		}
	})
}

// Concurrent first sign-ins with one identity at two nodes make one user.
// MN-01: With two processes on one PostgreSQL, 50 parallel uses of each single-use value give
// one success.
func TestTakeover_FirstSignInsOfOneIdentityMakeOneUser(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		second := b.Restarted(t, func(c *provider.Config) { c.Connectors = up.Connectors })
		nodes := []*providertest.Testbed{b, second}
		for _, who := range []struct{ connector, account, email, identity string }{
			{"google", "ada", providertest.AdaEmail, providertest.AdaID}, {"github", "octo", providertest.OctoEmail, providertest.OctoID}, {"liar", "victim", providertest.VictimMail, providertest.VictimID},
		} {
			visitors, callbacks := make([]*providertest.Visitor, 8), make([]string, 8)
			for i := range visitors {
				v := b.Visitor(t)
				callback := v.ChooseAccount(t, v.PressConnector(t, v.Get(t, b.AuthorizeURL()), who.connector), who.account)
				visitors[i], callbacks[i] = v, strings.Replace(callback, b.Issuer, nodes[i%2].Issuer, 1)
			}
			providertest.Race(len(visitors), func(i int) {
				a := visitors[i].Fetch(t, callbacks[i])
				if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/authorize/next?") {
					t.Errorf("%s: status %d to %q: %s", who.connector, a.StatusCode, a.Header.Get("Location"), a.Body)
				}
			})
			user := b.UserByEmail(t, who.email)
			b.WantIdentities(t, user.ID, who.identity)
			var subjects sync.Map
			for _, v := range visitors {
				page := v.Get(t, b.AuthorizeURL())
				subjects.Store(v.Subject(t, page), true)
			}
			n := 0
			subjects.Range(func(any, any) bool { n++; return true })
			if _, ok := subjects.Load(user.ID); !ok || n != 1 {
				t.Errorf("%s: %d subjects", who.connector, n)
			}
		}
		if n := b.UsersCreated(t); n != 4 {
			t.Errorf("%d users were made, want alice and three", n)
		}
	})
}
