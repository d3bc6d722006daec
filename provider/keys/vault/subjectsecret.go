package vault

import (
	"crypto/rand"
	"fmt"
)

// The sealed secret of pairwise subjects is: version ‖ box. The box is sealed under the master
// key. No rotation and no revocation changes the secret, because all pairwise subjects would
// change with it; only a rewrap seals it again.
const (
	subjectVersion = 1
	subjectInfo    = "signet/v1/subject secret at rest"
)

func sealSubjectSecret(master [32]byte, secret []byte) ([]byte, error) {
	return SealBox([]byte{subjectVersion}, master[:], subjectInfo, secret, []byte{subjectVersion})
}

// openSubjectSecret returns the secret and the index of the master key under which it is sealed.
// ErrNotOpened.
func openSubjectSecret(masters [][32]byte, sealed []byte) (secret []byte, under int, err error) {
	if len(sealed) == 0 || sealed[0] != subjectVersion {
		return nil, 0, fmt.Errorf("the secret of pairwise subjects was %w", ErrNotOpened)
	}
	for at, master := range masters {
		if secret, err = OpenBox(master[:], subjectInfo, sealed[1:], []byte{subjectVersion}); err == nil {
			return secret, at, nil
		}
	}
	return nil, 0, fmt.Errorf("the secret of pairwise subjects was %w", ErrNotOpened)
}

// NewSubjectSecret makes a secret of pairwise subjects and returns it sealed.
func (s *Set) NewSubjectSecret() ([]byte, error) {
	secret := make([]byte, secretSize)
	rand.Read(secret)
	return sealSubjectSecret(s.sealing, secret)
}

// OpenSubjectSecret returns the secret of pairwise subjects. ErrNotOpened.
func (v *Vault) OpenSubjectSecret(sealed []byte) ([]byte, error) {
	secret, _, err := openSubjectSecret(v.currentMasters(), sealed)
	return secret, err
}

// SubjectSecret returns the secret of pairwise subjects sealed under the new master key. It
// returns nil in the same cases as Key.
func (r Rewrap) SubjectSecret(sealed []byte) ([]byte, error) {
	target := len(r.masters) - 1
	secret, under, err := openSubjectSecret(r.masters, sealed)
	if err != nil || under == target {
		return nil, nil
	}
	return sealSubjectSecret(r.masters[target], secret)
}
