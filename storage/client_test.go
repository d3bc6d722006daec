package storage_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/storagetest"
)

func TestClient_ReadsBackEveryField(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		maxAge := int64(0)
		c := storage.Client{
			ID: "full", Name: "Füll", Type: storage.Native, FirstParty: true, SkipConsent: true, PKCEOptional: true, AdminAPI: true,
			Resources: []string{"https://a"}, Audiences: []string{"https://b"}, Origins: []string{"https://c"}, RefreshGrace: 90 * time.Second,
			Secrets: [2]storage.ClientSecret{{Hash: "h1", CreatedAt: 1, ExpiresAt: 2}, {Hash: "h2", CreatedAt: 3}},
			Metadata: storage.ClientMetadata{
				RedirectURIs: []string{"com.example:/cb"}, GrantTypes: []string{"authorization_code"}, TokenEndpointAuthMethod: "none",
				DefaultMaxAge: &maxAge, RequireAuthTime: true, JWKS: `{"keys":[]}`, Contacts: []string{"x@example.com"},
			},
		}
		if err := w.CreateClient(t.Context(), c, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		c.CreatedAt, c.UpdatedAt = storage.At(noon), storage.At(noon)
		read, err := w.Client(t.Context(), "full")
		if err != nil || !reflect.DeepEqual(read, c) {
			t.Errorf("read %+v, %v\nwant %+v", read, err, c)
		}
		list, err := w.Clients(t.Context())
		if err != nil || len(list) != 2 || list[0].ID != "full" || list[1].ID != "web" {
			t.Errorf("list %+v, %v", list, err)
		}
	})
}

func TestCreateClient_RefusesTakenAndReservedIDs(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		err := w.CreateClient(t.Context(), storage.Client{ID: "web", Type: storage.Web}, storage.By{At: noon})
		wantError(t, "taken id", err, storage.ErrConflict)
		for _, id := range []string{"usr_x", "", "a\x00", "\xff"} {
			if err := w.CreateClient(t.Context(), storage.Client{ID: id, Type: storage.Web}, storage.By{At: noon}); err == nil {
				t.Errorf("id %q was accepted", id)
			}
		}
	})
}

func TestReviseClient_KeepsSecretsAndState(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		secret := [2]storage.ClientSecret{{Hash: "h"}}
		if err := w.CreateClient(t.Context(), storage.Client{ID: "c", Type: storage.Web, Secrets: secret}, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := w.SetClientEnabled(t.Context(), "c", false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := storagetest.ReplaceClient(t.Context(), w.DB, storage.Client{ID: "c", Name: "new", Type: storage.Web}, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		c, err := w.Client(t.Context(), "c")
		if err != nil || c.Secrets != secret || c.Enabled() || c.Name != "new" || c.CreatedAt != storage.At(noon) {
			t.Errorf("client %+v, %v", c, err)
		}
	})
}

func TestChanges_MovesWithClientsAndKeysOnly(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		counter := func() int64 {
			n, err := w.Changes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		steps := []struct {
			name  string
			moves bool
			do    func() error
		}{
			{"update client", true, func() error { return storagetest.ReplaceClient(t.Context(), w.DB, w.client, storage.By{At: noon}) }},
			{"disable client", true, func() error { return w.SetClientEnabled(t.Context(), "web", false, storage.By{At: noon}) }},
			{"start key lines", true, func() error {
				_, err := w.StartKeyLines(t.Context(), firstKeys("ES256"), storage.By{At: noon})
				return err
			}},
			{"start key lines again", false, func() error {
				_, err := w.StartKeyLines(t.Context(), firstKeys("ES256"), storage.By{At: noon})
				return err
			}},
			{"disable user", false, func() error { return w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon}) }},
		}
		for _, step := range steps {
			before := counter()
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if moved := counter() != before; moved != step.moves {
				t.Errorf("%s: counter moved: %v, want %v", step.name, moved, step.moves)
			}
		}
	})
}

// ST-07: a new client with the id of a deleted one gets neither its grants nor its
// consents.
func TestDeleteClient_NextClientOfTheIDInheritsNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("r", "c", noon), noon)
		if err := w.AllowConsent(t.Context(), w.consentAnswer(true, "openid"), noon); err != nil {
			t.Fatal(err)
		}
		before, err := w.Changes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.DeleteClient(t.Context(), w.client.ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.wantDead(t, g.ID, noon)
		_, err = w.Client(t.Context(), w.client.ID)
		wantError(t, "the deleted client", err, storage.ErrNotFound)
		wantError(t, "delete again", w.DeleteClient(t.Context(), w.client.ID, storage.By{At: noon}), storage.ErrNotFound)
		if after, err := w.Changes(t.Context()); err != nil || after <= before {
			t.Errorf("the change counter went from %d to %d, %v", before, after, err)
		}
		if events := w.events(t); events[0] != storage.ClientDeleted {
			t.Errorf("events %v, want client.deleted first", events)
		}
		if _, err := w.Consent(t.Context(), w.user.ID, w.createClient(t, w.client.ID).ID, noon); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a new client with the same id has a consent: %v", err)
		}
		w.wantDead(t, g.ID, noon)
	})
}
