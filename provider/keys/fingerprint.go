package keys

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"signet/storage"
)

// Fingerprint returns a keyed hash (HMAC-SHA256, hexadecimal) of a value that is too short for
// SecretHash: without the internal secret, nobody can find the value by trying. It changes when
// the internal line rotates; see Fingerprints. ErrNoKey.
func (r *Ring) Fingerprint(purpose, value string) (string, error) {
	k := r.inUse.Load().secret
	if k == nil {
		return "", fmt.Errorf("fingerprint %s: %w", purpose, NoKey(storage.InternalLine))
	}
	return k.fingerprint(purpose, value)
}

// Fingerprints returns the fingerprints of a value under each secret that still opens messages,
// to look up a value that was stored before a rotation. ErrNoKey: there is none.
func (r *Ring) Fingerprints(purpose, value string) ([]string, error) {
	var list []string
	for _, k := range r.inUse.Load().secrets {
		print, err := k.fingerprint(purpose, value)
		if err != nil {
			return nil, err
		}
		list = append(list, print)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("fingerprint %s: %w", purpose, NoKey(storage.InternalLine))
	}
	return list, nil
}

func (k *secret) fingerprint(purpose, value string) (string, error) {
	key, err := hkdf.Key(sha256.New, k.Value, nil, purposeInfo("fingerprint/"+purpose), sha256.Size)
	if err != nil {
		return "", fmt.Errorf("fingerprint %s: %w", purpose, err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	return hex.EncodeToString(mac.Sum(nil)), nil
}
