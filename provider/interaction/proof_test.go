package provider_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"signet/storage"
)

// prepared is an account that a command made, with an address that is only claimed,
// whose owner has signed in with the password and connected a GitHub account.
func prepared(t *testing.T, b *testbed) (storage.User, *visitor) {
	t.Helper()
	user := b.local(t, storage.User{Email: adaEmail, Name: "Ada", Roles: []string{"reader"}}, password)
	v := b.visitor(t)
	v.allow(t, v.signIn(t, v.get(t, b.authorizeURL()), adaEmail, password))
	v.connect(t, "github", "octo").wantAt(t, "/account/identities?done=linked")
	if u := b.userBy(t, adaEmail); u.EmailVerified {
		t.Fatal("another address than the account's has proven it")
	}
	return user, v
}

// wantWhole wants all that was set up still there, or all of it gone; the address is
// proven either way.
func (b *testbed) wantWhole(t *testing.T, user storage.User, v *visitor, whole bool) {
	t.Helper()
	if u := b.userBy(t, adaEmail); !u.EmailVerified || u.ID != user.ID || len(u.Roles) != 1 {
		t.Errorf("the user is %+v", u)
	}
	if whole {
		v.get(t, b.Issuer+"/account").wantAt(t, "/account")
		b.wantIdentities(t, user.ID, octoID, adaID)
	} else {
		v.wantNobody(t)
		b.wantIdentities(t, user.ID, adaID)
	}
	w := b.visitor(t)
	page := w.signIn(t, w.get(t, b.authorizeURL()), adaEmail, password)
	if refused := page.StatusCode == http.StatusUnprocessableEntity; refused == whole {
		t.Errorf("the password is refused: %v, want %v", refused, !whole)
	}
	octo := b.visitor(t)
	if in := octo.subject(t, octo.comeBy(t, "github", "octo")) == user.ID; in != whole {
		t.Errorf("the GitHub account signs in to it: %v, want %v", in, whole)
	}
}

// anotherWay signs in anew through a connector, in a browser that is signed in.
func (v *visitor) anotherWay(t *testing.T, connector, account string) {
	t.Helper()
	page := v.get(t, v.b.authorizeURL("prompt", "login"))
	v.through(t, v.get(t, page.link(t, "other")), connector, account)
}

// Create a user by command, sign in, add an identity, confirm the address in that
// session: all still there. The same proof from another browser, or later: evicted.
func TestProof_InItsOwnSessionAndElsewhere(t *testing.T) {
	for name, test := range map[string]struct {
		prove func(t *testing.T, b *testbed, v *visitor)
		whole bool
	}{
		"connected in the session": {func(t *testing.T, _ *testbed, v *visitor) { v.connect(t, "google", "ada") }, true},
		"signed in with in the same browser": {func(t *testing.T, b *testbed, v *visitor) {
			v.anotherWay(t, "google", "ada")
		}, true},
		"signed in with in the same browser, later": {func(t *testing.T, b *testbed, v *visitor) {
			b.pass(6 * time.Minute)
			v.anotherWay(t, "google", "ada")
			v.client.Jar = b.visitor(t).client.Jar // the browser that came has a session of its own
		}, false},
		"signed in with in another browser": {func(t *testing.T, b *testbed, _ *visitor) {
			w := b.visitor(t)
			w.allow(t, w.comeBy(t, "google", "ada"))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
				user, v := prepared(t, b)
				test.prove(t, b, v)
				b.wantWhole(t, user, v, test.whole)
			})
		})
	}
}

// An identity that is connected already brings the first proof as any other does, as soon
// as its upstream vouches for the account's address.
func TestProof_ByAnIdentityThatIsConnected(t *testing.T) {
	for name, test := range map[string]struct {
		come  func(t *testing.T, b *testbed, v *visitor)
		whole bool
	}{
		"in the same browser": {func(t *testing.T, _ *testbed, v *visitor) { v.anotherWay(t, "liar", "victim") }, true},
		"in another browser": {func(t *testing.T, b *testbed, _ *visitor) {
			b.visitor(t).comeBy(t, "liar", "victim")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
				user := b.local(t, storage.User{Email: victimMail, Roles: []string{"reader"}}, password)
				v := b.visitor(t)
				v.allow(t, v.signIn(t, v.get(t, b.authorizeURL()), victimMail, password))
				up.liar.Tell(lie("email_verified", false))
				v.connect(t, "liar", "victim").wantAt(t, "/account/identities?done=linked")
				v.connect(t, "github", "octo").wantAt(t, "/account/identities?done=linked")
				again := b.visitor(t)
				again.comeBy(t, "liar", "victim")
				again.get(t, b.Issuer+"/account").wantAt(t, "/account")
				if u := b.userBy(t, victimMail); u.EmailVerified {
					t.Fatal("an address that nobody vouches for is proven")
				}
				b.wantIdentities(t, user.ID, victimID, octoID)

				up.liar.Tell(lie("email_verified", true))
				test.come(t, b, v)
				if u := b.userBy(t, victimMail); !u.EmailVerified || u.ID != user.ID {
					t.Errorf("the user is %+v", u)
				}
				w := b.visitor(t)
				page := w.signIn(t, w.get(t, b.authorizeURL()), victimMail, password)
				if refused := page.StatusCode == http.StatusUnprocessableEntity; refused == test.whole {
					t.Errorf("the password is refused: %v, want %v", refused, !test.whole)
				}
				if test.whole {
					b.wantIdentities(t, user.ID, victimID, octoID)
					return
				}
				b.wantIdentities(t, user.ID, victimID)
				again.wantNobody(t)
			})
		})
	}
}

