package storage_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

func TestReviseClient_ChangesOnlyRevisedFields(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		secret := [2]storage.ClientSecret{{Hash: "h"}}
		c := storage.Client{ID: "c", Name: "old", Type: storage.Web, Resources: []string{"https://api"}, RefreshGrace: -1, Secrets: secret}
		if err := w.CreateClient(t.Context(), c, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := w.SetClientEnabled(t.Context(), "c", false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		later := noon.Add(time.Minute)
		got, err := w.ReviseClient(t.Context(), "c", func(c *storage.Client) error {
			c.Name, c.Introspects = "new", true
			c.ID, c.Secrets, c.DisabledAt, c.CreatedAt = "d", [2]storage.ClientSecret{}, 0, 0
			return nil
		}, storage.By{At: later})
		if err != nil {
			t.Fatal(err)
		}
		read, err := w.Client(t.Context(), "c")
		if err != nil || !reflect.DeepEqual(got, read) {
			t.Errorf("returned %+v\nread %+v, %v", got, read, err)
		}
		if read.Name != "new" || !read.Introspects || read.UpdatedAt != storage.At(later) {
			t.Errorf("the revision is not stored: %+v", read)
		}
		if !slices.Equal(read.Resources, c.Resources) || read.Secrets != secret || read.Enabled() || read.CreatedAt != storage.At(noon) {
			t.Errorf("other fields changed too: %+v", read)
		}
	})
}

// TestReviseClient_StoresEverySwitch revises each field of a client that is true or false. A field
// that is missing in the statement would keep its value, such as a right that an operator took away.
func TestReviseClient_StoresEverySwitch(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for field := range reflect.TypeFor[storage.Client]().Fields() {
			if field.Type.Kind() != reflect.Bool {
				continue
			}
			for _, want := range []bool{true, false} {
				_, err := w.ReviseClient(t.Context(), w.client.ID, func(c *storage.Client) error {
					reflect.ValueOf(c).Elem().FieldByIndex(field.Index).SetBool(want)
					return nil
				}, storage.By{At: noon})
				if err != nil {
					t.Fatal(err)
				}
				read, err := w.Client(t.Context(), w.client.ID)
				if got := reflect.ValueOf(read).FieldByIndex(field.Index).Bool(); err != nil || got != want {
					t.Errorf("%s: got %v, %v; want %v", field.Name, got, err, want)
				}
			}
		}
	})
}

// Ten parallel revisions add one resource each. All ten are stored.
func TestReviseClient_KeepsAllParallelChanges(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		counts := tally(together(10, func(i int) error {
			_, err := w.ReviseClient(t.Context(), w.client.ID, func(c *storage.Client) error {
				c.Resources = append(slices.Clone(c.Resources), fmt.Sprintf("https://api-%d.example", i))
				return nil
			}, storage.By{At: noon})
			return err
		}))
		c, err := w.Client(t.Context(), w.client.ID)
		if counts["ok"] != 10 || err != nil || len(c.Resources) != 10 {
			t.Errorf("outcomes %v, %d resources, %v: want ten of each", counts, len(c.Resources), err)
		}
	})
}

func TestReviseClient_ErrorUndoesAllChanges(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		before, err := w.Changes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		refused := errors.New("refused")
		_, err = w.ReviseClient(t.Context(), w.client.ID, func(c *storage.Client) error {
			c.Name = "half done"
			return refused
		}, storage.By{At: noon})
		wantError(t, "revise", err, refused)
		c, err := w.Client(t.Context(), w.client.ID)
		if err != nil || c.Name != w.client.Name {
			t.Errorf("the client changed: %+v, %v", c, err)
		}
		if after, err := w.Changes(t.Context()); err != nil || after != before {
			t.Errorf("the change counter moved from %d to %d, %v", before, after, err)
		}
		_, err = w.ReviseClient(t.Context(), "unknown", func(*storage.Client) error { return nil }, storage.By{At: noon})
		wantError(t, "revise an unknown client", err, storage.ErrNotFound)
	})
}

// Earlier programs would let people sign in to the client with less than it requires.
func TestClient_RequiredACRKeepsOlderProgramsOut(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		by := storage.By{At: noon}
		acts := map[string]func(c storage.Client) error{
			"create": func(c storage.Client) error { return w.CreateClient(t.Context(), c, by) },
			"revise": func(c storage.Client) error {
				_, err := w.ReviseClient(t.Context(), w.client.ID, func(row *storage.Client) error {
					row.RequireACR = c.RequireACR
					return nil
				}, by)
				return err
			},
		}
		for name, act := range acts {
			for acr, want := range map[string]int{"": 0, storage.ACRTwoFactors: 1} {
				w.exec(t, `UPDATE instance SET oldest_program = 1`)
				if err := act(storage.Client{ID: storage.NewID(""), Type: storage.Web, RequireACR: acr}); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got := w.count(t, `instance WHERE oldest_program = 18`); got != want {
					t.Errorf("%s, %q: %d, want %d", name, acr, got, want)
				}
			}
		}
	})
}
