package keys

import (
	"crypto"

	"signet/storage"
)

// Use lets the ring use the rows, as a reload that has read them does.
func Use(r *Ring, rows []storage.Key) error {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	return r.use(rows)
}

// PrivateHalf returns the private half of a key, as an attacker with the master key and
// the database could get it.
func PrivateHalf(r *Ring, kid string) crypto.Signer {
	for _, k := range r.inUse.Load().hints {
		if k.Row.ID == kid {
			return k.Signer
		}
	}
	return nil
}

// Signers returns the signers of the published keys by kid.
func Signers(r *Ring) map[string]crypto.Signer {
	signers := map[string]crypto.Signer{}
	for _, k := range r.inUse.Load().access {
		signers[k.Row.ID] = k.Signer
	}
	return signers
}

// Secrets returns the secrets of the internal line.
func Secrets(r *Ring) [][]byte {
	var values [][]byte
	for _, k := range r.inUse.Load().secrets {
		values = append(values, k.Value)
	}
	return values
}
