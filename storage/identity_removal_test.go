package storage_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"signet/storage"
)

// signInThrough signs a user in by an identity of an upstream, in a browser that had the
// handle replaces ("" for a new one).
func (w *world) signInThrough(t *testing.T, userID, connector, subject, replaces string) storage.Session {
	t.Helper()
	w.attempts++
	session, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
		Identity:  upstreamIdentity(userID, connector, subject),
		AttemptID: fmt.Sprint("attempt ", w.attempts), Until: storage.At(noon.Add(time.Hour)),
		SignIn: storage.SignIn{
			HandleHash: fmt.Sprint("through ", w.attempts), Replaces: replaces, ACR: "1", AMR: []string{"fed"},
			IdleFor: time.Hour, AbsoluteFor: time.Hour,
		},
	}, noon)
	if err != nil {
		t.Fatalf("sign in through %s: %v", connector, err)
	}
	return session
}

func upstreamIdentity(userID, connector, subject string) storage.Identity {
	return storage.Identity{Connector: connector, Issuer: "https://" + connector + ".example", Subject: subject, UserID: userID}
}

// openGrantIn redeems a code in a session, for an online or an offline grant.
func (w *world) openGrantIn(t *testing.T, s storage.Session, offline bool) storage.Grant {
	t.Helper()
	r := w.redemption(storage.NewID("r"), "code", noon)
	r.Grant.UserID, r.Grant.SessionID, r.Grant.Offline = s.UserID, s.ID, offline
	return w.redeem(t, r, noon)
}

// wantGrants wants these grants alive or dead.
func (w *world) wantGrants(t *testing.T, want map[string]bool) {
	t.Helper()
	for id, alive := range want {
		_, _, err := w.LiveGrant(t.Context(), id, "", noon)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
		if (err == nil) != alive {
			t.Errorf("grant %s is alive: %v, want %v", id, err == nil, alive)
		}
	}
}

// An identity takes with it exactly what it opened: sessions, online and offline
// grants. Sessions and grants that another identity or the password opened
// go on.
func TestUnlinkIdentity_EndsItsSessionsAndGrants(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		evil := w.signInThrough(t, w.user.ID, "evil", "1", "")
		good := w.signInThrough(t, w.user.ID, "good", "1", "")
		mine := w.session // opened with the password
		if evil.Connector != "evil" || evil.Identity == "" || evil.Identity == good.Identity || mine.Identity != "" {
			t.Fatalf("sessions know %q/%q, %q, %q", evil.Connector, evil.Identity, good.Identity, mine.Identity)
		}
		want := map[string]bool{}
		for _, s := range []storage.Session{evil, good, mine} {
			for _, offline := range []bool{false, true} {
				g := w.openGrantIn(t, s, offline)
				if g.Identity != s.Identity || g.Connector != s.Connector {
					t.Errorf("the grant knows %q of %q", g.Identity, s.Identity)
				}
				want[g.ID] = s.ID != evil.ID
			}
		}
		w.addLogoutClient(t, "rp", evil, false)
		w.addLogoutClient(t, "other", good, false)
		w.unlink(t, "evil", mine.ID)
		w.wantGrants(t, want)
		for id, alive := range map[string]bool{evil.ID: false, good.ID: true, mine.ID: true} {
			if got := w.signedIn(t, w.user.ID, id); got != alive {
				t.Errorf("session %s is alive: %v, want %v", id, got, alive)
			}
		}
		notices, err := w.LogoutNotices(t.Context(), w.user.ID, "", noon)
		if err != nil || len(notices) != 1 || notices[0].ClientID != "rp" {
			t.Errorf("notices %+v, %v: want one, to the client of the session that ended", notices, err)
		}
	})
}

func (w *world) unlink(t *testing.T, connector, session string) {
	t.Helper()
	u := storage.IdentityRemoval{Identity: upstreamIdentity(w.user.ID, connector, "1"), SessionID: session, Connectors: []string{"good", "evil"}}
	if err := w.UnlinkIdentity(t.Context(), u, noon); err != nil {
		t.Fatalf("unlink %s: %v", connector, err)
	}
}

