package visit

import (
	"testing"
	"time"

	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

func TestMoments_UseTimeZoneOfProfile(t *testing.T) {
	at := time.Date(2026, 7, 1, 23, 30, 0, 0, time.UTC)
	for zone, want := range map[string]string{
		"":                 "1 July 2026, 23:30 UTC",
		"Europe/Berlin":    "2 July 2026, 01:30 CEST",
		"America/New_York": "1 July 2026, 19:30 EDT",
		"Etc/GMT+12":       "1 July 2026, 11:30 -12",
		"Local":            "1 July 2026, 23:30 UTC", // never the time zone of the server
		"Middle/Earth":     "1 July 2026, 23:30 UTC",
	} {
		got := MomentsFor(storage.User{Zoneinfo: zone}, at).Write(storage.At(at))
		if want := (templates.Moment{ISO: "2026-07-01T23:30:00Z", Text: want, Ago: words.Say("moment.just-now")}); got != want {
			t.Errorf("zone %q: got %+v, want %+v", zone, got, want)
		}
	}
	if got := MomentsFor(storage.User{}, at).Write(0); got != (templates.Moment{}) {
		t.Errorf("zero time: got %+v, want the zero Moment", got)
	}
}

func TestAgo_UsesLargestWholeUnit(t *testing.T) {
	for passed, want := range map[time.Duration]string{
		-time.Minute:                  "just now", // the clock of another node may be ahead
		-time.Minute - 1:              "in 1 minute",
		-48 * time.Hour:               "in 2 days",
		59 * time.Second:              "just now",
		time.Minute:                   "1 minute ago",
		59 * time.Minute:              "59 minutes ago",
		time.Hour:                     "1 hour ago",
		24*time.Hour - 1:              "23 hours ago",
		24 * time.Hour:                "1 day ago",
		29*24*time.Hour + 5*time.Hour: "29 days ago",
	} {
		if got := ago(passed).String(); got != want {
			t.Errorf("%s: got %q, want %q", passed, got, want)
		}
	}
}
