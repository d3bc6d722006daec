package vault

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"signet/storage"
)

// A sealed private half is: version ‖ box. The box is sealed under the master key, with
// version, line and id of the row as associated data. So a sealed private half does not
// open if it is copied into another row.
const (
	// sealedPrivate: the box holds the private half: PKCS #8, or the 32 bytes of a secret.
	sealedPrivate = 1
	// sealedReference: the box holds the reference of the private half in a Module. The
	// reference is not secret; sealing binds it to its row.
	sealedReference = storage.ExternalKeyMarker
)

const atRestInfo = "signet/v1/key at rest"

func atRestData(version byte, line, id string) []byte {
	return fmt.Appendf([]byte{version}, "%s\x00%s", line, id)
}

func sealPrivate(master [32]byte, version byte, line, id string, private []byte) ([]byte, error) {
	return SealBox([]byte{version}, master[:], atRestInfo, private, atRestData(version, line, id))
}

// openPrivate returns the private half of a row, or the reference to it, and the index of
// the master key under which it is sealed. ErrNotOpened.
func openPrivate(masters [][32]byte, row storage.Key) (private []byte, under int, err error) {
	if len(row.Sealed) == 0 || row.Sealed[0] != sealedPrivate && row.Sealed[0] != sealedReference {
		return nil, 0, errors.New("the sealed key has a format that this program does not know")
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
