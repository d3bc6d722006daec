package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
)

// keyAddition returns the addition of a security key in a session, with two recovery codes.
func (w *world) keyAddition(handle string, session storage.Session) storage.SecurityKeyAddition {
	return storage.SecurityKeyAddition{
		FactorChange: w.factorChange(session, "handle after "+handle),
		Key:          storage.Passkey{Handle: handle, RPID: "id.example.com", PublicKey: []byte("key of " + handle), Counter: 3, Detail: storage.PasskeyDetail{AAGUID: "a", Transports: []string{"usb"}}},
		Codes:        [][]byte{[]byte("code 0 of " + handle), []byte("code 1 of " + handle)}, ChallengeID: "challenge of " + handle, Until: storage.At(noon.Add(time.Hour)),
	}
}

// addKey adds a security key and returns the new session and the key.
func (w *world) addKey(t testing.TB, handle string, session storage.Session, at time.Time) (storage.Session, storage.Passkey) {
	t.Helper()
	w.proveIn(t, session, at)
	s, _, err := w.AddSecurityKey(t.Context(), w.keyAddition(handle, session), at)
	if err != nil {
		t.Fatalf("add security key: %v", err)
	}
	k, _, err := w.PasskeyByHandle(t.Context(), handle)
	if err != nil {
		t.Fatal(err)
	}
	return s, k
}

// keyUse is the use of a key as second factor.
func keyUse(k storage.Passkey, challenge string, counter int64) storage.FactorUse {
	return storage.FactorUse{Key: &storage.PasskeyUse{PasskeyID: k.ID, ChallengeID: challenge, Until: storage.At(noon.Add(time.Hour)), Counter: counter}}
}

// keySignIn returns a sign-in with a password and a key.
func (w *world) keySignIn(userID, handle string, use storage.FactorUse) storage.SignIn {
	s := w.secondSignIn(userID, handle, use)
	s.AMR = []string{"pwd"}
	return s
}

// The first security key brings the recovery codes, leaves only this browser signed in, and is asked
// for at each sign-in. A program that knows no security keys cannot open the database.
func TestAddSecurityKey_IsAskedForAtEachSignIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		offline := w.offlineGrant(t, "offline", noon)
		w.signIn(t, w.user.ID, "other", "", noon)
		w.proveIn(t, w.session, noon)
		added, newCodes, err := w.AddSecurityKey(t.Context(), w.keyAddition("k", w.session), noon)
		if err != nil || !newCodes {
			t.Fatalf("codes stored: %v, %v", newCodes, err)
		}
		if added.ID == w.session.ID || added.ACR != storage.ACRTwoFactors || !slices.Equal(added.AMR, []string{"pwd", "mfa"}) {
			t.Errorf("session %+v, want a new one with two factors", added)
		}
		for _, handle := range []string{"handle of alice", "other"} {
			_, _, err := w.SessionByHandle(t.Context(), handle, noon)
			wantError(t, handle, err, storage.ErrNotFound)
		}
		w.wantDead(t, offline.ID, noon)
		has, err := w.SecondFactorsOf(t.Context(), w.user.ID)
		if err != nil || !has.Any() || len(has.Keys) != 1 || len(has.Codes) != 2 || has.TOTP != nil || len(has.Passkeys) != 0 {
			t.Fatalf("factors %+v, %v, want one key and two codes", has, err)
		}
		if k := has.Keys[0]; k.Kind != storage.FactorSecurityKey || string(k.PublicKey) != "key of k" || k.Counter != 3 || k.Detail.AAGUID != "a" || k.CreatedAt != storage.At(noon) {
			t.Errorf("key %+v", k)
		}
		var due *storage.FactorDueError
		if _, err := w.SignIn(t.Context(), w.signInOf(w.user.ID, "half", ""), noon); !errors.As(err, &due) {
			t.Fatalf("a password alone: %v, want a FactorDueError", err)
		}
		s, err := w.SignIn(t.Context(), w.keySignIn(w.user.ID, "whole", keyUse(has.Keys[0], "c", 4)), noon)
		if err != nil || s.ACR != storage.ACRPhishingResistant || !slices.Equal(s.AMR, []string{"pwd", "pop", "mfa"}) {
			t.Errorf("with the key: %+v, %v", s, err)
		}
		signedIn, err := w.Events(t.Context(), storage.EventFilter{UserID: w.user.ID, Type: storage.UserSignedIn}, 1)
		if err != nil || len(signedIn) != 1 || signedIn[0].Detail["acr"] != storage.ACRPhishingResistant {
			t.Errorf("event %+v, %v", signedIn, err)
		}
		var oldest int64
		if err := w.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(`SELECT oldest_program FROM instance`).Scan(&oldest).Error }); err != nil || oldest != 19 {
			t.Errorf("oldest program %d, %v, want 19", oldest, err)
		}
	})
}

