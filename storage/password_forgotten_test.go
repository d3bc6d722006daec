package storage_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/federation/foreign"
	"signet/storage"
)

// askForPassword asks for a mail with a new password, as a stranger can.
func (w *world) askForPassword(t testing.TB, email string, at time.Time) {
	t.Helper()
	_, err := w.RequestPasswordReset(t.Context(), storage.ForgottenPassword{
		Email: email, Connectors: []string{"google"}, From: storage.Origin{Address: "192.0.2.7", Agent: "Firefox"},
	}, at)
	if err != nil {
		t.Fatalf("%s: %v", email, err)
	}
}

// mailedLink asks for a mail and returns the name of its link.
func (w *world) mailedLink(t testing.TB, u storage.User, at time.Time) storage.LinkRef {
	t.Helper()
	w.askForPassword(t, u.Email, at)
	mails := w.claimMails(t, at)
	if len(mails) != 1 || mails[0].Message.Kind != storage.MailPasswordReset || mails[0].Recipient != u.Email || mails[0].Message.Facts.Address != "192.0.2.7" {
		t.Fatalf("mails %+v, want one with a link to %s", mails, u.Email)
	}
	return mails[0].Message.Link
}

func (w *world) useResetLink(t testing.TB, link storage.LinkRef, userID string, at time.Time) error {
	t.Helper()
	return w.ResetPasswordByLink(t.Context(), storage.LinkedReset{Link: link, UserID: userID, Hash: "hash by link"}, at)
}

func (w *world) wantPassword(t testing.TB, email, want string) {
	t.Helper()
	if _, got, err := w.UserByEmail(t.Context(), email); err != nil || got != want {
		t.Errorf("the hash of %s is %q, %v: want %q", email, got, err, want)
	}
}

// RC-13: an unknown or disabled user gets no mail, and one who has a verified address and signs
// in through an upstream gets no link. RC-08: the mail goes to the stored address.
func TestForgottenPassword_MailDependsOnTheUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		create := func(u storage.User, hash string) storage.User {
			u, err := w.CreateUser(t.Context(), u, hash, storage.By{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		connect := func(u storage.User, connector string) {
			session := w.signIn(t, u.ID, storage.NewID("h"), "", noon)
			err := w.LinkIdentity(t.Context(), storage.IdentityLink{
				Identity: storage.Identity{Connector: connector, Issuer: "https://" + connector, Subject: u.ID, UserID: u.ID},
				ProofID:  storage.NewID("p"), Until: storage.At(noon.Add(time.Hour)), SessionID: session.ID,
			}, noon)
			if err != nil {
				t.Fatal(err)
			}
		}
		proven := create(storage.User{Email: "Ada@Example.com", EmailVerified: true}, "old")
		claimed := create(storage.User{Email: "claimed@example.com"}, "old")
		none := create(storage.User{Email: "none@example.com", EmailVerified: true}, "")
		federated := create(storage.User{Email: "federated@example.com", EmailVerified: true}, "")
		connect(federated, "google")
		both := create(storage.User{Email: "both@example.com", EmailVerified: true}, "old")
		connect(both, "google")
		former := create(storage.User{Email: "former@example.com", EmailVerified: true}, "")
		connect(former, "gone")
		seized := create(storage.User{Email: "seized@example.com"}, "")
		connect(seized, "google")
		disabled := create(storage.User{Email: "disabled@example.com", EmailVerified: true}, "old")
		if err := w.SetUserEnabled(t.Context(), disabled.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for _, m := range w.claimMails(t, noon) { // of the acts above
			w.settleMails(t, noon, storage.MailResult{Mail: m})
		}

		at := noon.Add(time.Hour)
		for email, want := range map[string]storage.MailKind{
			" aDa@EXAMPLE.com": storage.MailPasswordReset, claimed.Email: storage.MailPasswordReset, none.Email: storage.MailPasswordReset,
			both.Email: storage.MailPasswordReset, former.Email: storage.MailPasswordReset, seized.Email: storage.MailPasswordReset,
			federated.Email: storage.MailNoPassword, disabled.Email: "", "nobody@example.com": "",
		} {
			w.askForPassword(t, email, at)
			mails := w.claimMails(t, at)
			switch {
			case want == "":
				if len(mails) != 0 {
					t.Errorf("%s: mails %+v, want none", email, mails)
				}
				continue
			case len(mails) != 1 || mails[0].Message.Kind != want || (mails[0].Message.Link.ID != "") != (want == storage.MailPasswordReset):
				t.Errorf("%s: mails %+v, want one of the kind %s", email, mails, want)
				continue
			}
			if want == storage.MailNoPassword && mails[0].Message.Facts.Connector != "google" {
				t.Errorf("%s: connector %q, want google", email, mails[0].Message.Facts.Connector)
			}
			if email == " aDa@EXAMPLE.com" && mails[0].Recipient != proven.Email {
				t.Errorf("the mail goes to %q, want the stored address", mails[0].Recipient)
			}
			if got := w.events(t)[0]; got != storage.PasswordResetRequested {
				t.Errorf("%s: event %s, want %s", email, got, storage.PasswordResetRequested)
			}
		}
		if _, err := w.RequestPasswordReset(t.Context(), storage.ForgottenPassword{Email: "no address"}, at); !errors.Is(err, foreign.ErrEmail) {
			t.Errorf("no address: %v, want ErrEmail", err)
		}
	})
}

// RC-10: the limits count requests for unknown addresses too.
func TestForgottenPassword_LimitsCountEveryAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, email := range []string{w.user.Email, "nobody@example.com"} {
			f := storage.ForgottenPassword{Email: email, Limits: []storage.Limit{{Key: "mail:" + email, Max: 3, Window: 15 * time.Minute}}}
			for range 3 {
				if _, err := w.RequestPasswordReset(t.Context(), f, noon); err != nil {
					t.Fatal(err)
				}
			}
			var throttled *storage.ThrottledError
			if _, err := w.RequestPasswordReset(t.Context(), f, noon); !errors.As(err, &throttled) {
				t.Errorf("%s: fourth request: %v, want it to be throttled", email, err)
			}
		}
	})
}

