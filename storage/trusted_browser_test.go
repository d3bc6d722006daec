package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
)

// browserKey is the key of a browser that the tests trust.
func browserKey(name string) storage.BrowserKey {
	return storage.BrowserKey{DeviceHash: "device " + name, SecretHash: "secret " + name}
}

// trust signs the world's user in with the code of a step, in a browser that is then trusted for 30
// days.
func (w *world) trust(t testing.TB, appID, name string, step int64, at time.Time) storage.Session {
	t.Helper()
	s := w.secondSignIn(w.user.ID, storage.NewID("h"), storage.FactorUse{CredentialID: appID, Step: step})
	s.Trust = &storage.NewTrust{BrowserKey: browserKey(name), Until: storage.At(at.AddDate(0, 0, 30))}
	session, err := w.SignIn(t.Context(), s, at)
	if err != nil {
		t.Fatalf("trust a browser: %v", err)
	}
	return session
}

// trustedSignIn signs a user in with a password and the key of a trusted browser.
func (w *world) trustedSignIn(t testing.TB, userID string, key storage.BrowserKey, at time.Time) (storage.Session, error) {
	t.Helper()
	s := w.signInOf(userID, storage.NewID("h"), "")
	s.Trusted = key
	return w.SignIn(t.Context(), s, at)
}

// isDue reports whether the sign-in must have a second factor.
func isDue(err error) bool {
	_, due := errors.AsType[*storage.FactorDueError](err)
	return due
}

// A trusted browser needs no second factor. The session has one factor, so it changes no factor of
// the account, and an act that needs all factors is not done in it.
func TestTrustedBrowser_SkipsTheSecondFactor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, app := w.addTOTP(t, w.session, "new handle", noon)
		whole := w.trust(t, app, "home", step+1, noon)
		later := noon.Add(time.Hour)
		s, err := w.trustedSignIn(t, w.user.ID, browserKey("home"), later)
		if err != nil || s.ACR != storage.ACROneFactor || !slices.Equal(s.AMR, []string{"pwd"}) || !s.FactorSkipped {
			t.Fatalf("session %+v, %v: want one of one factor, which says that the second was left out", s, err)
		}
		if read, _, err := w.SessionByHandle(t.Context(), s.HandleHash, later); err != nil || !read.FactorSkipped {
			t.Errorf("read %+v, %v", read, err)
		}
		age := time.Hour
		for name, f := range map[string]storage.Freshness{"max_age": {MaxAge: &age, AllFactors: true}, "request": {Request: "r", AllFactors: true}, "best effort": {BestEffort: true, AllFactors: true}} {
			if s.Meets(f, later) || !whole.Meets(storage.Freshness{MaxAge: &age, AllFactors: true}, noon) {
				t.Errorf("%s: the session without the second factor meets %+v, or the other one does not", name, f)
			}
		}
		if !s.Meets(storage.Freshness{MaxAge: &age}, later) {
			t.Error("the session does not meet a requirement that asks for no factors")
		}
		_, err = w.RemoveSecondFactor(t.Context(), w.factorChange(s, "h"), app, later)
		wantError(t, "remove the app", err, storage.ErrNotFresh)
		_, _, err = w.AddPasskey(t.Context(), w.addition("p", s.ID), later)
		wantError(t, "add a passkey", err, storage.ErrNotFresh)
		list, err := w.TrustedBrowsersOf(t.Context(), w.user.ID, later)
		if err != nil || len(list) != 1 || list[0].UsedAt != storage.At(later) || list[0].CreatedAt < storage.At(noon) || list[0].ExpiresAt != storage.At(noon.AddDate(0, 0, 30)) || list[0].Agent != "agent" {
			t.Errorf("list %+v, %v", list, err)
		}
		wantEvents(t, w, w.user.ID, storage.BrowserTrusted, 1)
		if n := w.count(t, `outbox WHERE kind = 'mail' AND user_id = ? AND message LIKE '%browser_trusted%'`, w.user.ID); n != 1 {
			t.Errorf("%d mails, want 1", n)
		}
		// A step-up continues the session, so it needs the factor also here.
		again := w.signInOf(w.user.ID, "again", s.HandleHash)
		again.Trusted = browserKey("home")
		if _, err := w.SignIn(t.Context(), again, later); !isDue(err) {
			t.Errorf("step-up: %v, want a FactorDueError", err)
		}
		use := storage.FactorUse{CodeHash: []byte("code 0")}
		again.Factor, again.ACR, again.AMR = &use, storage.ACRTwoFactors, []string{"pwd", "mfa"}
		if s, err := w.SignIn(t.Context(), again, later); err != nil || s.FactorSkipped {
			t.Errorf("after the step-up: %+v, %v", s, err)
		}
	})
}

