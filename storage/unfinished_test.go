package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// manyRows is the number of grants, and of rows that refer to the client or the user, in these
// tests. It takes several portions.
const manyRows = 5*storage.Portion/2 + 7

// google is the identity whose removal revokes grants.
var google = storage.Identity{Connector: "google", Issuer: "https://accounts.google.com", Subject: "1"}

// fillOwner gives the world's user and client rows of each kind that refers to them.
func (w *world) fillOwner(t testing.TB, n int) {
	t.Helper()
	far := storage.At(noon.AddDate(0, 0, 30))
	identity := google
	identity.UserID = w.user.ID
	const numbers = `WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < @n) SELECT `
	const from = ` FROM n`
	inserts := []string{
		`INSERT INTO grants (id, user_id, client_id, session_id, offline, scopes, resources, amr, identity, idle_for, idle_expires_at, expires_at, created_at) ` + numbers +
			`'gid_' || i, @user, @client, @session, TRUE, '["openid"]', '[]', '["fed"]', @identity, 86400000, @far, @far, @now + i` + from,
		`INSERT INTO pushed_requests (id, client_id, message, expires_at) ` + numbers + `'par_' || i, @client, 'm', @far` + from,
		`INSERT INTO device_codes (id, user_code, client_id, expires_at) ` + numbers + `'dev_' || i, 'code ' || i, @client, @far` + from,
		`INSERT INTO users (id, created_at) ` + numbers + `'usr_' || i, @now` + from,
		`INSERT INTO consents (user_id, client_id, scopes, expires_at) ` + numbers + `'usr_' || i, @client, '["openid"]', @far` + from,
		`INSERT INTO clients (id, type) ` + numbers + `'client_' || i, 'web'` + from,
		`INSERT INTO consents (user_id, client_id, scopes, expires_at) ` + numbers + `@user, 'client_' || i, '["openid"]', @far` + from,
		`INSERT INTO sessions (id, handle_hash, user_id, ended_at, expires_at) ` + numbers + `'ses_' || i, 'h' || i, @user, 1, @far` + from,
		`INSERT INTO identities (connector, issuer, subject, user_id) SELECT 'google', 'https://accounts.google.com', '1', @user`,
	}
	run := w.Write
	if w.backend.Name == "postgres" {
		run = w.Read // a write has a time limit of seconds
	}
	for _, text := range inserts {
		err := run(t.Context(), func(tx *gorm.DB) error {
			return tx.Exec(text, map[string]any{
				"n": n, "user": w.user.ID, "client": w.client.ID, "session": w.session.ID, "identity": identity.Key(), "far": far, "now": storage.At(noon),
			}).Error
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
}

// changesOfMany are the use cases that change a number of rows without a limit. left selects
// rows that the change deletes or ends, and more is decided by it.
var changesOfMany = []struct {
	name string
	left []string // tables with conditions; no row is left at the end
	run  func(w *world) error
	gone func(t *testing.T, w *world) // what every reader sees at once
}{
	{
		"DeleteClient",
		[]string{`grants WHERE client_id = 'web'`, `consents WHERE client_id = 'web'`, `pushed_requests`, `device_codes`, `clients WHERE id = 'web'`},
		func(w *world) error {
			return w.DeleteClient(context.Background(), w.client.ID, storage.By{At: noon.Add(time.Second)})
		},
		func(t *testing.T, w *world) {
			_, err := w.Client(t.Context(), "web")
			wantError(t, "the deleted client", err, storage.ErrNotFound)
			wantError(t, "delete again", w.DeleteClient(t.Context(), "web", storage.By{At: noon}), storage.ErrNotFound)
			wantError(t, "enable", w.SetClientEnabled(t.Context(), "web", true, storage.By{At: noon}), storage.ErrNotFound)
			wantError(t, "replace the secret", w.ReplaceSecret(t.Context(), "web", "hash", 0, storage.By{At: noon}), storage.ErrNotFound)
			_, err = w.ReviseClient(t.Context(), "web", func(*storage.Client) error { return nil }, storage.By{At: noon})
			wantError(t, "revise", err, storage.ErrNotFound)
			list, err := w.Clients(t.Context())
			if err != nil || slices.ContainsFunc(list, func(c storage.Client) bool { return c.ID == "web" }) {
				t.Errorf("the list has the deleted client: %v", err)
			}
		},
	},
	{
		"DeleteUser",
		[]string{`grants`, `sessions`, `identities`, `credentials`, `consents WHERE user_id NOT IN (SELECT id FROM users)`, `users WHERE email = '' AND disabled_at <> 0`},
		func(w *world) error {
			return w.DeleteUser(context.Background(), w.user.ID, storage.By{At: noon.Add(time.Second)})
		},
		func(t *testing.T, w *world) {
			_, err := w.User(t.Context(), w.user.ID)
			wantError(t, "the deleted user", err, storage.ErrNotFound)
			_, _, err = w.UserByEmail(t.Context(), w.user.Email)
			wantError(t, "the deleted user's address", err, storage.ErrNotFound)
			by := storage.By{At: noon}
			wantError(t, "delete again", w.DeleteUser(t.Context(), w.user.ID, by), storage.ErrNotFound)
			wantError(t, "enable", w.SetUserEnabled(t.Context(), w.user.ID, true, by), storage.ErrNotFound)
			wantError(t, "sign out everywhere", w.SignOutEverywhere(t.Context(), w.user.ID, "r", by), storage.ErrNotFound)
			_, err = w.GrantAdmin(t.Context(), w.user.ID, storage.Administrator, storage.UnprovenPolicy(0), by)
			wantError(t, "make an administrator", err, storage.ErrNotFound)
			disabled, err := w.Users(t.Context(), storage.UserFilter{Disabled: true}, 500)
			if err != nil || len(disabled) != 0 {
				t.Errorf("the list has the deleted user: %v, %v", disabled, err)
			}
			if _, err := w.CreateUser(t.Context(), storage.User{Email: w.user.Email}, "", by); err != nil {
				t.Errorf("the address is not free: %v", err)
			}
		},
	},
	{
		"WithdrawConsent",
		[]string{`grants WHERE revoked_at = 0`},
		func(w *world) error {
			return w.WithdrawConsent(context.Background(), w.user.ID, w.client.ID, storage.By{At: noon.Add(time.Hour)})
		},
		nil,
	},
	{
		"UnlinkIdentity",
		[]string{`grants WHERE revoked_at = 0`, `identities`},
		func(w *world) error {
			identity := google
			identity.UserID = w.user.ID
			return w.UnlinkIdentity(context.Background(), storage.IdentityRemoval{Identity: identity}, noon.Add(time.Hour))
		},
		nil,
	},
	{
		"EndTrust",
		[]string{`grants WHERE revoked_at = 0`, `trusted_browsers`},
		func(w *world) error {
			err := w.Write(context.Background(), func(tx *gorm.DB) error {
				return errors.Join(
					tx.Exec(`UPDATE sessions SET factor_skipped = TRUE WHERE id = ?`, w.session.ID).Error,
					tx.Exec(`INSERT INTO trusted_browsers (id, user_id, device_hash, secret_hash, expires_at) VALUES ('trb_1', ?, 'device', 'secret', ?)`,
						w.user.ID, storage.At(noon.Add(48*time.Hour))).Error,
				)
			})
			if err != nil {
				return err
			}
			return w.EndTrust(context.Background(), w.user.ID, "trb_1", "ses_none", storage.By{At: noon.Add(time.Hour)})
		},
		nil,
	},
}

// sizes returns the number of rows of each table, and of the revoked grants.
func (w *world) sizes(t testing.TB) map[string]int {
	t.Helper()
	sizes := w.countRows(t)
	sizes["revoked grants"] = w.count(t, "grants WHERE revoked_at <> 0")
	return sizes
}

// wantSmallStep checks that one transaction changed few rows.
func wantSmallStep(t *testing.T, step string, before, after map[string]int) {
	t.Helper()
	changed := 0
	for table, n := range before {
		changed += max(n-after[table], after[table]-n)
	}
	if changed > storage.Portion+20 { // the events, notices and the decided row itself
		t.Errorf("%s changed %d rows, want at most a portion of %d", step, changed, storage.Portion)
	}
}

// A change of many rows is decided in one small transaction. If the process is killed after any
// of its transactions, the sweep completes the change, in small transactions too.
func TestChangesOfManyRows_KilledBetweenPortionsAreFinished(t *testing.T) {
	for _, change := range changesOfMany {
		t.Run(change.name, func(t *testing.T) {
			storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
				w := newWorld(t, b)
				w.fillOwner(t, manyRows)
				full, killed := w.DB, false
				w.DB = b.OpenFaulty(t, func(name string) storage.Fault {
					if name == "change many rows" {
						killed = true
						return storage.Fault{When: storage.AtOnce, Err: errors.New("killed")}
					}
					return storage.Fault{}
				})
				before := w.sizes(t)
				if err := change.run(w); err != nil {
					t.Fatal(err)
				}
				if !killed {
					t.Fatal("the change was made in one transaction")
				}
				wantSmallStep(t, "the decision", before, w.sizes(t))
				if change.gone != nil {
					w.wantDead(t, fmt.Sprint("gid_", manyRows), noon.Add(time.Minute))
					w.wantDead(t, "gid_1", noon.Add(time.Minute))
					change.gone(t, w)
				}
				w.DB = full // the next process
				steps := 0
				for more := true; more; steps++ {
					before := w.sizes(t)
					var err error
					if more, err = w.SweepUnfinished(t.Context()); err != nil {
						t.Fatal(err)
					}
					wantSmallStep(t, "the sweep", before, w.sizes(t))
				}
				if steps < 2 {
					t.Errorf("%d portions, want more", steps)
				}
				for _, rows := range append(change.left, "unfinished") {
					if change.name == "DeleteUser" && rows == "credentials" {
						continue
					}
					if n := w.count(t, rows); n != 0 {
						t.Errorf("%d rows are left: %s", n, rows)
					}
				}
			})
		})
	}
}

// Without a fault, the use case itself makes all portions before it returns.
func TestChangesOfManyRows_AreCompleteWhenTheyReturn(t *testing.T) {
	for _, change := range changesOfMany {
		t.Run(change.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				w.fillOwner(t, manyRows)
				if err := change.run(w); err != nil {
					t.Fatal(err)
				}
				for _, rows := range append(change.left, "unfinished") {
					if n := w.count(t, rows); n != 0 {
						t.Errorf("%d rows are left: %s", n, rows)
					}
				}
			})
		})
	}
}

