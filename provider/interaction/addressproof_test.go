package interaction_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

// prepared makes an account with an unproven address, signs in with its password and
// connects a GitHub account.
func prepared(t *testing.T, b *providertest.Testbed) (storage.User, *providertest.Visitor) {
	t.Helper()
	user := b.CreateUser(t, storage.User{Email: providertest.AdaEmail, Name: "Ada", Roles: []string{"reader"}}, providertest.Password)
	v := b.Visitor(t)
	v.Allow(t, v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.AdaEmail, providertest.Password))
	v.Connect(t, "github", "octo").WantAt(t, "/account/identities?done=linked")
	if u := b.UserByEmail(t, providertest.AdaEmail); u.EmailVerified {
		t.Fatal("an identity with another address proved the address")
	}
	return user, v
}

// wantWhole fails unless password, session and identities of the account are all kept, or,
// if whole is false, all removed. The address must be proven in both cases.
func wantWhole(t *testing.T, b *providertest.Testbed, user storage.User, v *providertest.Visitor, whole bool) {
	t.Helper()
	if u := b.UserByEmail(t, providertest.AdaEmail); !u.EmailVerified || u.ID != user.ID || len(u.Roles) != 1 {
		t.Errorf("the user is %+v", u)
	}
	if whole {
		v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
		b.WantIdentities(t, user.ID, providertest.OctoID, providertest.AdaID)
	} else {
		v.WantNoSession(t)
		b.WantIdentities(t, user.ID, providertest.AdaID)
	}
	w := b.Visitor(t)
	page := w.SignIn(t, w.Get(t, b.AuthorizeURL()), providertest.AdaEmail, providertest.Password)
	if refused := page.StatusCode == http.StatusUnprocessableEntity; refused == whole {
		t.Errorf("the password is refused: %v, want %v", refused, !whole)
	}
	octo := b.Visitor(t)
	if in := octo.Subject(t, octo.AuthorizeThrough(t, "github", "octo")) == user.ID; in != whole {
		t.Errorf("the GitHub account opens the account: %v, want %v", in, whole)
	}
}

// anotherWay signs in again through a connector, in a browser that is signed in.
func anotherWay(t *testing.T, v *providertest.Visitor, connector, account string) {
	t.Helper()
	page := v.Get(t, v.Bed.AuthorizeURL("prompt", "login"))
	v.SignInThrough(t, v.Get(t, page.Link(t, "other")), connector, account)
}

// A proof of the address in the owner's own session keeps everything. The same proof from
// another browser, or later, evicts password, sessions and identities.
func TestAddressProof_OwnSessionKeepsAccount(t *testing.T) {
	for name, test := range map[string]struct {
		prove func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor)
		whole bool
	}{
		"connected in the session": {func(t *testing.T, _ *providertest.Testbed, v *providertest.Visitor) { v.Connect(t, "google", "ada") }, true},
		"signed in with in the same browser": {func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) {
			anotherWay(t, v, "google", "ada")
		}, true},
		"signed in with in the same browser, later": {func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) {
			b.Advance(6 * time.Minute)
			anotherWay(t, v, "google", "ada")
			v.Client.Jar = b.Visitor(t).Client.Jar // the browser has a new session of its own now
		}, false},
		"signed in with in another browser": {func(t *testing.T, b *providertest.Testbed, _ *providertest.Visitor) {
			w := b.Visitor(t)
			w.Allow(t, w.AuthorizeThrough(t, "google", "ada"))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				user, v := prepared(t, b)
				test.prove(t, b, v)
				wantWhole(t, b, user, v, test.whole)
			})
		})
	}
}

// A connected identity gives the first proof like any other identity, as soon as its
// upstream vouches for the address of the account.
func TestAddressProof_ByConnectedIdentity(t *testing.T) {
	for name, test := range map[string]struct {
		come  func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor)
		whole bool
	}{
		"in the same browser": {func(t *testing.T, _ *providertest.Testbed, v *providertest.Visitor) {
			anotherWay(t, v, "liar", "victim")
		}, true},
		"in another browser": {func(t *testing.T, b *providertest.Testbed, _ *providertest.Visitor) {
			b.Visitor(t).AuthorizeThrough(t, "liar", "victim")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				user := b.CreateUser(t, storage.User{Email: providertest.VictimMail, Roles: []string{"reader"}}, providertest.Password)
				v := b.Visitor(t)
				v.Allow(t, v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.VictimMail, providertest.Password))
				up.Liar.SetFaults(providertest.ChangeClaim("email_verified", false))
				v.Connect(t, "liar", "victim").WantAt(t, "/account/identities?done=linked")
				v.Connect(t, "github", "octo").WantAt(t, "/account/identities?done=linked")
				again := b.Visitor(t)
				again.AuthorizeThrough(t, "liar", "victim")
				again.Get(t, b.Issuer+"/account").WantAt(t, "/account")
				if u := b.UserByEmail(t, providertest.VictimMail); u.EmailVerified {
					t.Fatal("an address without a voucher is proven")
				}
				b.WantIdentities(t, user.ID, providertest.VictimID, providertest.OctoID)

				up.Liar.SetFaults(providertest.ChangeClaim("email_verified", true))
				test.come(t, b, v)
				if u := b.UserByEmail(t, providertest.VictimMail); !u.EmailVerified || u.ID != user.ID {
					t.Errorf("the user is %+v", u)
				}
				w := b.Visitor(t)
				page := w.SignIn(t, w.Get(t, b.AuthorizeURL()), providertest.VictimMail, providertest.Password)
				if refused := page.StatusCode == http.StatusUnprocessableEntity; refused == test.whole {
					t.Errorf("the password is refused: %v, want %v", refused, !test.whole)
				}
				if test.whole {
					b.WantIdentities(t, user.ID, providertest.VictimID, providertest.OctoID)
					return
				}
				b.WantIdentities(t, user.ID, providertest.VictimID)
				again.WantNoSession(t)
			})
		})
	}
}

