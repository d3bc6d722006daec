//go:build !(cgo && pkcs11)

package main

import (
	"errors"

	"signet/provider/keys/vault"
)

const pkcs11Built = false

func openPKCS11(PKCS11) (vault.Module, error) {
	return nil, errors.New("this program was built without PKCS #11")
}
