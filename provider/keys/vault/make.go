package vault

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"signet/storage"
)

// Make makes the private half of a new key of a line, and its row without state and
// times. The row is sealed under the same master key as the set. ErrModule.
func (v *Vault) Make(set *Set, line string) (storage.Key, error) {
	made := storage.Key{Line: line}
	version := byte(sealedHere)
	var private []byte
	var err error
	switch {
	case line == storage.InternalLine:
		made.ID, private = newSecret()
	case slices.Contains(v.inModule, line):
		version = sealedElsewhere
		made.ID, made.Public, private, err = newPairElsewhere(v.module, algorithms[line])
	default:
		made.ID, made.Public, private, err = newKeyPair(algorithms[line])
	}
	if err != nil {
		return storage.Key{}, err
	}
	made.Sealed, err = sealPrivate(set.sealing, version, made.Line, made.ID, private)
	return made, err
}

func newSecret() (id string, secret []byte) {
	raw := make([]byte, SecretIDSize)
	for {
		rand.Read(raw)
		if id = base64.RawURLEncoding.EncodeToString(raw); canBeTyped(id) {
			break
		}
	}
	secret = make([]byte, secretSize)
	rand.Read(secret)
	return id, secret
}

func newKeyPair(alg *algorithm) (id, public string, private []byte, err error) {
	for {
		pair, err := alg.generate()
		if err != nil {
			return "", "", nil, err
		}
		doc, err := alg.jwk(pair.Public())
		if err != nil {
			return "", "", nil, err
		}
		if !canBeTyped(doc.ID) {
			continue
		}
		private, err := marshalPrivate(pair)
		return doc.ID, doc.String(), private, err
	}
}

// newPairElsewhere makes a pair in the module. ErrModule.
func newPairElsewhere(m Module, alg *algorithm) (id, public string, reference []byte, err error) {
	for {
		pair, reference, err := m.Generate(alg.name)
		if err != nil {
			return "", "", nil, fmt.Errorf("%w: %w", ErrModule, err)
		}
		doc, err := alg.jwk(pair)
		if err == nil && canBeTyped(doc.ID) {
			return doc.ID, doc.String(), []byte(reference), nil
		}
		if err = errors.Join(err, m.Destroy(reference)); err != nil {
			return "", "", nil, fmt.Errorf("%w: %w", ErrModule, err)
		}
	}
}

// canBeTyped reports whether a kid can be an argument on a command line: one that begins
// with a dash would be read as a flag.
func canBeTyped(kid string) bool { return kid[0] != '-' }
