package directory_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"signet/provider/credential"
	"signet/provider/directory"
	"signet/storage"
	"signet/storage/storagetest"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

const testIssuer = "https://id.example.com"

// testDirectory is a Directory with its database. Its clock always shows noon.
type testDirectory struct {
	*directory.Directory
	db *storage.DB
}

// eachDirectory runs the test on every database.
func eachDirectory(t *testing.T, test func(t *testing.T, h testDirectory)) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := b.Open(t)
		now := func() time.Time { return noon }
		passwords := credential.New(credential.Config{DB: db, Now: now, Params: credential.Params{Memory: 8, Time: 1, Threads: 1}})
		test(t, testDirectory{directory.New(directory.Deps{DB: db, Issuer: testIssuer, Passwords: passwords, Algorithms: []string{"ES256", "RS256"}, Now: now}), db})
	})
}

func (h testDirectory) create(t *testing.T, c storage.Client) (storage.Client, string) {
	t.Helper()
	made, secret, err := h.CreateClient(t.Context(), c, storage.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	return made, secret
}

func TestCreateClient_OnlyTheHashOfTheSecretIsStored(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		made, secret := h.create(t, changedClient(storage.Web, nil))
		stored, err := h.db.Client(t.Context(), made.ID)
		if err != nil || stored.Secrets[0].Hash == secret || len(secret) != 43 {
			t.Fatalf("got %+v, %v", stored, err)
		}
		if !directory.SecretMatches(stored.Secrets, secret, noon) {
			t.Error("the secret does not match the stored hash")
		}
		if stored.CreatedAt != storage.At(noon) || made.CreatedAt != stored.CreatedAt {
			t.Errorf("made at %v, stored at %v", made.CreatedAt, stored.CreatedAt)
		}
	})
}

func TestCreateClient_PublicClientHasNoSecret(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		made, secret := h.create(t, changedClient(storage.SPA, nil))
		if secret != "" || made.Secrets[0].Hash != "" {
			t.Errorf("got the secret %q, stored as %+v", secret, made.Secrets)
		}
	})
}

func TestCreateClient_BrokenRulesAreListedAndNothingIsStored(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		_, _, err := h.CreateClient(t.Context(), changedClient(storage.Web, func(c *storage.Client) {
			c.Name, c.Metadata.RedirectURIs = "", []string{"http://app.example.com/"}
		}), storage.Origin{})
		if !errors.Is(err, directory.ErrInvalidClient) || strings.Count(err.Error(), "\n  ") != 2 {
			t.Errorf("got %v, want two problems, each on its line", err)
		}
		if list, err := h.db.Clients(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("stored %v, %v", list, err)
		}
	})
}

func TestCreateClient_TakenIDIsAConflict(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		h.create(t, changedClient(storage.Web, nil))
		if _, _, err := h.CreateClient(t.Context(), changedClient(storage.SPA, nil), storage.Origin{}); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCreateClient_AlgorithmWithoutKeyIsRefused(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		createWith := func(alg string) error {
			_, _, err := h.CreateClient(t.Context(), changedClient(storage.Web, func(c *storage.Client) {
				c.ID, c.Metadata.IDTokenSignedResponseAlg = "asks-"+alg, alg
			}), storage.Origin{})
			return err
		}
		if err := createWith("ES256"); err != nil {
			t.Errorf("the first start makes a key for ES256: %v", err)
		}
		noKey, is := errors.AsType[*directory.NoKeyError](createWith("EdDSA"))
		if !is || noKey.Algorithm != "EdDSA" {
			t.Errorf("EdDSA: got %v, want NoKeyError", noKey)
		}
		if err := createWith("HS256"); !errors.Is(err, directory.ErrInvalidClient) {
			t.Errorf("HS256: got %v", err)
		}
	})
}

func TestReviseClient_RulesAreCheckedAgain(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		made, secret := h.create(t, changedClient(storage.Web, nil))
		revised, err := h.ReviseClient(t.Context(), made.ID, func(c *storage.Client) error {
			c.Name, c.Secrets = "Another", [2]storage.ClientSecret{}
			return nil
		}, storage.Origin{})
		if err != nil || revised.Name != "Another" || !directory.SecretMatches(revised.Secrets, secret, noon) {
			t.Errorf("got %+v, %v", revised, err)
		}
		for name, c := range map[string]struct {
			change func(*storage.Client)
			want   error
		}{
			"a broken rule": {func(c *storage.Client) { c.Metadata.RedirectURIs = nil }, directory.ErrInvalidClient},
			"no key":        {func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "PS256" }, &directory.NoKeyError{Algorithm: "PS256"}},
		} {
			_, err := h.ReviseClient(t.Context(), made.ID, func(client *storage.Client) error { c.change(client); return nil }, storage.Origin{})
			if err == nil || !errors.Is(err, c.want) && err.Error() != c.want.Error() {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
		own := errors.New("changed my mind")
		if _, err := h.ReviseClient(t.Context(), made.ID, func(c *storage.Client) error { c.Name = "Third"; return own }, storage.Origin{}); err != own {
			t.Errorf("got %v, want the error of revise", err)
		}
		if stored, err := h.db.Client(t.Context(), made.ID); err != nil || stored.Name != "Another" || len(stored.Metadata.RedirectURIs) != 1 {
			t.Errorf("stored %+v, %v", stored, err)
		}
		if _, err := h.ReviseClient(t.Context(), "nobody", func(*storage.Client) error { return nil }, storage.Origin{}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("an unknown client: got %v", err)
		}
	})
}

