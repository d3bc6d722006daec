package vault

import (
	"cmp"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"signet/storage"
)

// Key is an opened key of a published line.
type Key struct {
	Row    storage.Key
	Public crypto.PublicKey
	Signer crypto.Signer // nil: the private half is destroyed, or in a module that does not sign with it

	algorithm *algorithm
	reference string // of the private half in a module; "" if it is sealed in the row
	document  jwk
}

// IsInModule reports whether the private half is in a module.
func (k *Key) IsInModule() bool { return k.reference != "" }

// place identifies the private half: the reference in the module, or the id of the row.
func (k *Key) place() string { return cmp.Or(k.reference, k.Row.ID) }

// SignatureSize is the length of a signature in bytes.
func (k *Key) SignatureSize() int { return k.algorithm.signatureSize }

// Sign returns a signature in JWS format (RFC 7518, section 3). The key must have a Signer.
func (k *Key) Sign(input []byte) ([]byte, error) { return k.algorithm.sign(k.Signer, input) }

// Verify checks a signature in JWS format, and its length.
func (k *Key) Verify(input, signature []byte) bool {
	return len(signature) == k.algorithm.signatureSize && k.algorithm.verify(k.Public, input, signature)
}

// SecretIDSize is the length of the id of a secret in bytes.
const SecretIDSize = 16

// secretSize is the length of a secret in bytes.
const secretSize = 32

// Secret is an opened key of the internal line.
type Secret struct {
	Row   storage.Key
	ID    []byte // the kid, decoded: SecretIDSize bytes
	Value []byte // 32 bytes
}

// opened is the content of one row: a key or a secret.
type opened struct {
	key    *Key
	secret *Secret
	under  int // index of the master key under which the row is sealed
}

// usableStates are the states in which a key verifies tokens and opens messages.
var usableStates = []storage.KeyState{storage.KeyNext, storage.KeyActive, storage.KeyRetired}

var errUnknownLine = errors.New("this program does not know the algorithm")

func unknownState(s storage.KeyState) error {
	return fmt.Errorf("this program does not know the state %q", s)
}

// isRefused reports whether a key must not be used at all, not even to verify.
func isRefused(row storage.Key) bool {
	return row.State == storage.KeyRevoked || row.State == storage.KeyGone && row.Line == storage.InternalLine
}

// openRow opens a row that is not refused. It does not set the Signer of a key in a module:
// the caller does.
func openRow(masters [][32]byte, row storage.Key) (opened, error) {
	if row.Line == storage.InternalLine {
		return openSecret(masters, row)
	}
	alg := algorithms[row.Line]
	if alg == nil {
		return opened{}, errUnknownLine
	}
	k := &Key{Row: row, algorithm: alg}
	under, err := k.open(masters)
	if err != nil {
		return opened{}, err
	}
	if !slices.Contains(usableStates, row.State) && row.State != storage.KeyGone {
		return opened{}, unknownState(row.State)
	}
	return opened{key: k, under: under}, nil
}

// open sets the public half and, if it is in the row, the Signer of a key.
//
// The public half is derived from the sealed private half, not read from the row: an
// attacker with write access to the database but without the master key must not be able to
// add a key. If the private half is in a module, the public half of the row must have the
// thumbprint under which the reference is sealed; so the key verifies without the module.
// Only a gone key has nothing but the public half of the row; it is only used for
// id_token_hint.
func (k *Key) open(masters [][32]byte) (under int, err error) {
	if k.Row.State == storage.KeyGone {
		k.Public, err = parseJWK(k.Row.Public, k.algorithm)
	} else {
		under, err = k.openSealed(masters)
	}
	if err != nil {
		return 0, err
	}
	if k.document, err = k.algorithm.jwk(k.Public); err != nil {
		return 0, err
	}
	if k.document.ID != k.Row.ID {
		return 0, errors.New("the kid is not the thumbprint of the key")
	}
	return under, nil
}

func (k *Key) openSealed(masters [][32]byte) (under int, err error) {
	private, under, err := openPrivate(masters, k.Row)
	if err != nil {
		return 0, err
	}
	if k.Row.IsExternal() {
		k.reference = string(private)
		k.Public, err = parseJWK(k.Row.Public, k.algorithm)
		return under, err
	}
	if k.Signer, err = parsePrivate(private); err != nil {
		return 0, err
	}
	k.Public = k.Signer.Public()
	return under, nil
}

// parseJWK parses a document that jwk.String made.
func parseJWK(doc string, alg *algorithm) (crypto.PublicKey, error) {
	var k jwk
	if err := json.Unmarshal([]byte(doc), &k); err != nil {
		return nil, errors.New("the public key is not a JWK")
	}
	return alg.parse(k)
}

func openSecret(masters [][32]byte, row storage.Key) (opened, error) {
	id, err := base64.RawURLEncoding.Strict().DecodeString(row.ID)
	if err != nil || len(id) != SecretIDSize {
		return opened{}, errors.New("the kid is not the id of a secret")
	}
	value, under, err := openPrivate(masters, row)
	if err != nil {
		return opened{}, err
	}
	if len(value) != secretSize {
		return opened{}, fmt.Errorf("the secret has %d bytes instead of %d", len(value), secretSize)
	}
	if !slices.Contains(usableStates, row.State) {
		return opened{}, unknownState(row.State)
	}
	return opened{secret: &Secret{Row: row, ID: id, Value: value}, under: under}, nil
}