// MF-15: A trusted browser is bound to its user, its device and its value, and ends with everything
// that ends all sessions of the user. It never counts for an administrator.
func TestTrustedBrowser_CountsForNobodyElse(t *testing.T) {
	by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon.Add(time.Minute)}
	key := browserKey("home")
	for name, c := range map[string]struct {
		before func(t *testing.T, w *world, app string) error
		key    storage.BrowserKey
		after  time.Duration
	}{
		"another device":   {key: storage.BrowserKey{DeviceHash: "device other", SecretHash: key.SecretHash}},
		"another value":    {key: storage.BrowserKey{DeviceHash: key.DeviceHash, SecretHash: "secret other"}},
		"no device":        {key: storage.BrowserKey{SecretHash: key.SecretHash}},
		"no value":         {key: storage.BrowserKey{DeviceHash: key.DeviceHash}},
		"no key":           {},
		"impossible value": {key: storage.BrowserKey{DeviceHash: key.DeviceHash, SecretHash: "\x00"}},
		"expired":          {key: key, after: 30 * 24 * time.Hour},
		"signed out of all": {key: key, before: func(t *testing.T, w *world, _ string) error {
			return w.SignOutEverywhere(t.Context(), w.user.ID, "x", by)
		}},
		"signed out of the others": {key: key, before: func(t *testing.T, w *world, _ string) error {
			return w.EndOtherSessions(t.Context(), w.user.ID, "ses_none", "x", by)
		}},
		"switched off and on": {key: key, before: func(t *testing.T, w *world, _ string) error {
			if err := w.SetUserEnabled(t.Context(), w.user.ID, false, by); err != nil {
				return err
			}
			return w.SetUserEnabled(t.Context(), w.user.ID, true, by)
		}},
		"new password by an operator": {key: key, before: func(t *testing.T, w *world, _ string) error {
			_, err := w.ResetPassword(t.Context(), storage.PasswordReset{UserID: w.user.ID, Hash: "new"}, by.At)
			return err
		}},
		"own new password": {key: key, before: func(t *testing.T, w *world, _ string) error {
			s := w.signIn2(t, by.At)
			_, err := w.ChangePassword(t.Context(), storage.PasswordChange{UserID: w.user.ID, OldHash: w.passwordHashOf(t, w.user.Email), NewHash: "new", SessionID: s.ID, Handle: "x"}, by.At)
			return err
		}},
		"new recovery codes": {key: key, before: func(t *testing.T, w *world, _ string) error {
			_, err := w.ReplaceRecoveryCodes(t.Context(), w.factorChange(w.signIn2(t, by.At), "x"), [][]byte{[]byte("n")}, by.At)
			return err
		}},
		"administrator": {key: key, before: func(t *testing.T, w *world, _ string) error {
			_, err := w.GrantAdmin(t.Context(), w.user.ID, storage.Administrator, storage.KeepAttached, by)
			return err
		}},
		"helpdesk": {key: key, before: func(t *testing.T, w *world, _ string) error {
			_, err := w.GrantAdmin(t.Context(), w.user.ID, storage.Helpdesk, storage.KeepAttached, by)
			return err
		}},
		"auditor": {key: key, before: func(t *testing.T, w *world, _ string) error {
			_, err := w.GrantAdmin(t.Context(), w.user.ID, storage.Auditor, storage.KeepAttached, by)
			return err
		}},
		"administrator for a while": {key: key, before: func(t *testing.T, w *world, _ string) error {
			w.exec(t, `UPDATE users SET admin = ? WHERE id = ?`, true, w.createUser(t, "root@example.com").ID)
			if _, err := w.GrantAdmin(t.Context(), w.user.ID, storage.Administrator, storage.KeepAttached, by); err != nil {
				return err
			}
			return w.RevokeAdmin(t.Context(), w.user.ID, by)
		}},
		"restored database": {key: key, before: func(t *testing.T, w *world, _ string) error {
			w.exec(t, `UPDATE instance SET not_before = ?`, storage.At(by.At))
			return nil
		}},
		"trust ended": {key: key, before: func(t *testing.T, w *world, _ string) error {
			list, err := w.TrustedBrowsersOf(t.Context(), w.user.ID, by.At)
			if err != nil || len(list) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			wantError(t, "of another user", w.EndTrust(t.Context(), w.createUser(t, "eve@example.com").ID, list[0].ID, "ses_none", by), storage.ErrNotFound)
			return w.EndTrust(t.Context(), w.user.ID, list[0].ID, "ses_none", by)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				_, app := w.addTOTP(t, w.session, "new handle", noon)
				w.trust(t, app, "home", step+1, noon)
				if c.before != nil {
					if err := c.before(t, w, app); err != nil {
						t.Fatal(err)
					}
				}
				at := by.At.Add(time.Minute + c.after)
				if s, err := w.trustedSignIn(t, w.user.ID, c.key, at); !isDue(err) {
					t.Errorf("session %+v, %v: want a FactorDueError", s, err)
				}
				if c.before != nil || c.after != 0 {
					if list, err := w.TrustedBrowsersOf(t.Context(), w.user.ID, at); err != nil || len(list) != 0 {
						t.Errorf("still listed: %+v, %v", list, err)
					}
				}
			})
		})
	}
}

