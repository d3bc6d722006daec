package storage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

// recordReaders notes readers and lists what is known then.
func (w *world) recordReaders(t *testing.T, at time.Time, seen ...storage.JWKSReader) []storage.JWKSReader {
	t.Helper()
	families, err := w.RecordJWKSReaders(t.Context(), seen, at)
	if err != nil {
		t.Fatal(err)
	}
	list, err := w.JWKSReaders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if r.Family != storage.OtherReaders && !slices.Contains(families, r.Family) {
			t.Fatalf("%s has a row and is not among the %d families that are told apart", r.Family, len(families))
		}
	}
	return list
}

func reader(family, network string, at time.Time) storage.JWKSReader {
	return storage.JWKSReader{Family: family, Fetches: 2, Network: network, SeenAt: storage.At(at)}
}

func inventedReaders(n int, network func(int) string, at time.Time) (flood []storage.JWKSReader) {
	for i := range n {
		flood = append(flood, reader(fmt.Sprintf("made-up-%d", i), network(i), at))
	}
	return flood
}

func familyIn(list []storage.JWKSReader, family string) storage.JWKSReader {
	i := slices.IndexFunc(list, func(r storage.JWKSReader) bool { return r.Family == family })
	if i < 0 {
		return storage.JWKSReader{}
	}
	return list[i]
}

func TestRecordJWKSReaders_CountsAndForgets(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.recordReaders(t, noon, reader("jose", "a", noon), reader("go", "b", noon.Add(time.Second)))
		// Two nodes count, and the one that was first flushes last.
		list := w.recordReaders(t, noon, reader("jose", "c", noon.Add(-time.Minute)))
		want := storage.JWKSReader{Family: "jose", Fetches: 4, Visits: 2, Network: "a", SeenAt: storage.At(noon)}
		if len(list) != 2 || list[0].Family != "go" || list[1] != want {
			t.Errorf("%+v", list)
		}
		if list = w.recordReaders(t, noon.Add(90*24*time.Hour+2*time.Second)); len(list) != 0 {
			t.Errorf("%d families are not forgotten", len(list))
		}
	})
}

// A flood of invented names, from one network or from many, takes no place of a
// family that comes again, and keeps newcomers out for no more than an hour for each of its minutes.
func TestRecordJWKSReaders_KeepsReturningFamiliesInAFlood(t *testing.T) {
	for what, flood := range map[string]func(i int) string{
		"from one network":    func(int) string { return "stranger" },
		"from many networks":  func(i int) string { return fmt.Sprint("stranger ", i) },
		"from a few networks": func(i int) string { return fmt.Sprint("stranger ", i%15) },
	} {
		t.Run(what, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				at := noon
				for range 2 { // comes twice, and is real
					at = at.Add(time.Minute)
					w.recordReaders(t, at, reader("jose", "a", at))
				}
				var fetches int64
				for range 3 {
					at = at.Add(time.Minute)
					list := w.recordReaders(t, at, inventedReaders(500, flood, at)...)
					if len(list) > storage.MaxReaders {
						t.Fatalf("%d rows", len(list))
					}
					if familyIn(list, "jose").Fetches != 4 {
						t.Fatal("jose has lost its row")
					}
					fetches = 0
					for _, r := range list {
						fetches += r.Fetches
					}
				}
				if fetches != 4+3*2*500 {
					t.Errorf("%d fetches are counted", fetches)
				}
				at = at.Add(3*time.Hour + time.Second)
				list := w.recordReaders(t, at, reader("newcomer", "b", at))
				if familyIn(list, "newcomer").Fetches != 2 {
					t.Error("after the flood a newcomer has no row")
				}
			})
		})
	}
}

// A network that invents names has its own few rows to invent them in.
func TestRecordJWKSReaders_LimitsNewRowsOfOneNetwork(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.recordReaders(t, noon, reader("once", "a", noon)) // real, and seen once
		list := w.recordReaders(t, noon.Add(time.Minute), inventedReaders(500, func(int) string { return "stranger" }, noon)...)
		ofStranger := 0
		for _, r := range list {
			if r.Network == "stranger" {
				ofStranger++
			}
		}
		if ofStranger != storage.MaxReadersOfOne || familyIn(list, "once").Family == "" {
			t.Errorf("the stranger has %d rows, of %d; %+v", ofStranger, len(list), familyIn(list, "once"))
		}
	})
}

// Names that were kept alive for a while make room when nobody comes under them.
func TestRecordJWKSReaders_AbandonedRowsMakeRoom(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		many := func(i int) string { return fmt.Sprint("stranger ", i) }
		for minute := range 2 {
			at := noon.Add(time.Duration(minute) * time.Minute)
			w.recordReaders(t, at, inventedReaders(300, many, at)...)
		}
		if list := w.recordReaders(t, noon.Add(time.Hour), reader("newcomer", "a", noon.Add(time.Hour))); familyIn(list, "newcomer").Family != "" {
			t.Error("a newcomer displaced a family that came twice within the hour")
		}
		later := noon.Add(3 * time.Hour)
		if list := w.recordReaders(t, later, reader("newcomer", "a", later)); familyIn(list, "newcomer").Family == "" {
			t.Error("three hours later there is no room")
		}
	})
}
