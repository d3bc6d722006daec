package vault

import (
	"fmt"

	"signet/storage"
)

// An upstream's token at rest is: version ‖ box. The box is sealed under the master
// key, as private halves are, with the identity as associated data: a token that is
// copied into another identity's row does not open there. Rotations leave it as it is;
// only a rewrap seals it anew.
const (
	tokenVersion = 1
	tokenInfo    = "signet/v1/upstream token at rest"
)

func tokenData(i storage.Identity) []byte {
	return fmt.Appendf([]byte{tokenVersion}, "%q %q %q", i.Connector, i.Issuer, i.Subject)
}

func sealToken(master [32]byte, i storage.Identity, token []byte) ([]byte, error) {
	return SealBox([]byte{tokenVersion}, master[:], tokenInfo, token, tokenData(i))
}

// openToken gives the token of an identity, and the place of the master key that it
// is sealed under. ErrInvalid.
func openToken(masters [][32]byte, i storage.Identity) (token []byte, under int, err error) {
	sealed := i.Detail.Token
	if len(sealed) == 0 || sealed[0] != tokenVersion {
		return nil, 0, fmt.Errorf("the token was %w", ErrNotOpened)
	}
	for at, master := range masters {
		if token, err = OpenBox(master[:], tokenInfo, sealed[1:], tokenData(i)); err == nil {
			return token, at, nil
		}
	}
	return nil, 0, fmt.Errorf("the token was %w", ErrNotOpened)
}

// SealToken seals an upstream's token for the row of an identity.
func (s *Set) SealToken(i storage.Identity, token []byte) ([]byte, error) {
	return sealToken(s.sealing, i, token)
}

// OpenToken opens the token of an identity. ErrNotOpened.
func (v *Vault) OpenToken(i storage.Identity) ([]byte, error) {
	token, _, err := openToken(v.current(), i)
	return token, err
}
