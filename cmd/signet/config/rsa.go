package config

import (
	"errors"

	"signet/provider/keys/openssl"
)

// Values of the setting keys.rsa.
const (
	rsaGo      = "go"
	rsaOpenSSL = "openssl"
)

// parseRSA reports whether OpenSSL makes the RSA signatures. It returns an error in builds
// without OpenSSL. It does not check that the machine has OpenSSL.
func parseRSA(text string) (bool, error) {
	value, err := oneOf(rsaGo, rsaOpenSSL)(text)
	if err == nil && value == rsaOpenSSL && !openssl.Built {
		err = errors.New("is openssl, but this program was built without OpenSSL: set it to go, use the Debian package, or build Signet with cgo for Linux on amd64 or arm64")
	}
	return value == rsaOpenSSL, err
}
