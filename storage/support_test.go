package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/storagetest"
)

// supportWorld is a world with the acts that let a locked-out user in.
type supportWorld struct{ *world }

// newSupportWorld returns a world whose user gets mails.
func newSupportWorld(t *testing.T, b storagetest.Backend) supportWorld {
	t.Helper()
	w := supportWorld{newWorld(t, b)}
	w.exec(t, `UPDATE users SET email_verified = ? WHERE id = ?`, true, w.user.ID)
	return w
}

// addFactor gives the user a recovery code.
func (w supportWorld) addFactor(t *testing.T) {
	t.Helper()
	w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, created_at) VALUES (?, ?, 'recovery', 'x', 0)`, storage.NewID("crd_"), w.user.ID)
}

func (w supportWorld) acts(t *testing.T) map[string]func(storage.Support, storage.By) error {
	return map[string]func(storage.Support, storage.By) error{
		"password link": func(s storage.Support, by storage.By) error {
			_, err := w.IssuePasswordLink(t.Context(), storage.PasswordLink{UserID: w.user.ID, Reason: "by_administrator", Unproven: storage.KeepAttached, Support: s}, by)
			return err
		},
		"passkey link": func(s storage.Support, by storage.By) error {
			_, err := w.IssuePasskeyLink(t.Context(), storage.PasskeyLink{UserID: w.user.ID, Reason: "by_administrator", Unproven: storage.KeepAttached, Support: s}, by)
			return err
		},
		"reset": func(s storage.Support, by storage.By) error {
			w.addFactor(t)
			_, err := w.ResetFactors(t.Context(), storage.FactorReset{UserID: w.user.ID, Support: s}, by)
			return err
		},
	}
}

// TestSupport_LinkAndResetWithinADay: an operator with limits does only one of both within a day, also
// if another operator did the first. An operator without limits does both. A mail that the user asked
// for does not count.
func TestSupport_LinkAndResetWithinADay(t *testing.T) {
	for _, first := range []string{"password link", "passkey link", "reset"} {
		for _, second := range []string{"password link", "passkey link", "reset"} {
			t.Run(first+", "+second, func(t *testing.T) {
				storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
					w := newSupportWorld(t, b)
					acts, alone := w.acts(t), storage.Support{Alone: true, Note: "lost the phone"}
					by := func(after time.Duration) storage.By {
						return storage.By{From: storage.Origin{Actor: "usr_helper"}, At: noon.Add(after)}
					}
					if err := acts[first](alone, by(0)); err != nil {
						t.Fatalf("the first act: %v", err)
					}
					event, err := w.Events(t.Context(), storage.EventFilter{UserID: w.user.ID}, 10)
					if err != nil || first != "reset" && event[0].Detail["reason"] != "lost the phone" {
						t.Errorf("event: got %+v, %v, want the reason", event, err)
					}
					mixed := (first == "reset") != (second == "reset")
					switch err := acts[second](alone, by(23*time.Hour)); {
					case mixed && !errors.Is(err, storage.ErrLinkAndReset):
						t.Errorf("a day is not over: got %v", err)
					case !mixed && err != nil:
						t.Errorf("the same act again: %v", err)
					}
					if err := acts[second](storage.Support{}, by(23*time.Hour)); err != nil {
						t.Errorf("an operator without limits: %v", err)
					}
				})
			})
		}
	}
}

// TestSupport_AfterADayOrAMailTheActIsAllowed: neither an act of more than a day ago nor a mail that
// the user asked for stands in the way.
func TestSupport_AfterADayOrAMailTheActIsAllowed(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		w := newSupportWorld(t, b)
		acts, alone := w.acts(t), storage.Support{Alone: true}
		if err := w.RecordEvent(t.Context(), storage.Event{Type: storage.PasswordResetRequested, Outcome: storage.Succeeded, UserID: w.user.ID}, noon); err != nil {
			t.Fatal(err)
		}
		if err := acts["reset"](alone, storage.By{From: storage.Origin{Actor: "cli"}, At: noon}); err != nil {
			t.Errorf("after a mail that the user asked for: %v", err)
		}
		if err := acts["passkey link"](alone, storage.By{From: storage.Origin{Actor: "cli"}, At: noon.Add(24*time.Hour + time.Second)}); err != nil {
			t.Errorf("a day later: %v", err)
		}
	})
}

// TestSupport_OfTwoActsAtOnceOneWins: a link and a reset at once, on two nodes. The lock of the row of
// the user orders them, so only one happens.
func TestSupport_OfTwoActsAtOnceOneWins(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		w := newSupportWorld(t, b)
		for round := range 5 {
			w.exec(t, `DELETE FROM events`)
			w.addFactor(t)
			at := noon.Add(time.Duration(round) * time.Minute)
			by, alone := storage.By{From: storage.Origin{Actor: "cli"}, At: at}, storage.Support{Alone: true}
			results := make(chan error, 2)
			go func() {
				_, err := w.IssuePasskeyLink(t.Context(), storage.PasskeyLink{UserID: w.user.ID, Unproven: storage.KeepAttached, Support: alone}, by)
				results <- err
			}()
			go func() {
				_, err := w.ResetFactors(t.Context(), storage.FactorReset{UserID: w.user.ID, Support: alone}, by)
				results <- err
			}()
			one, two := <-results, <-results
			if (one == nil) == (two == nil) || !errors.Is(errors.Join(one, two), storage.ErrLinkAndReset) {
				t.Errorf("round %d: got %v and %v, want one ErrLinkAndReset", round, one, two)
			}
		}
	})
}

// TestSupport_DisabledUserGetsNoLink: a link would be of no use.
func TestSupport_DisabledUserGetsNoLink(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		w := newSupportWorld(t, b)
		if err := w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for name, act := range w.acts(t) {
			if err := act(storage.Support{}, storage.By{At: noon}); (name == "reset") != (err == nil) || name != "reset" && !errors.Is(err, storage.ErrRevoked) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

// TestSupport_WithoutANoticeOnlyByOperatorsWithoutLimits: if no mail can tell the user, an operator with
// limits does not act, whatever the act. One without limits does.
func TestSupport_WithoutANoticeOnlyByOperatorsWithoutLimits(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		for name, c := range map[string]struct {
			change    string // of the user
			backend   storagetest.Backend
			noAddress bool
			noNotice  bool
		}{
			"verified address": {backend: b},
			"unproven address": {change: `email_verified = FALSE`, backend: b, noNotice: true},
			"no address":       {change: `email = '', email_canonical = '', email_verified = FALSE`, backend: b, noNotice: true, noAddress: true},
			"no mail server":   {backend: b.WithoutMails(), noNotice: true},
		} {
			w := supportWorld{&world{DB: c.backend.Open(t), backend: c.backend}}
			for _, act := range []string{"password link", "passkey link", "reset"} {
				w.user = w.verifiedUser(t, storage.NewID("s")+"@example.com")
				if c.change != "" {
					w.exec(t, `UPDATE users SET `+c.change+` WHERE id = ?`, w.user.ID)
				}
				run, by := w.acts(t)[act], storage.By{From: storage.Origin{Actor: "usr_helper"}, At: noon}
				var want error
				if c.noNotice {
					want = storage.ErrNoNotice
				}
				wantError(t, name+", "+act+" with limits", run(storage.Support{Alone: true, Note: "asked"}, by), want)
				if c.noNotice {
					for _, kind := range []storage.EventType{storage.PasswordResetRequested, storage.PasskeyRequested, storage.FactorsReset} {
						wantEvents(t, w.world, w.user.ID, kind, 0)
					}
				}
				want = nil
				if c.noAddress && act == "password link" {
					want = storage.ErrNoAddress
				}
				wantError(t, name+", "+act+" without limits", run(storage.Support{}, by), want)
			}
		}
	})
}
