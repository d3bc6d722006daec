package storage_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"signet/storage"
)

// owner is a user with a verified address, with ways to sign in of every kind, and a session with
// two factors.
func (w *world) owner(t *testing.T) (u storage.User, s storage.Session) {
	t.Helper()
	u = w.verifiedUser(t, storage.NewID("o")+"@example.com")
	w.signInThrough(t, u.ID, "google", u.ID, "")
	w.exec(t, `UPDATE identities SET groups = '["staff"]' WHERE user_id = ?`, u.ID)
	w.exec(t, `UPDATE users SET upstream_groups = '["staff"]' WHERE id = ?`, u.ID)
	w.signInThrough(t, u.ID, "github", u.ID, "")
	s = w.signIn(t, u.ID, storage.NewID("h"), "", noon)
	w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRTwoFactors, s.ID)
	w.exec(t, `DELETE FROM credentials WHERE user_id = ?`, u.ID)
	for i, kind := range []string{"password", "totp", "webauthn", "webauthn", "security_key", "recovery"} {
		w.exec(t, `INSERT INTO credentials (id, user_id, kind, name, secret, handle, detail, number, proven_at, used_at, created_at, updated_at)
			VALUES (?, ?, ?, 'name', ?, ?, '{"a":1}', 7, 1, 2, ?, 4)`, storage.NewID("crd_"), u.ID, kind, []byte("secret of "+kind), storage.NewID("handle"), i)
	}
	return u, s
}

// rob does what an attacker does in an account: other ways to sign in instead of the owner's.
func (w *world) rob(t *testing.T, u storage.User, s storage.Session, at time.Time) {
	t.Helper()
	w.exec(t, `DELETE FROM credentials WHERE user_id = ?`, u.ID)
	w.exec(t, `DELETE FROM identities WHERE user_id = ? AND connector = 'github'`, u.ID)
	w.signInThrough(t, u.ID, "evil", u.ID, "")
	w.addCredential(t, u, "password")
	w.addCredential(t, u, "totp")
	if err := w.UnlinkIdentity(t.Context(), storage.IdentityRemoval{
		Identity: storage.Identity{Connector: "google", Issuer: "https://google.example", Subject: u.ID, UserID: u.ID}, Connectors: []string{"evil"},
		SessionID: s.ID,
	}, at); err != nil {
		t.Fatal(err)
	}
}

// The undo restores the address and every way to sign in as it stood before the change, deletes the
// ways and consents from after it, ends everything, and starts no session. The groups of the
// identities follow.
func TestUndo_RestoresAddressAndWays(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, s := w.owner(t)
		want := w.waysOf(t, u)
		at := noon.Add(time.Minute)
		thief := w.mustChange(t, u, s, "thief@example.com", at)
		link := w.undoLink(t, u.Email, at)
		w.rob(t, u, thief, at)
		w.wantGroups(t, "after the attack", u.ID, groupsWanted{})
		consent := w.consentAnswer(true, "openid")
		consent.Consent.UserID, consent.SessionID = u.ID, thief.ID
		if err := w.AllowConsent(t.Context(), consent, at); err != nil {
			t.Fatal(err)
		}
		reset := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: u.ID, UserID: u.ID, Address: "thief@example.com"}, at)

		at = at.Add(10 * time.Minute)
		if err := w.undo(t, link, u, at); err != nil {
			t.Fatal(err)
		}
		w.wantAddress(t, "after the undo", u, u.Email)
		if got := w.waysOf(t, u); got != want {
			t.Errorf("ways to sign in:\n%s\nwant\n%s", got, want)
		}
		w.wantGroups(t, "after the undo", u.ID, groupsWanted{upstream: "staff", all: "staff"})
		for _, session := range []storage.Session{s, thief} {
			if w.signedIn(t, u.ID, session.ID) {
				t.Errorf("the session %s still lives", session.ID)
			}
		}
		if n := w.count(t, "consents WHERE user_id = ?", u.ID); n != 0 {
			t.Error("the consent of the attacker is left")
		}
		w.wantDeadLink(t, reset, at, "link_ended")
		if err := w.undo(t, link, u, at); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("the link again: %v", err)
		}
		if w.mailTo(t, storage.MailAddressRestored, "thief@example.com") == nil {
			t.Error("the address of the change got no mail")
		}
		for _, e := range []storage.EventType{storage.AddressChangeUndone, storage.SessionsEnded} {
			if found, err := w.Events(t.Context(), storage.EventFilter{Type: e, UserID: u.ID}, 2); err != nil || len(found) != 1 {
				t.Errorf("events %s: %+v, %v", e, found, err)
			}
		}
		if _, err := w.CreateUser(t.Context(), storage.User{Email: "thief@example.com"}, "", storage.By{At: at}); err != nil {
			t.Errorf("the address of the change is reserved: %v", err)
		}
	})
}