// plantedAccount is an account with the address of a victim that an attacker has set up: with a password,
// a session, offline tokens and a GitHub account.
type plantedAccount struct {
	storage.User
	mallory *providertest.Visitor
	tokens  map[string]any
}

const malloryPassword = "password of mallory"

func plantAccount(t *testing.T, b *providertest.Testbed) plantedAccount {
	t.Helper()
	p := plantedAccount{User: b.CreateUser(t, storage.User{Email: providertest.VictimMail, Name: "Mallory"}, malloryPassword), mallory: b.Visitor(t)}
	page := p.mallory.SignIn(t, p.mallory.Get(t, b.AuthorizeURL("scope", "openid offline_access", "prompt", "consent")), p.Email, malloryPassword)
	p.tokens = b.Redeem(t, p.mallory.Allow(t, page).Code(t))
	p.mallory.Connect(t, "github", "octo").WantAt(t, "/account/identities?done=linked")
	return p
}

// wantEvicted wants nothing of the attacker to work any more.
func (p plantedAccount) wantEvicted(t *testing.T, b *providertest.Testbed, identities ...string) {
	t.Helper()
	p.mallory.WantNoSession(t)
	b.WantRevoked(t, p.tokens)
	b.WantIdentities(t, p.ID, identities...)
	b.WantEvent(t, storage.UserEvicted, p.ID)
	if b.UserByEmail(t, p.Email).Name == "Mallory" {
		t.Error("the profile of the attacker is left")
	}
	octo := b.Visitor(t)
	if octo.Subject(t, octo.AuthorizeThrough(t, "github", "octo")) == p.ID {
		t.Error("the attacker's identity opens the account")
	}
	again := b.Visitor(t)
	if again.SignIn(t, again.Get(t, b.AuthorizeURL()), p.Email, malloryPassword).StatusCode != http.StatusUnprocessableEntity {
		t.Error("the attacker's password opens the account")
	}
}

// The first proof of the address evicts the attacker, whichever way it comes.
// FD-02: An account that somebody prepared with the address of another person is emptied
// before that person gets it (PocketBase CVE-2026-44166).
func TestAddressProof_EveryFirstProofEvictsAttacker(t *testing.T) {
	for name, test := range map[string]struct {
		prove func(t *testing.T, b *providertest.Testbed, s *mailtest.Server, p plantedAccount)
		left  []string // identities
	}{
		"sign-in through an upstream that verifies": {func(t *testing.T, b *providertest.Testbed, _ *mailtest.Server, p plantedAccount) {
			v := b.Visitor(t)
			if got := v.Subject(t, v.AuthorizeThrough(t, "liar", "victim")); got != p.ID {
				t.Errorf("signed in as %s", got)
			}
		}, []string{providertest.VictimID}},
		"link for a new password": {func(t *testing.T, b *providertest.Testbed, s *mailtest.Server, p plantedAccount) {
			v := b.Visitor(t)
			v.Submit(t, v.Get(t, b.Issuer+"/reset").Form(t), "email", p.Email).WantAt(t, "/reset?done=mail")
			v.Submit(t, v.Get(t, newestLink(t, b, s)).Form(t), "new-password", providertest.NewPassword).WantAt(t, "/reset?done=password")
			v.Allow(t, v.SignIn(t, v.Get(t, b.AuthorizeURL()), p.Email, providertest.NewPassword))
		}, nil},
		"link that the attacker asked for": {func(t *testing.T, b *providertest.Testbed, s *mailtest.Server, p plantedAccount) {
			p.mallory.Submit(t, p.mallory.Get(t, b.Issuer+"/account/email").FormTo(t, "/account/email/verify", "", "")).WantAt(t, "/account/email?done=mail")
			v := b.Visitor(t)
			page := v.Get(t, newestLink(t, b, s))
			v.Submit(t, page.FormTo(t, "/link/verify", "", ""), "act", "evict").WantAt(t, "/link/verify?done=verified")
		}, nil},
		"operator": {func(t *testing.T, b *providertest.Testbed, _ *mailtest.Server, p plantedAccount) {
			verified := true
			if err := reviseBy(b, p.ID, storage.StopIfAttached, &verified, func(*storage.User) {}); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t)
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				p := plantAccount(t, b)
				test.prove(t, b, s, p)
				if u := b.UserByEmail(t, p.Email); !u.EmailVerified || u.ID != p.ID {
					t.Errorf("after the proof: %+v", u)
				}
				p.wantEvicted(t, b, test.left...)
			}, func(_ *providertest.Upstreams, c *provider.Config) { providertest.WithMail(s)(c) })
		})
	}
}

