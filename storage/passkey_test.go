package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

// addition returns the addition of a passkey in this session.
func (w *world) addition(handle, sessionID string) storage.PasskeyAddition {
	return storage.PasskeyAddition{
		FactorChange: storage.FactorChange{UserID: w.user.ID, SessionID: sessionID, Handle: "handle after " + handle, FreshFor: time.Minute},
		Passkey: storage.Passkey{
			Handle: handle, RPID: "id.example.com", PublicKey: []byte("key of " + handle), Counter: 3,
			Detail: storage.PasskeyDetail{AAGUID: "a", Transports: []string{"usb"}, BackupEligible: true, BackedUp: true},
		},
		ChallengeID: "challenge of " + handle, Until: storage.At(noon.Add(time.Hour)),
	}
}

// addPasskey adds a passkey. In a session with one factor it stays unproven, as on an instance without
// mails.
func (w *world) addPasskey(t testing.TB, handle, sessionID string, at time.Time) storage.Session {
	t.Helper()
	w.proveIn(t, storage.Session{ID: sessionID, UserID: w.user.ID}, at)
	s, _, err := w.AddPasskey(t.Context(), w.addition(handle, sessionID), at)
	if err != nil {
		t.Fatalf("add passkey: %v", err)
	}
	if !storage.ACRReaches(s.ACR, storage.ACRTwoFactors) {
		w.exec(t, `UPDATE credentials SET proven_at = 0 WHERE handle = ?`, handle)
	}
	return s
}

func removal(userID string, p storage.Passkey, sessionID string) storage.PasskeyRemoval {
	return storage.PasskeyRemoval{FactorChange: storage.FactorChange{UserID: userID, SessionID: sessionID, FreshFor: time.Minute}, PasskeyID: p.ID}
}

// useOf returns a sign-in with a passkey.
func (w *world) useOf(p storage.Passkey, challenge string, counter int64) storage.SignIn {
	s := w.signInOf(p.UserID, "handle of "+challenge, "")
	s.ACR, s.AMR = "", nil
	s.Passkey = &storage.PasskeyUse{PasskeyID: p.ID, ChallengeID: challenge, Until: storage.At(noon.Add(time.Hour)), Counter: counter}
	return s
}

// The row of a passkey keeps what its authenticator said. A passkey that was made in a session with
// two factors is proven: a sign-in with it resists phishing. Another counts as one factor.
func TestAddPasskey_IsProvenInSessionWithTwoFactors(t *testing.T) {
	for acr, want := range map[string]struct {
		acr string
		amr []string
	}{
		storage.ACROneFactor:         {storage.ACROneFactor, []string{"pop", "user", "swk"}},
		storage.ACRTwoFactors:        {storage.ACRPhishingResistant, []string{"pop", "user", "mfa", "swk"}},
		storage.ACRPhishingResistant: {storage.ACRPhishingResistant, []string{"pop", "user", "mfa", "swk"}},
	} {
		eachWorld(t, func(t *testing.T, w *world) {
			strong := w.signIn(t, w.user.ID, "strong", "", noon)
			w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, acr, strong.ID)
			w.addPasskey(t, "p", strong.ID, noon)
			p, owner, err := w.PasskeyByHandle(t.Context(), "p")
			if p.Handles != "p" {
				t.Errorf("handles %q", p.Handles)
			}
			p.Handles = ""
			if err != nil || owner.ID != w.user.ID {
				t.Fatalf("owner %s, %v", owner.ID, err)
			}
			listed, err := w.PasskeysOf(t.Context(), w.user.ID)
			if err != nil || len(listed) != 1 || fmt.Sprint(listed[0]) != fmt.Sprint(p) {
				t.Errorf("listed %+v, read %+v, %v", listed, p, err)
			}
			if p.Counter != 3 || string(p.PublicKey) != "key of p" || p.Detail.AAGUID != "a" || !slices.Equal(p.Detail.Transports, []string{"usb"}) || p.CreatedAt != storage.At(noon) {
				t.Errorf("passkey %+v", p)
			}
			s, err := w.SignIn(t.Context(), w.useOf(p, "c", 4), noon)
			if err != nil || s.ACR != want.acr || !slices.Equal(s.AMR, want.amr) || s.Identity != p.ID {
				t.Errorf("%s: session %+v, %v", acr, s, err)
			}
		})
	}
}

