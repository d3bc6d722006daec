package keys

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/storage"
)

// startLines gives every line that has no row at all its first two keys: an active
// one and a next one, so that even the first rotation switches to a key that every
// relying party has already seen. A line whose rows are all revoked or unusable is
// not empty and is left alone.
//
// Of several processes that start together storage lets one win each line; all of
// them read again what stands there then.
func (r *Ring) startLines(ctx context.Context, at time.Time) error {
	set := r.inUse.Load()
	var first []storage.Key
	for _, line := range append([]string{storage.InternalLine}, r.algorithms...) {
		if set.lines[line] {
			continue
		}
		for _, state := range []storage.KeyState{storage.KeyActive, storage.KeyNext} {
			k, err := r.newKey(set, line, state, at)
			if err != nil {
				return err
			}
			first = append(first, k)
		}
	}
	if len(first) == 0 {
		return nil
	}
	if _, err := r.db.StartLines(ctx, first, storage.Origin{Actor: "system"}, at); err != nil {
		return err
	}
	if err := r.reload(ctx); err != nil {
		return err
	}
	rows := r.inUse.Load().rows
	return r.discard(slices.DeleteFunc(first, func(k storage.Key) bool {
		return slices.ContainsFunc(rows, func(row storage.Key) bool { return row.ID == k.ID })
	})...)
}

// newKey makes the row of a new key of a line, sealed under the master key that
// the set is.
func (k *Keeper) newKey(set *keySet, line string, state storage.KeyState, at time.Time) (storage.Key, error) {
	made, err := k.makeKey(set.sealing, line)
	if err != nil {
		return storage.Key{}, fmt.Errorf("make a %s key: %w", line, err)
	}
	made.State, made.CreatedAt = state, storage.At(at)
	if state == storage.KeyActive {
		made.ActivatedAt, made.LongestLife = made.CreatedAt, k.life.of(line)
	}
	return made, nil
}

func (k *Keeper) makeKey(master [32]byte, line string) (storage.Key, error) {
	made := storage.Key{Line: line}
	version := byte(sealedHere)
	var private []byte
	var err error
	switch {
	case line == storage.InternalLine:
		made.ID, private = newSecret()
	case slices.Contains(k.inModule, line):
		version = sealedElsewhere
		made.ID, made.Public, private, err = newPairElsewhere(k.vault.module, algorithms[line])
	default:
		made.ID, made.Public, private, err = newKeyPair(algorithms[line])
	}
	if err != nil {
		return storage.Key{}, err
	}
	made.Sealed, err = sealPrivate(master, version, made.Line, made.ID, private)
	return made, err
}

func newSecret() (id string, secret []byte) {
	raw := make([]byte, secretIDSize)
	for {
		rand.Read(raw)
		if id = base64.RawURLEncoding.EncodeToString(raw); namesAnArgument(id) {
			break
		}
	}
	secret = make([]byte, 32)
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
		if !namesAnArgument(doc.ID) {
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
		if err == nil && namesAnArgument(doc.ID) {
			return doc.ID, doc.String(), []byte(reference), nil
		}
		if err = errors.Join(err, m.Destroy(reference)); err != nil {
			return "", "", nil, fmt.Errorf("%w: %w", ErrModule, err)
		}
	}
}

// namesAnArgument: a kid is typed on command lines, where one that begins with a
// dash would be read as a flag.
func namesAnArgument(kid string) bool { return kid[0] != '-' }
