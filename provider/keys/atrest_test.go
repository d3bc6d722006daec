package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"signet/provider/keys"
)

func TestKY08_DatabaseHoldsNoKeyMaterial(t *testing.T) {
	h := open(t)
	material := map[string][]byte{"master key": master[:]}
	for i, secret := range keys.Secrets(h.Ring) {
		material["internal secret "+string(rune('0'+i))] = secret
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
		}
	}
	if len(material) != 1+2+2+2*3 {
		t.Fatalf("looking for %d things", len(material))
	}
	dump := h.dump(t)
	if !bytes.Contains(dump, []byte(h.published(t)[0])) {
		t.Fatal("the dump does not even hold the key ids: the search would find nothing")
	}
	for name, secret := range material {
		for form, bytesOf := range map[string]string{
			"raw":          string(secret),
			"hex":          hex.EncodeToString(secret),
			"base64":       base64.RawStdEncoding.EncodeToString(secret),
			"base64url":    base64.RawURLEncoding.EncodeToString(secret),
			"first 16":     string(secret[:16]),
			"last 16":      string(secret[len(secret)-16:]),
			"first 16 hex": hex.EncodeToString(secret[:16]),
		} {
			if bytes.Contains(dump, []byte(bytesOf)) {
				t.Errorf("%s is in the database (%s)", name, form)
			}
		}
	}
}

// dump reads every file of the data directory, the write-ahead log included.
func (h *house) dump(t *testing.T) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "*"))
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
