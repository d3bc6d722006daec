package storage_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
)

const sweptDay = 24 * time.Hour

// count returns the number of rows of a table. from is the table and may contain a WHERE.
func (w *world) count(t testing.TB, from string, args ...any) (n int) {
	t.Helper()
	err := w.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(`SELECT COUNT(*) FROM `+from, args...).Scan(&n).Error })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *world) exec(t testing.TB, text string, args ...any) {
	t.Helper()
	if err := w.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(text, args...).Error }); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// sweepAll sweeps with that time until nothing is left to sweep.
func (w *world) sweepAll(t testing.TB, db *storage.DB, at time.Time) {
	t.Helper()
	for _, kind := range storage.SweepRules {
		for full := true; full; {
			var err error
			if full, err = db.SweepRows(t.Context(), kind, at); err != nil {
				t.Errorf("sweep %s: %v", kind, err)
				return
			}
		}
	}
	for _, walk := range []storage.SessionCursor{{}, {Expired: true}} {
		for full := true; full; {
			var err error
			if walk, full, err = db.SweepSessions(t.Context(), walk, at); err != nil {
				t.Errorf("sweep sessions: %v", err)
				return
			}
		}
	}
}

// dated has a row of each table that is swept, and how long it is kept. In the statement, ?
// is the name of the row, and @ its time.
var dated = []struct {
	table, insert string
	keep          time.Duration
}{
	{"spent", `(kind, id, expires_at) VALUES ('request', ?, @)`, sweptDay},
	{"throttles", `(bucket, attempts, expires_at) VALUES (?, 1, @)`, sweptDay},
	{"pushed_requests", `(id, client_id, message, expires_at) VALUES (?, 'web', 'm', @)`, time.Hour},
	{"api_calls", `(id, attempt, expires_at) VALUES (?, 'a', @)`, time.Hour},
	{"device_codes", `(id, user_code, client_id, expires_at) VALUES (?, ?, 'web', @)`, sweptDay},
	{"outbox", `(id, kind, delivered_at) VALUES (?, 'logout', @)`, 7 * sweptDay},
	{"grants", `(id, user_id, client_id, session_id, revoked_at, expires_at) VALUES (?, 'alice', 'web', 's', @, 9e15)`, 30 * sweptDay},
	{"grants", `(id, user_id, client_id, session_id, offline, expires_at) VALUES (?, 'alice', 'web', 's', TRUE, @)`, 30 * sweptDay},
	{"consents", `(user_id, client_id, expires_at) VALUES ('alice', ?, @)`, 30 * sweptDay},
	{"sessions", `(id, handle_hash, user_id, ended_at, expires_at) VALUES (?, ?, 'alice', @, 9e15)`, 30 * sweptDay},
	{"sessions", `(id, handle_hash, user_id, expires_at) VALUES (?, ?, 'alice', @)`, 30 * sweptDay},
	{"event_deliveries", `(event_id, created_at) VALUES (?, @)`, 30 * sweptDay},
	{"events", `(id, type, at) VALUES (?, 'key.alarm', @)`, 400 * sweptDay},
}

// ST-21: tables do not grow without limit, and each kind of row is kept for its time.
func TestSweep_DeletesOnlyOldRows(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const old = storage.SweepBatch + 1 // more than a batch
		kept := map[string]int{}
		insert := func(i int, name string, moment storage.Millis) {
			d := dated[i]
			if d.table == "consents" {
				w.createClient(t, name)
			}
			text := strings.ReplaceAll(strings.ReplaceAll(d.insert, "@", fmt.Sprint(moment)), "9e15", "9000000000000000")
			w.exec(t, `INSERT INTO `+d.table+` `+strings.NewReplacer("?", "'"+name+"'", "'alice'", "'"+w.user.ID+"'").Replace(text))
		}
		at := noon.AddDate(2, 0, 0)
		live := w.count(t, "events") // two years old, so they are deleted
		for i, d := range dated {
			over := storage.At(at.Add(-d.keep))
			insert(i, fmt.Sprintf("kept-%d", i), over)
			insert(i, fmt.Sprintf("gone-%d", i), over-1)
			insert(i, fmt.Sprintf("ahead-%d", i), storage.At(at.AddDate(5, 0, 0)))
			kept[d.table] += 2
		}
		w.exec(t, `INSERT INTO spent (kind, id, expires_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			SELECT 'jti', 'old' || i, 1 FROM n`, old)
		if events := w.count(t, "events"); events <= live {
			t.Fatalf("%d events: the test has not inserted any", events)
		}
		w.exec(t, `DELETE FROM sessions WHERE id = ?`, w.session.ID) // it expired long ago
		w.sweepAll(t, w.DB, at)
		for table, want := range kept {
			column := map[string]string{"throttles": "bucket", "consents": "client_id", "event_deliveries": "event_id"}[table]
			if column == "" {
				column = "id"
			}
			if got := w.count(t, table); got != want {
				t.Errorf("%s: %d rows are left, want %d", table, got, want)
			}
			if got := w.count(t, table+` WHERE `+column+` LIKE 'gone%'`); got != 0 {
				t.Errorf("%s: %d expired rows are left", table, got)
			}
		}
	})
}

