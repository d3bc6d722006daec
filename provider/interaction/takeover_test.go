package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider"
	"signet/storage"
)

// TestFD02_UnprovenAccountIsEvicted: somebody registers the victim's address first,
// with a password, a profile, an identity and an application of theirs, and waits
// (PocketBase CVE-2026-44166). The owner of the address comes through Google.
func TestFD02_UnprovenAccountIsEvicted(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		planted := b.local(t, storage.User{
			Email: adaEmail, Name: "Planted", Website: "https://evil.example/", PhoneNumber: "+1 555",
		}, "password of mallory")
		mallory := b.visitor(t)
		page := mallory.signIn(t, mallory.get(t, b.authorizeURL("scope", "openid offline_access", "prompt", "consent")), adaEmail, "password of mallory")
		tokens := b.redeem(t, mallory.allow(t, page).code(t))
		mallory.connect(t, "github", "octo").wantAt(t, "/account/identities?done=linked")

		v := b.visitor(t)
		page = v.comeBy(t, "google", "ada")
		if page.At.Path != "/consent" {
			t.Fatalf("at %s with status %d: mallory's consent must not be hers", page.At, page.StatusCode)
		}
		if got := v.subject(t, page); got != planted.ID {
			t.Fatalf("signed in as %s, want the account of the address", got)
		}
		b.wantIdentities(t, planted.ID, adaID)
		ada := b.userBy(t, adaEmail)
		if !ada.EmailVerified || ada.Name != "Ada Example" || ada.Website != "" || ada.PhoneNumber != "" {
			t.Errorf("of mallory's profile there is left: %+v", ada)
		}
		mallory.wantNobody(t)
		b.wantDead(t, tokens)
		b.wantEvent(t, storage.UserEvicted, planted.ID)
		refused := mallory.signIn(t, mallory.get(t, b.authorizeURL()), adaEmail, "password of mallory")
		if refused.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("mallory's password: status %d", refused.StatusCode)
		}
		octo := b.visitor(t)
		if got := octo.subject(t, octo.comeBy(t, "github", "octo")); got == planted.ID {
			t.Error("mallory's identity still opens the account")
		}
		v.get(t, b.Issuer+"/account").wantAt(t, "/account")
	})
}

// An administrator's account is never taken over, proven or not.
func TestFD02_AdministratorIsNotEvicted(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		admin := b.local(t, storage.User{Email: adaEmail, Admin: true}, password)
		v := b.visitor(t)
		page := v.comeBy(t, "google", "ada")
		if page.At.Path != "/login/link" {
			t.Fatalf("at %s", page.At)
		}
		v.wantNobody(t)
		b.wantIdentities(t, admin.ID)
		o := b.visitor(t)
		o.allow(t, o.signIn(t, o.get(t, b.authorizeURL()), adaEmail, password))
	})
}

// TestFD01_UnverifiedUpstreamAddressOpensNothing: Casdoor CVE-2026-9092, Nhost
// CVE-2026-41574, Grafana CVE-2023-3128, and nOAuth (FD-15): an address that the
// upstream does not call verified, in every way of not doing so.
func TestFD01_UnverifiedUpstreamAddressOpensNothing(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		victim := b.local(t, storage.User{Email: victimMail, EmailVerified: true}, password)
		bob := b.local(t, storage.User{Email: "bob@corp.example"}, password) // whose address nobody proved
		for name, verified := range map[string]any{"false": false, "absent": nil, "text": "false"} {
			for _, target := range []storage.User{victim, bob} {
				f := lieOf("email", target.Email, "sub", name+target.Email)
				f.Claims["email_verified"] = verified
				up.liar.Tell(f)
				v := b.visitor(t)
				if got := v.subject(t, v.comeBy(t, "liar", "victim")); got == target.ID {
					t.Errorf("%s: signed in as %s", name, target.Email)
				}
				b.wantIdentities(t, target.ID)
				if u := b.userBy(t, target.Email); u.ID != target.ID || u.EmailVerified != target.EmailVerified {
					t.Errorf("%s: the address is now of %+v", name, u)
				}
			}
		}
	}, alter("liar", autoLink))
}