// A session that goes on with another way in belongs to that one; what it opened
// before belongs to the one before.
func TestUnlinkIdentity_ContinuedSessionBelongsToTheLastSignIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.signInThrough(t, w.user.ID, "evil", "1", "")
		before := w.openGrantIn(t, first, true)
		next := w.signIn(t, w.user.ID, "then by password", first.HandleHash, noon)
		after := w.openGrantIn(t, next, true)
		if next.ID != first.ID || next.Identity != "" || after.Identity != "" {
			t.Fatalf("session %s after %s, identity %q", next.ID, first.ID, next.Identity)
		}
		w.unlink(t, "evil", "")
		w.wantGrants(t, map[string]bool{before.ID: false, after.ID: true})
		if !w.signedIn(t, w.user.ID, next.ID) {
			t.Error("the session ended although the password was typed in it")
		}
		// And the other way round.
		taken := w.signInThrough(t, w.user.ID, "good", "1", next.HandleHash)
		if taken.ID != first.ID {
			t.Fatalf("another session: %s", taken.ID)
		}
		w.unlink(t, "good", "")
		if w.signedIn(t, w.user.ID, taken.ID) {
			t.Error("the session goes on although the identity opened it last")
		}
		w.wantGrants(t, map[string]bool{after.ID: true})
	})
}

// The session in which the user asks stays; the grants that the identity opened in
// it end.
func TestUnlinkIdentity_KeepsTheCurrentSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		here := w.signInThrough(t, w.user.ID, "evil", "1", "")
		there := w.signInThrough(t, w.user.ID, "evil", "1", "")
		g := w.openGrantIn(t, here, true)
		w.unlink(t, "evil", here.ID)
		w.wantGrants(t, map[string]bool{g.ID: false})
		if !w.signedIn(t, w.user.ID, here.ID) || w.signedIn(t, w.user.ID, there.ID) {
			t.Error("want this session alive and the other one ended")
		}
	})
}

// A session that a password opened and that only linked the identity is not the
// identity's.
func TestUnlinkIdentity_KeepsThePasswordSessionThatLinked(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		session := w.signIn(t, w.user.ID, "proof", "", noon)
		err := w.LinkIdentity(t.Context(), storage.IdentityLink{
			Identity: upstreamIdentity(w.user.ID, "evil", "1"), ProofID: "proof", Until: storage.At(noon.Add(time.Hour)), SessionID: session.ID,
		}, noon)
		if err != nil || session.Identity != "" {
			t.Fatalf("identity %q, %v", session.Identity, err)
		}
		w.unlink(t, "evil", "")
		if !w.signedIn(t, w.user.ID, session.ID) {
			t.Error("the session ended")
		}
	})
}

// Rows from before the column say only that an upstream vouched: any identity that
// goes takes them along.
func TestUnlinkIdentity_EndsOldRowsWithoutIdentity(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		old := w.signInThrough(t, w.user.ID, "good", "1", "")
		w.signInThrough(t, w.user.ID, "evil", "1", "")
		r := w.redemption("old", "code", noon)
		r.Grant.SessionID, r.Grant.Offline, r.Grant.AMR = old.ID, true, []string{"fed"}
		grant := w.redeem(t, r, noon)
		mine := w.openGrantIn(t, w.session, true)
		for _, table := range []string{"sessions", "grants"} {
			w.exec(t, `UPDATE `+table+` SET connector = '', identity = '' WHERE identity <> ''`)
		}
		w.unlink(t, "evil", "")
		w.wantGrants(t, map[string]bool{grant.ID: false, mine.ID: true})
		if w.signedIn(t, w.user.ID, old.ID) || !w.signedIn(t, w.user.ID, w.session.ID) {
			t.Error("want the old session ended and that of the password alive")
		}
	})
}

// A sign-in that was under way when its identity was taken away does not bring the
// identity back.
func TestUnlinkIdentity_RaceWithSignIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		for round := range 20 {
			identity := upstreamIdentity(w.user.ID, "evil", fmt.Sprint(round))
			w.signInThrough(t, w.user.ID, "evil", fmt.Sprint(round), "")
			results := together(4, func(i int) error {
				if i == 0 {
					return nodes[0].UnlinkIdentity(t.Context(), storage.IdentityRemoval{Identity: identity, Connectors: []string{"evil"}}, noon)
				}
				_, err := nodes[i%2].SignInThrough(t.Context(), storage.ConnectorSignIn{
					Identity: identity, Linked: true, AttemptID: fmt.Sprint("late ", round, i), Until: storage.At(noon.Add(time.Hour)),
					SignIn: storage.SignIn{HandleHash: fmt.Sprint("late ", round, i), AMR: []string{"fed"}, IdleFor: time.Hour, AbsoluteFor: time.Hour},
				}, noon)
				if errors.Is(err, storage.ErrConflict) {
					return nil
				}
				return err
			})
			if err := errors.Join(results...); err != nil {
				t.Fatal(err)
			}
			if list, err := w.IdentitiesOf(t.Context(), w.user.ID); err != nil || len(list) != 0 {
				t.Fatalf("round %d: %d identities are linked, %v", round, len(list), err)
			}
			sessions, err := w.SessionsOf(t.Context(), w.user.ID, noon)
			if err != nil || len(sessions) != 1 || sessions[0].ID != w.session.ID {
				t.Fatalf("round %d: %d sessions, %v; want that of the password", round, len(sessions), err)
			}
		}
	})
}