// newestLink sends the mails and returns the link of the newest one.
func newestLink(t *testing.T, b *providertest.Testbed, s *mailtest.Server) string {
	t.Helper()
	b.SendMails(t)
	all := s.Received()
	address, _ := providertest.LinkIn(t, all[len(all)-1])
	return address
}

func reviseBy(b *providertest.Testbed, id string, do storage.UnprovenPolicy, verified *bool, change func(*storage.User)) error {
	_, err := b.DB.ReviseUser(context.Background(), storage.UserRevision{
		UserID: id, Unproven: do, Verified: verified, Revise: func(u *storage.User) error { change(u); return nil },
	}, b.Now())
	return err
}

// An operator's act that gives an account more rights stops if an attacker has set it up. Then the
// operator decides: either the attacker is evicted, or the account keeps its other ways to sign in.
func TestAddressProof_OperatorDecidesAboutAttacker(t *testing.T) {
	for name, act := range map[string]func(b *providertest.Testbed, id string, do storage.UnprovenPolicy) error{
		"set-password": func(b *providertest.Testbed, id string, do storage.UnprovenPolicy) error {
			_, err := b.DB.ResetPassword(context.Background(), storage.PasswordReset{UserID: id, Hash: "typed", Reason: "typed", Unproven: do}, b.Now())
			return err
		},
		"admin": func(b *providertest.Testbed, id string, do storage.UnprovenPolicy) error {
			_, err := b.DB.GrantAdmin(context.Background(), id, storage.Administrator, do, storage.By{From: providertest.TestOrigin, At: b.Now()})
			return err
		},
		"role": func(b *providertest.Testbed, id string, do storage.UnprovenPolicy) error {
			return reviseBy(b, id, do, nil, func(u *storage.User) { u.Roles = []string{"ops"} })
		},
		"group": func(b *providertest.Testbed, id string, do storage.UnprovenPolicy) error {
			return reviseBy(b, id, do, nil, func(u *storage.User) { u.Groups = []string{"ops"} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			for decision, do := range map[string]storage.UnprovenPolicy{"evict": storage.EvictAttached, "keep": storage.KeepAttached} {
				t.Run(decision, func(t *testing.T) {
					providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
						p := plantAccount(t, b)
						if err := act(b, p.ID, storage.StopIfAttached); !errors.Is(err, storage.ErrUnproven) {
							t.Fatalf("got %v, want ErrUnproven", err)
						}
						p.mallory.Get(t, b.Issuer+"/account").WantAt(t, "/account")
						if now := b.UserByEmail(t, p.Email); now.Admin || len(now.Roles)+len(now.Groups) > 0 {
							t.Errorf("the refused act changed the account: %+v", now)
						}
						if err := act(b, p.ID, do); err != nil {
							t.Fatal(err)
						}
						if u := b.UserByEmail(t, p.Email); u.EmailVerified {
							t.Error("the act proved the address")
						}
						if do == storage.EvictAttached {
							p.wantEvicted(t, b)
							return
						}
						octo := b.Visitor(t)
						if octo.Subject(t, octo.AuthorizeThrough(t, "github", "octo")) != p.ID {
							t.Error("the identity that the operator keeps does not open the account")
						}
					})
				})
			}
		})
	}
}

// If an operator removes an identity, the sessions and tokens that it opened end, offline
// tokens too, and it opens no new ones.
func TestIdentities_RemovalByOperatorEndsSessions(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Account(t, "/account/identities")
		v.Connect(t, "github", "octo")
		kept := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL("scope", "openid offline_access", "prompt", "consent"))).Code(t))
		w := b.Visitor(t)
		taken := b.Redeem(t, w.Allow(t, w.AuthorizeThrough(t, "github", "octo", "scope", "openid offline_access", "prompt", "consent")).Code(t))
		list, err := b.DB.IdentitiesOf(context.Background(), b.Alice.ID)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d identities, %v", len(list), err)
		}
		if err := b.DB.UnlinkIdentity(context.Background(), storage.IdentityRemoval{Identity: list[0], From: storage.Origin{Actor: "cli"}}, b.Now()); err != nil {
			t.Fatal(err)
		}
		b.WantRevoked(t, taken)
		w.WantNoSession(t)
		b.MustRefresh(t, kept["refresh_token"])
		v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
		octo := b.Visitor(t)
		if octo.Subject(t, octo.AuthorizeThrough(t, "github", "octo")) == b.Alice.ID {
			t.Error("the identity still opens the account")
		}
	})
}