// A challenge is used once, to add or to sign in. What was decided with it is undone.
func TestPasskeys_ChallengeIsUsedOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		session := w.addPasskey(t, "p", w.session.ID, noon)
		again := w.addition("q", session.ID)
		again.ChallengeID = "challenge of p"
		if _, _, err := w.AddPasskey(t.Context(), again, noon); !errors.Is(err, storage.ErrReplayed) {
			t.Errorf("add: %v", err)
		}
		p, _, err := w.PasskeyByHandle(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.SignIn(t.Context(), w.useOf(p, "challenge of p", 4), noon); !errors.Is(err, storage.ErrReplayed) {
			t.Errorf("sign in: %v", err)
		}
		if _, err := w.SignIn(t.Context(), w.useOf(p, "c", 4), noon); err != nil {
			t.Errorf("sign in: %v", err)
		}
	})
}

// Of many sign-ins with one challenge, one wins; of many uses with growing counters, none is lost.
func TestSignIn_PasskeyRace(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.addPasskey(t, "p", w.session.ID, noon)
		p, _, err := w.PasskeyByHandle(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		results := make(chan error, 10)
		for i := range 10 {
			go func() {
				s := w.useOf(p, "one", 4)
				s.HandleHash = fmt.Sprint("racer ", i)
				_, err := w.SignIn(t.Context(), s, noon)
				results <- err
			}()
		}
		won := 0
		for range 10 {
			switch err := <-results; {
			case err == nil:
				won++
			case !errors.Is(err, storage.ErrReplayed):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d sign-ins with one challenge", won)
		}
		for i := range 10 {
			go func() {
				_, err := w.SignIn(t.Context(), w.useOf(p, fmt.Sprint("many ", i), int64(5+i)), noon)
				results <- err
			}()
		}
		for range 10 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if p, _, err = w.PasskeyByHandle(t.Context(), "p"); err != nil || p.Counter != 14 {
			t.Errorf("counter %d, want 14, %v", p.Counter, err)
		}
	})
}

// A passkey of another user, a removed one and one of a disabled user sign nobody in.
func TestSignIn_ForeignOrRemovedPasskeyIsRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		session := w.addPasskey(t, "p", w.session.ID, noon)
		p, _, err := w.PasskeyByHandle(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		bob := w.createUser(t, "bob@example.com")
		foreign := w.useOf(p, "foreign", 4)
		foreign.UserID = bob.ID
		if _, err := w.SignIn(t.Context(), foreign, noon); !errors.Is(err, storage.ErrRevoked) {
			t.Errorf("passkey of another user: %v", err)
		}
		bobs := w.signIn(t, bob.ID, "bob", "", noon)
		for what, err := range map[string]error{
			"rename": w.RenamePasskey(t.Context(), bob.ID, p.ID, "x", storage.By{At: noon}),
			"remove": w.RemovePasskey(t.Context(), removal(bob.ID, p, bobs.ID), noon),
		} {
			if !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%s by another user: %v", what, err)
			}
		}
		err = w.RemovePasskey(t.Context(), removal(w.user.ID, p, bobs.ID), noon)
		if !errors.Is(err, storage.ErrRevoked) {
			t.Errorf("remove in the session of another user: %v", err)
		}
		if err := w.RemovePasskey(t.Context(), removal(w.user.ID, p, session.ID), noon); err != nil {
			t.Fatal(err)
		}
		if _, err := w.SignIn(t.Context(), w.useOf(p, "late", 4), noon); !errors.Is(err, storage.ErrRevoked) {
			t.Errorf("removed passkey: %v", err)
		}
	})
}

