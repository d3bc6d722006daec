package keys

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"

	"signet/storage"
)

// A private half at rest is: version ‖ box. The box is sealed under the master key,
// with version, line and id of the row as associated data, so that a row's secret is
// of no use in another row.
const (
	// sealedHere: the box holds the private half, PKCS #8 or a secret's 32 bytes.
	sealedHere = 1
	// sealedElsewhere: it holds the reference by which a Module finds the private half.
	// That is nothing secret; it is sealed to be bound to its row.
	sealedElsewhere = storage.SealedElsewhere
)

const atRestInfo = "signet/v1/key at rest"

func atRestData(version byte, line, id string) []byte {
	return fmt.Appendf([]byte{version}, "%s\x00%s", line, id)
}

func sealPrivate(master [32]byte, version byte, line, id string, private []byte) ([]byte, error) {
	return sealBox([]byte{version}, master[:], atRestInfo, private, atRestData(version, line, id))
}

// errSealed: the row may open with a master key that this program does not have.
var errSealed = errors.New("the sealed key was altered, or sealed under another master_key")

// openPrivate opens what stands for the private half of a row with whichever master
// key it is sealed under, and gives the place of that one. errSealed.
func openPrivate(masters [][32]byte, row storage.Key) (private []byte, under int, err error) {
	if len(row.Sealed) == 0 || row.Sealed[0] != sealedHere && row.Sealed[0] != sealedElsewhere {
		return nil, 0, errors.New("the sealed key is of no version this program knows")
	}
	for i, master := range masters {
		private, err := openBox(master[:], atRestInfo, row.Sealed[1:], atRestData(row.Sealed[0], row.Line, row.ID))
		if err == nil {
			return private, i, nil
		}
	}
	return nil, 0, errSealed
}

func marshalPrivate(k crypto.Signer) ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k) }

// signersMade counts the signers: to make one is what a signature must not cost.
var signersMade atomic.Int64

func parsePrivate(pkcs8 []byte) (crypto.Signer, error) {
	signersMade.Add(1)
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
