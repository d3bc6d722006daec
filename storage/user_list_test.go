package storage_test

import (
	"slices"
	"testing"

	"signet/storage"
)

func TestUsers_Filter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		off := w.createUser(t, "albert@example.com")
		if err := w.SetUserEnabled(t.Context(), off.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.createAdmin(t, "root@example.com")
		for name, test := range map[string]struct {
			filter storage.UserFilter
			want   []string
		}{
			"all":              {storage.UserFilter{}, []string{"albert@example.com", "alice@example.com", "root@example.com"}},
			"after an address": {storage.UserFilter{After: "Albert@Example.com"}, []string{"alice@example.com", "root@example.com"}},
			"prefix":           {storage.UserFilter{Email: "AL"}, []string{"albert@example.com", "alice@example.com"}},
			"administrators":   {storage.UserFilter{Admins: true}, []string{"root@example.com"}},
			"disabled":         {storage.UserFilter{Disabled: true}, []string{"albert@example.com"}},
			"no match":         {storage.UserFilter{Email: "al", Admins: true}, nil},
			"literal wildcard": {storage.UserFilter{Email: "%"}, nil},
		} {
			list, err := w.Users(t.Context(), test.filter, 10)
			var got []string
			for _, u := range list {
				got = append(got, u.Email)
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%s: got %v, %v; want %v", name, got, err, test.want)
			}
		}
	})
}
