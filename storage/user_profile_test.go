package storage_test

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"signet/storage"
)

func TestUpdateProfile_ReplacesTheProfileAndNothingElse(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		later := noon.Add(time.Hour)
		p := storage.Profile{
			Name: "Alice 中", GivenName: "Alice", FamilyName: "Liddell", Nickname: "ali", PreferredUsername: "alice",
			Picture: "https://example.com/a.png", Website: "https://example.com/", Zoneinfo: "Europe/London", Locale: "en-GB",
		}
		if err := w.UpdateProfile(t.Context(), w.user.ID, p, storage.By{At: later}); err != nil {
			t.Fatal(err)
		}
		want := w.user
		want.Name, want.GivenName, want.FamilyName, want.Nickname, want.PreferredUsername = p.Name, p.GivenName, p.FamilyName, p.Nickname, p.PreferredUsername
		want.UsernameFolded = storage.FoldUsername("alice")
		want.Picture, want.Website, want.Zoneinfo, want.Locale, want.UpdatedAt = p.Picture, p.Website, p.Zoneinfo, p.Locale, storage.At(later)
		if got, err := w.User(t.Context(), w.user.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
		if got := w.events(t)[0]; got != storage.UserUpdated {
			t.Errorf("event %s, want %s", got, storage.UserUpdated)
		}
	})
}

// AD-14: a form that was read before another edit is refused. Two edits in one
// millisecond, or with a clock that is behind, are two versions.
func TestUpdateProfile_RefusesAnOutdatedForm(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		seen := w.user.UpdatedAt
		for i, at := range []time.Time{noon, noon, noon.Add(-time.Hour)} {
			p := storage.Profile{Name: "edit " + strconv.Itoa(i), Seen: seen}
			if err := w.UpdateProfile(t.Context(), w.user.ID, p, storage.By{At: at}); err != nil {
				t.Fatalf("edit %d: %v", i, err)
			}
			p.Name = "stale"
			wantError(t, "the same form again", w.UpdateProfile(t.Context(), w.user.ID, p, storage.By{At: at}), storage.ErrConflict)
			user, err := w.User(t.Context(), w.user.ID)
			if err != nil || user.Name != "edit "+strconv.Itoa(i) || user.UpdatedAt <= seen {
				t.Fatalf("after edit %d: name %q, updated at %d, %v", i, user.Name, user.UpdatedAt, err)
			}
			seen = user.UpdatedAt
		}
		results := together(8, func(i int) error {
			return w.UpdateProfile(t.Context(), w.user.ID, storage.Profile{Name: "at once", Seen: seen}, storage.By{At: noon})
		})
		won := 0
		for _, err := range results {
			if err == nil {
				won++
				continue
			}
			wantError(t, "lost edit", err, storage.ErrConflict)
		}
		if won != 1 {
			t.Errorf("%d edits of one version won, want 1", won)
		}
	})
}

func TestUpdateProfile_RefusesDisabledAndUnknownUsers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]error{w.user.ID: storage.ErrRevoked, "usr_unknown": storage.ErrRevoked, "": storage.ErrNotFound} {
			wantError(t, id, w.UpdateProfile(t.Context(), id, storage.Profile{Name: "Mallory"}, storage.By{At: noon}), want)
		}
	})
}
