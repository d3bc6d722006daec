package storage_test

import (
	"testing"
	"time"

	"signet/storage"
)

func TestNewTimedID_SortsByTimeAndStaysUnguessable(t *testing.T) {
	last := ""
	for i := range 1000 {
		at := noon.Add(time.Duration(i*i) * time.Millisecond) // up to a quarter of an hour
		id, other := storage.NewTimedID(at), storage.NewTimedID(at)
		if id <= last {
			t.Fatalf("%q, made %v after noon, sorts before %q", id, at.Sub(noon), last)
		}
		if len(id) != 9+26 || id[:9] != other[:9] || id[9:] == other[9:] {
			t.Fatalf("%q and %q: want the same 9 digits of time and different 26 random letters", id, other)
		}
		last = max(id, other)
	}
}