// A client may be created again at once, even if the rows of the deleted client of that ID are
// not all deleted yet. The new client gets none of them.
func TestDeleteClient_IDIsFreeWhileRowsAreLeft(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		w := newWorld(t, b)
		w.fillOwner(t, manyRows)
		full := w.DB
		w.DB = b.OpenFaulty(t, func(name string) storage.Fault {
			if name == "change many rows" {
				return storage.Fault{When: storage.AtOnce, Err: errors.New("killed")}
			}
			return storage.Fault{}
		})
		if err := w.DeleteClient(t.Context(), "web", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.DB = full
		w.createClient(t, "web")
		w.wantDead(t, "gid_1", noon.Add(time.Minute))
		if n := w.count(t, `grants`) + w.count(t, `consents WHERE client_id = 'web'`) + w.count(t, `unfinished`); n != 0 {
			t.Errorf("%d rows of the deleted client are left", n)
		}
		if _, err := w.SweepUnfinished(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Client(t.Context(), "web"); err != nil {
			t.Errorf("the sweep deleted the new client: %v", err)
		}
	})
}

// Revocations end only the grants from before the decision.
func TestWithdrawConsent_LaterGrantsStay(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		w := newWorld(t, b)
		w.fillOwner(t, manyRows)
		full := w.DB
		w.DB = b.OpenFaulty(t, func(name string) storage.Fault {
			if name == "change many rows" {
				return storage.Fault{When: storage.AtOnce, Err: errors.New("killed")}
			}
			return storage.Fault{}
		})
		if err := w.WithdrawConsent(t.Context(), w.user.ID, "web", storage.By{At: noon.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		w.DB = full
		later := noon.Add(2 * time.Minute)
		code := w.redemption("later", "c", later)
		code.IssuedAt = storage.At(later)
		g := w.redeem(t, code, later)
		for more := true; more; {
			var err error
			if more, err = w.SweepUnfinished(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := w.LiveGrant(t.Context(), g.ID, "", later); err != nil {
			t.Errorf("a grant from after the withdrawal: %v", err)
		}
		if n := w.count(t, `grants WHERE revoked_at = 0`); n != 1 {
			t.Errorf("%d grants are not revoked, want 1", n)
		}
	})
}

// A dead session with many grants is swept in small transactions.
func TestSweepSessions_ManyGrantsOfOneSessionAreDeletedInPortions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.fillOwner(t, manyRows)
		at := noon.AddDate(1, 0, 0)
		w.exec(t, `DELETE FROM sessions WHERE id <> ?`, w.session.ID)
		w.exec(t, `UPDATE sessions SET ended_at = 1`)
		var walk storage.SessionCursor
		steps := 0
		for full := true; full; steps++ {
			before := w.sizes(t)
			var err error
			if walk, full, err = w.SweepSessions(t.Context(), walk, at); err != nil {
				t.Fatal(err)
			}
			wantSmallStep(t, "the sweep", before, w.sizes(t))
		}
		if n := w.count(t, "sessions") + w.count(t, "grants"); n != 0 || steps < 3 {
			t.Errorf("%d rows are left after %d steps", n, steps)
		}
	})
}