func TestUnlinkIdentity_RefusesForeignIdentityAndSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		here := w.signInWithProfile(t, w.user.ID, "1", storage.Profile{}, noon)
		other := w.signInWithProfile(t, w.user.ID, "2", storage.Profile{}, noon)
		bob := w.createUser(t, "bob@example.com")
		bobs := w.signInWithProfile(t, bob.ID, "3", storage.Profile{}, noon)
		list, err := w.IdentitiesOf(t.Context(), w.user.ID)
		if err != nil || len(list) != 2 {
			t.Fatalf("%d identities, %v", len(list), err)
		}
		foreign := list[1]
		foreign.UserID = bob.ID
		unlink := func(i storage.Identity, session string, connectors ...string) error {
			return w.UnlinkIdentity(t.Context(), storage.IdentityRemoval{Identity: i, SessionID: session, Connectors: connectors}, noon)
		}
		wantError(t, "somebody else's", unlink(foreign, bobs.ID, "google"), storage.ErrNotFound)
		wantError(t, "in somebody else's session", unlink(list[1], bobs.ID, "google"), storage.ErrRevoked)
		if err := unlink(list[1], here.ID, "google"); err != nil {
			t.Fatal(err)
		}
		wantError(t, "again", unlink(list[1], here.ID, "google"), storage.ErrNotFound)
		for id, alive := range map[string]bool{here.ID: true, w.session.ID: true, other.ID: false} {
			if got := w.signedIn(t, w.user.ID, id); got != alive {
				t.Errorf("session %s is alive: %v, want %v", id, got, alive)
			}
		}
		if !w.signedIn(t, bob.ID, bobs.ID) {
			t.Error("another user's session ended")
		}
	})
}

// An identity of a connector that is gone is no way in.
func TestUnlinkIdentity_CountsOnlyConfiguredConnectors(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		user, err := w.CreateUser(t.Context(), storage.User{Email: "carol@example.com"}, "", storage.By{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		w.signInWithProfile(t, user.ID, "1", storage.Profile{}, noon)
		w.signInWithProfile(t, user.ID, "2", storage.Profile{}, noon)
		list, err := w.IdentitiesOf(t.Context(), user.ID)
		if err != nil {
			t.Fatal(err)
		}
		unlink := func(connectors ...string) error {
			return w.UnlinkIdentity(t.Context(), storage.IdentityRemoval{Identity: list[0], Connectors: connectors}, noon)
		}
		wantError(t, "no connector is left", unlink(), storage.ErrConflict)
		wantError(t, "another connector is left", unlink("github"), storage.ErrConflict)
		if err := unlink("github", "google"); err != nil {
			t.Fatal(err)
		}
	})
}

// A password is no way in for a user who has no address to sign in with.
func TestUnlinkIdentity_PasswordWithoutAddressDoesNotCount(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.attempts++
		identity := upstreamIdentity("", "corp", "1")
		session, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity: identity, AttemptID: "bare", Until: storage.At(noon.Add(time.Hour)),
			SignIn: storage.SignIn{HandleHash: "bare", IdleFor: time.Hour, AbsoluteFor: time.Hour},
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.resetPassword(t, session.UserID, "hash", noon); err != nil {
			t.Fatal(err)
		}
		identity.UserID = session.UserID
		unlinking := storage.IdentityRemoval{Identity: identity, Connectors: []string{"corp"}}
		wantError(t, "a password alone", w.UnlinkIdentity(t.Context(), unlinking, noon), storage.ErrConflict)
		unlinking.AllowLast = true
		if err := w.UnlinkIdentity(t.Context(), unlinking, noon); err != nil {
			t.Error(err)
		}
	})
}