// The retention of audit events is a setting; the other rules stay.
func TestSweepRulesWith_KeepsEventsForTheSetting(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i, name := range []string{"old", "kept"} {
			w.exec(t, `INSERT INTO events (id, type, at) VALUES (?, 'key.alarm', ?)`, name, storage.At(noon)+storage.Millis(i))
		}
		at := noon.Add(2*sweptDay + time.Millisecond)
		for _, rule := range storage.SweepRulesWith(2 * sweptDay) {
			if _, err := w.SweepRows(t.Context(), rule, at); err != nil {
				t.Fatal(err)
			}
		}
		if old, kept := w.count(t, "events WHERE id = 'old'"), w.count(t, "events WHERE id = 'kept'"); old != 0 || kept != 1 {
			t.Errorf("%d old events and %d others are left, want 0 and 1", old, kept)
		}
	})
}

// A sweep deletes one batch at a time, so other writes run between the batches.
func TestSweep_DeletesOneBatchAtATime(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.exec(t, `INSERT INTO spent (kind, id, expires_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
			SELECT 'jti', 'old' || i, 1 FROM n`)
		for i, want := range []struct {
			full bool
			left int
		}{{true, 700}, {true, 200}, {false, 0}} {
			full, err := w.SweepRows(t.Context(), storage.SweepRules[0], noon)
			if err != nil || full != want.full || w.count(t, "spent") != want.left {
				t.Errorf("batch %d: full %t, %v, %d left; want %+v", i, full, err, w.count(t, "spent"), want)
			}
		}
	})
}

func TestSweepSessions_KeepsSessionsWithLiveOfflineGrants(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.addLogoutClient(t, "notified", w.session, false)
		offline := w.offlineGrant(t, "offline", noon)
		online := w.redeem(t, w.redemption("online", "code", noon), noon)
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		rows := func(at time.Duration) [3]int {
			w.sweepAll(t, w.DB, noon.Add(at))
			return [3]int{w.count(t, "sessions"), w.count(t, "grants WHERE id IN ?", []string{offline.ID, online.ID}), w.count(t, "outbox")}
		}
		for _, step := range []struct {
			what string
			at   time.Duration
			want [3]int
		}{
			{"30 days after the end", 30*sweptDay + time.Hour, [3]int{1, 2, 1}},
			{"a millisecond later the online grant is deleted", 30*sweptDay + time.Hour + time.Millisecond, [3]int{1, 1, 1}},
			{"30 days after the offline grant has expired", offline.IdleExpiresAt.Time().Add(30 * sweptDay).Sub(noon), [3]int{1, 1, 1}},
			{"a millisecond later everything is deleted", offline.IdleExpiresAt.Time().Add(30*sweptDay + time.Millisecond).Sub(noon), [3]int{0, 0, 0}},
		} {
			if got := rows(step.at); got != step.want {
				t.Errorf("%s: %v sessions, grants, notices; want %v", step.what, got, step.want)
			}
			if step.want[1] == 1 && noon.Add(step.at).Before(offline.IdleExpiresAt.Time()) {
				w.wantAlive(t, offline.ID, noon.Add(step.at))
			}
		}
	})
}

// SignOutEverywhere changes only not_before of the user, and no row of a session or grant. The
// sweep deletes these rows too.
func TestSweepSessions_DeletesAfterSignOutEverywhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.offlineGrant(t, "offline", noon)
		w.exec(t, `UPDATE grants SET idle_expires_at = ?, expires_at = ?`, storage.At(noon.AddDate(9, 0, 0)), storage.At(noon.AddDate(9, 0, 0)))
		over := w.session.ExpiresAt.Time().Add(30*sweptDay + time.Millisecond)
		w.sweepAll(t, w.DB, over)
		w.wantAlive(t, g.ID, over)
		if err := w.SignOutEverywhere(t.Context(), w.user.ID, "asked", storage.By{At: over}); err != nil {
			t.Fatal(err)
		}
		w.sweepAll(t, w.DB, over.Add(30*sweptDay))
		if got := w.count(t, "grants"); got != 1 {
			t.Errorf("%d grants 30 days after their end, want 1", got)
		}
		w.sweepAll(t, w.DB, over.Add(30*sweptDay+time.Millisecond))
		if grants, sessions := w.count(t, "grants"), w.count(t, "sessions"); grants+sessions != 0 {
			t.Errorf("%d grants and %d sessions are left", grants, sessions)
		}
	})
}

