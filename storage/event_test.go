package storage_test

import (
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
			t.Errorf("second newest is %s, want the sign-in of before", list[1].Type)
		}
	})
}

func TestRecordEvent_StoresWhateverHeadersHold(t *testing.T) {
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