func TestLinkedReset_EndsAllSessionsAndGrants(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "bob@example.com")
		session := w.signIn(t, u.ID, "handle of bob", "", noon)
		r := w.redemption("offline request", "offline code", noon)
		r.Grant.Offline, r.Grant.UserID, r.Grant.SessionID = true, u.ID, session.ID
		offline := w.redeem(t, r, noon)

		at := noon.Add(time.Minute)
		link := w.mailedLink(t, u, at)
		if err := w.useResetLink(t, link, u.ID, at); err != nil {
			t.Fatal(err)
		}
		w.wantPassword(t, u.Email, "hash by link")
		w.wantDead(t, offline.ID, at)
		_, _, err := w.SessionByHandle(t.Context(), "handle of bob", at)
		wantError(t, "bob's session", err, storage.ErrNotFound)
		if list, err := w.SessionsOf(t.Context(), u.ID, at); err != nil || len(list) != 0 {
			t.Errorf("sessions %+v, %v: a link starts none", list, err)
		}
		if events := w.events(t); !slices.Contains(events, storage.PasswordChanged) || !slices.Contains(events, storage.SessionsEnded) || slices.Contains(events, storage.UserEvicted) {
			t.Errorf("events %v, want password.changed and session.ended_all and no eviction", events)
		}
		if mails := w.claimMails(t, at); len(mails) != 1 || mails[0].Message.Kind != storage.MailPasswordChanged {
			t.Errorf("mails %+v, want one that tells of the new password", mails)
		}
		w.wantDeadLink(t, storage.MailLink{Kind: link.Kind, Holder: link.Holder, ID: link.ID}, at, "link_used")
	})
}

