package vault

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"signet/storage"
)

// Key is a key of a published line, opened.
type Key struct {
	Row    storage.Key
	Public crypto.PublicKey
	Signer crypto.Signer // nil: the private half is destroyed, or in a module that does not give it

	algorithm *algorithm
	reference string // to the private half in a module; "" for one that was sealed here
	document  jwk
}

// IsInModule reports whether the private half is in a module.
func (k *Key) IsInModule() bool { return k.reference != "" }

// SignatureSize is the length of a signature in bytes.
func (k *Key) SignatureSize() int { return k.algorithm.signatureSize }

// Sign gives a signature as JWS wants it (RFC 7518, section 3). The key must have a
// Signer.
func (k *Key) Sign(input []byte) ([]byte, error) { return k.algorithm.sign(k.Signer, input) }

// Verify checks such a signature, its length included.
func (k *Key) Verify(input, signature []byte) bool {
	return len(signature) == k.algorithm.signatureSize && k.algorithm.verify(k.Public, input, signature)
}

// SecretIDSize is the length of the id of a secret in bytes.
const SecretIDSize = 16

// secretSize is the length of a secret in bytes.
const secretSize = 32

// Secret is a key of the internal line, opened.
type Secret struct {
	Row   storage.Key
	ID    []byte // the kid, decoded: SecretIDSize bytes
	Value []byte // 32 bytes
}

// opened is the content of one row: a key or a secret.
type opened struct {
	key    *Key
	secret *Secret
	under  int // place of the master key that the row is sealed under
}

// usableStates are the states in which a key verifies and opens.
var usableStates = []storage.KeyState{storage.KeyNext, storage.KeyActive, storage.KeyRetired}

var errUnknownLine = errors.New("this program does not know the algorithm")

func unknownState(s storage.KeyState) error {
	return fmt.Errorf("this program does not know the state %q", s)
}

// isRefused reports whether nothing of a row counts any more.
func isRefused(row storage.Key) bool {
	return row.State == storage.KeyRevoked || row.State == storage.KeyGone && row.Line == storage.InternalLine
}

// openRow opens a row that is not refused. The signer of a key in a module is left to
// the caller.
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

// open fills in the halves of a key. The public one comes out of the sealed private
// one, not out of the row: an attacker who can write to the database but lacks the
// master key must not bring in a key. Of a key in a module the row's public half must
// have the thumbprint that the reference is sealed under; so it verifies without the
// module. Only a gone key, good for id_token_hint alone, has nothing but the row's
// public half.
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
		return 0, errors.New("the kid is not the key's thumbprint")
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

// parseJWK reads what jwk.String wrote.
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
		return opened{}, errors.New("the kid is not one of ours")
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
