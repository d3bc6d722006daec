package storage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

// recordReaders records readers and returns all readers that are stored afterwards.
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
			t.Fatalf("%s has a row but is not among the %d returned families", r.Family, len(families))
		}
	}
	return list
}

func reader(family, network string, at time.Time) storage.JWKSReader {
	return storage.JWKSReader{Family: family, Fetches: 2, Network: network, SeenAt: storage.At(at)}
}

// inventedReaders returns n readers with invented family names.
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
		// Two nodes count. The node that counted first writes last.
		list := w.recordReaders(t, noon, reader("jose", "c", noon.Add(-time.Minute)))
		want := storage.JWKSReader{Family: "jose", Fetches: 4, Visits: 2, Network: "a", SeenAt: storage.At(noon)}
		if len(list) != 2 || list[0].Family != "go" || list[1] != want {
			t.Errorf("readers %+v, want go and %+v", list, want)
		}
		if list = w.recordReaders(t, noon.Add(90*24*time.Hour+2*time.Second)); len(list) != 0 {
			t.Errorf("%d families are still stored after 90 days", len(list))
		}
	})
}

// A flood of invented names, from one network or from many, displaces no family that has
// come twice. It keeps new families out for at most one hour per minute of the flood.
func TestRecordJWKSReaders_KeepsReturningFamiliesInAFlood(t *testing.T) {
	for name, network := range map[string]func(i int) string{
		"from one network":    func(int) string { return "stranger" },
		"from many networks":  func(i int) string { return fmt.Sprint("stranger ", i) },
		"from a few networks": func(i int) string { return fmt.Sprint("stranger ", i%15) },
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				at := noon
				for range 2 { // a real family, which comes twice
					at = at.Add(time.Minute)
					w.recordReaders(t, at, reader("jose", "a", at))
				}
				var fetches int64
				for range 3 {
					at = at.Add(time.Minute)
					list := w.recordReaders(t, at, inventedReaders(500, network, at)...)
					if len(list) > storage.MaxReaders {
						t.Fatalf("%d rows", len(list))
					}
					if familyIn(list, "jose").Fetches != 4 {
						t.Fatal("the family jose has no row any more")
					}
					fetches = 0
					for _, r := range list {
						fetches += r.Fetches
					}
				}
				if fetches != 4+3*2*500 {
					t.Errorf("%d fetches were counted, want %d", fetches, 4+3*2*500)
				}
				at = at.Add(3*time.Hour + time.Second)
				list := w.recordReaders(t, at, reader("newcomer", "b", at))
				if familyIn(list, "newcomer").Fetches != 2 {
					t.Error("after the flood a new family got no row")
				}
			})
		})
	}
}

// A network that invents names may start only a few rows.
func TestRecordJWKSReaders_LimitsNewRowsOfOneNetwork(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.recordReaders(t, noon, reader("once", "a", noon)) // a real family, seen once
		list := w.recordReaders(t, noon.Add(time.Minute), inventedReaders(500, func(int) string { return "stranger" }, noon)...)
		ofStranger := 0
		for _, r := range list {
			if r.Network == "stranger" {
				ofStranger++
			}
		}
		if ofStranger != storage.MaxReadersOfOne || familyIn(list, "once").Family == "" {
			t.Errorf("the network \"stranger\" has %d of %d rows; %+v", ofStranger, len(list), familyIn(list, "once"))
		}
	})
}

// Invented names that came twice keep their rows for a while, and make room when they do
// not come again.
func TestRecordJWKSReaders_AbandonedRowsMakeRoom(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		many := func(i int) string { return fmt.Sprint("stranger ", i) }
		for minute := range 2 {
			at := noon.Add(time.Duration(minute) * time.Minute)
			w.recordReaders(t, at, inventedReaders(300, many, at)...)
		}
		if list := w.recordReaders(t, noon.Add(time.Hour), reader("newcomer", "a", noon.Add(time.Hour))); familyIn(list, "newcomer").Family != "" {
			t.Error("a new family displaced a family that came twice within the hour")
		}
		later := noon.Add(3 * time.Hour)
		if list := w.recordReaders(t, later, reader("newcomer", "a", later)); familyIn(list, "newcomer").Family == "" {
			t.Error("three hours later a new family got no row")
		}
	})
}