// MF-10, MF-14: what is no security key or proven passkey of the user, was used before, or is the
// first factor already, is no second factor. A security key is no first factor.
func TestSignIn_OnlyOwnProvenKeysAreSecondFactors(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		weak := w.addPasskey(t, "unproven", w.session.ID, noon)
		strong, key := w.addKey(t, "k", weak, noon)
		w.addPasskey(t, "proven", strong.ID, noon)
		unproven, _, _ := w.PasskeyByHandle(t.Context(), "unproven")
		proven, _, _ := w.PasskeyByHandle(t.Context(), "proven")
		bob := w.createUser(t, "bob@example.com")
		_, bobs := w.addKey(t, "of bob", w.signIn(t, bob.ID, "bob", "", noon), noon)
		has, err := w.SecondFactorsOf(t.Context(), w.user.ID)
		if err != nil || len(has.Keys) != 1 || len(has.Passkeys) != 1 || has.Passkeys[0].ID != proven.ID || len(has.Signing()) != 2 {
			t.Errorf("factors %+v, %v, want a key and the proven passkey", has, err)
		}
		through := w.keySignIn(w.user.ID, "same passkey twice", keyUse(unproven, "twice", 9))
		through.Through = unproven.ID
		keyAlone := w.useOf(key, "alone", 9)
		for _, c := range []struct {
			name   string
			signIn storage.SignIn
			want   error
		}{
			{"key", w.keySignIn(w.user.ID, "key", keyUse(key, "c1", 4)), nil},
			{"the challenge again", w.keySignIn(w.user.ID, "again", keyUse(key, "c1", 5)), storage.ErrReplayed},
			{"the challenge of its addition", w.keySignIn(w.user.ID, "addition", keyUse(key, "challenge of k", 5)), storage.ErrReplayed},
			{"proven passkey", w.keySignIn(w.user.ID, "proven", keyUse(proven, "c2", 4)), nil},
			{"unproven passkey", w.keySignIn(w.user.ID, "unproven", keyUse(unproven, "c3", 4)), storage.ErrRevoked},
			{"key of another user", w.keySignIn(w.user.ID, "bobs", keyUse(bobs, "c4", 4)), storage.ErrRevoked},
			{"one passkey as both factors", through, storage.ErrRevoked},
			{"key alone", keyAlone, storage.ErrRevoked},
		} {
			_, err := w.SignIn(t.Context(), c.signIn, noon)
			wantError(t, c.name, err, c.want)
		}
		if p, _, err := w.PasskeyByHandle(t.Context(), "unproven"); err != nil || p.ProvenAt != 0 {
			t.Errorf("a refused sign-in has proven the passkey: %+v, %v", p, err)
		}
		both := w.keySignIn(w.user.ID, "both", keyUse(key, "c5", 6))
		both.Through, both.AMR = unproven.ID, nil
		s, err := w.SignIn(t.Context(), both, noon)
		if err != nil || s.ACR != storage.ACRPhishingResistant || s.Identity != unproven.ID || !slices.Contains(s.AMR, "user") {
			t.Errorf("a passkey and a key: %+v, %v", s, err)
		}
		if p, _, err := w.PasskeyByHandle(t.Context(), "unproven"); err != nil || p.ProvenAt == 0 {
			t.Errorf("the key has not confirmed the passkey: %+v, %v", p, err)
		}
	})
}

