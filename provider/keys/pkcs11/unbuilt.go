//go:build !(cgo && pkcs11)

package pkcs11

import (
	"errors"

	"signet/provider/keys/vault"
)

// Built reports whether this program can use a module.
const Built = false

// Config says which token of which module is meant.
type Config struct {
	Module string // file of the module
	Token  string // label of the token
	PIN    string // of the token's normal user
}

// New refuses: this program was built without PKCS #11.
func New(Config) (vault.Module, error) {
	return nil, errors.New("this program was built without PKCS #11")
}
