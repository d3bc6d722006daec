//go:build cgo && pkcs11

package main

import (
	"signet/provider/keys"
	"signet/provider/keys/pkcs11"
)

const pkcs11Built = true

func openPKCS11(c PKCS11) (keys.Module, error) {
	return pkcs11.New(pkcs11.Config{Module: c.Module, Token: c.Token, PIN: c.PIN.Reveal()})
}