// A passkey states that it verified its user only if it did. A key never states it.
func TestSignIn_SecondFactorStatesItsMethods(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		strong, key := w.addKey(t, "k", w.session, noon)
		w.addPasskey(t, "p", strong.ID, noon)
		p, _, _ := w.PasskeyByHandle(t.Context(), "p")
		for i, c := range []struct {
			of       storage.Passkey
			verified bool
			want     []string
		}{
			{key, false, []string{"pwd", "pop", "mfa"}},
			{key, true, []string{"pwd", "pop", "mfa"}},
			{p, false, []string{"pwd", "pop", "mfa", "swk"}},
			{p, true, []string{"pwd", "pop", "user", "mfa", "swk"}},
		} {
			use := keyUse(c.of, fmt.Sprint("c", i), int64(5+i))
			use.Key.Verified = c.verified
			s, err := w.SignIn(t.Context(), w.keySignIn(w.user.ID, fmt.Sprint("h", i), use), noon)
			if err != nil || s.ACR != storage.ACRPhishingResistant || !slices.Equal(s.AMR, c.want) {
				t.Errorf("%d: %s %v, %v, want %v", i, s.ACR, s.AMR, err, c.want)
			}
		}
	})
}

// A counter that goes back is an event and stays in the list, and the sign-in goes on.
func TestSignIn_KeyCounterThatGoesBackIsRecorded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, key := w.addKey(t, "k", w.session, noon)
		for i, counter := range []int64{9, 9, 4, 10} {
			if _, err := w.SignIn(t.Context(), w.keySignIn(w.user.ID, fmt.Sprint("h", i), keyUse(key, fmt.Sprint("c", i), counter)), noon); err != nil {
				t.Fatalf("counter %d: %v", counter, err)
			}
		}
		wantEvents(t, w, w.user.ID, storage.PasskeyCounterDecreased, 2)
		if has, err := w.SecondFactorsOf(t.Context(), w.user.ID); err != nil || has.Keys[0].Counter != 10 || has.Keys[0].Detail.SuspectAt == 0 || has.Keys[0].UsedAt == 0 {
			t.Errorf("factors %+v, %v", has, err)
		}
	})
}

// The recovery codes stay as long as something is left for which they count, whatever is removed
// first, and go with the last of it.
func TestRecoveryCodes_StayUntilNothingNeedsThem(t *testing.T) {
	for _, order := range [][]string{{"app", "key", "passkey"}, {"key", "app", "passkey"}, {"passkey", "key", "app"}, {"passkey", "app", "key"}, {"key", "passkey", "app"}} {
		eachWorld(t, func(t *testing.T, w *world) {
			s, app := w.addTOTP(t, w.session, "after the app", noon)
			s, newCodes, err := w.AddSecurityKey(t.Context(), w.keyAddition("k", s), noon)
			if err != nil || newCodes {
				t.Fatalf("new codes: %v, %v; want the old ones to stay", newCodes, err)
			}
			s = w.addPasskey(t, "p", s.ID, noon)
			key, _, _ := w.PasskeyByHandle(t.Context(), "k")
			p, _, _ := w.PasskeyByHandle(t.Context(), "p")
			for i, what := range order {
				var err error
				switch change := w.factorChange(s, "without "+what); what {
				case "app":
					s, err = w.RemoveSecondFactor(t.Context(), change, app, noon)
				case "key":
					s, err = w.RemoveSecondFactor(t.Context(), change, key.ID, noon)
				case "passkey":
					err = w.RemovePasskey(t.Context(), removal(w.user.ID, p, s.ID), noon)
				}
				if err != nil {
					t.Fatalf("%v: remove %s: %v", order, what, err)
				}
				want := 2
				if i == len(order)-1 {
					want = 0
				}
				has, err := w.SecondFactorsOf(t.Context(), w.user.ID)
				if err != nil || len(has.Codes) != want {
					t.Errorf("%v: %d codes after the removal of %s, %v, want %d", order, len(has.Codes), what, err, want)
				}
				_, err = w.ReplaceRecoveryCodes(t.Context(), w.factorChange(storage.Session{UserID: w.user.ID, ID: "ses_none"}, "h"), nil, noon)
				wantError(t, "codes without a session", err, storage.ErrRevoked)
			}
		})
	}
}

