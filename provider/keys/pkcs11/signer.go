//go:build cgo && pkcs11

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"sync/atomic"

	"github.com/miekg/pkcs11"
)

// signer signs with a private key in the token.
type signer struct {
	token  *Token
	id     []byte
	public crypto.PublicKey
	held   atomic.Pointer[heldKey]
}

// heldKey is the handle of a key. It is valid for one connection only.
type heldKey struct {
	connection *connection
	object     pkcs11.ObjectHandle
}

// errNoSuchKey: the token has no private key with this id.
var errNoSuchKey = errors.New("the token holds no such key")

// Signer returns the signer of the key with a URI. It does not check that the public half
// fits the key: the caller must verify a test signature.
func (t *Token) Signer(uri string, public crypto.PublicKey) (crypto.Signer, error) {
	id, err := t.idOf(uri)
	if err != nil {
		return nil, err
	}
	return &signer{token: t, id: id, public: public}, nil
}

// Public returns the public half that was passed to Token.Signer.
func (k *signer) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer, with SHA-256 or no hash. An ECDSA signature is ASN.1. With
// *rsa.PSSOptions the salt is always as long as the hash.
func (k *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	mechanism, input, err := mechanismOf(k.public, digest, opts)
	if err != nil {
		return nil, err
	}
	var signature []byte
	err = k.token.with(func(c *connection, s pkcs11.SessionHandle) error {
		held := k.held.Load()
		if held != nil && held.connection == c {
			var err error
			if signature, err = k.signWith(s, mechanism, held.object, input); !is(err, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID) {
				return err
			}
		}
		held, err := k.find(c, s)
		if err != nil {
			return err
		}
		k.held.Store(held)
		signature, err = k.signWith(s, mechanism, held.object, input)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sign in the token: %w", err)
	}
	if _, ec := k.public.(*ecdsa.PublicKey); ec {
		return toASN1(signature)
	}
	return signature, nil
}

func (k *signer) signWith(s pkcs11.SessionHandle, mechanism *pkcs11.Mechanism, key pkcs11.ObjectHandle, input []byte) ([]byte, error) {
	if err := k.token.module.SignInit(s, []*pkcs11.Mechanism{mechanism}, key); err != nil {
		return nil, err
	}
	return k.token.module.Sign(s, input)
}

func (k *signer) find(c *connection, s pkcs11.SessionHandle) (*heldKey, error) {
	found, err := k.token.objects(s, pkcs11.CKO_PRIVATE_KEY, k.id)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, errNoSuchKey
	}
	return &heldKey{c, found[0]}, nil
}

// sha256Info is the DigestInfo prefix of a SHA-256 hash for CKM_RSA_PKCS (RFC 8017, section
// 9.2, note 1).
var sha256Info = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

func mechanismOf(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (*pkcs11.Mechanism, []byte, error) {
	_, pss := opts.(*rsa.PSSOptions)
	switch public.(type) {
	case ed25519.PublicKey:
		if opts.HashFunc() == 0 {
			return pkcs11.NewMechanism(ckmEdDSA, nil), digest, nil
		}
	case *ecdsa.PublicKey:
		if opts.HashFunc() == crypto.SHA256 {
			return pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), digest, nil
		}
	case *rsa.PublicKey:
		if opts.HashFunc() == crypto.SHA256 && pss {
			return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.NewPSSParams(pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, 32)), digest, nil
		}
		if opts.HashFunc() == crypto.SHA256 {
			return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil), slices.Concat(sha256Info, digest), nil
		}
	}
	return nil, nil, fmt.Errorf("a %T in the token cannot sign with hash %v", public, opts.HashFunc())
}

// toASN1 converts r ‖ s to the ASN.1 form of crypto.Signer.
func toASN1(raw []byte) ([]byte, error) {
	half := len(raw) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
}
