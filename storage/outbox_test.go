package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

const lease = 30 * time.Second

// addLogoutClient creates a client with a back-channel logout URI, unless it exists, and gives
// it a grant of the session.
func (w *world) addLogoutClient(t testing.TB, id string, session storage.Session, offline bool) {
	t.Helper()
	if _, err := w.Client(t.Context(), id); err != nil {
		c := storagetest.NewClient(storage.Web, id, "Client "+id)
		c.Metadata.BackchannelLogoutURI = "https://" + id + ".example.com/logout"
		if err := w.CreateClient(t.Context(), c, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
	}
	r := w.redemption("of "+id+" "+session.ID, "code "+id+" "+session.ID, noon)
	r.Grant.ClientID, r.Grant.SessionID, r.Grant.UserID, r.Grant.Offline = id, session.ID, session.UserID, offline
	w.redeem(t, r, noon)
}

// notices returns the logout notices of a user as "session client".
func (w *world) notices(t testing.TB, userID, sessionID string) (list []string) {
	t.Helper()
	rows, err := w.LogoutNotices(t.Context(), userID, sessionID, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range rows {
		list = append(list, n.SessionID+" "+n.ClientID)
	}
	slices.Sort(list)
	return list
}

func (w *world) wantNotices(t testing.TB, userID, sessionID string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := w.notices(t, userID, sessionID); !slices.Equal(got, want) {
		t.Errorf("notices %q, want %q", got, want)
	}
}

func (w *world) claimNotices(t testing.TB, at time.Time, except ...string) []storage.Notice {
	t.Helper()
	list, err := w.ClaimNotices(t.Context(), storage.NoticeClaim{Limit: 100, Lease: lease, Except: except}, at)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (w *world) settleNotice(t testing.TB, n storage.Notice, r storage.NoticeResult, at time.Time) {
	t.Helper()
	if err := w.SettleNotice(t.Context(), n, r, at); err != nil {
		t.Fatal(err)
	}
}

func TestOutbox_OneNoticePerClientOfTheEndedSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		other := w.signIn(t, w.user.ID, "other", "", noon)
		bob := w.createUser(t, "bob@example.com")
		bobs := w.signIn(t, bob.ID, "bob", "", noon)
		w.addLogoutClient(t, "online", w.session, false)
		w.addLogoutClient(t, "offline", w.session, true)
		w.addLogoutClient(t, "online", other, false)
		w.addLogoutClient(t, "online", bobs, false)
		w.addLogoutClient(t, "off", w.session, false)
		w.redeem(t, w.redemption("silent", "code", noon), noon) // a client without a logout URI
		r := w.redemption("again", "code", noon)                // a second grant of the same client
		r.Grant.ClientID = "online"
		w.redeem(t, r, noon)
		if err := w.SetClientEnabled(t.Context(), "off", false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon}); err != nil {
				t.Fatal(err)
			}
			w.wantNotices(t, w.user.ID, "", w.session.ID+" online", w.session.ID+" offline")
		}
		w.wantNotices(t, w.user.ID, w.session.ID, w.session.ID+" online", w.session.ID+" offline")
		w.wantNotices(t, w.user.ID, other.ID)
		w.wantNotices(t, bob.ID, "")
		if list, err := w.LogoutNotices(t.Context(), w.user.ID, "", noon.Add(time.Millisecond)); err != nil || len(list) != 0 {
			t.Errorf("notices since a later time: %v, %v", list, err)
		}
	})
}

// The end of a session gives no second notice, not even to a client that registers its
// logout URI later.
func TestOutbox_NoSecondNoticeOfAnEndedSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		everywhere := func(at time.Time) {
			if err := w.SignOutEverywhere(t.Context(), w.user.ID, "asked", storage.By{At: at}); err != nil {
				t.Fatal(err)
			}
		}
		use := func(session storage.Session) {
			r := w.redemption("of "+session.ID, "code", noon)
			r.Grant.SessionID = session.ID
			w.redeem(t, r, noon)
		}
		use(w.session)
		everywhere(noon)
		ended, next := w.signIn(t, w.user.ID, "ended", "", noon), w.signIn(t, w.user.ID, "next", "", noon)
		use(ended)
		use(next)
		if err := w.EndSession(t.Context(), w.user.ID, ended.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		late := w.client
		late.Metadata.BackchannelLogoutURI = "https://web.example.com/logout"
		if err := storagetest.ReplaceClient(t.Context(), w.DB, late, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		everywhere(noon.Add(time.Second))
		w.wantNotices(t, w.user.ID, "", next.ID+" web")
	})
}

