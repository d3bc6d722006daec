//go:build !(cgo && linux && (amd64 || arm64))

package openssl

import "errors"

// Built reports whether this program can load libcrypto.
const Built = false

var errNotBuilt = errors.New("this program was built without OpenSSL: use the Debian package, or build it with cgo for Linux on amd64 or arm64")

// library is a loaded libcrypto. A program that was built without OpenSSL has none.
type library struct{ version, path string }

func load([]string) (*library, error) { return nil, errNotBuilt }

func (*library) parse([]byte) (*key, error) { return nil, errNotBuilt }

// key is a private key in a library.
type key struct{}

func (*key) sign([]byte, scheme) ([]byte, error) { return nil, errNotBuilt }

func (*key) free() {}
