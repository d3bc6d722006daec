package storage_test

import (
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

// countRows counts the rows of every table.
func (w *world) countRows(t testing.TB) map[string]int {
	t.Helper()
	var tables []string
	err := w.Read(t.Context(), func(q *gorm.DB) error {
		return q.Raw(map[string]string{
			"sqlite":   `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
			"postgres": `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`,
		}[w.backend.Name]).Scan(&tables).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, table := range tables {
		rows[table] = w.count(t, table)
	}
	return rows
}

// repeats returns the number of repetitions of a request: twenty more than the bound, or a
// thousand with SIGNET_SOAK.
func repeats(bound int) int { return inSoak(1000, bound+20) }

// writers are requests that an anonymous caller, or the holder of one token, session or
// secret, can repeat. bound is the number of rows that all repetitions within a minute may
// leave.
var writers = []struct {
	name    string
	bound   int
	prepare func(t *testing.T, w *world) (repeat func(i int) error)
}{
	{"an old refresh token within the grace", 1, func(t *testing.T, w *world) func(int) error {
		g := w.redeem(t, w.redemption("r", "c", noon), noon)
		rotate := storage.GrantRotation{GrantID: g.ID, Generation: 1, ClientID: g.ClientID, Grace: time.Minute}
		keep := func(storage.Grant) error { return nil }
		if _, err := w.RotateGrant(t.Context(), rotate, keep, noon); err != nil {
			t.Fatal(err)
		}
		return func(i int) error {
			rotate.From = storage.Origin{Address: fmt.Sprintf("2001:db8::%x", i)}
			_, err := w.RotateGrant(t.Context(), rotate, keep, noon.Add(time.Second))
			return err
		}
	}},
	{"a refresh token of a wrong generation", 1, func(t *testing.T, w *world) func(int) error {
		g := w.redeem(t, w.redemption("r", "c", noon), noon)
		return func(int) error {
			_, err := w.RotateGrant(t.Context(), storage.GrantRotation{GrantID: g.ID, Generation: 7, ClientID: g.ClientID},
				func(storage.Grant) error { return nil }, noon)
			return ignoreErrors(err, storage.ErrReplayed, storage.ErrRevoked)
		}
	}},
	{"a code that was used", 1, func(t *testing.T, w *world) func(int) error {
		w.redeem(t, w.redemption("r", "c", noon), noon)
		return func(int) error {
			_, err := w.RedeemCode(t.Context(), w.redemption("r", "c", noon), noon)
			return ignoreErrors(err, storage.ErrReplayed)
		}
	}},
	{"a code with a wrong verifier", 1, func(t *testing.T, w *world) func(int) error {
		return func(int) error {
			return w.SpendCode(t.Context(), storage.CodeRefusal{RequestID: "r", CodeID: "c", SpentUntil: storage.At(noon.Add(time.Hour))}, storage.By{At: noon})
		}
	}},
	{"an access token revoked again", 2, func(t *testing.T, w *world) func(int) error {
		return func(int) error {
			return w.RevokeToken(t.Context(), storage.TokenRevocation{JTI: "jti", ClientID: w.client.ID, GrantID: "gid", Expires: storage.At(noon.Add(time.Hour))}, storage.By{At: noon})
		}
	}},
	{"wrong secrets of a client", 3, func(t *testing.T, w *world) func(int) error {
		return func(int) error {
			err := w.CountFailure(t.Context(), []storage.Limit{
				{Key: "client:1", Max: 20, Window: time.Minute}, {Key: "clientnet:192.0.2.1", Max: 100, Window: time.Minute},
			}, storage.Event{Type: storage.ClientRefused, Outcome: storage.Refused, ClientID: w.client.ID}, noon)
			return ignoreThrottled(err)
		}
	}},
	{"refusals of each kind", 1, func(t *testing.T, w *world) func(int) error {
		return func(i int) error {
			return w.RecordEvent(t.Context(), storage.Event{
				Type: storage.UserSignInFailed, Outcome: storage.Refused, Reason: "invalid_credentials", UserID: w.user.ID,
				From: storage.Origin{Address: fmt.Sprintf("2001:db8::%x", i)}, Detail: map[string]any{"typed": i},
			}, noon)
		}
	}},
	// 200 sessions, 200 events of sign-ins, and the events of the sessions that are ended.
	{"sign-ins without a cookie", 2*storage.MaxSessionRows + 5, func(t *testing.T, w *world) func(int) error {
		return func(i int) error {
			_, err := w.SignIn(t.Context(), signInWithoutOrigin(w, fmt.Sprint("handle ", i), ""), noon.Add(time.Duration(i)))
			return err
		}
	}},
	{"sign-ins and sign-outs", 3*storage.MaxSessionRows + 5, func(t *testing.T, w *world) func(int) error {
		return func(i int) error {
			s, err := w.SignIn(t.Context(), signInWithoutOrigin(w, fmt.Sprint("handle ", i), ""), noon)
			if err != nil {
				return err
			}
			return w.EndSession(t.Context(), s.UserID, s.ID, "signed_out", storage.By{At: noon})
		}
	}},
	{"sign-ins to one session", 1, func(t *testing.T, w *world) func(int) error {
		before := "handle of alice"
		return func(i int) error {
			in := signInWithoutOrigin(w, fmt.Sprint("handle ", i), before)
			before = in.HandleHash
			_, err := w.SignIn(t.Context(), in, noon)
			return err
		}
	}},
	{"consents", 3, func(t *testing.T, w *world) func(int) error {
		return func(i int) error {
			c := w.consentAnswer(true, "openid")
			c.RequestID = fmt.Sprint("request ", i)
			if i%2 == 0 {
				return w.DenyConsent(t.Context(), c, noon)
			}
			return w.AllowConsent(t.Context(), c, noon)
		}
	}},
	{"consents given and withdrawn", 3, func(t *testing.T, w *world) func(int) error {
		return func(i int) error {
			if i%2 == 0 {
				return w.AllowConsent(t.Context(), w.consentAnswer(true, "openid"), noon)
			}
			return w.WithdrawConsent(t.Context(), w.user.ID, w.client.ID, storage.By{At: noon})
		}
	}},
	{"edits of the profile", 1, func(t *testing.T, w *world) func(int) error {
		return func(i int) error {
			return w.UpdateProfile(t.Context(), w.user.ID, storage.Profile{Name: fmt.Sprint(i)}, storage.By{At: noon})
		}
	}},
	{"wrong passwords under one name", 1, func(t *testing.T, w *world) func(int) error {
		return func(int) error {
			_, err := w.Reserve(t.Context(), []storage.Limit{{Key: "name:1", Max: 20, Window: time.Minute}}, noon)
			return ignoreThrottled(err)
		}
	}},
	{"failed sign-ins at an upstream", 1, func(t *testing.T, w *world) func(int) error {
		return func(i int) error {
			return w.UpdateConnectorHealth(t.Context(), storage.ConnectorHealth{Connector: "google", FailedAt: storage.Millis(i + 1), FailureReason: fmt.Sprint(i)})
		}
	}},
}

// signInWithoutOrigin returns a sign-in of the world's user whose origin is empty.
func signInWithoutOrigin(w *world, handle, replaces string) storage.SignIn {
	return storage.SignIn{
		UserID: w.user.ID, HandleHash: handle, Replaces: replaces, Request: "req " + handle, ACR: "urn:signet:1fa", AMR: []string{"pwd"},
		IdleFor: 12 * time.Hour, AbsoluteFor: 30 * 24 * time.Hour,
	}
}

// ignoreErrors returns nil for the errors that are allowed.
func ignoreErrors(err error, allowed ...error) error {
	if slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
		return nil
	}
	return err
}

// ignoreThrottled returns nil for a ThrottledError.
func ignoreThrottled(err error) error {
	if _, throttled := errors.AsType[*storage.ThrottledError](err); throttled {
		return nil
	}
	return err
}

// Many repetitions of one request leave few rows.
func TestRepeatedRequests_LeaveFewRows(t *testing.T) {
	for _, writer := range writers {
		t.Run(strings.ReplaceAll(writer.name, " ", "_"), func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				repeat := writer.prepare(t, w)
				before := w.countRows(t)
				for i := range repeats(writer.bound) {
					if err := repeat(i); err != nil {
						t.Fatalf("repetition %d: %v", i, err)
					}
				}
				made := 0
				for table, n := range w.countRows(t) {
					made += max(0, n-before[table])
					before[table] = n - before[table]
				}
				if made > writer.bound {
					t.Errorf("%d rows, want at most %d: %v", made, writer.bound, before)
				}
			})
		})
	}
}

// Equal refusals within a minute are one row. It has the number of refusals, the first
// origin and the latest origin.
func TestRecordEvent_MergesEqualRefusalsOfAMinute(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		note := func(reason, address string, at time.Time) {
			t.Helper()
			if err := w.RecordEvent(t.Context(), storage.Event{
				Type: storage.ClientRefused, Outcome: storage.Refused, Reason: reason, ClientID: "web",
				From: storage.Origin{Address: address, RequestID: "r " + address}, Detail: map[string]any{"redirect_uri": "https://" + address},
			}, at); err != nil {
				t.Fatal(err)
			}
		}
		minute := noon.Truncate(time.Minute)
		note("wrong_secret", "192.0.2.1", minute.Add(time.Second))
		note("wrong_secret", "192.0.2.2", minute.Add(2*time.Second))
		note("wrong_secret", "192.0.2.3", minute.Add(59*time.Second))
		note("no_secret", "192.0.2.4", minute.Add(30*time.Second))
		note("wrong_secret", "192.0.2.5", minute.Add(60*time.Second))
		list, err := w.Events(t.Context(), storage.EventFilter{Type: storage.ClientRefused}, 10)
		if err != nil || len(list) != 3 {
			t.Fatalf("%d events, %v; want 3", len(list), err)
		}
		got := list[2]
		if got.At != storage.At(minute.Add(time.Second)) || got.Times != 3 || got.From.Address != "192.0.2.1" || got.Detail["redirect_uri"] != "https://192.0.2.1" ||
			got.Latest.Address != "192.0.2.3" || got.Latest.At != storage.At(minute.Add(59*time.Second)) || got.Latest.Detail["redirect_uri"] != "https://192.0.2.3" {
			t.Errorf("got %+v", got)
		}
		if list[0].Times != 1 || list[0].Latest.Address != "" || list[1].Times != 1 {
			t.Errorf("got %+v", list[:2])
		}
	})
}

// If several nodes write the same kinds of events at once, all events are counted. The nodes
// may write them in different orders.
func TestRecordEvents_NodesCountTogether(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		list := make([]storage.Event, 20)
		for i := range list {
			list[i] = storage.Event{At: storage.At(noon), Type: storage.ClientRefused, Outcome: storage.Refused, Reason: fmt.Sprint("reason ", i), ClientID: "web"}
		}
		var nodes sync.WaitGroup
		for node := range 4 {
			mine := slices.Clone(list)
			if node%2 == 1 {
				slices.Reverse(mine)
			}
			nodes.Go(func() {
				for range 10 {
					if err := w.RecordEvents(t.Context(), mine); err != nil {
						t.Error(err)
					}
				}
			})
		}
		nodes.Wait()
		found, err := w.Events(t.Context(), storage.EventFilter{Type: storage.ClientRefused}, 100)
		if err != nil || len(found) != len(list) {
			t.Fatalf("%d events, %v; want %d", len(found), err, len(list))
		}
		for _, e := range found {
			if e.Times != 40 {
				t.Errorf("%s was counted %d times, want 40", e.Reason, e.Times)
			}
		}
	})
}

// Acts of operators are never merged: the log shows each act, in its order.
func TestRecordEvent_NeverMergesActsOfOperators(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		before := len(w.events(t))
		for range 3 {
			if err := w.RecordEvent(t.Context(), storage.Event{
				Type: storage.UserUpdated, Outcome: storage.Succeeded, UserID: w.user.ID, From: storage.Origin{Actor: "cli"},
			}, noon); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(w.events(t)) - before; n != 3 {
			t.Errorf("%d events for 3 acts", n)
		}
	})
}

// If a user has too many sessions, ended sessions are deleted first. Then the sessions that
// were seen the longest ago end, and their clients get logout notices.
func TestSignIn_TooManySessionsEndTheOldest(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.addLogoutClient(t, "rp", w.session, false)
		at := noon
		for i := range storage.MaxSessionRows + 10 {
			at = at.Add(time.Second)
			if _, err := w.SignIn(t.Context(), signInWithoutOrigin(w, fmt.Sprint("handle ", i), ""), at); err != nil {
				t.Fatal(err)
			}
		}
		live, err := w.SessionsOf(t.Context(), w.user.ID, at)
		if err != nil || len(live) != storage.MaxSessionRows-1 && len(live) != storage.MaxSessionRows {
			t.Errorf("%d live sessions, %v", len(live), err)
		}
		if slices.ContainsFunc(live, func(s storage.Session) bool { return s.ID == w.session.ID }) {
			t.Error("the session that was seen the longest ago is still valid")
		}
		w.wantNotices(t, w.user.ID, w.session.ID, w.session.ID+" rp")
		ended := 0
		list, err := w.Events(t.Context(), storage.EventFilter{Type: storage.SessionEnded}, 100)
		for _, e := range list {
			ended += int(e.Times)
			if e.Reason != "too_many_sessions" {
				t.Errorf("event %+v", e)
			}
		}
		if err != nil || ended < 10 {
			t.Errorf("%d sessions ended, %v", ended, err)
		}
	})
}

// Offline grants that a sign-out everywhere has ended keep no rows of sessions. Otherwise each later
// sign-in of a person with many of them would end the other sessions.
func TestSignIn_EndedOfflineGrantsKeepNoSessions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon
		signIn := func(name string) storage.Session {
			t.Helper()
			at = at.Add(time.Second)
			s, err := w.SignIn(t.Context(), signInWithoutOrigin(w, name, ""), at)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		for i := range storage.MaxSessionRows {
			name := fmt.Sprint("offline ", i)
			r := w.redemption(name, "c", at)
			r.Grant.SessionID, r.Grant.Offline = signIn(name).ID, true
			w.redeem(t, r, at)
		}
		if err := w.SignOutEverywhere(t.Context(), w.user.ID, "asked", storage.By{At: at}); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			signIn(fmt.Sprint("afterwards ", i))
		}
		if live, err := w.SessionsOf(t.Context(), w.user.ID, at); err != nil || len(live) != 3 {
			t.Errorf("%d sessions are live, %v, want 3", len(live), err)
		}
	})
}

// An application that asks for codes again and again in one session leaves grants behind.
// A grant that was not refreshed for a day is deleted to make room for newer grants. Grants
// of other sessions and offline grants stay.
func TestRedeemCode_UnusedGrantsMakeRoom(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		redeem := func(request string, change func(*storage.CodeRedemption), at time.Time) storage.Grant {
			t.Helper()
			r := w.redemption(request, "c", at)
			if change != nil {
				change(&r)
			}
			g, err := w.RedeemCode(t.Context(), r, at)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		// The last letters of the grant's id decide whether a redemption looks for unused grants.
		named := func(id string) func(*storage.CodeRedemption) {
			return func(r *storage.CodeRedemption) { r.Grant.ID = id }
		}
		offline := redeem("offline", func(r *storage.CodeRedemption) { r.Grant.ID, r.Grant.Offline = "gid_offline", true }, noon)
		other, err := w.SignIn(t.Context(), w.signInOf(w.user.ID, "another browser", ""), noon)
		if err != nil {
			t.Fatal(err)
		}
		otherSession := redeem("elsewhere", func(r *storage.CodeRedemption) { r.Grant.ID, r.Grant.SessionID = "gid_elsewhere", other.ID }, noon)
		for i := range 2*storage.MaxGrants - 2 {
			redeem(fmt.Sprint("request ", i), named(fmt.Sprintf("gid_%03dx", i)), noon)
		}
		redeem("at once", named("gid_at_onceAA"), noon.Add(time.Minute))
		if n := w.count(t, "grants"); n != 2*storage.MaxGrants+1 {
			t.Errorf("%d grants after a minute, want %d: a grant in use was deleted", n, 2*storage.MaxGrants+1)
		}
		later := noon.Add(25 * time.Hour)
		if err := w.Write(t.Context(), func(tx *gorm.DB) error { // a session with "Keep me signed in"
			return tx.Exec(`UPDATE sessions SET idle_expires_at = expires_at`).Error
		}); err != nil {
			t.Fatal(err)
		}
		redeem("next day", named("gid_next_dayAA"), later)
		if n := w.count(t, "grants"); n != storage.MaxGrants+3 {
			t.Errorf("%d grants the next day, want %d", n, storage.MaxGrants+3)
		}
		for _, g := range []storage.Grant{offline, otherSession} {
			if _, _, err := w.LiveGrant(t.Context(), g.ID, "", later); err != nil {
				t.Errorf("%s: %v", g.ID, err)
			}
		}
	})
}
