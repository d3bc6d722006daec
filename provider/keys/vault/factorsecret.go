package vault

import "fmt"

// The sealed secret of an authenticator app is: version ‖ box. The box is sealed under the master
// key, with the ID of the row as associated data. So a secret does not open if it is copied into
// the row of another user. Rotations do not change it; only a rewrap seals it again.
const (
	factorVersion = 1
	factorInfo    = "signet/v1/authenticator app at rest"
)

func factorData(id string) []byte { return append([]byte{factorVersion}, id...) }

func sealFactor(master [32]byte, id string, secret []byte) ([]byte, error) {
	return SealBox([]byte{factorVersion}, master[:], factorInfo, secret, factorData(id))
}

// openFactor returns the secret of an authenticator app and the index of the master key under
// which it is sealed. ErrNotOpened.
func openFactor(masters [][32]byte, id string, sealed []byte) (secret []byte, under int, err error) {
	if len(sealed) == 0 || sealed[0] != factorVersion {
		return nil, 0, fmt.Errorf("the secret was %w", ErrNotOpened)
	}
	for at, master := range masters {
		if secret, err = OpenBox(master[:], factorInfo, sealed[1:], factorData(id)); err == nil {
			return secret, at, nil
		}
	}
	return nil, 0, fmt.Errorf("the secret was %w", ErrNotOpened)
}

// SealFactor seals the secret of an authenticator app for the row with the ID.
func (s *Set) SealFactor(id string, secret []byte) ([]byte, error) {
	return sealFactor(s.sealing, id, secret)
}

// OpenFactor returns the secret of an authenticator app. ErrNotOpened.
func (v *Vault) OpenFactor(id string, sealed []byte) ([]byte, error) {
	secret, _, err := openFactor(v.currentMasters(), id, sealed)
	return secret, err
}

// Factor returns the secret of an authenticator app sealed under the new master key. It returns
// nil in the same cases as Key.
func (r Rewrap) Factor(id string, sealed []byte) ([]byte, error) {
	target := len(r.masters) - 1
	secret, under, err := openFactor(r.masters, id, sealed)
	if err != nil || under == target {
		return nil, nil
	}
	return sealFactor(r.masters[target], id, secret)
}