// TestFD04_IssuerMovedUnderTheSameID: ZITADEL CVE-2026-55670. Links made with the
// old upstream match nobody at the new one.
func TestFD04_IssuerMovedUnderTheSameID(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		ada := v.subject(t, v.comeBy(t, "google", "ada"))
		// The new upstream has somebody else under ada's subject.
		up.liar.Tell(lieOf("sub", "110169484474386276334"))
		later := b.restarted(t, func(c *provider.Config) {
			moved := up.connectors[2]
			moved.ID = "google"
			c.Connectors = []provider.Connector{moved}
		})
		w := b.visitor(t)
		w.b = later
		callback := w.choose(t, w.press(t, w.get(t, later.authorizeURL()), "google"), "victim")
		page := w.get(t, strings.Replace(callback, b.Issuer, later.Issuer, 1))
		if got := w.subject(t, page); got == ada || got != b.userBy(t, victimMail).ID {
			t.Fatalf("the new upstream signs in as %s; ada is %s", got, ada)
		}
		b.wantIdentities(t, ada, adaID)
	})
}

// TestFD10_ProofIsForOneIdentity: Keycloak CVE-2026-9087. What was asked for one
// identity is not answered by another one's proof, nor in another browser.
func TestFD10_ProofIsForOneIdentity(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		ada := b.local(t, storage.User{Email: adaEmail, EmailVerified: true}, password)
		v := b.visitor(t)
		page := v.comeBy(t, "google", "ada")
		f := page.formTo(t, "/login/link", "", "")
		// In another browser the form proves nothing.
		other := b.visitor(t)
		if s := other.submit(t, f, "password", password); s.StatusCode != http.StatusConflict {
			t.Errorf("in another browser: status %d", s.StatusCode)
		}
		// Nor for another request of the same browser.
		second := v.get(t, b.authorizeURL("state", "other")).formTo(t, "/login", "", "").values.Get("request")
		crossed := form{f.action, url.Values{"request": {second}, "password": {password}}}
		if s := v.submit(t, crossed); s.StatusCode != http.StatusConflict {
			t.Errorf("for another request: status %d", s.StatusCode)
		}
		b.wantIdentities(t, ada.ID)
		// A second identity replaces the first proof; the first one's page links nothing of it.
		vic := b.local(t, storage.User{Email: victimMail, EmailVerified: true}, "password of vic")
		v.comeBy(t, "liar", "victim")
		if s := v.submit(t, f, "password", password); s.StatusCode != http.StatusConflict {
			t.Errorf("the first page after the second identity: status %d", s.StatusCode)
		}
		b.wantIdentities(t, ada.ID)
		b.wantIdentities(t, vic.ID)
		// And it grows old.
		page = v.comeBy(t, "google", "ada")
		b.pass(11 * time.Minute)
		if s := v.submit(t, page.formTo(t, "/login/link", "", ""), "password", password); s.StatusCode != http.StatusConflict {
			t.Errorf("after eleven minutes: status %d", s.StatusCode)
		}
		b.wantIdentities(t, ada.ID)
	})
}

// TestFD16_UpstreamAddressChangesToAnotherUsers: Capgo CVE-2026-56215.
func TestFD16_UpstreamAddressChangesToAnotherUsers(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		victim := v.subject(t, v.comeBy(t, "liar", "victim"))
		up.liar.Tell(lieOf("email", alice))
		v = b.visitor(t)
		if got := v.subject(t, v.comeBy(t, "liar", "victim")); got != victim {
			t.Fatalf("signed in as %s, want the linked user", got)
		}
		if u := b.userBy(t, victimMail); u.ID != victim {
			t.Errorf("the address has moved")
		}
		b.wantIdentities(t, b.Alice.ID)
	}, alter("liar", autoLink))
}

// TestFD22_UpstreamClaimsMakeNobodyAnAdmin: ZITADEL CVE-2024-49757, and FD-29: a
// username grants nothing.
func TestFD22_UpstreamClaimsMakeNobodyAnAdmin(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		f := lieOf("preferred_username", "alice", "role", "admin")
		f.Claims["groups"], f.Claims["roles"], f.Claims["admin"] = []string{"admins"}, []string{"admin"}, true
		up.liar.Tell(f)
		v := b.visitor(t)
		v.allow(t, v.comeBy(t, "liar", "victim"))
		if u := b.userBy(t, victimMail); u.Admin || len(u.Roles)+len(u.Groups) > 0 || u.PreferredUsername != "" {
			t.Errorf("made %+v", u)
		}
	})
}

