package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
)

// step is the number of the TOTP step of noon.
var step = noon.Unix() / 30

// factorChange returns a change of the factors of the world's user in a session.
func (w *world) factorChange(session storage.Session, handle string) storage.FactorChange {
	return storage.FactorChange{
		UserID: session.UserID, SessionID: session.ID, Handle: handle, FreshFor: 5 * time.Minute,
		From: storage.Origin{Agent: "agent", Address: "192.0.2.7", RequestID: "asked"},
	}
}

// addTOTP adds an authenticator app and the recovery codes "code 0" and "code 1" in a session. It
// returns the new session, which has the handle.
func (w *world) addTOTP(t testing.TB, session storage.Session, handle string, at time.Time) (storage.Session, string) {
	t.Helper()
	e := storage.TOTPEnrolment{
		FactorChange: w.factorChange(session, handle), ID: storage.NewID("crd_"), Secret: []byte("sealed"), Step: at.Unix() / 30,
		Codes: [][]byte{[]byte("code 0"), []byte("code 1")},
	}
	w.proveIn(t, session, at)
	s, _, err := w.AddTOTP(t.Context(), e, at)
	if err != nil {
		t.Fatalf("add authenticator app: %v", err)
	}
	return s, e.ID
}

// proveAddress marks the address of a user as verified. Without that the user can add no factor.
func (w *world) proveAddress(t testing.TB, userID string) {
	t.Helper()
	w.exec(t, `UPDATE users SET email_verified = ? WHERE id = ?`, true, userID)
}

// proveIn marks the address of a user as verified, and as proved in this session. Without that the user
// can add no first factor.
func (w *world) proveIn(t testing.TB, session storage.Session, at time.Time) {
	t.Helper()
	w.proveAddress(t, session.UserID)
	if err := w.AddFact(t.Context(), session.UserID, session.ID, storage.Fact{Kind: storage.FactAddressProved, At: storage.At(at)}, at); err != nil {
		t.Fatalf("prove the address in the session: %v", err)
	}
}

// secondSignIn returns a sign-in with a password and a second factor.
func (w *world) secondSignIn(userID, handle string, use storage.FactorUse) storage.SignIn {
	s := w.signInOf(userID, handle, "")
	s.Factor, s.ACR, s.AMR = &use, storage.ACRTwoFactors, []string{"pwd", "otp", "mfa"}
	return s
}

// After the first factor was added, only this browser is signed in, with two factors, and no grant
// is left. A program that knows no second factors cannot open the database.
func TestAddTOTP_OnlyThisBrowserStaysSignedIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		offline := w.offlineGrant(t, "offline", noon)
		w.signIn(t, w.user.ID, "other", "", noon)
		added, id := w.addTOTP(t, w.session, "new handle", noon)
		if added.ID == w.session.ID || added.AuthTime != w.session.AuthTime || added.ACR != storage.ACRTwoFactors || !slices.Equal(added.AMR, []string{"pwd", "otp", "mfa"}) {
			t.Errorf("session %+v: want a new one with two factors and the auth_time of %+v", added, w.session)
		}
		read, _, err := w.SessionByHandle(t.Context(), "new handle", noon)
		if err != nil || !reflect.DeepEqual(read, added) {
			t.Errorf("read %+v, %v, want %+v", read, err, added)
		}
		for _, handle := range []string{"handle of alice", "other"} {
			_, _, err := w.SessionByHandle(t.Context(), handle, noon)
			wantError(t, handle, err, storage.ErrNotFound)
		}
		w.wantDead(t, offline.ID, noon)
		has, err := w.SecondFactorsOf(t.Context(), w.user.ID)
		want := storage.SecondFactors{TOTP: &storage.TOTP{ID: id, Secret: []byte("sealed"), Step: step, CreatedAt: storage.At(noon)}, Codes: [][]byte{[]byte("code 0"), []byte("code 1")}}
		slices.SortFunc(has.Codes, bytes.Compare)
		if err != nil || !reflect.DeepEqual(has, want) {
			t.Errorf("factors %+v, %v, want %+v", has, err, want)
		}
		var oldest int64
		if err := w.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(`SELECT oldest_program FROM instance`).Scan(&oldest).Error }); err != nil || oldest != 15 {
			t.Errorf("oldest program %d, %v, want 15", oldest, err)
		}
		second := storage.TOTPEnrolment{FactorChange: w.factorChange(added, "third handle"), ID: "crd_second", Secret: []byte("s"), Step: step}
		_, _, err = w.AddTOTP(t.Context(), second, noon)
		wantError(t, "a second app", err, storage.ErrConflict)
	})
}

