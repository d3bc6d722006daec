//go:build cgo && pkcs11

package main

import (
	"signet/provider/keys/pkcs11"
	"signet/provider/keys/vault"
)

const pkcs11Built = true

func openPKCS11(c PKCS11) (vault.Module, error) {
	return pkcs11.New(pkcs11.Config{Module: c.Module, Token: c.Token, PIN: c.PIN.Reveal()})
}