// If an attacker holds an identity of an account, no act of an operator on the account
// lets the attacker in: the act stops, or the identity is gone.
func TestProof_NoActOfAnOperatorLetsAnAttackerIn(t *testing.T) {
	revise := func(change func(*storage.User), verified *bool) func(*testbed, string, storage.Unproven) error {
		return func(b *testbed, id string, do storage.Unproven) error {
			_, err := b.DB.ReviseUser(ctx, storage.Revision{
				UserID: id, Unproven: do, Verified: verified, Revise: func(u *storage.User) error { change(u); return nil },
			}, b.now())
			return err
		}
	}
	verified := true
	for name, test := range map[string]struct {
		act    func(b *testbed, id string, do storage.Unproven) error
		proves bool
	}{
		"set-password": {func(b *testbed, id string, do storage.Unproven) error {
			_, err := b.DB.ResetPassword(ctx, storage.PasswordReset{UserID: id, Hash: "typed", Reason: "typed", Unproven: do}, b.now())
			return err
		}, false},
		"admin": {func(b *testbed, id string, do storage.Unproven) error {
			_, err := b.DB.GrantAdmin(ctx, id, do, storage.By{From: here, At: b.now()})
			return err
		}, false},
		"role":           {revise(func(u *storage.User) { u.Roles = []string{"ops"} }, nil), false},
		"email-verified": {revise(func(*storage.User) {}, &verified), true},
	} {
		t.Run(name, func(t *testing.T) {
			eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
				planted := b.local(t, storage.User{Email: victimMail}, "password of mallory")
				mallory := b.visitor(t)
				page := mallory.signIn(t, mallory.get(t, b.authorizeURL("scope", "openid offline_access", "prompt", "consent")), victimMail, "password of mallory")
				tokens := b.redeem(t, mallory.allow(t, page).code(t))
				mallory.connect(t, "github", "octo").wantAt(t, "/account/identities?done=linked")

				err := test.act(b, planted.ID, storage.StopIfAttached)
				if !test.proves {
					if !errors.Is(err, storage.ErrUnproven) {
						t.Fatalf("it did not stop: %v", err)
					}
					mallory.get(t, b.Issuer+"/account").wantAt(t, "/account")
					if now := b.userBy(t, victimMail); now.Admin || len(now.Roles) > 0 {
						t.Errorf("the refusal gave her %+v", now)
					}
					err = test.act(b, planted.ID, storage.EvictAttached)
				}
				if err != nil {
					t.Fatal(err)
				}
				mallory.wantNobody(t)
				b.wantDead(t, tokens)
				b.wantIdentities(t, planted.ID)
				b.wantEvent(t, storage.UserEvicted, planted.ID)
				octo := b.visitor(t)
				if octo.subject(t, octo.comeBy(t, "github", "octo")) == planted.ID {
					t.Error("the attacker's identity opens the account")
				}
				again := b.visitor(t)
				if again.signIn(t, again.get(t, b.authorizeURL()), victimMail, "password of mallory").StatusCode != http.StatusUnprocessableEntity {
					t.Error("the attacker's password opens the account")
				}
			})
		})
	}
}

// An identity that an operator takes away opens nothing any more, and what it has
// opened is dead, offline tokens too.
func TestIdentities_TakenAwayByAnOperator(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		v.account(t, "/account/identities")
		v.connect(t, "github", "octo")
		kept := b.redeem(t, v.allow(t, v.get(t, b.authorizeURL("scope", "openid offline_access", "prompt", "consent"))).code(t))
		w := b.visitor(t)
		taken := b.redeem(t, w.allow(t, w.comeBy(t, "github", "octo", "scope", "openid offline_access", "prompt", "consent")).code(t))
		list, err := b.DB.IdentitiesOf(ctx, b.Alice.ID)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d identities, %v", len(list), err)
		}
		if err := b.DB.Unlink(ctx, storage.Unlinking{Identity: list[0], From: storage.Origin{Actor: "cli"}}, b.now()); err != nil {
			t.Fatal(err)
		}
		b.wantDead(t, taken)
		w.wantNobody(t)
		b.refreshed(t, kept["refresh_token"])
		v.get(t, b.Issuer+"/account").wantAt(t, "/account")
		octo := b.visitor(t)
		if octo.subject(t, octo.comeBy(t, "github", "octo")) == b.Alice.ID {
			t.Error("the identity still opens the account")
		}
	})
}