// A user whose address is not verified adds no factor, because the first proof of the address would
// delete it. An account without an address can have factors, and so can every account of an instance
// without mails.
func TestAddFactor_NeedsAVerifiedAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		enrol := func(db *storage.DB, userID string, s storage.Session) error {
			_, _, err := db.AddTOTP(t.Context(), storage.TOTPEnrolment{FactorChange: w.factorChange(s, storage.NewID("h")), ID: storage.NewID("crd_"), Secret: []byte("s"), Step: step}, noon)
			return err
		}
		wantError(t, "an app", enrol(w.DB, w.user.ID, w.session), storage.ErrUnproven)
		_, _, err := w.AddPasskey(t.Context(), w.addition("p", w.session.ID), noon)
		wantError(t, "a passkey", err, storage.ErrUnproven)
		if n := w.count(t, "credentials WHERE user_id = ?", w.user.ID); n != 1 {
			t.Errorf("%d credentials, want the password", n)
		}
		if !w.signedIn(t, w.user.ID, w.session.ID) {
			t.Error("the refused change has ended the session")
		}
		nameless := w.createUser(t, "nameless@example.com")
		w.exec(t, `UPDATE users SET email = '', email_canonical = '' WHERE id = ?`, nameless.ID)
		if err := enrol(w.DB, nameless.ID, w.signIn(t, nameless.ID, "nameless", "", noon)); err != nil {
			t.Errorf("an account without an address: %v", err)
		}
		if err := enrol(w.backend.WithoutMails().Open(t), w.user.ID, w.session); err != nil {
			t.Errorf("an instance without mails: %v", err)
		}
	})
}

// A sign-in with one factor starts no session for a user who has two, whoever asks for it. The
// attempt is given back and the hash is renewed, because the password was right.
func TestSignIn_OneFactorStartsNoSessionIfASecondIsDue(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		added, id := w.addTOTP(t, w.session, "new handle", noon)
		limits := []storage.Limit{{Key: "one", Max: 1, Window: time.Hour}}
		reserved, err := w.Reserve(t.Context(), limits, noon)
		if err != nil {
			t.Fatal(err)
		}
		half := w.signInOf(w.user.ID, "half", "new handle")
		half.OldHash, half.NewHash, half.GiveBack = "hash of alice@example.com", "renewed", reserved
		_, err = w.SignIn(t.Context(), half, noon)
		var due *storage.FactorDueError
		if !errors.As(err, &due) || due.UserID != w.user.ID {
			t.Fatalf("got %v, want a FactorDueError of %s", err, w.user.ID)
		}
		if err := w.CheckAttempts(t.Context(), limits, noon); err != nil {
			t.Errorf("the attempt was not given back: %v", err)
		}
		if got := w.passwordHashOf(t, w.user.Email); got != "renewed" {
			t.Errorf("hash %q, want the renewed one", got)
		}
		if _, _, err := w.SessionByHandle(t.Context(), "half", noon); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the half sign-in has a session: %v", err)
		}
		if _, _, err := w.SessionByHandle(t.Context(), "new handle", noon); err != nil {
			t.Errorf("the session of before has ended: %v", err)
		}
		// An acr that was not earned is refused.
		claimed := half
		claimed.ACR = storage.ACRTwoFactors
		if _, err := w.SignIn(t.Context(), claimed, noon); !errors.As(err, &due) {
			t.Errorf("claimed acr: got %v, want a FactorDueError", err)
		}
		bob := w.createUser(t, "bob@example.com")
		claimed = w.signInOf(bob.ID, "bob", "")
		claimed.ACR = storage.ACRTwoFactors
		if _, err := w.SignIn(t.Context(), claimed, noon); err == nil {
			t.Error("a session with two factors starts without a second one")
		}
		// The moment lets a change between the two proofs end the sign-in.
		whole := w.secondSignIn(w.user.ID, "whole", storage.FactorUse{CredentialID: id, Step: step + 1})
		whole.NotBefore = &due.NotBefore
		if s, err := w.SignIn(t.Context(), whole, noon); err != nil || s.ACR != storage.ACRTwoFactors {
			t.Errorf("with the code: %+v, %v", s, err)
		}
		if _, err := w.RemoveSecondFactor(t.Context(), w.factorChange(added, "after"), id, noon); err != nil {
			t.Fatal(err)
		}
		whole.HandleHash, whole.Factor = "late", &storage.FactorUse{CodeHash: []byte("code 0")}
		_, err = w.SignIn(t.Context(), whole, noon)
		wantError(t, "after a change of the factors", err, storage.ErrRevoked)
	})
}

