//go:build cgo && pkcs11

package pkcs11

// Built reports whether this program can use a module.
const Built = true
