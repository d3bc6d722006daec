//go:build cgo && pkcs11

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"

	"github.com/miekg/pkcs11"
)

// Constants of PKCS #11 3.0 that the bindings do not have.
const (
	ckkEdwards   = 0x40
	ckmEdwards   = 0x1055 // CKM_EC_EDWARDS_KEY_PAIR_GEN
	ckmEdDSA     = 0x1057
	curveEd25519 = "edwards25519"
)

// kind describes the key pairs of an algorithm.
type kind struct {
	keyType   uint
	mechanism uint
	public    []*pkcs11.Attribute
	read      func(t *Token, s pkcs11.SessionHandle, o pkcs11.ObjectHandle) (crypto.PublicKey, error)
}

func kindOf(alg string) (kind, error) {
	switch alg {
	case "ES256":
		curve, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
		return kind{pkcs11.CKK_EC, pkcs11.CKM_EC_KEY_PAIR_GEN, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve)}, (*Token).readP256}, err
	case "EdDSA":
		curve, err := asn1.MarshalWithParams(curveEd25519, "printable")
		return kind{ckkEdwards, ckmEdwards, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve)}, (*Token).readEd25519}, err
	case "RS256", "PS256":
		return kind{pkcs11.CKK_RSA, pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		}, (*Token).readRSA}, nil
	}
	return kind{}, fmt.Errorf("cannot make a %s key in a PKCS #11 token: use ES256, RS256, PS256 or EdDSA", alg)
}

// Generate makes a key pair for a JWS algorithm (RFC 7518, section 3.1, and EdDSA of RFC
// 8037). It returns the public half and the URI of the pair.
func (t *Token) Generate(alg string) (public crypto.PublicKey, uri string, err error) {
	id := make([]byte, idSize)
	rand.Read(id)
	if public, err = t.generate(alg, id); err != nil {
		return nil, "", fmt.Errorf("make a %s key in the token: %w", alg, err)
	}
	return public, t.uri(id), nil
}

func (t *Token) generate(alg string, id []byte) (public crypto.PublicKey, err error) {
	k, err := kindOf(alg)
	if err != nil {
		return nil, err
	}
	named := func(class uint, more ...*pkcs11.Attribute) []*pkcs11.Attribute {
		return append([]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, class),
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, k.keyType),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_ID, id),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, "signet "+alg),
		}, more...)
	}
	err = t.with(func(_ *connection, s pkcs11.SessionHandle) error {
		object, _, err := t.module.GenerateKeyPair(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(k.mechanism, nil)},
			append(named(pkcs11.CKO_PUBLIC_KEY, pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true)), k.public...),
			named(pkcs11.CKO_PRIVATE_KEY,
				pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
				pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
				pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
				pkcs11.NewAttribute(pkcs11.CKA_SIGN, true)))
		if err == nil {
			public, err = k.read(t, s, object)
		}
		return err
	})
	return public, err
}

// Destroy destroys both halves of a key pair. It succeeds if they do not exist.
func (t *Token) Destroy(uri string) error {
	id, err := t.idOf(uri)
	if err != nil {
		return err
	}
	err = t.with(func(_ *connection, s pkcs11.SessionHandle) error {
		for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
			objects, err := t.objects(s, class, id)
			if err != nil {
				return err
			}
			for _, o := range objects {
				if err := t.module.DestroyObject(s, o); err != nil && !is(err, pkcs11.CKR_OBJECT_HANDLE_INVALID) {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("destroy a key in the token: %w", err)
	}
	return nil
}

// objects returns the handles of the objects of a class with an id. Ids are 16 random bytes,
// so there is at most one object.
func (t *Token) objects(s pkcs11.SessionHandle, class uint, id []byte) ([]pkcs11.ObjectHandle, error) {
	err := t.module.FindObjectsInit(s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_ID, id)})
	if err != nil {
		return nil, err
	}
	found, _, err := t.module.FindObjects(s, 4)
	if err = errors.Join(err, t.module.FindObjectsFinal(s)); err == nil && len(found) == 0 {
		err = t.checkSignedIn(s) // without a sign-in the token hides private objects
	}
	return found, err
}

const idSize = 16

func (t *Token) uri(id []byte) string {
	var escaped strings.Builder
	for _, b := range id { // RFC 7512, section 2.3: every byte of an id should be escaped
		fmt.Fprintf(&escaped, "%%%02X", b)
	}
	return "pkcs11:token=" + url.PathEscape(t.config.Token) + ";id=" + escaped.String()
}

// idOf returns the id in a URI that uri made for this token.
func (t *Token) idOf(uri string) ([]byte, error) {
	before, escaped, _ := strings.Cut(uri, ";id=")
	id, err := url.PathUnescape(escaped)
	if err != nil || len(id) != idSize {
		return nil, fmt.Errorf("%q is not the reference of a key: want pkcs11:token=LABEL;id=ID", uri)
	}
	if before != "pkcs11:token="+url.PathEscape(t.config.Token) {
		return nil, fmt.Errorf("the key is in another token: %s", before)
	}
	return []byte(id), nil
}

func (t *Token) attribute(s pkcs11.SessionHandle, o pkcs11.ObjectHandle, name uint) ([]byte, error) {
	list, err := t.module.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(name, nil)})
	if err != nil {
		return nil, err
	}
	return list[0].Value, nil
}

// point reads CKA_EC_POINT. It is an OCTET STRING in DER; some modules return only its
// content.
func (t *Token) point(s pkcs11.SessionHandle, o pkcs11.ObjectHandle, size int) ([]byte, error) {
	value, err := t.attribute(s, o, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nil, err
	}
	var point []byte
	if rest, err := asn1.Unmarshal(value, &point); err != nil || len(rest) > 0 {
		point = value
	}
	if len(point) != size {
		return nil, fmt.Errorf("the token returned a point of %d bytes, want %d", len(point), size)
	}
	return point, nil
}

func (t *Token) readP256(s pkcs11.SessionHandle, o pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	point, err := t.point(s, o, 65)
	if err != nil {
		return nil, err
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

func (t *Token) readEd25519(s pkcs11.SessionHandle, o pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	point, err := t.point(s, o, ed25519.PublicKeySize)
	return ed25519.PublicKey(point), err
}

func (t *Token) readRSA(s pkcs11.SessionHandle, o pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	modulus, err := t.attribute(s, o, pkcs11.CKA_MODULUS)
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}, err
}