// Grants keep more ended sessions than fit into a batch. The sweep still finds and deletes
// the sessions after them.
func TestSweepSessions_FindsRowsBehindKeptRows(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.fill(t, 250)
		w.exec(t, `UPDATE sessions SET ended_at = 1000 WHERE id <> ?`, w.session.ID)
		w.exec(t, `UPDATE grants SET offline = TRUE, first_party = FALSE`)
		last := w.signIn(t, w.user.ID, "last", "", noon)
		w.exec(t, `UPDATE sessions SET ended_at = 5000 WHERE id = ?`, last.ID)
		w.sweepAll(t, w.DB, noon.Add(time.Hour))
		if held, behind := w.count(t, `sessions WHERE ended_at = 1000`), w.count(t, `sessions WHERE id = ?`, last.ID); held != 250 || behind != 0 {
			t.Errorf("%d of 250 kept sessions are left, and %d after them; want 250 and 0", held, behind)
		}
	})
}

// MN-10: sweepers that run at once, without the lease, delete only old rows.
func TestSweep_SeveralNodesAtOnceAreHarmless(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.fill(t, 600)
		kept := w.offlineGrant(t, "kept", noon)
		w.exec(t, `UPDATE sessions SET ended_at = 1 WHERE id <> ?`, w.session.ID)
		w.exec(t, `UPDATE grants SET revoked_at = 1 WHERE id <> ?`, kept.ID)
		w.exec(t, `UPDATE spent SET expires_at = 1 WHERE id LIKE 'req_%'`)
		handles := []*storage.DB{w.DB, w.backend.Open(t)}
		together(4, func(i int) error { w.sweepAll(t, handles[i%2], noon.Add(time.Hour)); return nil })
		w.sweepAll(t, w.DB, noon.Add(time.Hour)) // a sweeper may have read sessions before their grants were deleted
		for _, table := range []string{"sessions WHERE id <> '" + w.session.ID + "'", "grants WHERE id <> '" + kept.ID + "'", "spent WHERE id LIKE 'req_%'"} {
			if got := w.count(t, table); got != 0 {
				t.Errorf("%d rows left of %s", got, table)
			}
		}
		w.wantAlive(t, kept.ID, noon.Add(time.Hour))
	})
}

// While a backlog is swept, users can sign in.
func TestSweep_LetsSignInsThrough(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.exec(t, `INSERT INTO spent (kind, id, expires_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
			SELECT 'jti', 'old' || i, 1 FROM n`)
		var swept atomic.Bool
		signIns := 0
		together(2, func(i int) error {
			if i == 0 {
				w.sweepAll(t, w.DB, noon)
				swept.Store(true)
				return nil
			}
			for !swept.Load() {
				w.signIn(t, w.user.ID, storage.NewID("h"), "", noon)
				signIns++
			}
			return nil
		})
		if signIns < 5 {
			t.Errorf("%d sign-ins while 40 batches were swept", signIns)
		}
	})
}

func TestStartSweep_OneNodeAtATime(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i, step := range []struct {
			holder string
			at     time.Duration
			want   bool
		}{{"a", 0, true}, {"b", time.Minute, false}, {"a", time.Minute, true}, {"b", 3 * time.Minute, true}, {"a", 4 * time.Minute, false}} {
			_, started, err := w.StartSweep(t.Context(), step.holder, noon.Add(step.at))
			if err != nil || started != step.want {
				t.Errorf("step %d: %t, %v; want %t", i, started, err, step.want)
			}
		}
	})
}

// ST-11: if the clock jumps ahead, the time of the sweep follows by ten minutes per sweep.
// Rows that a sweep with a wrong clock deletes would be lost.
func TestStartSweep_FollowsAJumpedClockSlowly(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		start := func(at time.Time) time.Time {
			until, started, err := w.StartSweep(t.Context(), "node", at)
			if err != nil || !started {
				t.Fatalf("at %s: %t, %v", at, started, err)
			}
			return until
		}
		year := noon.AddDate(1, 0, 0)
		for minute := range 60 { // the newest event is of noon, but the first sweep is a year later
			if got, want := start(year.Add(time.Duration(minute)*time.Minute)), noon.Add(time.Duration(minute+1)*10*time.Minute); !got.Equal(want) {
				t.Fatalf("after %d minutes with a clock a year ahead: sweep time %s, want %s", minute, got, want)
			}
		}
		for _, step := range []struct{ at, want time.Time }{
			{noon.Add(time.Hour), noon.Add(time.Hour)}, // a clock that jumps back is followed at once
			{noon.Add(61 * time.Minute), noon.Add(61 * time.Minute)},
			{noon.AddDate(-1, 0, 0), noon.AddDate(-1, 0, 0)},
			{noon.Add(2 * time.Hour), noon.AddDate(-1, 0, 0).Add(10 * time.Minute)},
		} {
			if got := start(step.at); !got.Equal(step.want) {
				t.Errorf("at %s: sweep time %s, want %s", step.at, got, step.want)
			}
		}
	})
}
