package storage_test

import (
	"fmt"
	"testing"
	"time"

	"signet/storage"
)

// DR-11: while many places for unapproved clients are taken, unused clients make room sooner, the
// oldest first and only as many as necessary. Used and approved clients stay.
func TestSweepUnusedClients_MakesRoomWhileManyPlacesAreTaken(t *testing.T) {
	const most, day = 8, 24 * time.Hour
	for name, c := range map[string]struct {
		ages []time.Duration // of the clients, the oldest first
		left int             // of them
	}{
		"few clients":              {[]time.Duration{29 * day, 2 * day, 2 * time.Hour}, 3},
		"few clients, one old":     {[]time.Duration{31 * day, 2 * day, 2 * time.Hour}, 2},
		"half of the places":       {[]time.Duration{3 * day, 2 * day, 2 * time.Hour, 2 * time.Hour}, 3},
		"half, all new":            {[]time.Duration{23 * time.Hour, 2 * time.Hour, time.Hour, 0}, 4},
		"three quarters":           {[]time.Duration{3 * time.Hour, 2 * time.Hour, 2 * time.Hour, 30 * time.Minute, 0, 0}, 5},
		"all places, within hours": {[]time.Duration{5 * time.Hour, 4 * time.Hour, 3 * time.Hour, 2 * time.Hour, 2 * time.Hour, 0, 0, 0}, 5},
		"all places, all new":      {[]time.Duration{0, 0, 0, 0, 0, 0, 0, 0}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				register := func(id string, age time.Duration) {
					t.Helper()
					_, _, err := w.RegisterClient(t.Context(), storage.ClientRegistration{
						Client:        storage.Client{ID: id, Name: id, Type: storage.Web, Registration: storage.Registration{TokenHash: "hash of " + id}},
						MaxUnapproved: most + 1,
					}, storage.By{At: noon.Add(-age)})
					if err != nil {
						t.Fatal(err)
					}
				}
				register("approved", 40*day)
				if err := w.ApproveClient(t.Context(), "approved", storage.By{At: noon}); err != nil {
					t.Fatal(err)
				}
				for i, age := range c.ages {
					register(fmt.Sprint("client", i), age)
				}
				for full := true; full; {
					var err error
					if full, err = w.SweepUnusedClients(t.Context(), most, noon, storage.By{At: noon}); err != nil {
						t.Fatal(err)
					}
				}
				var left []string
				for i := range c.ages {
					if _, err := w.Client(t.Context(), fmt.Sprint("client", i)); err == nil {
						left = append(left, fmt.Sprint("client", i))
					}
				}
				if len(left) != c.left || left[0] != fmt.Sprint("client", len(c.ages)-c.left) {
					t.Errorf("left are %v, want the newest %d of %d", left, c.left, len(c.ages))
				}
				if _, err := w.Client(t.Context(), "approved"); err != nil {
					t.Errorf("the approved client: %v", err)
				}
			})
		})
	}
}

// Without a free place, a registration is refused until the sweep has made room.
func TestRegisterClient_IsRefusedWhileAllPlacesAreTaken(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		register := func(id string, at time.Time) error {
			_, _, err := w.RegisterClient(t.Context(), storage.ClientRegistration{
				Client: storage.Client{ID: id, Name: id, Type: storage.Web, Registration: storage.Registration{TokenHash: "hash of " + id}}, MaxUnapproved: 2,
			}, storage.By{At: at})
			return err
		}
		wantError(t, "first", register("a", noon), nil)
		wantError(t, "second", register("b", noon), nil)
		later := noon.Add(2 * time.Hour)
		wantError(t, "third", register("c", later), storage.ErrRegistrationsFull)
		if _, err := w.SweepUnusedClients(t.Context(), 2, later, storage.By{At: later}); err != nil {
			t.Fatal(err)
		}
		wantError(t, "after the sweep", register("c", later), nil)
	})
}
