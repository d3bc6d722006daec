package storage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

// announce announces the connectors that a node serves, and wants these connectors to
// count as removed.
func (w *world) announce(t *testing.T, node string, at time.Time, connectors []string, removed ...string) storage.PresenceResult {
	t.Helper()
	served, err := w.AnnounceConnectors(t.Context(), storage.ConnectorPresence{Node: node, Connectors: connectors, HoldsFor: 2 * time.Minute}, at)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(served.Removed, removed) {
		t.Errorf("at %s, %s serves %q: removed %q, want %q", at.Sub(noon), node, connectors, served.Removed, removed)
	}
	return served
}

// A connector counts as removed once no node serves it. A node with another version of the
// configuration, older or newer, does not remove a connector that another node serves.
func TestAnnounceConnectors_RemovedOnceNoNodeServesIt(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		after := func(d time.Duration) time.Time { return noon.Add(d) }
		both := []string{"google", "corp"}
		w.announce(t, "a", noon, nil) // no node has served a connector yet
		w.announce(t, "a", noon, []string{"google"})
		// corp is added: node a starts with the new file, then node b with the old one.
		w.announce(t, "a", after(time.Second), both)
		if served := w.announce(t, "b", after(2*time.Second), []string{"google"}); served.CheckAgainAt != storage.At(after(time.Second+2*time.Minute)) {
			t.Errorf("b checks again at %v", served.CheckAgainAt)
		}
		w.announce(t, "b", after(3*time.Second), both)
		// corp is removed again, first at a, then at b.
		w.announce(t, "a", after(4*time.Second), []string{"google"})
		w.announce(t, "b", after(5*time.Second), []string{"google"}, "corp")
		// A node that crashes holds corp for two minutes; a node that stops releases it after
		// ten seconds.
		w.announce(t, "c", after(6*time.Second), []string{"corp"})
		w.announce(t, "a", after(time.Minute), []string{"google"})
		w.announce(t, "a", after(6*time.Second+2*time.Minute), []string{"google"}, "corp")
		w.announce(t, "d", after(3*time.Minute), []string{"corp"})
		if err := w.ReleaseConnectors(t.Context(), "d", 10*time.Second, after(3*time.Minute)); err != nil {
			t.Fatal(err)
		}
		w.announce(t, "a", after(3*time.Minute+9*time.Second), []string{"google"})
		w.announce(t, "a", after(3*time.Minute+10*time.Second), []string{"google"}, "corp")
		// The last connector can be removed too.
		w.announce(t, "b", after(10*time.Minute), nil, "corp", "google")
		if n := w.count(t, "served_connectors"); n > 5 {
			t.Errorf("%d rows for four nodes, want at most 5", n)
		}
	})
}

// The sessions of a removed connector and their online grants end, in batches, with events
// and logout notices. Sessions from other connectors or passwords stay valid, and so do
// offline grants.
func TestEndConnectorSessions_EndsOnlySessionsOfTheConnector(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const people = 103 // more than a batch
		w.announce(t, "a", noon, []string{"corp"})
		var sessions []storage.Session
		for i := range people {
			u := w.bareUser(t, true)
			sessions = append(sessions, w.signInThrough(t, u.ID, "corp", fmt.Sprint(i), ""))
		}
		online, offline := w.openGrantIn(t, sessions[0], false), w.openGrantIn(t, sessions[0], true)
		w.addLogoutClient(t, "rp", sessions[1], false)
		otherConnector := w.signInThrough(t, sessions[0].UserID, "google", "1", "")
		password := w.signIn(t, sessions[0].UserID, "typed", "", noon)

		// A node still serves the connector, so nothing ends.
		if n, full, err := w.EndConnectorSessions(t.Context(), "corp", storage.By{At: noon}); n != 0 || full || err != nil {
			t.Fatalf("while it is served: %d, %v, %v", n, full, err)
		}
		w.announce(t, "a", noon, nil, "corp")
		total := 0
		for full := true; full; {
			var n int
			var err error
			if n, full, err = w.EndConnectorSessions(t.Context(), "corp", storage.By{From: storage.Origin{Actor: "system"}, At: noon}); err != nil || n > 100 {
				t.Fatalf("%d sessions ended in one batch, %v; want at most 100", n, err)
			}
			total += n
		}
		if total != people {
			t.Errorf("%d sessions ended, want %d", total, people)
		}
		for _, s := range sessions {
			if w.signedIn(t, s.UserID, s.ID) {
				t.Errorf("a session of the connector is still valid")
			}
		}
		for _, s := range []storage.Session{otherConnector, password, w.session} {
			if !w.signedIn(t, s.UserID, s.ID) {
				t.Errorf("session of %q ended", s.Connector)
			}
		}
		w.wantGrants(t, map[string]bool{online.ID: false, offline.ID: true})
		notices, err := w.LogoutNotices(t.Context(), sessions[1].UserID, "", noon)
		if err != nil || len(notices) != 1 {
			t.Errorf("%d notices, %v; want 1", len(notices), err)
		}
		events, err := w.Events(t.Context(), storage.EventFilter{Type: storage.SessionEnded, UserID: sessions[2].UserID}, 10)
		if err != nil || len(events) != 1 || events[0].Reason != "connector_removed" || events[0].Connector != "corp" || events[0].From.Actor != "system" {
			t.Errorf("events %+v, %v", events, err)
		}
		w.announce(t, "a", noon, nil) // corp is reported as removed only once
	})
}

// Several nodes that notice the removal at the same time end each session once.
func TestEndConnectorSessions_SeveralNodesEndEachSessionOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		w.announce(t, "a", noon, []string{"corp"})
		for i := range 20 {
			w.signInThrough(t, w.user.ID, "corp", fmt.Sprint(i), "")
		}
		w.announce(t, "a", noon, nil, "corp")
		for _, err := range together(4, func(i int) error {
			_, _, err := nodes[i%2].EndConnectorSessions(t.Context(), "corp", storage.By{At: noon})
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		ended := 0
		for _, event := range w.events(t) {
			if event == storage.SessionEnded {
				ended++
			}
		}
		if ended != 20 || !w.signedIn(t, w.user.ID, w.session.ID) {
			t.Errorf("%d events, want one for each of 20 sessions", ended)
		}
	})
}
