package storage_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"signet/storage"
)

func TestRecordEvent_IsReadBackNewestFirst(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		in := storage.Event{
			Type: storage.UserSignInFailed, Outcome: storage.Refused, Reason: "invalid_credentials", UserID: w.user.ID,
			ClientID: "web", Connector: "google", Detail: map[string]any{"tries": 2.0},
			From: storage.Origin{RequestID: "r", Address: "192.0.2.1", Agent: "agent", Actor: "cli"},
		}
		if err := w.RecordEvent(t.Context(), in, noon.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		list, err := w.Events(t.Context(), storage.EventFilter{}, 2)
		if err != nil || len(list) != 2 {
			t.Fatalf("%d events, %v: want 2", len(list), err)
		}
		got := list[0]
		if got.ID == "" || got.At != storage.At(noon.Add(time.Second)) || got.Type != in.Type || got.Outcome != in.Outcome ||
			got.Reason != in.Reason || got.UserID != in.UserID || got.Connector != in.Connector || got.From != in.From || got.Detail["tries"] != 2.0 {
			t.Errorf("got %+v, want %+v", got, in)
		}
		if list[1].Type != storage.UserSignedIn {
			t.Errorf("second newest is %s, want the earlier sign-in", list[1].Type)
		}
	})
}

func TestSignIn_CleansAndCutsHeaders(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		agent := "\x00\xff\xfe evil \x00" + strings.Repeat("ä", 5000)
		s, err := w.SignIn(t.Context(), storage.SignIn{
			UserID: w.user.ID, HandleHash: "h", IdleFor: time.Hour, AbsoluteFor: time.Hour, From: storage.Origin{Agent: agent, RequestID: "\xff"},
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.ValidString(s.Agent) || strings.Contains(s.Agent, "\x00") || len(s.Agent) > 512 {
			t.Errorf("agent %q", s.Agent)
		}
	})
}

// TestEventTypes_AreAllListed compares EventTypes with the constants in the source.
func TestEventTypes_AreAllListed(t *testing.T) {
	source, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []storage.EventType
	for _, found := range regexp.MustCompile(`EventType = "([a-z_.]+)"`).FindAllStringSubmatch(string(source), -1) {
		want = append(want, storage.EventType(found[1]))
	}
	if !slices.Equal(storage.EventTypes, want) || len(want) < 30 {
		t.Errorf("EventTypes is %q, want %q", storage.EventTypes, want)
	}
}

// AD-21: line breaks, control characters and escape sequences in a value cannot forge
// a line of the audit log.
func TestRecordEvent_ForgesNoSecondLine(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const forged = "x\r\n2026-01-01 user.signed_in\x1b[2J\u009b1A\u2028\u202egnp.exe\x00\x7f"
		err := w.RecordEvent(t.Context(), storage.Event{
			Type: storage.UserSignInFailed, Reason: forged, UserID: forged, ClientID: forged, SessionID: forged, GrantID: forged, Connector: forged,
			From: storage.Origin{RequestID: forged, Address: forged, Agent: forged, Actor: forged},
		}, noon.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.Events(t.Context(), storage.EventFilter{}, 1)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		e := list[0]
		for _, value := range []string{
			e.Reason, e.UserID, e.ClientID, e.SessionID, e.GrantID, e.Connector, e.From.RequestID, e.From.Address, e.From.Agent, e.From.Actor,
		} {
			if want := "x  2026-01-01 user.signed_in [2J 1A  gnp.exe "; value != want {
				t.Errorf("got %q, want %q", value, want)
			}
		}
	})
}

func TestOrigin_ActorIsTheUserByDefault(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{From: storage.Origin{Actor: "cli"}, At: noon}); err != nil {
			t.Fatal(err)
		}
		list, err := w.Events(t.Context(), storage.EventFilter{}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if list[0].From.Actor != "cli" || list[1].From.Actor != w.user.ID {
			t.Errorf("actors %q and %q, want cli and the user", list[0].From.Actor, list[1].From.Actor)
		}
	})
}
