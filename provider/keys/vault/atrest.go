package vault

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"signet/storage"
)

// A private half at rest is: version ‖ box. The box is sealed under the master key,
// with version, line and id of the row as associated data: a sealed private half that
// is copied into another row does not open there.
const (
	// sealedHere: the box holds the private half, PKCS #8 or a secret's 32 bytes.
	sealedHere = 1
	// sealedElsewhere: the box holds the reference by which a Module finds the private
	// half. The reference is not secret; sealing binds it to its row.
	sealedElsewhere = storage.ExternalKeyMarker
)

const atRestInfo = "signet/v1/key at rest"

func atRestData(version byte, line, id string) []byte {
	return fmt.Appendf([]byte{version}, "%s\x00%s", line, id)
}

func sealPrivate(master [32]byte, version byte, line, id string, private []byte) ([]byte, error) {
	return SealBox([]byte{version}, master[:], atRestInfo, private, atRestData(version, line, id))
}

// openPrivate opens the sealed private half of a row, or the reference to it, and gives
// the place of the master key that it is sealed under. ErrNotOpened.
func openPrivate(masters [][32]byte, row storage.Key) (private []byte, under int, err error) {
	if len(row.Sealed) == 0 || row.Sealed[0] != sealedHere && row.Sealed[0] != sealedElsewhere {
		return nil, 0, errors.New("the sealed key is of no version this program knows")
	}
	for i, master := range masters {
		private, err := OpenBox(master[:], atRestInfo, row.Sealed[1:], atRestData(row.Sealed[0], row.Line, row.ID))
		if err == nil {
			return private, i, nil
		}
	}
	return nil, 0, fmt.Errorf("the sealed key was %w", ErrNotOpened)
}

func marshalPrivate(k crypto.Signer) ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k) }

func parsePrivate(pkcs8 []byte) (crypto.Signer, error) {
	private, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, errors.New("the sealed key is not PKCS #8")
	}
	k, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign", private)
	}
	return k, nil
}
