package keys

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"signet/storage"
)

// A private half at rest is: version 1 ‖ box. The box is sealed under the master
// key, with line and id of the row as associated data, so that a row's secret is
// of no use in another row.
const atRestVersion = 1

const atRestInfo = "signet/v1/key at rest"

func atRestData(line, id string) []byte {
	return fmt.Appendf([]byte{atRestVersion}, "%s\x00%s", line, id)
}

func sealPrivate(master [32]byte, line, id string, private []byte) ([]byte, error) {
	return sealBox([]byte{atRestVersion}, master[:], atRestInfo, private, atRestData(line, id))
}

func openPrivate(master [32]byte, row storage.Key) ([]byte, error) {
	if len(row.Sealed) == 0 || row.Sealed[0] != atRestVersion {
		return nil, errors.New("the sealed key is of no version this program knows")
	}
	private, err := openBox(master[:], atRestInfo, row.Sealed[1:], atRestData(row.Line, row.ID))
	if err != nil {
		return nil, errors.New("the sealed key was altered, or sealed under another master_key")
	}
	return private, nil
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
