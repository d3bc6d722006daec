package user_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

// addFactors gives bob an authenticator app and two recovery codes.
func (a attacked) addFactors(t *testing.T) {
	t.Helper()
	session := a.signIn(t, "github", "1")
	_, _, err := a.db.AddTOTP(t.Context(), storage.TOTPEnrolment{
		FactorChange: storage.FactorChange{UserID: a.bob.ID, SessionID: session.ID, Handle: storage.NewID("h"), FreshFor: time.Minute},
		ID:           storage.NewID("crd_"), Secret: []byte("sealed secret"), Step: 1, Codes: [][]byte{[]byte("code 1"), []byte("code 2")},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
}

// alwaysAsk lets bob choose to be asked for the passkey at each sign-in.
func (a attacked) alwaysAsk(t *testing.T) {
	t.Helper()
	has, err := a.db.SecondFactorsOf(t.Context(), a.bob.ID)
	if err != nil {
		t.Fatal(err)
	}
	change := func(handle string) storage.FactorChange {
		s, err := a.db.SignIn(t.Context(), storage.SignIn{
			UserID: a.bob.ID, HandleHash: handle, ACR: storage.ACRTwoFactors, IdleFor: time.Hour, AbsoluteFor: time.Hour,
			Factor: &storage.FactorUse{CredentialID: has.TOTP.ID, Step: time.Now().UnixNano()},
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return storage.FactorChange{UserID: a.bob.ID, SessionID: s.ID, Handle: storage.NewID("h"), FreshFor: time.Minute}
	}
	_, _, err = a.db.AddPasskey(t.Context(), storage.PasskeyAddition{
		FactorChange: change("before the passkey"), Passkey: storage.Passkey{Handle: "passkey", RPID: "id.example.com", PublicKey: []byte("key")},
		ChallengeID: "challenge", Until: storage.At(time.Now().Add(time.Hour)),
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.db.SetAlwaysAsk(t.Context(), storage.AlwaysAskChange{FactorChange: change("before the choice"), On: true}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// The commands list the factors without their secrets, and remove them. Afterwards nobody is signed
// in, and one factor opens the account again.
func TestUserFactors_AreListedAndReset(t *testing.T) {
	a := startAttacked(t)
	a.addFactors(t)
	for _, command := range [][]string{{"user", "factors", "bob@example.com"}, {"user", "show", "bob@example.com"}} {
		out, _ := a.signet(t, 0, command...)
		for _, want := range []string{"totp", "recovery", "2 left"} {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in:\n%s", command, want, out)
			}
		}
		if strings.Contains(out, "sealed") || strings.Contains(out, "code 1") || strings.Count(out, "recovery") != 1 {
			t.Errorf("%v:\n%s", command, out)
		}
	}
	var listed struct {
		Factors, Removed []struct {
			Kind string
			Left int
		}
	}
	out, _ := a.signet(t, 0, "user", "factors", "bob@example.com", "--json")
	if err := json.Unmarshal([]byte(out), &listed); err != nil || len(listed.Factors) != 2 {
		t.Fatalf("factors %+v, %v", listed, err)
	}
	if out, _ := a.signet(t, 0, "user", "factors", "bob@example.com"); strings.Contains(out, "always ask") {
		t.Errorf("bob has not chosen it:\n%s", out)
	}
	a.alwaysAsk(t)
	for _, command := range []string{"factors", "show"} {
		if out, _ := a.signet(t, 0, "user", command, "bob@example.com"); !strings.Contains(out, "always ask") || !strings.Contains(out, "for a passkey at each sign-in") {
			t.Errorf("user %s does not say that bob is always asked:\n%s", command, out)
		}
		if out, _ := a.signet(t, 0, "user", command, "bob@example.com", "--json"); !strings.Contains(out, `"always_ask": true`) {
			t.Errorf("user %s --json does not say it:\n%s", command, out)
		}
	}
	out, _ = a.signet(t, 0, "user", "reset-factors", "bob@example.com", "--yes", "--json")
	if err := json.Unmarshal([]byte(out), &listed); err != nil || len(listed.Removed) != 3 {
		t.Errorf("removed %+v, %v", listed.Removed, err)
	}
	has, err := a.db.SecondFactorsOf(t.Context(), a.bob.ID)
	if err != nil || has.Any() || len(has.Codes) != 0 {
		t.Errorf("left: %+v, %v", has, err)
	}
	if list, err := a.db.SessionsOf(t.Context(), a.bob.ID, time.Now()); err != nil || len(list) != 0 {
		t.Errorf("%d sessions, %v", len(list), err)
	}
	a.signIn(t, "github", "1")
	if u, err := a.db.User(t.Context(), a.bob.ID); err != nil || u.AlwaysAskAt != 0 {
		t.Errorf("bob is still asked: %d, %v", u.AlwaysAskAt, err)
	}
}
