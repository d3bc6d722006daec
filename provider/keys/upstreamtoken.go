package keys

import (
	"context"
	"errors"
	"fmt"

	"signet/storage"
)

// An upstream's token at rest is: version ‖ box, sealed under the master key as
// private halves are, with the identity as associated data: it is of no use in
// another's row. Keys come and go meanwhile; only a rewrap seals it anew.
const (
	tokenVersion = 1
	tokenInfo    = "signet/v1/upstream token at rest"
)

func tokenData(i storage.Identity) []byte {
	return fmt.Appendf([]byte{tokenVersion}, "%q %q %q", i.Connector, i.Issuer, i.Subject)
}

func sealToken(master [32]byte, i storage.Identity, token []byte) ([]byte, error) {
	return sealBox([]byte{tokenVersion}, master[:], tokenInfo, token, tokenData(i))
}

// openToken gives the token of an identity, and the place of the master key that it
// is sealed under. ErrInvalid.
func openToken(masters [][32]byte, i storage.Identity) (token []byte, under int, err error) {
	sealed := i.Detail.Token
	if len(sealed) == 0 || sealed[0] != tokenVersion {
		return nil, 0, ErrInvalid
	}
	for at, master := range masters {
		if token, err = openBox(master[:], tokenInfo, sealed[1:], tokenData(i)); err == nil {
			return token, at, nil
		}
	}
	return nil, 0, ErrInvalid
}

// SealToken seals an upstream's token for the row of an identity.
func (r *Ring) SealToken(i storage.Identity, token []byte) ([]byte, error) {
	sealed, err := sealToken(r.inUse.Load().sealing, i, token)
	if err != nil {
		return nil, fmt.Errorf("seal upstream token: %w", err)
	}
	return sealed, nil
}

// OpenToken opens the token of an identity. ErrMasterKey: no key in the database
// opens. ErrInvalid: the token alone does not; it was altered, or sealed by a server
// that had not followed a rewrap yet.
func (k *Keeper) OpenToken(ctx context.Context, i storage.Identity) ([]byte, error) {
	if _, err := k.read(ctx); err != nil {
		return nil, fmt.Errorf("open upstream token: %w", err)
	}
	masters, _ := k.vault.target()
	token, _, err := openToken(masters, i)
	if err != nil {
		return nil, fmt.Errorf("open upstream token: %w", err)
	}
	return token, nil
}

// rewrapTokens does with the tokens of upstreams what Rewrap does with keys.
func (k *Keeper) rewrapTokens(ctx context.Context, masters [][32]byte) error {
	target := len(masters) - 1
	_, err := k.db.RewrapTokens(ctx, func(i storage.Identity) ([]byte, error) {
		token, under, err := openToken(masters, i)
		if errors.Is(err, ErrInvalid) || under == target {
			return nil, nil
		}
		return sealToken(masters[target], i, token)
	})
	return err
}
