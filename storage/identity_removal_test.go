package storage_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"signet/storage"
)

// signInThrough signs a user in through a connector. replaces is the handle of the
// session that the browser has, "" for a new browser.
func (w *world) signInThrough(t *testing.T, userID, connector, subject, replaces string) storage.Session {
	t.Helper()
	w.attempts++
	session, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
		Identity:  upstreamIdentity(userID, connector, subject),
		AttemptID: fmt.Sprint("attempt ", w.attempts), Until: storage.At(noon.Add(time.Hour)),
		SignIn: storage.SignIn{
			HandleHash: fmt.Sprint("connector ", w.attempts), Replaces: replaces, ACR: "1", AMR: []string{"fed"},
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

// openGrantIn redeems a code in a session and returns its online or offline grant.
func (w *world) openGrantIn(t *testing.T, s storage.Session, offline bool) storage.Grant {
	t.Helper()
	r := w.redemption(storage.NewID("r"), "code", noon)
	r.Grant.UserID, r.Grant.SessionID, r.Grant.Offline = s.UserID, s.ID, offline
	return w.redeem(t, r, noon)
}

// wantGrants wants each grant to be valid or not, as the map says.
func (w *world) wantGrants(t *testing.T, want map[string]bool) {
	t.Helper()
	for id, alive := range want {
		_, _, err := w.LiveGrant(t.Context(), id, "", noon)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
		if (err == nil) != alive {
			t.Errorf("grant %s is valid: %v, want %v", id, err == nil, alive)
		}
	}
}

// UnlinkIdentity ends the sessions, online grants and offline grants that the identity
// opened. Sessions and grants from another identity or the password stay valid.
func TestUnlinkIdentity_EndsItsSessionsAndGrants(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		evil := w.signInThrough(t, w.user.ID, "evil", "1", "")
		good := w.signInThrough(t, w.user.ID, "good", "1", "")
		mine := w.session // opened with the password
		if evil.Connector != "evil" || evil.Identity == "" || evil.Identity == good.Identity || mine.Identity != "" {
			t.Fatalf("connector and identities of the sessions: %q/%q, %q, %q", evil.Connector, evil.Identity, good.Identity, mine.Identity)
		}
		want := map[string]bool{}
		for _, s := range []storage.Session{evil, good, mine} {
			for _, offline := range []bool{false, true} {
				g := w.openGrantIn(t, s, offline)
				if g.Identity != s.Identity || g.Connector != s.Connector {
					t.Errorf("identity of the grant %q, of its session %q", g.Identity, s.Identity)
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
				t.Errorf("session %s is valid: %v, want %v", id, got, alive)
			}
		}
		notices, err := w.LogoutNotices(t.Context(), w.user.ID, "", noon)
		if err != nil || len(notices) != 1 || notices[0].ClientID != "rp" {
			t.Errorf("notices %+v, %v: want one, to the client of the session that ended", notices, err)
		}
	})
}

// unlink removes identity 1 of a connector from the world's user. session is the current
// session, or "".
func (w *world) unlink(t *testing.T, connector, session string) {
	t.Helper()
	u := storage.IdentityRemoval{Identity: upstreamIdentity(w.user.ID, connector, "1"), SessionID: session, Connectors: []string{"good", "evil"}}
	if err := w.UnlinkIdentity(t.Context(), u, noon); err != nil {
		t.Fatalf("unlink %s: %v", connector, err)
	}
}

// A session that continues with another sign-in method belongs to this method. Grants from
// before still belong to the earlier method.
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
			t.Error("the session ended although its last sign-in was with the password")
		}
		// The same with the identity as the last method.
		taken := w.signInThrough(t, w.user.ID, "good", "1", next.HandleHash)
		if taken.ID != first.ID {
			t.Fatalf("another session: %s", taken.ID)
		}
		w.unlink(t, "good", "")
		if w.signedIn(t, w.user.ID, taken.ID) {
			t.Error("the session is valid although its last sign-in was with the removed identity")
		}
		w.wantGrants(t, map[string]bool{after.ID: true})
	})
}

// The session in which the user removes the identity stays valid. Grants that the identity
// opened in it end.
func TestUnlinkIdentity_KeepsTheCurrentSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		current := w.signInThrough(t, w.user.ID, "evil", "1", "")
		second := w.signInThrough(t, w.user.ID, "evil", "1", "")
		g := w.openGrantIn(t, current, true)
		w.unlink(t, "evil", current.ID)
		w.wantGrants(t, map[string]bool{g.ID: false})
		if !w.signedIn(t, w.user.ID, current.ID) || w.signedIn(t, w.user.ID, second.ID) {
			t.Error("want the current session to be valid and the second one to be ended")
		}
	})
}