// A client has no logout URI if its metadata contain the name of the member only in another
// value.
func TestOutbox_OnlyTheMetadataMemberCounts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		c := w.client
		c.Metadata.JWKS = `{"backchannel_logout_uri":"https://x.example.com"}`
		c.Metadata.Contacts = []string{"backchannel_logout_uri", `"backchannel_logout_uri":`}
		if err := storagetest.ReplaceClient(t.Context(), w.DB, c, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.redeem(t, w.redemption("request", "code", noon), noon)
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.wantNotices(t, w.user.ID, "")
	})
}

func TestOutbox_EveryEndOfAllSessionsGivesNotices(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world) error{
		"sign out everywhere": func(t *testing.T, w *world) error {
			return w.SignOutEverywhere(t.Context(), w.user.ID, "asked", storage.By{At: noon})
		},
		"disabled": func(t *testing.T, w *world) error {
			return w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon})
		},
		"password reset": func(t *testing.T, w *world) error {
			return w.resetPassword(t, w.user.ID, "new", noon)
		},
		"password changed": func(t *testing.T, w *world) error {
			_, err := w.ChangePassword(t.Context(), w.passwordChange("new handle"), noon)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				other := w.signIn(t, w.user.ID, "other", "", noon)
				ended := w.signIn(t, w.user.ID, "ended", "", noon)
				bob := w.createUser(t, "bob@example.com")
				w.addLogoutClient(t, "app", w.session, false)
				w.addLogoutClient(t, "app", other, true)
				w.addLogoutClient(t, "app", ended, true)
				w.addLogoutClient(t, "app", w.signIn(t, bob.ID, "bob", "", noon), false)
				if err := w.EndSession(t.Context(), w.user.ID, ended.ID, "asked", storage.By{At: noon}); err != nil {
					t.Fatal(err)
				}
				for _, n := range w.claimNotices(t, noon) {
					w.settleNotice(t, n, storage.NoticeResult{}, noon)
				}
				for range 2 {
					if err := end(t, w); err != nil && name != "password changed" {
						t.Fatal(err)
					}
					w.wantNotices(t, w.user.ID, "", w.session.ID+" app", other.ID+" app", ended.ID+" app")
				}
				if due := w.claimNotices(t, noon); len(due) != 2 {
					t.Errorf("%d notices due, want those of the two sessions that had not ended before", len(due))
				}
				w.wantNotices(t, bob.ID, "")
			})
		})
	}
}

func TestOutbox_EndOtherSessionsAndReplacement(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		other := w.signIn(t, w.user.ID, "other", "", noon)
		w.addLogoutClient(t, "app", w.session, false)
		w.addLogoutClient(t, "app", other, false)
		if err := w.EndOtherSessions(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.wantNotices(t, w.user.ID, "", other.ID+" app")
		w.signIn(t, w.createUser(t, "bob@example.com").ID, "bob", "handle of alice", noon)
		w.wantNotices(t, w.user.ID, "", other.ID+" app", w.session.ID+" app")
	})
}

func TestClaimNotices_EachNoticeGoesToOneNode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i := range 20 {
			w.addLogoutClient(t, fmt.Sprintf("app%d", i), w.session, false)
		}
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		nodes := []*storage.DB{w.DB, w.backend.Open(t), w.backend.Open(t)}
		got := make([][]storage.Notice, 12)
		for _, err := range together(len(got), func(i int) (err error) {
			got[i], err = nodes[i%3].ClaimNotices(t.Context(), storage.NoticeClaim{Limit: 7, Lease: lease}, noon)
			return err
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]int{}
		for _, n := range slices.Concat(append(got, w.claimNotices(t, noon))...) {
			seen[n.ClientID]++
			if n.Tries != 1 || n.SessionID != w.session.ID || n.UserID != w.user.ID {
				t.Errorf("claimed %+v", n)
			}
		}
		for client, times := range seen {
			if times != 1 {
				t.Errorf("%s was claimed %d times", client, times)
			}
		}
		if len(seen) != 20 {
			t.Errorf("%d notices were claimed, want 20", len(seen))
		}
	})
}