// A removed key is no second factor, a removal by another user or in a weak session changes nothing,
// and a rename is recorded.
func TestSecurityKeys_RenameAndRemove(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s, key := w.addKey(t, "k", w.session, noon)
		bob := w.createUser(t, "bob@example.com")
		bobs := w.signIn(t, bob.ID, "bob", "", noon)
		by := storage.By{At: noon}
		wantError(t, "rename by another user", w.RenamePasskey(t.Context(), bob.ID, key.ID, "x", by), storage.ErrNotFound)
		_, err := w.RemoveSecondFactor(t.Context(), w.factorChange(bobs, "x"), key.ID, noon)
		wantError(t, "remove by another user", err, storage.ErrNotFound)
		if err := w.RenamePasskey(t.Context(), w.user.ID, key.ID, "Desk", by); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, w, w.user.ID, storage.FactorRenamed, 1)
		wantEvents(t, w, w.user.ID, storage.PasskeyRenamed, 0)
		if has, err := w.SecondFactorsOf(t.Context(), w.user.ID); err != nil || has.Keys[0].Name != "Desk" {
			t.Errorf("factors %+v, %v", has, err)
		}
		if list, err := w.PasskeysOf(t.Context(), w.user.ID); err != nil || len(list) != 0 {
			t.Errorf("passkeys %+v, %v, want none", list, err)
		}
		if m, err := w.SignInMethodsOf(t.Context(), w.user.ID); err != nil || m.Passkeys != 0 || m.SecurityKeys != 1 || m.SecondACR() != storage.ACRPhishingResistant {
			t.Errorf("ways to sign in %+v, %v, want one security key and no passkey", m, err)
		}
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACROneFactor, s.ID)
		_, err = w.RemoveSecondFactor(t.Context(), w.factorChange(s, "weak"), key.ID, noon)
		wantError(t, "weak session", err, storage.ErrNotFresh)
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRTwoFactors, s.ID)
		if err := w.RemovePasskey(t.Context(), removal(w.user.ID, key, s.ID), noon); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("removed as a passkey: %v", err)
		}
		whole := w.keySignIn(w.user.ID, "late", keyUse(key, "c", 4))
		if _, err := w.RemoveSecondFactor(t.Context(), w.factorChange(s, "removed"), key.ID, noon); err != nil {
			t.Fatal(err)
		}
		_, err = w.SignIn(t.Context(), whole, noon)
		wantError(t, "a removed key", err, storage.ErrRevoked)
		w.signIn(t, w.user.ID, "one factor", "", noon)
		wantEvents(t, w, w.user.ID, storage.FactorRemoved, 1)
	})
}

