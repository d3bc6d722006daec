//go:build !(cgo && pkcs11)

package pkcs11

import (
	"errors"

	"signet/provider/keys/vault"
)

// Built reports whether this program can use a module.
const Built = false

// Config selects the token of a module.
type Config struct {
	Module string // path of the PKCS #11 module
	Token  string // label of the token
	PIN    string // of the token's normal user
}

// New returns an error, because this program was built without PKCS #11.
func New(Config) (vault.Module, error) {
	return nil, errors.New("this program was built without PKCS #11: build it with cgo and -tags pkcs11")
}