// Removing a passkey revokes more grants than one transaction changes, and only those that the
// passkey opened: not grants of upstreams from before grants named their identity.
func TestRemovePasskey_RevokesItsGrantsOnly(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		session := w.addPasskey(t, "p", w.session.ID, noon)
		p, _, err := w.PasskeyByHandle(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		own, err := w.SignIn(t.Context(), w.useOf(p, "c", 4), noon)
		if err != nil {
			t.Fatal(err)
		}
		open := func(request, sessionID string, amr ...string) storage.Grant {
			r := w.redemption(request, "code", noon)
			r.Grant.Offline, r.Grant.SessionID, r.Grant.AMR = true, sessionID, amr
			return w.redeem(t, r, noon)
		}
		var grants []storage.Grant
		for i := range storage.Portion + 5 {
			grants = append(grants, open(fmt.Sprint("request ", i), own.ID, "pop"))
		}
		kept := open("kept", session.ID, "fed")
		if err := w.RemovePasskey(t.Context(), removal(w.user.ID, p, session.ID), noon); err != nil {
			t.Fatal(err)
		}
		for _, g := range grants {
			if g, _, err := w.LiveGrant(t.Context(), g.ID, "", noon); err == nil {
				t.Errorf("grant %+v is live", g)
			}
		}
		if _, _, err := w.LiveGrant(t.Context(), kept.ID, "", noon); err != nil {
			t.Errorf("the grant of another session: %v", err)
		}
	})
}

// SignInMethodsOf counts the passkeys of a user.
func TestSignInMethodsOf_CountsPasskeys(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		session := w.addPasskey(t, "p", w.session.ID, noon)
		w.addPasskey(t, "q", session.ID, noon)
		m, err := w.SignInMethodsOf(t.Context(), w.user.ID)
		if err != nil || m.Passkeys != 2 || !m.Password || len(m.Connectors) != 0 {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// A removed passkey may have been the second factor of a thief with the password: after it, or in a
// session that it raised. Sessions in which another passkey was the second factor go on.
func TestRemovePasskey_EndsSessionsInWhichItWasSecondFactor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRTwoFactors, w.session.ID)
		own := w.addPasskey(t, "q", w.addPasskey(t, "p", w.session.ID, noon).ID, noon)
		uses, grants, ids := int64(4), map[string]storage.Grant{}, map[string]storage.Passkey{}
		for _, handle := range []string{"p", "q"} {
			p, _, err := w.PasskeyByHandle(t.Context(), handle)
			if err != nil {
				t.Fatal(err)
			}
			ids[handle] = p
			for _, raises := range []bool{false, true} {
				uses++
				name := fmt.Sprint(handle, raises)
				in := w.signInOf(w.user.ID, "handle "+name, "")
				in.Factor = &storage.FactorUse{Key: &storage.PasskeyUse{PasskeyID: p.ID, ChallengeID: name, Until: storage.At(noon.Add(time.Hour)), Counter: uses}}
				if raises {
					w.signIn(t, w.user.ID, "before "+name, "", noon)
					in.Replaces, in.Raises = "before "+name, true
				}
				s, err := w.SignIn(t.Context(), in, noon)
				if err != nil || s.ACR != storage.ACRPhishingResistant || s.Identity != p.ID {
					t.Fatalf("%s: %+v, %v", name, s, err)
				}
				r := w.redemption("request "+name, "code "+name, noon)
				r.Grant.Offline, r.Grant.SessionID, r.Grant.AMR = true, s.ID, s.AMR
				grants[name] = w.redeem(t, r, noon)
			}
		}
		if err := w.RemovePasskey(t.Context(), removal(w.user.ID, ids["p"], own.ID), noon); err != nil {
			t.Fatal(err)
		}
		for name, grant := range grants {
			_, _, err := w.SessionByHandle(t.Context(), "handle "+name, noon)
			if ended := name[0] == 'p'; ended != (err != nil) {
				t.Errorf("%s: the session: %v", name, err)
			} else if ended {
				w.wantDead(t, grant.ID, noon)
			} else {
				w.wantAlive(t, grant.ID, noon)
			}
		}
	})
}