// TestFD28_ClientsDoNotSteerTheUpstream: what an application sends of hints stays
// here.
func TestFD28_ClientsDoNotSteerTheUpstream(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		page := v.get(t, b.authorizeURL("login_hint", "mallory@corp.example", "hd", "evil.example", "prompt", "consent", "ui_locales", "de"))
		for _, connector := range []string{"google", "github", "liar"} {
			at := v.press(t, page, connector)
			for _, name := range []string{"login_hint", "hd", "prompt", "ui_locales", "login"} {
				if at.Query().Has(name) {
					t.Errorf("%s is sent %s=%s", connector, name, at.Query().Get(name))
				}
			}
		}
	})
}

// TestFD33_ErrorBesideACodeWins, and what the upstream writes is not shown (FD-21).
func TestFD33_ErrorBesideACodeWins(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		callback := v.choose(t, v.press(t, v.get(t, b.authorizeURL()), "google"), "ada")
		page := v.get(t, callback+"&"+url.Values{"error": {"access_denied"}, "error_description": {"<b>call 555 now</b>"}}.Encode())
		v.wantProblem(t, page, http.StatusForbidden, "upstream_denied")
		if strings.Contains(page.Body, "555") {
			t.Error("the page repeats the upstream")
		}
		if n := up.google.Count("POST /token"); n != 0 {
			t.Error("the code was exchanged")
		}
	})
}

// TestFD34_SilentSignOnIsNoNewProof: prompt=login and max_age reach the upstream,
// and its auth_time counts on the way back. If that is not enough, the client gets an
// error.
func TestFD34_SilentSignOnIsNoNewProof(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
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
						claim = b.now().Add(ago).Unix()
					}
					up.liar.Tell(lie("auth_time", claim))
				}
				v := b.visitor(t)
				at := v.press(t, v.get(t, b.authorizeURL(c.pairs...)), c.connector)
				if got := at.Query().Get(c.sent); got != c.value {
					t.Errorf("sent %s=%q, want %q", c.sent, got, c.value)
				}
				page := v.get(t, v.choose(t, at, c.account))
				if !c.fresh {
					// The person has no other way: the client is told, and why.
					page.wantError(t, "login_required")
					if said := page.response(t).Get("error_description"); !strings.Contains(said, "--prompt-login best-effort") {
						t.Errorf("description %q names no way out", said)
					}
					return
				}
				if page.Left == nil {
					page = v.allow(t, page)
				}
				claims := claimsOf(t, b.redeem(t, page.code(t))["id_token"])
				if ago, ok := c.authTime.(time.Duration); ok {
					want := b.now().Add(ago).Unix()
					if got := numberOf(t, claims["auth_time"]); got < want-5 || got > want+5 {
						t.Errorf("auth_time %d, want about %d: the upstream's", got, want)
					}
				}
			})
		}
	})
}

func numberOf(t *testing.T, v any) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(fmt.Sprint(v), &n); err != nil {
		t.Fatalf("%v is no number", v)
	}
	return n
}

// Two first sign-ins of one identity at two nodes at once: one user.
func TestMN01_FirstSignInsOfOneIdentityMakeOneUser(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		second := b.restarted(t, func(c *provider.Config) { c.Connectors = up.connectors })
		nodes := []*testbed{b, second}
		for _, who := range []struct{ connector, account, email, identity string }{
			{"google", "ada", adaEmail, adaID}, {"github", "octo", octoEmail, octoID}, {"liar", "victim", victimMail, victimID},
		} {
			visitors, callbacks := make([]*visitor, 8), make([]string, 8)
			for i := range visitors {
				v := b.visitor(t)
				callback := v.choose(t, v.press(t, v.get(t, b.authorizeURL()), who.connector), who.account)
				visitors[i], callbacks[i] = v, strings.Replace(callback, b.Issuer, nodes[i%2].Issuer, 1)
			}
			race(len(visitors), func(i int) {
				a := visitors[i].fetch(t, callbacks[i])
				if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/authorize/next?") {
					t.Errorf("%s: status %d to %q: %s", who.connector, a.StatusCode, a.Header.Get("Location"), a.Body)
				}
			})
			user := b.userBy(t, who.email)
			b.wantIdentities(t, user.ID, who.identity)
			var subjects sync.Map
			for _, v := range visitors {
				page := v.get(t, b.authorizeURL())
				subjects.Store(v.subject(t, page), true)
			}
			n := 0
			subjects.Range(func(any, any) bool { n++; return true })
			if _, ok := subjects.Load(user.ID); !ok || n != 1 {
				t.Errorf("%s: %d subjects", who.connector, n)
			}
		}
		if n := b.usersMade(t); n != 4 {
			t.Errorf("%d users were made, want alice and three", n)
		}
	})
}
