package vault_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"signet/provider/keys/keystest"
	"signet/provider/keys/vault"
	"signet/storage"
	"signet/storage/storagetest"
)

// Keys go through all states. Then the test searches the files of SQLite and the dump of
// PostgreSQL for their private halves.
// KY-08: Private keys are encrypted at rest; a wrong or missing master key stops the start.
func TestVault_DatabaseHoldsNoKeyMaterial(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		target := [32]byte(bytes.Repeat([]byte("rewrap! "), 4))
		masters := [][32]byte{keystest.Master}
		sealed := vault.Config{Master: keystest.Master, Masters: func() ([][32]byte, error) { return masters, nil }}
		h, err := keystest.Start(t.Context(), keystest.Config{
			DB: b.Open(t), Vault: sealed, Issuer: keystest.Issuer, Now: func() time.Time { return keystest.Noon },
		})
		if err != nil {
			t.Fatal(err)
		}
		material := map[string][]byte{"master key": keystest.Master[:], "new master key": target[:]}
		at := keystest.Noon
		for _, step := range []func() error{
			func() error {
				_, err := h.Rotate(t.Context(), nil, 0, storage.By{At: at})
				return err
			},
			func() error { // the first keys are gone
				at = keystest.Noon.Add(21 * time.Minute)
				return h.RotateOnce(t.Context(), at)
			},
			func() error {
				_, err := h.Revoke(t.Context(), h.Kid(t, "ES256", storage.KeyActive), "leaked", storage.By{At: at})
				return err
			},
			func() error {
				masters = append(masters, target)
				_, _, err := keystest.Keeper(t, h.DB, sealed).Rewrap(t.Context(), storage.By{At: at})
				return err
			},
			func() error { return nil },
		} {
			if err := h.ReloadOnce(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			collect(t, h, material)
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if states := h.States(t, "ES256"); states[storage.KeyGone] != 1 || states[storage.KeyRevoked] != 1 || len(material) != 17 {
			t.Fatalf("%d pieces of material, states %v", len(material), states)
		}
		dump := dumpOf(t, b)
		if !bytes.Contains(dump, []byte(h.Published(t)[0])) {
			t.Fatal("the dump does not even hold the key ids: the search would find nothing")
		}
		wantAbsent(t, dump, material)
	})
}

// collect adds the private halves and secrets in use to material.
func collect(t *testing.T, h *keystest.Node, material map[string][]byte) {
	t.Helper()
	v, err := vault.New(h.Config.Vault)
	if err != nil {
		t.Fatal(err)
	}
	set, err := v.Open(h.Rows(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range set.Secrets {
		material["internal secret "+hex.EncodeToString(secret.Value[:2])] = secret.Value
	}
	for _, k := range set.Published() {
		kid := k.Row.ID
		switch private := k.Signer.(type) {
		case *ecdsa.PrivateKey:
			scalar, err := private.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			material["scalar of "+kid] = scalar
		case *rsa.PrivateKey:
			material["exponent of "+kid] = private.D.Bytes()
			material["p of "+kid] = private.Primes[0].Bytes()
			material["q of "+kid] = private.Primes[1].Bytes()
		case ed25519.PrivateKey:
			material["seed of "+kid] = private.Seed()
		default:
			t.Fatalf("%s has a private half of type %T", kid, private)
		}
	}
}

func wantAbsent(t *testing.T, dump []byte, material map[string][]byte) {
	t.Helper()
	for name, secret := range material {
		for form, text := range map[string]string{
			"raw":          string(secret),
			"hex":          hex.EncodeToString(secret),
			"base64":       base64.RawStdEncoding.EncodeToString(secret),
			"base64url":    base64.RawURLEncoding.EncodeToString(secret),
			"first 16":     string(secret[:16]),
			"last 16":      string(secret[len(secret)-16:]),
			"first 16 hex": hex.EncodeToString(secret[:16]),
			"last 16 hex":  hex.EncodeToString(secret[len(secret)-16:]),
		} {
			if bytes.Contains(dump, []byte(text)) {
				t.Errorf("%s is in the database (%s)", name, form)
			}
		}
	}
}

// dumpOf returns all files of the data directory, including the write-ahead log, or a dump of
// the PostgreSQL database.
func dumpOf(t *testing.T, b storagetest.Backend) []byte {
	t.Helper()
	if b.Config().Database != "" {
		found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
		if err != nil || len(found) == 0 {
			t.Fatalf("there is no pg_dump: %v", err)
		}
		dump, err := exec.CommandContext(t.Context(), found[len(found)-1], b.Config().Database).Output()
		if err != nil {
			t.Fatalf("pg_dump: %v", err)
		}
		return dump
	}
	files, err := filepath.Glob(filepath.Join(b.Config().DataDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	return all
}
