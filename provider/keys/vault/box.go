package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// A box is: 24 random bytes of salt ‖ AES-256-GCM ciphertext and tag. Each box has its own
// key: HKDF-SHA256(secret, salt, info).
const (
	boxSaltSize = 24
	boxTagSize  = 16
	// BoxOverhead is the size of a box in bytes minus the size of its content.
	BoxOverhead = boxSaltSize + boxTagSize
)

// boxNonce is all zeros. A nonce must never be used twice with one key, and no key is used
// twice: each is derived from 192 random bits of salt. Random nonces of 96 bits under one
// long-lived key would be weaker: they are only safe for 2^32 messages.
var boxNonce [12]byte

// ErrNotOpened: a box does not open with the given secret. If it is stored in the database,
// this program may have another master key.
var ErrNotOpened = errors.New("altered, or sealed under another master_key")

// SealBox appends a box to dst. plain is its content, data its associated data.
func SealBox(dst, secret []byte, info string, plain, data []byte) ([]byte, error) {
	var salt [boxSaltSize]byte
	rand.Read(salt[:])
	aead, err := boxCipher(secret, salt[:], info)
	if err != nil {
		return nil, err
	}
	return aead.Seal(append(dst, salt[:]...), boxNonce[:], plain, data), nil
}

// OpenBox returns the content that SealBox sealed with the same secret, info and associated
// data. ErrNotOpened.
func OpenBox(secret []byte, info string, box, data []byte) ([]byte, error) {
	if len(box) < BoxOverhead {
		return nil, ErrNotOpened
	}
	aead, err := boxCipher(secret, box[:boxSaltSize], info)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, boxNonce[:], box[boxSaltSize:], data)
	if err != nil {
		return nil, ErrNotOpened
	}
	return plain, nil
}

func boxCipher(secret, salt []byte, info string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, salt, info, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
