package storage_test

import (
	"reflect"
	"testing"

	"signet/storage"
)

func TestSignOutEverywhere_EndsAllOfOneUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob := w.createUser(t, "bob@example.com")
		w.signIn(t, bob.ID, "handle of bob", "", noon)
		w.signIn(t, w.user.ID, "other handle of alice", "", noon)
		online, offline := w.redeem(t, w.redemption("online", "code", noon), noon), w.offlineGrant(t, "offline", noon)
		if err := w.SignOutEverywhere(t.Context(), w.user.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.wantDead(t, online.ID, noon)
		w.wantDead(t, offline.ID, noon)
		if list, err := w.SessionsOf(t.Context(), w.user.ID, noon); err != nil || len(list) != 0 {
			t.Errorf("sessions of alice: %v, %v: want none", list, err)
		}
		if _, _, err := w.SessionByHandle(t.Context(), "handle of bob", noon); err != nil {
			t.Errorf("bob's session: %v", err)
		}
		if got := w.events(t)[0]; got != storage.SessionsEnded {
			t.Errorf("event %s, want %s", got, storage.SessionsEnded)
		}
		// A new sign-in in the same millisecond is valid, and ended grants stay ended.
		w.signIn(t, w.user.ID, "next handle", "", noon)
		if _, _, err := w.SessionByHandle(t.Context(), "next handle", noon); err != nil {
			t.Errorf("the sign-in after the sign-out: %v", err)
		}
		w.wantDead(t, offline.ID, noon)
	})
}

func TestSignOutEverywhere_UnknownUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, id := range []string{"usr_unknown", "", "usr_\x00"} {
			wantError(t, id, w.SignOutEverywhere(t.Context(), id, "asked", storage.By{At: noon}), storage.ErrNotFound)
		}
	})
}

func TestEndOtherSessions_KeepsOneSessionAndOfflineGrants(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		offline := w.offlineGrant(t, "offline", noon)
		online := w.redeem(t, w.redemption("online", "code", noon), noon)
		kept := w.signIn(t, w.user.ID, "kept", "", noon)
		third := w.signIn(t, w.user.ID, "third", "", noon)
		if err := w.EndOtherSessions(t.Context(), w.user.ID, kept.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		list, err := w.SessionsOf(t.Context(), w.user.ID, noon)
		if err != nil || len(list) != 1 || list[0].ID != kept.ID {
			t.Errorf("sessions: %v, %v: want only the kept one", list, err)
		}
		w.wantAlive(t, offline.ID, noon)
		w.wantDead(t, online.ID, noon)
		if events := w.events(t)[:2]; !reflect.DeepEqual(events, []storage.EventType{storage.SessionEnded, storage.SessionEnded}) {
			t.Errorf("events %v, want one for each of %s and %s", events, w.session.ID, third.ID)
		}
	})
}

// LO-03: an empty user or session id ends no session.
func TestEndOtherSessions_RefusesAnEmptyID(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, ids := range [][2]string{{"", w.session.ID}, {w.user.ID, ""}, {"", ""}} {
			wantError(t, "empty id", w.EndOtherSessions(t.Context(), ids[0], ids[1], "asked", storage.By{At: noon}), storage.ErrNotFound)
		}
		if _, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon); err != nil {
			t.Errorf("alice's session: %v", err)
		}
	})
}

// LO-03: an empty id, a wildcard or the id of another user ends no session.
func TestEndSession_EndsOnlySessionsOfTheUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob, carol := w.createUser(t, "bob@example.com"), w.createUser(t, "carol@example.com")
		w.signIn(t, bob.ID, "handle of bob", "", noon)
		w.signIn(t, carol.ID, "handle of carol", "", noon)
		wrong := [][2]string{{"", ""}, {"", w.session.ID}, {w.user.ID, ""}, {"%", "%"}, {"usr_%", w.session.ID}, {"1=1", "1=1"}, {w.user.ID, "x\x00"}}
		for _, ids := range wrong {
			err := w.EndSession(t.Context(), ids[0], ids[1], "signed_out", storage.By{At: noon})
			if empty := ids[0] == "" || ids[1] == ""; empty && err == nil {
				t.Errorf("EndSession(%q, %q): no error", ids[0], ids[1])
			}
		}
		if err := w.EndSession(t.Context(), bob.ID, w.session.ID, "signed_out", storage.By{At: noon}); err != nil {
			t.Errorf("alice's session, as bob: %v", err)
		}
		for _, handle := range []string{"handle of alice", "handle of bob", "handle of carol"} {
			if _, _, err := w.SessionByHandle(t.Context(), handle, noon); err != nil {
				t.Errorf("%s: %v, want it to be valid", handle, err)
			}
		}
	})
}