func TestReviseClient_StoredInvalidValueMayStay(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		old := changedClient(storage.Web, func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.IDTokenSignedResponseAlg = []string{"https://app.example.com:443/"}, "PS256"
		})
		if err := h.db.CreateClient(t.Context(), old, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReviseClient(t.Context(), old.ID, func(c *storage.Client) error { c.Name = "Another"; return nil }, storage.Origin{}); err != nil {
			t.Error(err)
		}
	})
}

func TestRotateSecret_OldOneIsValidForTheOverlap(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		made, first := h.create(t, changedClient(storage.Web, nil))
		rotated, second, err := h.RotateSecret(t.Context(), made.ID, time.Hour, storage.Origin{})
		if err != nil || second == first {
			t.Fatalf("got %q after %q, %v", second, first, err)
		}
		for _, c := range []struct {
			secret string
			at     time.Time
			want   bool
		}{
			{first, noon.Add(59 * time.Minute), true},
			{first, noon.Add(time.Hour), false},
			{second, noon.Add(time.Hour), true},
			{"", noon, false},
			{first + "x", noon, false},
			{rotated.Secrets[0].Hash, noon, false},
		} {
			if got := directory.SecretMatches(rotated.Secrets, c.secret, c.at); got != c.want {
				t.Errorf("%q at %v matches: %v, want %v", c.secret, c.at, got, c.want)
			}
		}
	})
}

func TestRotateSecret_InvalidRequestIsRefused(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		public, _ := h.create(t, changedClient(storage.Native, nil))
		if _, _, err := h.RotateSecret(t.Context(), public.ID, 0, storage.Origin{}); !errors.Is(err, directory.ErrPublicClient) {
			t.Errorf("a public client: got %v", err)
		}
		if _, _, err := h.RotateSecret(t.Context(), "nobody", 0, storage.Origin{}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("an unknown client: got %v", err)
		}
		for _, overlap := range []time.Duration{-1, directory.LongestOverlap + 1} {
			if _, secret, err := h.RotateSecret(t.Context(), public.ID, overlap, storage.Origin{}); err == nil || secret != "" {
				t.Errorf("an overlap of %s: got %v", overlap, err)
			}
		}
	})
}

func TestClient_DisableEnableDelete(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		made, _ := h.create(t, changedClient(storage.Web, nil))
		enabled := func() bool {
			c, err := h.db.Client(t.Context(), made.ID)
			return err == nil && c.Enabled()
		}
		if err := h.DisableClient(t.Context(), made.ID, storage.Origin{}); err != nil || enabled() {
			t.Errorf("disabled: %v, %v", enabled(), err)
		}
		if err := h.EnableClient(t.Context(), made.ID, storage.Origin{}); err != nil || !enabled() {
			t.Errorf("enabled: %v, %v", enabled(), err)
		}
		if err := h.DeleteClient(t.Context(), made.ID, storage.Origin{}); err != nil {
			t.Error(err)
		}
		if err := h.DeleteClient(t.Context(), made.ID, storage.Origin{}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
	})
}

// An algorithm can be retired while the client that uses it is disabled. The client is then not
// enabled, because the server cannot sign for it.
func TestEnableClient_ChecksTheKeysAgain(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		made, _ := h.create(t, changedClient(storage.Web, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "RS256" }))
		by := storage.By{At: noon}
		var keys []storage.Key
		for _, line := range []string{"ES256", "RS256"} {
			keys = append(keys, storage.Key{ID: "kid-" + line, Line: line, State: storage.KeyActive, Sealed: []byte("sealed")})
		}
		if _, err := h.db.StartKeyLines(t.Context(), keys, by); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := h.DisableClient(t.Context(), made.ID, storage.Origin{}); err != nil {
				t.Fatal(err)
			}
			if err := h.EnableClient(t.Context(), made.ID, storage.Origin{}); err != nil {
				t.Fatalf("with a key: got %v", err)
			}
		}
		if err := h.DisableClient(t.Context(), made.ID, storage.Origin{}); err != nil {
			t.Fatal(err)
		}
		if err := h.db.RetireKeyLine(t.Context(), "RS256", 0, by); err != nil {
			t.Fatal(err)
		}
		err := h.EnableClient(t.Context(), made.ID, storage.Origin{})
		if noKey, is := errors.AsType[*directory.NoKeyError](err); !is || noKey.Algorithm != "RS256" {
			t.Errorf("without a key: got %v, want NoKeyError", err)
		}
		if c, err := h.db.Client(t.Context(), made.ID); err != nil || c.Enabled() {
			t.Errorf("the client is enabled: %v", err)
		}
	})
}
