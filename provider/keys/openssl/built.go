//go:build cgo && linux && (amd64 || arm64)

package openssl

// Built reports whether this program can load libcrypto.
const Built = true
