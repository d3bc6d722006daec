package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
)

// signInWithGroups signs a user in through an upstream that asserts these groups. An empty
// userID creates a new user.
func (w *world) signInWithGroups(t *testing.T, userID, connector string, groups *storage.AssertedGroups) storage.Session {
	t.Helper()
	w.attempts++
	session, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
		Identity:  upstreamIdentity(userID, connector, "of "+connector),
		AttemptID: fmt.Sprint("groups ", w.attempts), Until: storage.At(noon.Add(time.Hour)), Groups: groups,
		SignIn: storage.SignIn{HandleHash: fmt.Sprint("groups ", w.attempts), IdleFor: time.Hour, AbsoluteFor: time.Hour},
	}, noon)
	if err != nil {
		t.Fatalf("sign in through %s: %v", connector, err)
	}
	return session
}

// groupsWanted lists the groups from operators, from upstreams, and all groups that
// applications see, separated by spaces.
type groupsWanted struct{ own, upstream, all string }

// wantGroups wants a user to be in these groups.
func (w *world) wantGroups(t *testing.T, when, userID string, want groupsWanted) {
	t.Helper()
	u, err := w.User(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(u.Groups, strings.Fields(want.own)) || !slices.Equal(u.UpstreamGroups, strings.Fields(want.upstream)) || !slices.Equal(u.AllGroups(), strings.Fields(want.all)) {
		t.Errorf("%s: own %q, upstream %q, all %q, want %q, %q, %q", when, u.Groups, u.UpstreamGroups, u.AllGroups(), want.own, want.upstream, want.all)
	}
}

func asserted(groups ...string) *storage.AssertedGroups {
	return &storage.AssertedGroups{Names: groups}
}

func TestGroups_UpstreamGroupsFollowEachSignIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		id := w.user.ID
		own := func(groups ...string) {
			t.Helper()
			if err := w.reviseUser(t, w.user, func(u *storage.User) {
				u.Groups, u.UpstreamGroups = groups, []string{"operators cannot write this list"}
			}, storage.KeepAttached, false); err != nil {
				t.Fatal(err)
			}
		}
		own("ops", "dev")
		w.signInWithGroups(t, id, "corp", asserted("dev", "staff"))
		w.wantGroups(t, "the first sign-in", id, groupsWanted{"ops dev", "dev staff", "ops dev staff"})
		w.signInWithGroups(t, id, "other", asserted("guests", "staff"))
		w.wantGroups(t, "a second upstream", id, groupsWanted{"ops dev", "dev staff guests", "ops dev staff guests"})
		w.signInWithGroups(t, id, "corp", nil)
		w.wantGroups(t, "a sign-in without groups", id, groupsWanted{"ops dev", "dev staff guests", "ops dev staff guests"})
		w.signInWithGroups(t, id, "corp", asserted("Staff"))
		w.wantGroups(t, "a new list with another case", id, groupsWanted{"ops dev", "Staff guests staff", "ops dev Staff guests staff"})
		own("ops")
		w.wantGroups(t, "the operator removes a group", id, groupsWanted{"ops", "Staff guests staff", "ops Staff guests staff"})
		w.signInWithGroups(t, id, "other", asserted())
		w.wantGroups(t, "an empty list", id, groupsWanted{"ops", "Staff", "ops Staff"})
		w.signInWithGroups(t, id, "corp", &storage.AssertedGroups{Refused: "groups_unreadable"})
		w.wantGroups(t, "an unreadable list", id, groupsWanted{"ops", "", "ops"})
		list, err := w.IdentitiesOf(t.Context(), id)
		if err != nil || len(list) != 2 || list[0].Detail.GroupsRefused != "groups_unreadable" || list[0].Groups != nil {
			t.Errorf("identities %+v, %v", list, err)
		}
		own()
		w.signInWithGroups(t, id, "corp", asserted("a"))
		w.wantGroups(t, "no group from an operator", id, groupsWanted{"", "a", "a"})

		events, err := w.Events(t.Context(), storage.EventFilter{Type: storage.UserGroupsChanged}, 100)
		if err != nil || len(events) == 0 {
			t.Fatalf("%d events, %v; want at least 1", len(events), err)
		}
		for _, e := range events {
			if e.UserID != id || e.Connector == "" || e.Detail["added"] == nil && e.Detail["removed"] == nil {
				t.Errorf("event %+v", e)
			}
		}
	})
}

