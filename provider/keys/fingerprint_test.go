package keys_test

import (
	"slices"
	"testing"

	"signet/provider/keys"
	"signet/storage"
)

func fingerprintOf(t *testing.T, r *keys.Ring, purpose, value string) string {
	t.Helper()
	print, err := r.Fingerprint(purpose, value)
	if err != nil {
		t.Fatal(err)
	}
	return print
}

// A value that was stored before a rotation is found afterwards. Other values, purposes and
// instances have other fingerprints.
func TestFingerprint_IsFoundAfterARotation(t *testing.T) {
	h := open(t, "ES256")
	stored := fingerprintOf(t, h.Ring, "user code", "WDJBMJHT")
	rotated := h.openAltered(t, promoteNext)
	if fingerprintOf(t, rotated.Ring, "user code", "WDJBMJHT") == stored {
		t.Error("the rotation has not changed the fingerprint")
	}
	for name, c := range map[string]struct {
		ring           *keys.Ring
		purpose, value string
		found          bool
	}{
		"the same ring":    {h.Ring, "user code", "WDJBMJHT", true},
		"after a rotation": {rotated.Ring, "user code", "WDJBMJHT", true},
		"another value":    {rotated.Ring, "user code", "WDJBMJHV", false},
		"another purpose":  {rotated.Ring, "other", "WDJBMJHT", false},
		"another instance": {open(t, "ES256").Ring, "user code", "WDJBMJHT", false},
	} {
		list, err := c.ring.Fingerprints(c.purpose, c.value)
		if err != nil || slices.Contains(list, stored) != c.found {
			t.Errorf("%s: found %v, want %v (%v)", name, !c.found, c.found, err)
		}
	}
}

func TestFingerprint_NeedsASecret(t *testing.T) {
	keyless := open(t, "ES256").openAltered(t, func(k *storage.Key) {
		if k.Line == storage.InternalLine {
			k.State = storage.KeyRevoked
		}
	})
	if print, err := keyless.Fingerprint("user code", "WDJBMJHT"); err == nil {
		t.Errorf("a ring without a secret gives the fingerprint %s", print)
	}
	if list, err := keyless.Fingerprints("user code", "WDJBMJHT"); err == nil {
		t.Errorf("a ring without a secret gives the fingerprints %s", list)
	}
}
