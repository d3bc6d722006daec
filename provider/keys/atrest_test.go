package keys_test

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

	"signet/provider/keys"
	"signet/storage"
	"signet/storage/storagetest"
)

// TestKY08_DatabaseHoldsNoKeyMaterial takes keys through all of their life, and
// searches the files of SQLite and the dump of PostgreSQL for what they were.
func TestKY08_DatabaseHoldsNoKeyMaterial(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		target := [32]byte(bytes.Repeat([]byte("rewrap! "), 4))
		masters := [][32]byte{master}
		ring, err := keys.Open(t.Context(), keys.Config{
			DB: b.Open(t), Master: master, Issuer: issuer, Now: func() time.Time { return noon },
			Masters: func() ([][32]byte, error) { return masters, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		h := &house{Ring: ring, db: b.Open(t)}
		material := map[string][]byte{"master key": master[:], "new master key": target[:]}
		at := noon
		for _, step := range []func() error{
			func() error { return second(ring.Rotate(t.Context(), nil, 0, storage.Origin{}, at)) },
			func() error { // the first keys are gone
				at = noon.Add(21 * time.Minute)
				return ring.RotateOnce(t.Context(), at)
			},
			func() error {
				return second(ring.Revoke(t.Context(), h.kid(t, "ES256", storage.KeyActive), "leaked", storage.Origin{}, at))
			},
			func() error {
				masters = append(masters, target)
				keeper, err := keys.NewKeeper(keys.Config{DB: h.db, Master: master, Masters: func() ([][32]byte, error) { return masters, nil }})
				if err == nil {
					_, _, err = keeper.Rewrap(t.Context(), storage.Origin{}, at)
				}
				return err
			},
			func() error { return nil },
		} {
			if err := ring.ReloadOnce(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			h.collect(t, material)
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if states := h.states(t, "ES256"); states[storage.KeyGone] != 1 || states[storage.KeyRevoked] != 1 || len(material) != 17 {
			t.Fatalf("looking for %d things, after a life of %v", len(material), states)
		}
		dump := dumpOf(t, b)
		if !bytes.Contains(dump, []byte(h.published(t)[0])) {
			t.Fatal("the dump does not even hold the key ids: the search would find nothing")
		}
		wantAbsent(t, dump, material)
	})
}

// collect adds the private halves and the secrets that are in use.
func (h *house) collect(t *testing.T, material map[string][]byte) {
	t.Helper()
	for _, secret := range keys.Secrets(h.Ring) {
		material["internal secret "+hex.EncodeToString(secret[:2])] = secret
	}
	for _, kid := range h.published(t) {
		switch private := keys.PrivateHalf(h.Ring, kid).(type) {
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

// dumpOf reads every file of the data directory, the write-ahead log included, or
// has PostgreSQL write all it holds.
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

// TestSigners_AreMadeOncePerKey signs across a rotation: no token asks the database,
// and none makes a signer.
func TestSigners_AreMadeOncePerKey(t *testing.T) {
	h := open(t)
	sign := func() {
		for range 50 {
			h.accessToken(t, "ES256")
			h.refreshToken(t)
			h.sealed(t, "request")
		}
		h.idToken(t, "RS256")
	}
	cost := func(what string, want int64, do func()) {
		t.Helper()
		made := keys.SignersMade()
		reads, writes := h.db.Calls()
		do()
		r, w := h.db.Calls()
		if got := keys.SignersMade() - made; got != want || what == "tokens" && (r != reads || w != writes) {
			t.Errorf("%s: %d signers, want %d; %d reads, %d writes", what, got, want, r-reads, w-writes)
		}
	}
	cost("tokens", 0, sign)
	if _, err := h.Rotate(t.Context(), nil, 0, storage.Origin{}, noon); err != nil {
		t.Fatal(err)
	}
	cost("tokens", 0, sign)                                           // before this node has seen it
	cost("reload", 6, func() { _ = h.ReloadOnce(t.Context(), noon) }) // three of each algorithm
	cost("tokens", 0, sign)
	cost("reload", 0, func() { _ = h.ReloadOnce(t.Context(), noon) })
}
