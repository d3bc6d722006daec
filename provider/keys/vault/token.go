package vault

import (
	"fmt"

	"signet/storage"
)

// A sealed token of an upstream is: version ‖ box. The box is sealed under the master key,
// like private halves, with the identity as associated data. So a token does not open if it
// is copied into the row of another identity. Rotations do not change it; only a rewrap
// seals it again.
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

// openToken returns the token of an identity and the index of the master key under which it
// is sealed. ErrNotOpened.
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

// SealToken seals the token of an upstream for the row of an identity.
func (s *Set) SealToken(i storage.Identity, token []byte) ([]byte, error) {
	return sealToken(s.sealing, i, token)
}

// OpenToken returns the token of an identity in clear. ErrNotOpened.
func (v *Vault) OpenToken(i storage.Identity) ([]byte, error) {
	token, _, err := openToken(v.currentMasters(), i)
	return token, err
}