// A mailed link is a proof of the address. Everything that was set up before the first proof is
// deleted: it may belong to another person.
func TestLinkedReset_FirstProofEvicts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, err := w.CreateUser(t.Context(), storage.User{Email: "claimed@example.com", Name: "Mallory", Roles: []string{"dev"}}, "mallory's", storage.By{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		session := w.signIn(t, u.ID, "mallory", "", noon)
		err = w.LinkIdentity(t.Context(), storage.IdentityLink{
			Identity: storage.Identity{Connector: "google", Issuer: "https://google", Subject: "mallory", UserID: u.ID},
			ProofID:  storage.NewID("p"), Until: storage.At(noon.Add(time.Hour)), SessionID: session.ID,
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		at := noon.Add(time.Minute)
		if err := w.useResetLink(t, w.mailedLink(t, u, at), u.ID, at); err != nil {
			t.Fatal(err)
		}
		after, err := w.User(t.Context(), u.ID)
		if err != nil || !after.EmailVerified || after.Name != "" || !slices.Equal(after.Roles, u.Roles) {
			t.Errorf("user %+v, %v: want a verified address, no profile and the roles", after, err)
		}
		attached, err := w.AttachedTo(t.Context(), u.ID, at)
		if err != nil || len(attached.Identities) != 0 || len(attached.Factors) != 1 || attached.Sessions != 0 || attached.Grants != 0 {
			t.Errorf("attached %+v, %v: want the new password alone", attached, err)
		}
		if events := w.events(t); !slices.Contains(events, storage.UserEvicted) || !slices.Contains(events, storage.AddressProven) {
			t.Errorf("events %v", events)
		}
	})
}

// RC-06: the user of the row decides, and a link for another address than the user now has sets
// no password. RC-05: a link of another kind does not either.
func TestLinkedReset_OnlyForTheUserAndAddressOfTheLink(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, other := w.verifiedUser(t, "bob@example.com"), w.verifiedUser(t, "eve@example.com")
		at := noon.Add(time.Minute)
		link := w.mailedLink(t, u, at)
		elsewhere := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: "elsewhere", UserID: u.ID, Address: "former@example.com"}, at)
		verify := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkVerify, Holder: u.ID, UserID: u.ID, Address: u.Email}, at)
		for name, err := range map[string]error{
			"another user":    w.useResetLink(t, link, other.ID, at),
			"no user":         w.useResetLink(t, link, "usr_nobody", at),
			"another address": w.useResetLink(t, elsewhere.Ref(), u.ID, at),
			"another kind":    w.useResetLink(t, verify.Ref(), u.ID, at),
		} {
			wantError(t, name, err, storage.ErrLinkDead)
		}
		w.wantPassword(t, u.Email, "hash of "+u.Email)
		w.wantPassword(t, other.Email, "hash of "+other.Email)
		if err := w.useResetLink(t, link, u.ID, at); err != nil {
			t.Errorf("the refused attempts spent the link: %v", err)
		}
	})
}

// RC-11: a newer link, another password and a disabled user end the link.
func TestLinkedReset_DeadAfterOtherActs(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, act := range map[string]func(u storage.User, at time.Time) error{
			"newer link": func(u storage.User, at time.Time) error { w.mailedLink(t, u, at); return nil },
			"password":   func(u storage.User, at time.Time) error { return w.resetPassword(t, u.ID, "by an operator", at) },
			"sign out everywhere": func(u storage.User, at time.Time) error {
				return w.SignOutEverywhere(t.Context(), u.ID, "asked", storage.By{At: at})
			},
			"disabled": func(u storage.User, at time.Time) error {
				return w.SetUserEnabled(t.Context(), u.ID, false, storage.By{At: at})
			},
		} {
			u, at := w.verifiedUser(t, storage.NewID("b")+"@example.com"), noon.Add(time.Minute)
			for _, m := range w.claimMails(t, at.Add(time.Second)) { // of the earlier users
				w.settleMails(t, at.Add(time.Second), storage.MailResult{Mail: m})
			}
			link := w.mailedLink(t, u, at)
			if err := act(u, at.Add(time.Second)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			wantError(t, name, w.useResetLink(t, link, u.ID, at.Add(2*time.Second)), storage.ErrLinkDead)
		}
	})
}

// RC-03: of fifty uses on two nodes, one sets its password.
func TestLinkedReset_OneOfFiftyOnTwoNodes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "bob@example.com")
		link := w.mailedLink(t, u, noon)
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		var mu sync.Mutex
		var won []string
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				hash := storage.NewID("hash ")
				err := nodes[i%2].ResetPasswordByLink(t.Context(), storage.LinkedReset{Link: link, UserID: u.ID, Hash: hash}, noon)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, hash)
				} else if !errors.Is(err, storage.ErrLinkDead) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of 50 succeeded, want 1", len(won))
		}
		w.wantPassword(t, u.Email, won[0])
	})
}