// signIn2 signs the world's user in with two factors.
func (w *world) signIn2(t testing.TB, at time.Time) storage.Session {
	t.Helper()
	s, err := w.SignIn(t.Context(), w.secondSignIn(w.user.ID, storage.NewID("h"), storage.FactorUse{CodeHash: []byte("code 0")}), at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The browser of one user does not skip the second factor of another one, and an upstream whose
// identity is not linked yet does not use the trust.
func TestTrustedBrowser_IsBoundToItsUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, app := w.addTOTP(t, w.session, "new handle", noon)
		w.trust(t, app, "home", step+1, noon)
		bob := w.createUser(t, "bob@example.com")
		w.addTOTP(t, w.signIn(t, bob.ID, "bob", "", noon), "bob 2", noon)
		if _, err := w.trustedSignIn(t, bob.ID, browserKey("home"), noon); !isDue(err) {
			t.Errorf("bob in the browser of alice: %v, want a FactorDueError", err)
		}
		for _, linked := range []bool{false, true} {
			in := w.signInOf("", storage.NewID("h"), "")
			in.Trusted = browserKey("home")
			if linked {
				w.exec(t, `INSERT INTO identities (connector, issuer, subject, user_id) VALUES ('corp', 'https://corp.example.com', '1', ?)`, w.user.ID)
			}
			identity := upstreamIdentity(w.user.ID, "corp", "1")
			if linked {
				w.exec(t, `UPDATE identities SET issuer = ? WHERE user_id = ?`, identity.Issuer, w.user.ID)
			} else {
				identity.Email = w.user.Email
			}
			s, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
				Identity: identity, AttemptID: storage.NewID("a"), Until: storage.At(noon.Add(time.Hour)), Linked: linked, SignIn: in, Proof: storage.ByUpstream,
			}, noon)
			if linked != (err == nil) || linked != s.FactorSkipped {
				t.Errorf("linked %v: %+v, %v", linked, s, err)
			}
		}
	})
}

// A user with a role of administration trusts no browser. A sign-in without a second factor trusts none
// either.
func TestTrustedBrowser_IsNotStoredForRolesOfAdministration(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, app := w.addTOTP(t, w.session, "new handle", noon)
		for i, role := range storage.AdminRoles() {
			w.exec(t, `UPDATE users SET admin = ?, lesser_role = ? WHERE id = ?`, role == storage.Administrator, strings.TrimPrefix(string(role), "admin"), w.user.ID)
			w.trust(t, app, "home", step+1+int64(i), noon)
			if n := w.count(t, "trusted_browsers"); n != 0 {
				t.Errorf("%d trusted browsers of the role %s", n, role)
			}
		}
		bob := w.createUser(t, "bob@example.com")
		s := w.signInOf(bob.ID, "bob", "")
		s.Trust = &storage.NewTrust{BrowserKey: browserKey("b"), Until: storage.At(noon.Add(time.Hour))}
		if _, err := w.SignIn(t.Context(), s, noon); err == nil || w.count(t, "trusted_browsers") != 0 {
			t.Error("a sign-in with one factor trusts its browser")
		}
	})
}