// When an identity or its connector ends, the groups from it end too. Groups from other
// identities stay.
func TestGroups_EndWithTheirIdentity(t *testing.T) {
	by := storage.By{At: noon, From: storage.Origin{Actor: "system"}}
	remove := func(s storage.GroupSource) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error {
			_, _, err := w.RemoveUnconfiguredGroups(t.Context(), s, by)
			return err
		}
	}
	for name, c := range map[string]struct {
		act  func(t *testing.T, w *world) error
		left string
	}{
		"unlinked": {func(t *testing.T, w *world) error {
			return w.UnlinkIdentity(t.Context(), storage.IdentityRemoval{Identity: upstreamIdentity(w.user.ID, "corp", "of corp"), AllowLast: true}, noon)
		}, "guests"},
		"the connector gives no groups": {remove(storage.GroupSource{Connector: "corp"}), "guests"},
		"the issuer has changed":        {remove(storage.GroupSource{Connector: "corp", Issuers: []string{"https://new.example", "https://newer.example"}}), "guests"},
		"the issuer is the same":        {remove(storage.GroupSource{Connector: "corp", Issuers: []string{"https://corp.example"}}), "staff guests"},
		"a program before 0008 unlinks": {func(t *testing.T, w *world) error {
			w.exec(t, `DELETE FROM identities WHERE user_id = ?`, w.user.ID)
			_, err := w.CorrectStrayGroups(t.Context(), by)
			return err
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				w.signInWithGroups(t, w.user.ID, "corp", asserted("staff"))
				w.signInWithGroups(t, w.user.ID, "other", asserted("guests"))
				if err := c.act(t, w); err != nil {
					t.Fatal(err)
				}
				w.wantGroups(t, name, w.user.ID, groupsWanted{"", c.left, c.left})
			})
		})
	}
}

// The first proof of an address removes the groups that came while it was unproven. That
// holds for every kind of proof, also for one that leaves the operator's groups.
func TestGroups_EndWithAnEviction(t *testing.T) {
	for _, p := range provers {
		t.Run(p.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				u, s := w.unprovenAccount(t, storage.NoAdminRole)
				w.rememberSession(u, s)
				w.signInWithGroups(t, u.ID, "corp", asserted("staff"))
				if err := p.prove(t, w, u, storage.Session{}, time.Minute); err != nil {
					t.Fatal(err)
				}
				if now, err := w.User(t.Context(), u.ID); err != nil || len(now.UpstreamGroups) > 0 {
					t.Errorf("upstream groups %q, %v; want none", now.UpstreamGroups, err)
				}
			})
		})
	}
}

func TestLinkIdentity_AddsUpstreamGroups(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		err := w.LinkIdentity(t.Context(), storage.IdentityLink{
			Identity: upstreamIdentity(w.user.ID, "corp", "1"), ProofID: "p", Until: storage.At(noon.Add(time.Hour)), SessionID: w.session.ID, Groups: asserted("staff"),
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		w.wantGroups(t, "linked", w.user.ID, groupsWanted{"", "staff", "staff"})
	})
}

// All groups from a connector are removed, in batches.
func TestRemoveUnconfiguredGroups_InBatches(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		err := w.Write(t.Context(), func(tx *gorm.DB) error {
			for i := range 150 {
				id := fmt.Sprintf("usr_%03d", i)
				if err := tx.Exec(`INSERT INTO users (id, upstream_groups) VALUES (?, '["staff"]')`, id).Error; err != nil {
					return err
				}
				if err := tx.Exec(`INSERT INTO identities (connector, issuer, subject, user_id, groups) VALUES ('corp', 'i', ?, ?, '["staff"]')`, id, id).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for more := true; more; {
			n, full, err := w.RemoveUnconfiguredGroups(t.Context(), storage.GroupSource{Connector: "corp"}, storage.By{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			total, more = total+n, full
		}
		if left := w.count(t, "users WHERE upstream_groups <> ''"); total != 150 || left != 0 {
			t.Errorf("removed from %d users, %d users still have groups; want 150 and 0", total, left)
		}
	})
}

// A username that another user holds does not stop a sign-in, also if several people with
// the same name sign in at once. One of them holds the name; the names of the others are not
// unique.
func TestSignInThrough_ClashingUsernamesBlockNoSignIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		var group sync.WaitGroup
		for i := range 6 {
			node := w.DB
			if i%2 == 1 {
				node = w.backend.Open(t)
			}
			group.Go(func() {
				_, err := node.SignInThrough(t.Context(), storage.ConnectorSignIn{
					Identity:  upstreamIdentity("", "corp", fmt.Sprint(i)),
					AttemptID: fmt.Sprint("clash ", i), Until: storage.At(noon.Add(time.Hour)), Profile: storage.Profile{PreferredUsername: []string{"ada", "ADA"}[i%2]},
					SignIn: storage.SignIn{HandleHash: fmt.Sprint("clash ", i), IdleFor: time.Hour, AbsoluteFor: time.Hour},
				}, noon)
				if err != nil {
					t.Errorf("sign-in %d: %v", i, err)
				}
			})
		}
		group.Wait()
		named, unique := 0, 0
		for _, u := range w.allUsers(t) {
			if strings.EqualFold(u.PreferredUsername, "ada") {
				named++
			}
			if u.UsernameUnique() {
				unique++
			}
		}
		if named != 6 || unique != 1 {
			t.Errorf("%d users have the name and %d hold it as unique, want 6 and 1", named, unique)
		}
	})
}
