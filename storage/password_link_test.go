package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

// passwordLink makes a link as an operator does.
func (w *world) passwordLink(t testing.TB, userID string, unproven storage.UnprovenPolicy, at time.Time) (storage.MailLink, error) {
	t.Helper()
	return w.IssuePasswordLink(t.Context(), storage.PasswordLink{UserID: userID, Reason: "by_administrator", Unproven: unproven}, storage.By{From: storage.Origin{Actor: "cli"}, At: at})
}

// claimedUser creates a user with an unverified address, a password and, if attached, a session.
func (w *world) claimedUser(t testing.TB, attached bool) storage.User {
	t.Helper()
	u := w.createUser(t, storage.NewID("c")+"@example.com")
	if attached {
		w.signIn(t, u.ID, storage.NewID("h"), "", noon)
	}
	return u
}

func (w *world) evictions(t testing.TB) (n int) {
	t.Helper()
	for _, e := range w.events(t) {
		if e == storage.UserEvicted {
			n++
		}
	}
	return n
}

// A link that an operator hands over was not mailed, so it proves no address. For an account with
// an unverified address and more than a password, the operator decides what becomes of the rest.
func TestPasswordLink_ProvesNoAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Minute)
		for _, c := range []struct {
			name                string
			attached, alsoLater bool
			unproven            storage.UnprovenPolicy
			refused             bool  // at once
			want                error // when the link is used
			evicts              bool
		}{
			{name: "a password only"},
			{name: "a session", attached: true, refused: true},
			{name: "a session, evict", attached: true, unproven: storage.EvictAttached, evicts: true},
			{name: "a session, keep", attached: true, unproven: storage.KeepAttached},
			{name: "a session after the link was made", alsoLater: true, want: storage.ErrLinkDead},
			{name: "a session after the link was made, evict", alsoLater: true, unproven: storage.EvictAttached, evicts: true},
		} {
			u := w.claimedUser(t, c.attached)
			l, err := w.passwordLink(t, u.ID, c.unproven, at)
			if unproven := new(storage.UnprovenError); errors.As(err, &unproven) != c.refused || !c.refused && err != nil {
				t.Errorf("%s: %v, refused: %v", c.name, err, c.refused)
			}
			if err != nil {
				continue
			}
			if c.alsoLater {
				w.signIn(t, u.ID, storage.NewID("h"), "", at)
			}
			before := w.evictions(t)
			wantError(t, c.name, w.useResetLink(t, l.Ref(), u.ID, at), c.want)
			if c.want != nil {
				w.wantPassword(t, u.Email, "hash of "+u.Email)
				continue
			}
			w.wantPassword(t, u.Email, "hash by link")
			if after, err := w.User(t.Context(), u.ID); err != nil || after.EmailVerified {
				t.Errorf("%s: user %+v, %v: want an unverified address", c.name, after, err)
			}
			if evicted := w.evictions(t) > before; evicted != c.evicts {
				t.Errorf("%s: evicted %v, want %v", c.name, evicted, c.evicts)
			}
			w.wantDeadLink(t, l, at, "link_used")
		}
	})
}

// A stranger who asks for a mail does not end the operator's link. A newer one of the operator
// does, and so do another password and the end of everything of the user.
func TestPasswordLink_EndsWithOperatorActsOnly(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Minute)
		for name, c := range map[string]struct {
			act  func(u storage.User) error
			code string
		}{
			"mail asked for": {func(u storage.User) error { w.askForPassword(t, u.Email, at); return nil }, ""},
			"newer link":     {func(u storage.User) error { _, err := w.passwordLink(t, u.ID, storage.StopIfAttached, at); return err }, "link_replaced"},
			"password":       {func(u storage.User) error { return w.resetPassword(t, u.ID, "other", at) }, "link_ended"},
			"disabled":       {func(u storage.User) error { return w.SetUserEnabled(t.Context(), u.ID, false, storage.By{At: at}) }, "link_ended"},
			"everything ended": {func(u storage.User) error {
				return w.SignOutEverywhere(t.Context(), u.ID, "asked", storage.By{At: at})
			}, "link_ended"},
		} {
			u := w.verifiedUser(t, storage.NewID("b")+"@example.com")
			l, err := w.passwordLink(t, u.ID, storage.StopIfAttached, at)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.act(u); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if c.code == "" {
				if err := w.useResetLink(t, l.Ref(), u.ID, at); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			w.wantDeadLink(t, l, at, c.code)
			wantError(t, name, w.useResetLink(t, l.Ref(), u.ID, at), storage.ErrLinkDead)
		}
	})
}

func TestPasswordLink_OnlyForUsersWhoCouldSignIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		disabled := w.verifiedUser(t, "bob@example.com")
		if err := w.SetUserEnabled(t.Context(), disabled.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		bare, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity: upstreamIdentity("", "corp", "1"), AttemptID: "bare", Until: storage.At(noon.Add(time.Hour)),
			SignIn: storage.SignIn{HandleHash: "bare", IdleFor: time.Hour, AbsoluteFor: time.Hour},
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]error{"usr_nobody": storage.ErrNotFound, disabled.ID: storage.ErrRevoked, bare.UserID: storage.ErrNoAddress} {
			_, err := w.passwordLink(t, id, storage.KeepAttached, noon)
			wantError(t, id, err, want)
		}
	})
}