func TestClaimNotices_DueAgainWhenTheLeaseEnds(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.addLogoutClient(t, "app", w.session, false)
		w.addLogoutClient(t, "resting", w.session, false)
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if early := w.claimNotices(t, noon.Add(-time.Second)); len(early) != 0 {
			t.Errorf("claimed before it was due: %v", early)
		}
		first := w.claimNotices(t, noon, "resting")
		if len(first) != 1 || first[0].ClientID != "app" {
			t.Fatalf("claimed %v, want only the notice to app", first)
		}
		if again := w.claimNotices(t, noon.Add(lease-time.Millisecond), "resting"); len(again) != 0 {
			t.Errorf("claimed during the lease: %v", again)
		}
		later := noon.Add(lease)
		second := w.claimNotices(t, later, "resting")
		if len(second) != 1 || second[0].Tries != 2 {
			t.Fatalf("after the lease %v, want the second try", second)
		}
		// The first node reports its result after its lease has ended. The result is ignored.
		w.settleNotice(t, first[0], storage.NoticeResult{}, later)
		if list, _ := w.LogoutNotices(t.Context(), w.user.ID, "", noon); list[0].Settled() {
			t.Errorf("the late node settled %+v", list[0])
		}
		// A node whose clock is a little behind cannot claim it.
		if behind := w.claimNotices(t, later.Add(-time.Second), "resting"); len(behind) != 0 {
			t.Errorf("claimed by a clock behind: %v", behind)
		}
		// A lease from a clock that is an hour ahead can be claimed.
		ahead := w.claimNotices(t, later.Add(time.Hour), "resting")
		if back := w.claimNotices(t, later.Add(time.Second), "resting"); len(ahead) != 1 || len(back) != 1 {
			t.Errorf("claimed %d ahead and %d after, want 1 and 1", len(ahead), len(back))
		}
	})
}

func TestSettleNotice_StoresTheResult(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, id := range []string{"good", "refusing", "slow"} {
			w.addLogoutClient(t, id, w.session, false)
		}
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		at := noon.Add(time.Second)
		for _, n := range w.claimNotices(t, noon) {
			w.settleNotice(t, n, map[string]storage.NoticeResult{
				"refusing": {Error: "refused"}, "slow": {Error: "timeout", RetryAt: at.Add(time.Minute)},
			}[n.ClientID], at)
		}
		list, err := w.LogoutNotices(t.Context(), w.user.ID, w.session.ID, noon)
		if err != nil || len(list) != 3 {
			t.Fatalf("notices %v, %v", list, err)
		}
		good, refusing, slow := list[0], list[1], list[2]
		if good.DeliveredAt != storage.At(at) || good.GivenUpAt != 0 || good.LastError != "" || !good.Settled() {
			t.Errorf("delivered: %+v", good)
		}
		if refusing.DeliveredAt != 0 || refusing.GivenUpAt != storage.At(at) || refusing.LastError != "refused" || !refusing.Settled() {
			t.Errorf("given up: %+v", refusing)
		}
		if slow.Settled() || slow.LastError != "timeout" || slow.DueAt != storage.At(at.Add(time.Minute)) || slow.LeasedUntil != 0 {
			t.Errorf("to be tried again: %+v", slow)
		}
		if events := w.events(t)[:2]; !slices.Contains(events, storage.LogoutDelivered) || !slices.Contains(events, storage.LogoutFailed) {
			t.Errorf("events %v, want logout.delivered and logout.failed", events)
		}
		if early := w.claimNotices(t, at.Add(time.Minute-time.Millisecond)); len(early) != 0 {
			t.Errorf("claimed before it is due: %v", early)
		}
		if due := w.claimNotices(t, at.Add(time.Minute)); len(due) != 1 || due[0].ClientID != "slow" || due[0].Tries != 2 {
			t.Errorf("due: %v", due)
		}
	})
}

// TestOutbox_ManyClientsNeedOneStatement ends a session in which a thousand clients have
// grants.
func TestOutbox_ManyClientsNeedOneStatement(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const many = 1000
		err := w.Write(t.Context(), func(tx *gorm.DB) error {
			for i := range many {
				c := storagetest.NewClient(storage.Web, fmt.Sprintf("app%d", i), "App")
				c.Metadata.BackchannelLogoutURI = "https://app.example.com/logout"
				g := w.redemption(c.ID, "code", noon).Grant
				g.ClientID, g.CreatedAt, g.IdleExpiresAt = c.ID, storage.At(noon), g.ExpiresAt
				if err := errors.Join(tx.Create(&c).Error, tx.Create(&g).Error); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		recorder, err := w.Record(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		recorder.Take()
		begun := time.Now()
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d clients: %s", many, time.Since(begun))
		if executed := recorder.Take(); len(executed) > 3 {
			t.Errorf("%d statements, want one each for the session, the notices and the event: %v", len(executed), executed)
		}
		if got := len(w.notices(t, w.user.ID, w.session.ID)); got != many {
			t.Errorf("%d notices, want %d", got, many)
		}
	})
}