// A session that a password opened belongs to the password, also if the identity was linked
// in it.
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

// MF-13: where an account can reach two factors, a session with one connects and disconnects nothing.
// An operator disconnects identities nevertheless.
func TestIdentityChanges_NeedTheHighestLevel(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.signInThrough(t, w.user.ID, "google", "sub", "")
		list, err := w.IdentitiesOf(t.Context(), w.user.ID)
		if err != nil || len(list) != 1 {
			t.Fatalf("identities %+v, %v, want one", list, err)
		}
		w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, handle, proven_at) VALUES ('crd_key', ?, 'webauthn', 'x', 'key', 1)`, w.user.ID)
		link := func() error {
			return w.LinkIdentity(t.Context(), storage.IdentityLink{
				Identity: upstreamIdentity(w.user.ID, "evil", "1"), ProofID: "proof", Until: storage.At(noon.Add(time.Hour)), SessionID: w.session.ID,
			}, noon)
		}
		unlink := func(session string) error {
			return w.UnlinkIdentity(t.Context(), storage.IdentityRemoval{Identity: list[0], SessionID: session, Connectors: []string{"google"}}, noon)
		}
		wantError(t, "connect", link(), storage.ErrNotFresh)
		wantError(t, "disconnect", unlink(w.session.ID), storage.ErrNotFresh)
		if n := w.count(t, "identities WHERE user_id = ?", w.user.ID); n != 1 {
			t.Errorf("%d identities, want 1", n)
		}
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRTwoFactors, w.session.ID)
		if err := link(); err != nil {
			t.Errorf("connect with two factors: %v", err)
		}
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACROneFactor, w.session.ID)
		if err := unlink(""); err != nil {
			t.Errorf("an operator disconnects: %v", err)
		}
	})
}

// Old rows have no identity column; they only show that an upstream was used. Removing any
// identity ends them.
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
			t.Error("want the old session to be ended and the password session to be valid")
		}
	})
}

// A sign-in that began before its identity was removed does not restore the identity.
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
				t.Fatalf("round %d: %d sessions, %v; want only the password session", round, len(sessions), err)
			}
		}
	})
}

func TestUnlinkIdentity_RefusesForeignIdentityAndSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		current := w.signInWithProfile(t, w.user.ID, "1", storage.Profile{}, noon)
		other := w.signInWithProfile(t, w.user.ID, "2", storage.Profile{}, noon)
		bob := w.createUser(t, "bob@example.com")
		bobs := w.signInWithProfile(t, bob.ID, "3", storage.Profile{}, noon)
		list, err := w.IdentitiesOf(t.Context(), w.user.ID)
		if err != nil || len(list) != 2 {
			t.Fatalf("%d identities, %v; want 2", len(list), err)
		}
		foreign := list[1]
		foreign.UserID = bob.ID
		unlink := func(i storage.Identity, session string, connectors ...string) error {
			return w.UnlinkIdentity(t.Context(), storage.IdentityRemoval{Identity: i, SessionID: session, Connectors: connectors}, noon)
		}
		wantError(t, "identity of another user", unlink(foreign, bobs.ID, "google"), storage.ErrNotFound)
		wantError(t, "in a session of another user", unlink(list[1], bobs.ID, "google"), storage.ErrRevoked)
		if err := unlink(list[1], current.ID, "google"); err != nil {
			t.Fatal(err)
		}
		wantError(t, "again", unlink(list[1], current.ID, "google"), storage.ErrNotFound)
		for id, alive := range map[string]bool{current.ID: true, w.session.ID: true, other.ID: false} {
			if got := w.signedIn(t, w.user.ID, id); got != alive {
				t.Errorf("session %s is valid: %v, want %v", id, got, alive)
			}
		}
		if !w.signedIn(t, bob.ID, bobs.ID) {
			t.Error("another user's session ended")
		}
	})
}

// The last sign-in method cannot be removed. An identity of a connector that is no longer
// configured does not count as a method.
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
		wantError(t, "no connector is configured", unlink(), storage.ErrConflict)
		wantError(t, "only another connector is configured", unlink("github"), storage.ErrConflict)
		if err := unlink("github", "google"); err != nil {
			t.Fatal(err)
		}
	})
}

// A password does not count as a sign-in method for a user without an email address.
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
		removal := storage.IdentityRemoval{Identity: identity, Connectors: []string{"corp"}}
		wantError(t, "only a password is left", w.UnlinkIdentity(t.Context(), removal, noon), storage.ErrConflict)
		removal.AllowLast = true
		if err := w.UnlinkIdentity(t.Context(), removal, noon); err != nil {
			t.Error(err)
		}
	})
}
