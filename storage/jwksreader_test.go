package storage_test

import (
	"fmt"
	"testing"
	"time"

	"signet/storage"
)

func TestNoteJWKSReaders_CountsAndForgets(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		note := func(at time.Time, seen ...storage.JWKSReader) []storage.JWKSReader {
			t.Helper()
			if err := w.NoteJWKSReaders(t.Context(), seen, at); err != nil {
				t.Fatal(err)
			}
			list, err := w.JWKSReaders(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		reader := func(family string, at time.Time) storage.JWKSReader {
			return storage.JWKSReader{Family: family, Fetches: 2, SeenAt: storage.At(at)}
		}
		note(noon, reader("jose", noon), reader("go", noon.Add(time.Second)))
		// Two nodes count, and the one that was first flushes last.
		list := note(noon, reader("jose", noon.Add(-time.Minute)))
		if len(list) != 2 || list[0].Family != "go" || list[1] != (storage.JWKSReader{Family: "jose", Fetches: 4, SeenAt: storage.At(noon)}) {
			t.Errorf("%+v", list)
		}
		// A flood of made-up names fills 200 rows and no more.
		later := noon.Add(time.Hour)
		var flood []storage.JWKSReader
		for i := range 500 {
			flood = append(flood, reader(fmt.Sprintf("made-up-%d", i), later))
		}
		list = note(later, flood...)
		var fetches, other int64
		for _, r := range list {
			fetches += r.Fetches
			if r.Family == storage.OtherReaders {
				other = r.Fetches
			}
		}
		if len(list) != 200 || fetches != 6+1000 || other != 2*(500-197) {
			t.Errorf("%d families, %d fetches, %d of them others; want 200, 1006 and 606", len(list), fetches, other)
		}
		if list = note(later.Add(90*24*time.Hour + time.Millisecond)); len(list) != 0 {
			t.Errorf("%d families are not forgotten", len(list))
		}
	})
}