// A user has at most ten trusted browsers. A browser that is trusted again has one row.
func TestTrustedBrowser_HasALimit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, app := w.addTOTP(t, w.session, "new handle", noon)
		for i := range storage.MostTrustedBrowsers + 3 {
			w.trust(t, app, fmt.Sprint(i), step+1+int64(i), noon.Add(time.Duration(i)*time.Minute))
		}
		last := noon.Add(time.Hour)
		w.trust(t, app, "12", step+100, last)
		list, err := w.TrustedBrowsersOf(t.Context(), w.user.ID, last)
		if err != nil || len(list) != storage.MostTrustedBrowsers || list[0].CreatedAt != storage.At(last) || list[9].CreatedAt != storage.At(noon.Add(3*time.Minute)) {
			t.Errorf("%d browsers: %+v, %v", len(list), list, err)
		}
		if _, err := w.trustedSignIn(t, w.user.ID, browserKey("0"), last); !isDue(err) {
			t.Errorf("the oldest browser: %v", err)
		}
		if _, err := w.trustedSignIn(t, w.user.ID, browserKey("12"), last); err != nil {
			t.Errorf("the newest browser: %v", err)
		}
		rule := storage.SweepRules[slices.IndexFunc(storage.SweepRules, func(r storage.SweepRule) bool { return r.String() == "trusted_browsers by expires_at" })]
		if _, err := w.SweepRows(t.Context(), rule, last.AddDate(0, 0, 32)); err != nil || w.count(t, "trusted_browsers") != 0 {
			t.Errorf("the sweep leaves %d rows, %v", w.count(t, "trusted_browsers"), err)
		}
	})
}

// A session that began in a trusted browser ends when its user gets a role of administration.
func TestGrantAdmin_EndsSessionsWithoutTheSecondFactor(t *testing.T) {
	for _, role := range storage.AdminRoles() {
		t.Run(string(role), func(t *testing.T) { testGrantEndsTrust(t, role) })
	}
}

func testGrantEndsTrust(t *testing.T, role storage.AdminRole) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, app := w.addTOTP(t, w.session, "new handle", noon)
		whole := w.trust(t, app, "home", step+1, noon)
		s, err := w.trustedSignIn(t, w.user.ID, browserKey("home"), noon)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.GrantAdmin(t.Context(), w.user.ID, role, storage.KeepAttached, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if w.signedIn(t, w.user.ID, s.ID) || !w.signedIn(t, w.user.ID, whole.ID) {
			t.Error("want only the session with two factors to be left")
		}
	})
}

// A sign-in in a trusted browser and the end of all sessions, at once on two nodes: no session is
// left that the end has not seen.
func TestTrustedBrowser_RaceWithSignOutEverywhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, app := w.addTOTP(t, w.session, "new handle", noon)
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		for round := range 5 {
			w.trust(t, app, "home", step+1+int64(round), noon.Add(time.Duration(round)*time.Minute))
			at := noon.Add(time.Duration(round)*time.Minute + time.Second)
			var wg sync.WaitGroup
			for i := range 6 {
				wg.Go(func() {
					if i == 3 {
						if err := nodes[i%2].SignOutEverywhere(t.Context(), w.user.ID, "x", storage.By{At: at}); err != nil {
							t.Error(err)
						}
						return
					}
					s := w.signInOf(w.user.ID, storage.NewID("h"), "")
					s.Trusted = browserKey("home")
					if _, err := nodes[i%2].SignIn(t.Context(), s, at); err != nil && !isDue(err) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if _, err := w.trustedSignIn(t, w.user.ID, browserKey("home"), at.Add(time.Second)); !isDue(err) {
				t.Fatalf("after the end: %v, want a FactorDueError", err)
			}
			if list, err := w.SessionsOf(t.Context(), w.user.ID, at.Add(time.Second)); err != nil || len(list) != 0 {
				t.Fatalf("sessions %+v, %v", list, err)
			}
		}
	})
}

