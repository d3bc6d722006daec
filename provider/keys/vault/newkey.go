package vault

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"signet/storage"
)

// Make makes a new key of a line and returns its row, without state and times. The private
// half is sealed under the same master key as the set. ErrModule.
func (v *Vault) Make(set *Set, line string) (storage.Key, error) {
	version := byte(sealedPrivate)
	var fresh freshKey
	var err error
	switch {
	case line == storage.InternalLine:
		fresh = newSecret()
	case slices.Contains(v.moduleAlgorithms, line):
		version = sealedReference
		fresh, err = newPairInModule(v.module, algorithms[line])
	default:
		fresh, err = newKeyPair(algorithms[line])
	}
	if err != nil {
		return storage.Key{}, err
	}
	made := storage.Key{Line: line, ID: fresh.id, Public: fresh.public}
	made.Sealed, err = sealPrivate(set.sealing, version, made.Line, made.ID, fresh.private)
	return made, err
}

// freshKey is a new key that is not sealed yet.
type freshKey struct {
	id      string
	public  string // a JWK; "" for a secret
	private []byte // the private half or the secret; the reference for a key in a module
}

func newSecret() freshKey {
	var id string
	raw := make([]byte, SecretIDSize)
	for {
		rand.Read(raw)
		if id = base64.RawURLEncoding.EncodeToString(raw); canBeTyped(id) {
			break
		}
	}
	secret := make([]byte, secretSize)
	rand.Read(secret)
	return freshKey{id: id, private: secret}
}

func newKeyPair(alg *algorithm) (freshKey, error) {
	for {
		pair, err := alg.generate()
		if err != nil {
			return freshKey{}, err
		}
		doc, err := alg.jwk(pair.Public())
		if err != nil {
			return freshKey{}, err
		}
		if !canBeTyped(doc.ID) {
			continue
		}
		private, err := marshalPrivate(pair)
		return freshKey{doc.ID, doc.String(), private}, err
	}
}

// newPairInModule makes a key pair in the module. ErrModule.
func newPairInModule(m Module, alg *algorithm) (freshKey, error) {
	for {
		pair, reference, err := m.Generate(alg.name)
		if err != nil {
			return freshKey{}, fmt.Errorf("%w: %w", ErrModule, err)
		}
		doc, err := alg.jwk(pair)
		if err == nil && canBeTyped(doc.ID) {
			return freshKey{doc.ID, doc.String(), []byte(reference)}, nil
		}
		if err = errors.Join(err, m.Destroy(reference)); err != nil {
			return freshKey{}, fmt.Errorf("%w: %w", ErrModule, err)
		}
	}
}

// canBeTyped reports whether a kid can be an argument on a command line: a kid that begins
// with a dash would be parsed as a flag.
func canBeTyped(kid string) bool { return kid[0] != '-' }