// Factors that an operator removed stay removed after an undo, also those that the user no longer had
// when the operator acted. The password comes back.
func TestUndo_FactorsThatAnOperatorRemovedStayRemoved(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, removedBefore := range []bool{false, true} {
			u, s := w.owner(t)
			w.mustChange(t, u, s, storage.NewID("t")+"@example.com", noon)
			if removedBefore {
				w.exec(t, `DELETE FROM credentials WHERE user_id = ?`, u.ID)
			}
			if _, err := w.ResetFactors(t.Context(), storage.FactorReset{UserID: u.ID}, storage.By{At: noon}); err != nil {
				t.Fatal(err)
			}
			if err := w.undo(t, w.undoLink(t, u.Email, noon), u, noon.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if n := w.count(t, "credentials WHERE user_id = ? AND kind <> 'password'", u.ID); n != 0 {
				t.Errorf("%d factors are back (removed before: %v)", n, removedBefore)
			}
			if n := w.count(t, "credentials WHERE user_id = ? AND kind = 'password'", u.ID); n != 1 {
				t.Errorf("%d passwords, want 1 (removed before: %v)", n, removedBefore)
			}
		}
	})
}

// MF-07: codes that were used after a change of the address stay used after its undo, and counters
// of passkeys do not fall.
func TestUndo_UsedCodesStayUsed(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "owner@example.com")
		s, app := w.addTOTP(t, w.signIn(t, u.ID, "first", "", noon), "owner", noon)
		w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, handle, number, proven_at) VALUES ('crd_key', ?, 'webauthn', 'x', 'key', 7, 1)`, u.ID)
		s = w.mustChange(t, u, s, "second@example.com", noon)
		w.mustChange(t, u, s, "third@example.com", noon)
		uses := map[string]storage.FactorUse{
			"recovery code": {CodeHash: []byte("code 0")}, "code of the app": {CredentialID: app, Step: step + 3},
		}
		for name, use := range uses {
			if _, err := w.SignIn(t.Context(), w.secondSignIn(u.ID, name, use), noon); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		key := w.signInOf(u.ID, "key", "")
		key.Passkey = &storage.PasskeyUse{PasskeyID: "crd_key", ChallengeID: "challenge", Until: storage.At(noon.Add(time.Hour)), Counter: 9}
		if _, err := w.SignIn(t.Context(), key, noon); err != nil {
			t.Fatal(err)
		}
		at := noon.Add(time.Minute)
		for _, former := range []string{"second@example.com", "owner@example.com"} {
			if err := w.undo(t, w.undoLink(t, former, noon), u, at); err != nil {
				t.Fatal(err)
			}
			for name, use := range uses {
				_, err := w.SignIn(t.Context(), w.secondSignIn(u.ID, name+" again", use), at)
				wantError(t, name+" after the undo to "+former, err, storage.ErrReplayed)
			}
			if list, err := w.PasskeysOf(t.Context(), u.ID); err != nil || len(list) != 1 || list[0].Counter != 9 {
				t.Errorf("passkeys %+v, %v, want one with the counter 9", list, err)
			}
		}
		if has, err := w.SecondFactorsOf(t.Context(), u.ID); err != nil || len(has.Codes) != 1 {
			t.Errorf("%d codes, %v, want the unused one", len(has.Codes), err)
		}
	})
}

// A token of an upstream is not copied: copies are not sealed again with a new master key.
func TestUndo_CopiesNoTokenOfAnUpstream(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, s := w.owner(t)
		w.exec(t, `UPDATE identities SET detail = '{"groups_refused":"too_many","token":"c2VhbGVk"}' WHERE user_id = ? AND connector = 'github'`, u.ID)
		w.mustChange(t, u, s, "thief@example.com", noon)
		if n := w.count(t, `former_identities WHERE detail LIKE '%token%'`); n != 0 {
			t.Error("a copy has the token")
		}
		if n := w.count(t, `former_identities WHERE detail LIKE '%too_many%'`); n != 1 {
			t.Error("the copy lost other details")
		}
	})
}

// An older undo ends the later ones; a later one leaves the older ones. So the first owner has the
// last word.
func TestUndo_OlderOneEndsLaterOnes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, olderFirst := range []bool{true, false} {
			u, s := w.owner(t)
			second, third := storage.NewID("2")+"@example.com", storage.NewID("3")+"@example.com"
			s = w.mustChange(t, u, s, second, noon)
			w.mustChange(t, u, s, third, noon) // at the same moment
			older, later := w.undoLink(t, u.Email, noon), w.undoLink(t, second, noon)
			at := noon.Add(time.Hour)
			if !olderFirst {
				if err := w.undo(t, later, u, at); err != nil {
					t.Fatal(err)
				}
				w.wantAddress(t, "after the later undo", u, second)
			}
			if err := w.undo(t, older, u, at); err != nil {
				t.Fatalf("older undo (first: %v): %v", olderFirst, err)
			}
			w.wantAddress(t, "after the older undo", u, u.Email)
			if err := w.undo(t, later, u, at); !errors.Is(err, storage.ErrLinkDead) {
				t.Errorf("later undo after the older one: %v", err)
			}
			w.wantAddress(t, "in the end", u, u.Email)
		}
	})
}

// An identity that belongs to another user now stays there.
func TestUndo_IdentityOfAnotherUserStays(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, s := w.owner(t)
		w.mustChange(t, u, s, "thief@example.com", noon)
		link := w.undoLink(t, u.Email, noon)
		other := w.verifiedUser(t, "other@example.com")
		w.exec(t, `UPDATE identities SET user_id = ? WHERE user_id = ? AND connector = 'github'`, other.ID, u.ID)
		if err := w.undo(t, link, u, noon); err != nil {
			t.Fatal(err)
		}
		if n := w.count(t, `identities WHERE user_id = ?`, other.ID); n != 1 {
			t.Errorf("the other user has %d identities, want 1", n)
		}
		found, err := w.Events(t.Context(), storage.EventFilter{Type: storage.AddressChangeUndone, UserID: u.ID}, 1)
		if err != nil || len(found) != 1 || found[0].Detail["not_restored"] != 1.0 {
			t.Errorf("events %+v, %v", found, err)
		}
	})
}

// The link outlives what an attacker can do in the account, and dies with the account and after
// seven days.
func TestUndo_Liveness(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		by := func(at time.Time) storage.By { return storage.By{At: at} }
		for name, c := range map[string]struct {
			end  func(u storage.User, at time.Time) error
			wait time.Duration
			dead bool
		}{
			"sign-out everywhere": {end: func(u storage.User, at time.Time) error {
				return w.SignOutEverywhere(t.Context(), u.ID, "asked", by(at))
			}},
			"new password": {end: func(u storage.User, at time.Time) error { return w.resetPassword(t, u.ID, "new hash", at) }},
			"last moment":  {wait: undoLife - time.Hour},
			"expired":      {wait: undoLife, dead: true},
			"disabled":     {end: func(u storage.User, at time.Time) error { return w.SetUserEnabled(t.Context(), u.ID, false, by(at)) }, dead: true},
			"deleted":      {end: func(u storage.User, at time.Time) error { return w.DeleteUser(t.Context(), u.ID, by(at)) }, dead: true},
		} {
			u, s := w.owner(t)
			w.mustChange(t, u, s, storage.NewID("t")+"@example.com", noon)
			link, at := w.undoLink(t, u.Email, noon), noon.Add(time.Minute)
			if c.end != nil {
				if err := c.end(u, at); err != nil {
					t.Fatal(err)
				}
			}
			at = noon.Add(c.wait + time.Minute)
			if c.wait == undoLife {
				at = noon.Add(undoLife)
			}
			if err := w.undo(t, link, u, at); errors.Is(err, storage.ErrLinkDead) != c.dead || !c.dead && err != nil {
				t.Errorf("%s: %v, want a dead link: %v", name, err, c.dead)
			}
		}
		u, s := w.owner(t)
		w.mustChange(t, u, s, "t@example.com", noon)
		link := w.undoLink(t, u.Email, noon)
		if err := w.undo(t, link, w.user, noon); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("the link with another user: %v", err)
		}
		w.endEverything(t, noon.Add(time.Minute))
		if err := w.undo(t, link, u, noon.Add(time.Hour)); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("after the end of everything: %v", err)
		}
	})
}

// A new master key reaches the copies too, so that an undo restores an app that still works.
func TestUndo_CopiesAreSealedAgain(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, s := w.owner(t)
		w.mustChange(t, u, s, "thief@example.com", noon)
		seen := map[string]int{}
		err := w.RewrapFactors(t.Context(), func(id string, sealed []byte) ([]byte, error) {
			seen[id+" "+string(sealed)]++
			return []byte("sealed again"), nil
		})
		if err != nil || len(seen) != 1 {
			t.Fatalf("%v, %v", seen, err)
		}
		if err := w.undo(t, w.undoLink(t, u.Email, noon), u, noon); err != nil {
			t.Fatal(err)
		}
		if n := w.count(t, `credentials WHERE user_id = ? AND kind = 'totp' AND secret = ?`, u.ID, []byte("sealed again")); n != 1 {
			t.Error("the restored app has the secret of the former master key")
		}
	})
}

// A person who took the account over can remove the owner's passkey and register its credential ID
// elsewhere, because nothing in a registration proves that the ID is new. The undo takes it back, and
// ends what was opened with it. Its own user learns nothing about the owner.
func TestUndo_TakesForgedCredentialIDBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, s := w.owner(t)
		want := w.waysOf(t, u)
		thief := w.mustChange(t, u, s, "thief@example.com", noon)
		link := w.undoLink(t, u.Email, noon)
		var handles []string
		for _, p := range passkeysOf(t, w, u.ID) {
			handles = append(handles, p.Handle)
		}
		w.rob(t, u, thief, noon)
		mallory := w.verifiedUser(t, "mallory@example.com")
		session := w.signIn(t, mallory.ID, "handle of mallory", "", noon)
		for i, handle := range append(handles, "mallory's own") {
			a := w.addition(handle, session.ID)
			a.UserID, a.Handle = mallory.ID, fmt.Sprint("mallory ", i)
			w.proveIn(t, session, noon)
			w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRTwoFactors, session.ID)
			var err error
			if session, _, err = w.AddPasskey(t.Context(), a, noon); err != nil {
				t.Fatalf("add passkey %s: %v", handle, err)
			}
		}
		forged, _, err := w.PasskeyByHandle(t.Context(), handles[0])
		if err != nil {
			t.Fatal(err)
		}
		opened, err := w.SignIn(t.Context(), w.useOf(forged, "c", 9), noon)
		if err != nil {
			t.Fatal(err)
		}
		grant := w.openGrantIn(t, opened, true)

		if err := w.UndoAddressChange(t.Context(), storage.AddressUndo{Link: link, UserID: u.ID, From: storage.Origin{Agent: "owner", Address: "192.0.2.77"}}, noon.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := w.waysOf(t, u); got != want {
			t.Errorf("ways to sign in:\n%s\nwant\n%s", got, want)
		}
		if left := passkeysOf(t, w, mallory.ID); len(left) != 1 || left[0].Handle != "mallory's own" {
			t.Errorf("mallory has %+v, want only the passkey of her own", left)
		}
		if w.signedIn(t, mallory.ID, opened.ID) || !w.signedIn(t, mallory.ID, session.ID) {
			t.Error("the session of the forged passkey lives, or the other one of its user ended")
		}
		w.wantDead(t, grant.ID, noon)
		events, err := w.Events(t.Context(), storage.EventFilter{Type: storage.PasskeyRemoved, UserID: mallory.ID}, 5)
		if err != nil || len(events) != len(handles) || events[0].Reason != "taken_back" || events[0].From.Address != "" {
			t.Errorf("events %+v, %v", events, err)
		}
		if m := w.mailTo(t, storage.MailPasskeyRemoved, mallory.Email); m == nil || m.Message.Facts.Address != "" || m.Message.Facts.Agent != "" {
			t.Errorf("mail %+v", m)
		}
	})
}

func passkeysOf(t *testing.T, w *world, userID string) []storage.Passkey {
	t.Helper()
	list, err := w.PasskeysOf(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// The mail with the undo is sent even if the account was disabled meanwhile: the address gets no
// second one. Its link works as soon as the account is enabled again. Other links are not mailed then.
func TestUndo_IsMailedWhileUserIsDisabled(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, s := w.owner(t)
		reset := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: u.ID, UserID: u.ID, Address: u.Email}, noon)
		w.mustChange(t, u, s, "thief@example.com", noon)
		undo := w.undoLink(t, u.Email, noon)
		if err := w.SetUserEnabled(t.Context(), u.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		at := noon.Add(time.Minute)
		if l, err := w.LinkToMail(t.Context(), undo, at); err != nil || l.Ref() != undo {
			t.Errorf("link %+v, %v", l, err)
		}
		_, err := w.OpenMailLink(t.Context(), undo, at)
		wantError(t, "the undo of a disabled user", err, storage.ErrLinkDead)
		_, err = w.LinkToMail(t.Context(), reset.Ref(), at)
		wantError(t, "a mail with another link", err, storage.ErrLinkDead)
		if err := w.SetUserEnabled(t.Context(), u.ID, true, storage.By{At: at}); err != nil {
			t.Fatal(err)
		}
		if err := w.undo(t, undo, u, at); err != nil {
			t.Errorf("after the account was enabled: %v", err)
		}
		_, err = w.LinkToMail(t.Context(), undo, at)
		wantError(t, "a mail with a used link", err, storage.ErrLinkDead)
	})
}
