package keys

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"signet/storage"
)

// Module keeps private halves of published lines outside this process and signs with
// them there, as a hardware security module does. It is safe for concurrent use.
type Module interface {
	// Generate makes a key pair for an algorithm. The reference names it from then on;
	// it is nothing secret.
	Generate(alg string) (public crypto.PublicKey, reference string, err error)
	// Signer gives the key that a reference names. Whether it is there may show by the
	// first signature.
	Signer(reference string, public crypto.PublicKey) (crypto.Signer, error)
	// Destroy destroys the private half. One that is not there is destroyed already.
	Destroy(reference string) error
	// Ready reports whether the module can be used now.
	Ready() error
}

// ErrModule: keys are in a module that was not given, is away, or does not hold them.
var ErrModule = errors.New("the module that holds the keys cannot be used")

// findSigner gives a key that signs, or will, its private half in the module, and
// notes it in found. One that was found before is taken again.
func (v *vault) findSigner(k *signingKey, row storage.Key, found map[string]crypto.Signer) (err error) {
	if k.reference == "" || !signs(row) {
		return nil
	}
	if k.private = v.signers[k.reference]; k.private == nil {
		k.private, err = v.tried(k)
	}
	if err == nil {
		found[k.reference] = k.private
	}
	return err
}

// tried gives the signer of a key once it has signed something that the public half of
// the row verifies: behind the reference might be another key, or none.
func (v *vault) tried(k *signingKey) (crypto.Signer, error) {
	if v.module == nil {
		return nil, fmt.Errorf("%w: its private half is there, and none is configured", ErrModule)
	}
	signersMade.Add(1)
	signer, err := v.module.Signer(k.reference, k.public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	trial := []byte("signet: a trial " + rand.Text())
	signature, err := k.alg.sign(signer, trial)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	if !k.alg.verify(k.public, trial, signature) {
		return nil, fmt.Errorf("%w: it holds another key in this one's place", ErrModule)
	}
	return signer, nil
}

// refuseWithoutModule tells the start what it must not go on without: a module that
// answers, and holds at least one of the keys that should be there. A single one that
// is missing is reported as any row that does not open.
func (s *keySet) refuseWithoutModule(m Module) error {
	there, missing := 0, 0
	for _, row := range s.rows {
		if signs(row) && row.Elsewhere() {
			if s.opened[row.ID] {
				there++
			} else {
				missing++
			}
		}
	}
	switch {
	case m == nil && missing > 0:
		return fmt.Errorf("%w: %d keys in the database have their private half there, and none is configured", ErrModule, missing)
	case m == nil:
		return nil
	case m.Ready() != nil:
		return fmt.Errorf("%w: %w", ErrModule, m.Ready())
	case missing > 0 && there == 0:
		return fmt.Errorf("%w: it holds none of the %d keys that should be there (nothing was changed)", ErrModule, missing)
	}
	return nil
}

// signs reports whether a key signs, or is about to.
func signs(row storage.Key) bool {
	return row.State == storage.KeyNext || row.State == storage.KeyActive
}

// left reports whether the private half of a key that is out of use is still in the
// module: the row keeps the reference until it is destroyed there.
func left(row storage.Key) bool {
	return row.Elsewhere() && (row.State == storage.KeyGone || row.State == storage.KeyRevoked)
}

// destroy destroys the private half of a row in the module.
func (k *Keeper) destroy(row storage.Key) error {
	masters, _ := k.vault.target()
	reference, _, err := openPrivate(masters, row)
	if err != nil {
		return fmt.Errorf("destroy key %s: %w", row.ID, err)
	}
	if k.vault.module == nil {
		return fmt.Errorf("destroy key %s: %w: none is configured", row.ID, ErrModule)
	}
	if err := k.vault.module.Destroy(string(reference)); err != nil {
		return fmt.Errorf("destroy key %s: %w: %w", row.ID, ErrModule, err)
	}
	return nil
}

// clear destroys the private half of a row in the module and has the row forget it.
func (k *Keeper) clear(ctx context.Context, row storage.Key) error {
	if err := k.destroy(row); err != nil {
		return err
	}
	return k.db.ForgetKey(ctx, row.ID)
}

// discard destroys pairs that were made and came second: no row tells of them. One
// that stays because the module just went away has never signed anything.
func (k *Keeper) discard(made ...storage.Key) error {
	var failed error
	for _, row := range slices.DeleteFunc(made, func(row storage.Key) bool { return !row.Elsewhere() }) {
		failed = errors.Join(failed, k.destroy(row))
	}
	return failed
}