// MF-01, MF-07: a code of the app counts once and always forward, a recovery code counts once.
func TestSignIn_CodesAreUsedOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, id := w.addTOTP(t, w.session, "new handle", noon)
		bob := w.createUser(t, "bob@example.com")
		w.addTOTP(t, w.signIn(t, bob.ID, "bob", "", noon), "bob 2", noon)
		app := func(n int64) storage.FactorUse { return storage.FactorUse{CredentialID: id, Step: n} }
		code := func(text string) storage.FactorUse { return storage.FactorUse{CodeHash: []byte(text)} }
		for i, try := range []struct {
			name string
			user string
			use  storage.FactorUse
			want error
		}{
			{"step of the confirmation", w.user.ID, app(step), storage.ErrReplayed},
			{"next step", w.user.ID, app(step + 1), nil},
			{"the same again", w.user.ID, app(step + 1), storage.ErrReplayed},
			{"an older one", w.user.ID, app(step - 1), storage.ErrReplayed},
			{"app of another user", bob.ID, app(step + 2), storage.ErrReplayed},
			{"recovery code", w.user.ID, code("code 0"), nil},
			{"the same again", w.user.ID, code("code 0"), storage.ErrReplayed},
			{"unknown code", w.user.ID, code("code 9"), storage.ErrReplayed},
			{"empty code", w.user.ID, code(""), storage.ErrReplayed},
		} {
			_, err := w.SignIn(t.Context(), w.secondSignIn(try.user, fmt.Sprint("try ", i), try.use), noon)
			wantError(t, try.name, err, try.want)
		}
		if has, err := w.SecondFactorsOf(t.Context(), bob.ID); err != nil || len(has.Codes) != 2 {
			t.Errorf("bob has %d codes, %v, want 2", len(has.Codes), err)
		}
		wantEvents(t, w, w.user.ID, storage.RecoveryCodeUsed, 1)
	})
}

// wantEvents counts the events of a type and a user.
func wantEvents(t *testing.T, w *world, userID string, kind storage.EventType, want int) {
	t.Helper()
	list, err := w.Events(t.Context(), storage.EventFilter{UserID: userID, Type: kind}, 100)
	if err != nil || len(list) != want {
		t.Errorf("%d events %s, %v, want %d", len(list), kind, err, want)
	}
}