// A handle belongs to one account and is used once, and an account has a limit of keys.
func TestAddSecurityKey_RefusesWhatCannotBe(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		add := func(a storage.SecurityKeyAddition) error {
			_, newCodes, err := w.AddSecurityKey(t.Context(), a, noon)
			if err != nil && newCodes {
				t.Error("codes without a key")
			}
			return err
		}
		wantError(t, "unverified address", add(w.keyAddition("k", w.session)), storage.ErrUnproven)
		if n := w.count(t, `credentials WHERE user_id = ?`, w.user.ID); n != 1 {
			t.Errorf("%d credentials, want the password", n)
		}
		s, _ := w.addKey(t, "k", w.session, noon)
		other := w.keyAddition("k", s)
		other.ChallengeID = "new"
		wantError(t, "the same key", add(other), storage.ErrConflict)
		replayed := w.keyAddition("other", s)
		replayed.ChallengeID = "challenge of k"
		wantError(t, "the same challenge", add(replayed), storage.ErrReplayed)
		old := w.keyAddition("old", s)
		old.FreshFor = time.Nanosecond
		w.exec(t, `UPDATE sessions SET auth_time = auth_time - 1000 WHERE id = ?`, s.ID)
		wantError(t, "old session", add(old), storage.ErrNotFresh)
		for i := range storage.MostPasskeys - 1 {
			w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, handle) VALUES (?, ?, 'security_key', 'x', ?)`, fmt.Sprint("crd_", i), w.user.ID, fmt.Sprint("handle ", i))
		}
		wantError(t, "too many", add(w.keyAddition("one more", s)), storage.ErrTooManyPasskeys)
		if w.addPasskey(t, "p", s.ID, noon); w.count(t, `credentials WHERE user_id = ? AND kind = 'webauthn'`, w.user.ID) != 1 {
			t.Error("the limit of keys counts passkeys")
		}
	})
}

// Of many nodes that use one challenge, one wins.
func TestSignIn_KeyRace(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, key := w.addKey(t, "k", w.session, noon)
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		results := together(20, func(i int) error {
			_, err := nodes[i%2].SignIn(t.Context(), w.keySignIn(w.user.ID, fmt.Sprint("racer ", i), keyUse(key, "one", 4)), noon)
			return err
		})
		if counts := tally(results); counts["ok"] != 1 || counts["replayed"] != len(results)-1 {
			t.Errorf("outcomes %v, want one sign-in", counts)
		}
	})
}

// The last two factors are removed at once in several browsers. Each removal ends the sessions of
// the others, so one of them happens, and the account is asked for the other factor still. Sign-ins
// with the removed key that run meanwhile start no session afterwards.
func TestRemoveSecondFactor_LastTwoAtOnceLeaveOne(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s, app := w.addTOTP(t, w.session, "app", noon)
		_, key := w.addKey(t, "k", s, noon)
		var sessions []storage.Session
		for i := range 6 {
			s, err := w.SignIn(t.Context(), w.keySignIn(w.user.ID, fmt.Sprint("browser ", i), keyUse(key, fmt.Sprint("c", i), int64(4+i))), noon)
			if err != nil {
				t.Fatal(err)
			}
			sessions = append(sessions, s)
		}
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		ids := []string{app, key.ID}
		removals := together(len(sessions), func(i int) error {
			_, err := nodes[i%2].RemoveSecondFactor(t.Context(), w.factorChange(sessions[i], fmt.Sprint("changed ", i)), ids[i/2%2], noon)
			return err
		})
		if counts := tally(removals); counts["ok"] != 1 || counts["revoked"] != len(sessions)-1 {
			t.Errorf("outcomes %v, want one removal", counts)
		}
		if has, err := w.SecondFactorsOf(t.Context(), w.user.ID); err != nil || !has.Any() || has.TOTP != nil && len(has.Keys) > 0 || len(has.Codes) != 2 {
			t.Errorf("left: %+v, %v", has, err)
		}
	})
}

// A key is removed while sign-ins with it run: a session that started with the key ends with its
// removal, so afterwards nobody is signed in with it.
func TestRemoveSecondFactor_WhileItIsUsed(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s, key := w.addKey(t, "k", w.session, noon)
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		results := together(10, func(i int) error {
			if i == 4 {
				_, err := nodes[0].RemoveSecondFactor(t.Context(), w.factorChange(s, "remover"), key.ID, noon)
				return err
			}
			_, err := nodes[i%2].SignIn(t.Context(), w.keySignIn(w.user.ID, fmt.Sprint("user ", i), keyUse(key, fmt.Sprint("c", i), int64(4+i))), noon)
			return err
		})
		if results[4] != nil {
			t.Fatalf("remove: %v", results[4])
		}
		for i := range results {
			if i == 4 {
				continue
			}
			if _, _, err := w.SessionByHandle(t.Context(), fmt.Sprint("user ", i), noon); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("sign-in %d (%v) has a session: %v", i, results[i], err)
			}
		}
	})
}

// A security key of another RP ID cannot be used. The user is asked for a second factor nevertheless, as
// long as a recovery code is left. The key stays in the list, and the user can remove it.
func TestSecurityKeys_OfOtherRPIDAreReplacedByCodes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s, key := w.addKey(t, "k", w.session, noon)
		if _, err := w.ReplaceRPID(t.Context(), newHost, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		has, err := w.SecondFactorsOf(t.Context(), w.user.ID)
		if err != nil || !has.Any() || len(has.LostKeys) != 1 || len(has.Signing()) != 0 {
			t.Errorf("factors %+v, %v, want a lost key", has, err)
		}
		_, err = w.SignIn(t.Context(), w.keySignIn(w.user.ID, "lost", keyUse(key, "c", 4)), noon)
		wantError(t, "the lost key", err, storage.ErrRevoked)
		other := w.keyAddition("other", s)
		_, _, err = w.AddSecurityKey(t.Context(), other, noon)
		wantError(t, "a key of the old RP ID", err, storage.ErrOtherRPID)

		for n := len(has.Codes); n > 0; n-- {
			_, err = w.SignIn(t.Context(), w.signInOf(w.user.ID, storage.NewID("h"), ""), noon)
			var due *storage.FactorDueError
			if !errors.As(err, &due) {
				t.Fatalf("with %d codes: %v, want a second factor due", n, err)
			}
			if ways, err := w.SignInMethodsOf(t.Context(), w.user.ID); err != nil || ways.ReachableACR() != storage.ACRTwoFactors {
				t.Errorf("with %d codes: %+v, %v", n, ways, err)
			}
			if s, err = w.SignIn(t.Context(), w.secondSignIn(w.user.ID, storage.NewID("h"), storage.FactorUse{CodeHash: has.Codes[n-1]}), noon); err != nil {
				t.Fatalf("with %d codes: %v", n, err)
			}
		}
		w.signIn(t, w.user.ID, "one factor", "", noon) // no code is left that could stand for the key
		if ways, err := w.SignInMethodsOf(t.Context(), w.user.ID); err != nil || ways.ReachableACR() != storage.ACROneFactor {
			t.Errorf("without codes: %+v, %v", ways, err)
		}
		if _, err := w.RemoveSecondFactor(t.Context(), w.factorChange(s, "removed"), key.ID, noon); err != nil {
			t.Error(err)
		}
	})
}

// The same for the passkey of a user: the account still needs two factors to change its factors, and
// removing the lost passkey removes the codes that nothing needs any more.
func TestPasskeys_OfOtherRPIDAreReplacedByCodes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.proveIn(t, w.session, noon)
		a := w.addition("p", w.session.ID)
		a.Codes = [][]byte{[]byte("one"), []byte("two")}
		if _, _, err := w.AddPasskey(t.Context(), a, noon); err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReplaceRPID(t.Context(), newHost, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		has, err := w.SecondFactorsOf(t.Context(), w.user.ID)
		if err != nil || has.Any() || !has.UseCodes() || len(has.Codes) != 2 || len(has.LostPasskeys) != 1 {
			t.Errorf("factors %+v, %v", has, err)
		}
		weak := w.signIn(t, w.user.ID, "weak", "", noon)
		for name, add := range w.additions(t) {
			if err := add(weak, noon); !errors.Is(err, storage.ErrNotFresh) {
				t.Errorf("%s with one factor: %v", name, err)
			}
		}
		strong, err := w.SignIn(t.Context(), w.secondSignIn(w.user.ID, "strong", storage.FactorUse{CodeHash: []byte("one")}), noon)
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.PasskeysOf(t.Context(), w.user.ID)
		if err != nil || len(list) != 1 {
			t.Fatalf("passkeys %+v, %v", list, err)
		}
		if err := w.RemovePasskey(t.Context(), removal(w.user.ID, list[0], strong.ID), noon); err != nil {
			t.Fatal(err)
		}
		if has, err := w.SecondFactorsOf(t.Context(), w.user.ID); err != nil || has.UseCodes() || len(has.Codes) != 0 {
			t.Errorf("after the removal: %+v, %v", has, err)
		}
	})
}
