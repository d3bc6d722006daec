package keys

import (
	"crypto"

	"signet/storage"
)

// Take puts rows to use as a reload does that read them.
func Take(r *Ring, rows []storage.Key) error {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	return r.take(rows)
}

// PrivateHalf gives the private half of a published key, as a thief of the master
// key would have it.
func PrivateHalf(r *Ring, kid string) crypto.Signer {
	for _, k := range r.inUse.Load().hints {
		if k.Row.ID == kid {
			return k.Signer
		}
	}
	return nil
}

// Signers gives the signers of the published keys that the ring holds, by kid.
func Signers(r *Ring) map[string]crypto.Signer {
	signers := map[string]crypto.Signer{}
	for _, k := range r.inUse.Load().access {
		signers[k.Row.ID] = k.Signer
	}
	return signers
}

// Secrets gives the secrets of the internal line.
func Secrets(r *Ring) [][]byte {
	var values [][]byte
	for _, k := range r.inUse.Load().secrets {
		values = append(values, k.Value)
	}
	return values
}