// A stolen session that is old, weak or over changes no factor. The removal takes the recovery
// codes along, and afterwards one factor is enough.
func TestFactorChanges_NeedAFreshSessionOfTheHighestLevel(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		enrol := func(s storage.Session, at time.Time) error {
			_, _, err := w.AddTOTP(t.Context(), storage.TOTPEnrolment{FactorChange: w.factorChange(s, "h "+storage.NewID("")), ID: storage.NewID("crd_"), Secret: []byte("s"), Step: step}, at)
			return err
		}
		wantError(t, "old session", enrol(w.session, noon.Add(6*time.Minute)), storage.ErrNotFresh)
		bob := w.createUser(t, "bob@example.com")
		foreign := w.session
		foreign.UserID = bob.ID
		wantError(t, "session of another user", enrol(foreign, noon), storage.ErrRevoked)
		added, id := w.addTOTP(t, w.session, "new handle", noon)
		wantError(t, "ended session", enrol(w.session, noon), storage.ErrRevoked)
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACROneFactor, added.ID)
		for name, change := range map[string]func() error{
			"remove": func() error {
				_, err := w.RemoveSecondFactor(t.Context(), w.factorChange(added, "x"), id, noon)
				return err
			},
			"replace": func() error {
				_, err := w.ReplaceRecoveryCodes(t.Context(), w.factorChange(added, "x"), nil, noon)
				return err
			},
		} {
			wantError(t, name+" with one factor", change(), storage.ErrNotFresh)
		}
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRTwoFactors, added.ID)
		replaced, err := w.ReplaceRecoveryCodes(t.Context(), w.factorChange(added, "replaced"), [][]byte{[]byte("new")}, noon)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.SignIn(t.Context(), w.secondSignIn(w.user.ID, "old code", storage.FactorUse{CodeHash: []byte("code 0")}), noon)
		wantError(t, "a replaced code", err, storage.ErrReplayed)
		removed, err := w.RemoveSecondFactor(t.Context(), w.factorChange(replaced, "removed"), id, noon)
		if err != nil {
			t.Fatal(err)
		}
		if has, err := w.SecondFactorsOf(t.Context(), w.user.ID); err != nil || has.Any() || len(has.Codes) != 0 {
			t.Errorf("left: %+v, %v", has, err)
		}
		_, err = w.RemoveSecondFactor(t.Context(), w.factorChange(removed, "again"), id, noon)
		wantError(t, "removed twice", err, storage.ErrNotFound)
		_, err = w.ReplaceRecoveryCodes(t.Context(), w.factorChange(removed, "codes"), [][]byte{[]byte("c")}, noon)
		wantError(t, "codes without a factor", err, storage.ErrNotFound)
		w.signIn(t, w.user.ID, "one factor", "", noon)
		for _, kind := range []storage.EventType{storage.FactorAdded, storage.FactorRemoved, storage.RecoveryCodesReplaced} {
			wantEvents(t, w, w.user.ID, kind, 1)
		}
	})
}

// An upstream alone neither opens an account with a second factor nor links an identity to it.
func TestSignInThrough_LinksNothingIfASecondFactorIsDue(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		linked := w.signInThrough(t, w.user.ID, "google", "sub", "")
		_, id := w.addTOTP(t, linked, "new handle", noon)
		var due *storage.FactorDueError
		try := func(subject, handle string, isLinked bool) error {
			_, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
				Identity:  storage.Identity{Connector: "google", Issuer: "https://google.example", Subject: subject, UserID: w.user.ID},
				AttemptID: "attempt of " + handle, Until: storage.At(noon.Add(time.Hour)), Linked: isLinked, SignIn: w.signInOf(w.user.ID, handle, ""),
			}, noon)
			return err
		}
		if err := try("new", "unlinked", false); !errors.As(err, &due) {
			t.Fatalf("a new identity: %v, want a FactorDueError", err)
		}
		list, err := w.IdentitiesOf(t.Context(), w.user.ID)
		if err != nil || len(list) != 1 {
			t.Fatalf("identities %+v, %v, want one", list, err)
		}
		if err := try(list[0].Subject, "linked", true); !errors.As(err, &due) {
			t.Fatalf("a linked identity: %v, want a FactorDueError", err)
		}
		wantError(t, "the attempt again", try(list[0].Subject, "linked", true), storage.ErrReplayed)
		whole := w.secondSignIn(w.user.ID, "whole", storage.FactorUse{CredentialID: id, Step: step + 1})
		whole.Through, whole.NotBefore = storage.Identity{Connector: "google", Issuer: list[0].Issuer, Subject: "foreign"}.Key(), &due.NotBefore
		_, err = w.SignIn(t.Context(), whole, noon)
		wantError(t, "an identity that is not linked", err, storage.ErrRevoked)
		whole.Through = list[0].Key()
		s, err := w.SignIn(t.Context(), whole, noon)
		if err != nil || s.Connector != "google" || s.Identity == "" {
			t.Errorf("session %+v, %v, want one of the connector", s, err)
		}
	})
}

