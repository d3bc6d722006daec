package storage_test

import (
	"strings"
	"testing"
	"time"

	"signet/storage"
)

func TestUpdateConnectorHealth_KeepsTheLatestResults(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		note := func(h storage.ConnectorHealth) {
			t.Helper()
			if err := w.UpdateConnectorHealth(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
		later, latest := storage.At(noon.Add(time.Minute)), storage.At(noon.Add(2*time.Minute))
		note(storage.ConnectorHealth{Connector: "google", SucceededAt: later})
		note(storage.ConnectorHealth{Connector: "google", FailedAt: latest, FailureCode: "upstream_unreachable", FailureReason: "fetch keys\x00: refused"})
		// Another node reports older results later. They change nothing.
		note(storage.ConnectorHealth{Connector: "google", SucceededAt: storage.At(noon)})
		note(storage.ConnectorHealth{Connector: "google", FailedAt: later, FailureCode: "upstream_denied", FailureReason: "old"})
		note(storage.ConnectorHealth{Connector: "github", FailedAt: later, FailureCode: "no_email", FailureReason: strings.Repeat("é", 1000)})

		known, err := w.ConnectorHealth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := storage.ConnectorHealth{
			Connector: "google", SucceededAt: later, FailedAt: latest, FailureCode: "upstream_unreachable", FailureReason: "fetch keys: refused",
		}
		if known["google"] != want {
			t.Errorf("got %+v, want %+v", known["google"], want)
		}
		if h := known["github"]; len(known) != 2 || h.SucceededAt != 0 || len(h.FailureReason) != 500 {
			t.Errorf("%d connectors; github: %+v", len(known), h)
		}
		if err := w.UpdateConnectorHealth(t.Context(), storage.ConnectorHealth{}); err == nil {
			t.Error("health without a connector id was stored")
		}
	})
}