// A program that does not know trusted browsers cannot open a database with one.
func TestTrustedBrowser_KeepsOlderProgramsOut(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, app := w.addTOTP(t, w.session, "new handle", noon)
		w.trust(t, app, "home", step+1, noon)
		var oldest int64
		if err := w.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(`SELECT oldest_program FROM instance`).Scan(&oldest).Error }); err != nil || oldest != 21 {
			t.Errorf("oldest program %d, %v, want 21", oldest, err)
		}
	})
}

// A browser may be lost. What ends its trust ends the sessions too that began without the second factor,
// and all their grants, even those of a session that was signed out since. The session of the request
// and those with the second factor stay.
func TestEndTrust_EndsSessionsWithoutTheSecondFactor(t *testing.T) {
	for name, end := range map[string]func(w *world, browser, own string) error{
		"ended": func(w *world, browser, own string) error {
			return w.EndTrust(context.Background(), w.user.ID, browser, own, storage.By{At: noon})
		},
		"promoted": func(w *world, _, _ string) error {
			_, err := w.GrantAdmin(context.Background(), w.user.ID, storage.Administrator, storage.KeepAttached, storage.By{At: noon})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				own, app := w.addTOTP(t, w.session, "new handle", noon)
				w.session = own
				kept := []storage.Grant{w.offlineGrant(t, "own offline", noon), w.redeem(t, w.redemption("own online", "code", noon), noon)}
				w.trust(t, app, "home", step+1, noon)
				var ended []storage.Grant
				for _, signedOut := range []bool{true, false} {
					skipped, err := w.trustedSignIn(t, w.user.ID, browserKey("home"), noon)
					if err != nil || !skipped.FactorSkipped {
						t.Fatalf("%+v, %v", skipped, err)
					}
					w.session = skipped
					ended = append(ended, w.offlineGrant(t, skipped.ID+" offline", noon), w.redeem(t, w.redemption(skipped.ID+" online", "code", noon), noon))
					if signedOut {
						if err := w.EndSession(t.Context(), w.user.ID, skipped.ID, "signed_out", storage.By{At: noon}); err != nil {
							t.Fatal(err)
						}
					}
				}
				list, err := w.TrustedBrowsersOf(t.Context(), w.user.ID, noon)
				if err != nil || len(list) != 1 {
					t.Fatalf("%+v, %v", list, err)
				}
				if err := end(w, list[0].ID, own.ID); err != nil {
					t.Fatal(err)
				}
				live, err := w.SessionsOf(t.Context(), w.user.ID, noon)
				if err != nil || !slices.ContainsFunc(live, func(s storage.Session) bool { return s.ID == own.ID }) ||
					slices.ContainsFunc(live, func(s storage.Session) bool { return s.ID == w.session.ID }) {
					t.Errorf("live sessions %+v, %v", live, err)
				}
				for _, g := range ended {
					w.wantDead(t, g.ID, noon)
				}
				for _, g := range kept {
					if _, _, err := w.LiveGrant(t.Context(), g.ID, "", noon); err != nil {
						t.Errorf("grant of the session with two factors, offline %v: %v", g.Offline, err)
					}
				}
			})
		})
	}
}

// The second factor that was skipped raises the session, even if the first proof is older.
func TestSignIn_FactorAfterTrustRaisesTheSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, app := w.addTOTP(t, w.session, "new handle", noon)
		w.trust(t, app, "home", step+1, noon)
		s := w.signInOf(w.user.ID, "skipped", "")
		s.Trusted = browserKey("home")
		if _, err := w.SignIn(t.Context(), s, noon); err != nil {
			t.Fatal(err)
		}
		again := w.signInOf(w.user.ID, "with factor", "skipped")
		again.ACR, again.Asserted = storage.ACRTwoFactors, &storage.AssertedFreshness{}
		again.Factor = &storage.FactorUse{CredentialID: app, Step: step + 2}
		got, err := w.SignIn(t.Context(), again, noon.Add(time.Minute))
		if err != nil || got.ACR != storage.ACRTwoFactors || got.FactorSkipped {
			t.Errorf("acr %s, skipped %v, %v", got.ACR, got.FactorSkipped, err)
		}
	})
}