func TestResetFactors_RemovesAllButThePassword(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		if removed, err := w.ResetFactors(t.Context(), storage.FactorReset{UserID: w.user.ID}, by); err != nil || len(removed) != 0 {
			t.Fatalf("removed %+v, %v, want nothing", removed, err)
		}
		if _, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon); err != nil {
			t.Fatalf("nothing was removed, but the session has ended: %v", err)
		}
		added, _ := w.addTOTP(t, w.session, "new handle", noon)
		grant := w.openGrantIn(t, added, true)
		w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret) VALUES (?, ?, 'webauthn', 'x')`, storage.NewID("crd_"), w.user.ID)
		removed, err := w.ResetFactors(t.Context(), storage.FactorReset{UserID: w.user.ID}, by)
		if err != nil || len(removed) != 4 {
			t.Fatalf("removed %+v, %v, want an app, a passkey and two codes", removed, err)
		}
		_, _, err = w.SessionByHandle(t.Context(), "new handle", noon)
		wantError(t, "session", err, storage.ErrNotFound)
		w.wantDead(t, grant.ID, noon)
		w.signIn(t, w.user.ID, "password alone", "", noon)
		_, err = w.ResetFactors(t.Context(), storage.FactorReset{UserID: "usr_nobody"}, by)
		wantError(t, "unknown user", err, storage.ErrNotFound)
		wantEvents(t, w, w.user.ID, storage.FactorsReset, 1)
	})
}

// MN-01: of many nodes that use the same code, one wins.
func TestSignIn_CodeRace(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, id := w.addTOTP(t, w.session, "new handle", noon)
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		for name, use := range map[string]storage.FactorUse{"step": {CredentialID: id, Step: step + 1}, "recovery code": {CodeHash: []byte("code 1")}} {
			results := together(20, func(i int) error {
				_, err := nodes[i%2].SignIn(t.Context(), w.secondSignIn(w.user.ID, fmt.Sprint(name, i), use), noon)
				return err
			})
			if counts := tally(results); counts["ok"] != 1 || counts["replayed"] != len(results)-1 {
				t.Errorf("%s: outcomes %v, want one sign-in", name, counts)
			}
		}
	})
}

// Two browsers remove the factor and replace its codes at once. Each change ends the session of
// the other one, so one of them happens, and no code is left without a factor.
func TestFactorChanges_Race(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, id := w.addTOTP(t, w.session, "new handle", noon)
		var sessions []storage.Session
		for i := range 4 {
			s, err := w.SignIn(t.Context(), w.secondSignIn(w.user.ID, fmt.Sprint("browser ", i), storage.FactorUse{CredentialID: id, Step: step + 1 + int64(i)}), noon)
			if err != nil {
				t.Fatal(err)
			}
			sessions = append(sessions, s)
		}
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		results := together(len(sessions), func(i int) error {
			change := w.factorChange(sessions[i], fmt.Sprint("changed ", i))
			if i < 2 {
				_, err := nodes[i%2].RemoveSecondFactor(t.Context(), change, id, noon)
				return err
			}
			_, err := nodes[i%2].ReplaceRecoveryCodes(t.Context(), change, [][]byte{[]byte("new")}, noon)
			return err
		})
		if counts := tally(results); counts["ok"] != 1 || counts["revoked"] != len(results)-1 {
			t.Errorf("outcomes %v, want one change", counts)
		}
		if has, err := w.SecondFactorsOf(t.Context(), w.user.ID); err != nil || !has.Any() && len(has.Codes) > 0 {
			t.Errorf("left: %+v, %v", has, err)
		}
	})
}

func TestRewrapFactors_SealsEachSecretForItsRow(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, id := w.addTOTP(t, w.session, "new handle", noon)
		calls := 0
		seal := func(got string, sealed []byte) ([]byte, error) {
			calls++
			if got != id || !bytes.Equal(sealed, []byte("sealed")) {
				t.Errorf("asked to seal %q of %s, want that of %s", sealed, got, id)
			}
			return []byte("sealed again"), nil
		}
		if err := w.RewrapFactors(t.Context(), seal); err != nil || calls != 1 {
			t.Fatalf("%d calls, %v", calls, err)
		}
		if has, err := w.SecondFactorsOf(t.Context(), w.user.ID); err != nil || string(has.TOTP.Secret) != "sealed again" {
			t.Errorf("factors %+v, %v", has, err)
		}
		failed := errors.New("no key")
		if err := w.RewrapFactors(t.Context(), func(string, []byte) ([]byte, error) { return nil, failed }); !errors.Is(err, failed) {
			t.Errorf("got %v, want the error of seal", err)
		}
	})
}
