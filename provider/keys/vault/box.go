package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// A box is: 24 random bytes of salt ‖ AES-256-GCM ciphertext and tag, under a key
// that is derived for this one box: HKDF-SHA256(secret, salt, info).
const (
	boxSaltSize = 24
	boxTagSize  = 16
	// BoxOverhead is how many bytes a box has more than its content.
	BoxOverhead = boxSaltSize + boxTagSize
)

// boxNonce is all zeros. A nonce must never come twice under one key, and no key
// comes twice: 192 random bits of salt go into it. A random nonce of 96 bits under
// one lasting key would be the weaker choice, at 2^32 messages already.
var boxNonce [12]byte

// ErrNotOpened: a box does not open with the given key. For one at rest it may be that
// this program lacks the master key.
var ErrNotOpened = errors.New("altered, or sealed under another master_key")

// SealBox appends a box with plain to dst.
func SealBox(dst, secret []byte, info string, plain, data []byte) ([]byte, error) {
	var salt [boxSaltSize]byte
	rand.Read(salt[:])
	aead, err := boxCipher(secret, salt[:], info)
	if err != nil {
		return nil, err
	}
	return aead.Seal(append(dst, salt[:]...), boxNonce[:], plain, data), nil
}

// OpenBox gives the content that SealBox sealed with the same secret, info and
// associated data. ErrNotOpened.
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
