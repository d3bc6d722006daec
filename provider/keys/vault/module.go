package vault

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"

	"signet/storage"
)

// Module keeps private halves of published lines outside this process and signs with
// them there, as a hardware security module does. It is safe for concurrent use.
type Module interface {
	// Generate makes a key pair for an algorithm. The reference names the pair from then
	// on and is not secret.
	Generate(alg string) (public crypto.PublicKey, reference string, err error)
	// Signer gives the key that a reference names. If the key is missing, that may show
	// only at the first signature.
	Signer(reference string, public crypto.PublicKey) (crypto.Signer, error)
	// Destroy destroys the private half. It succeeds if the private half is not there.
	Destroy(reference string) error
	// Ready reports whether the module can be used now.
	Ready() error
}

// ErrModule: keys are in a module that is not configured, does not answer, or does not
// hold them.
var ErrModule = errors.New("the module that holds the keys cannot be used")

// signerOf gives the signer of a key in the module. One that was found before is used
// again. ErrModule.
func (v *Vault) signerOf(k *Key) (crypto.Signer, error) {
	if known := v.signers[k.reference]; known != nil {
		return known, nil
	}
	return v.trySigner(k)
}

// trySigner asks the module for the signer of a key, and has it sign something that the
// public half in the row verifies: the reference might name another key, or none.
func (v *Vault) trySigner(k *Key) (crypto.Signer, error) {
	if v.module == nil {
		return nil, fmt.Errorf("%w: its private half is there, and none is configured", ErrModule)
	}
	signer, err := v.module.Signer(k.reference, k.Public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	trial := []byte("signet: a trial " + rand.Text())
	signature, err := k.algorithm.sign(signer, trial)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	if !k.Verify(trial, signature) {
		return nil, fmt.Errorf("%w: it holds another key in this one's place", ErrModule)
	}
	return signer, nil
}

// HasModule reports whether a module is configured.
func (v *Vault) HasModule() bool { return v.module != nil }

// Ready reports whether the module can be used now; without one there is nothing to
// wait for. ErrModule.
func (v *Vault) Ready() error {
	if v.module == nil {
		return nil
	}
	if err := v.module.Ready(); err != nil {
		return fmt.Errorf("%w: %w", ErrModule, err)
	}
	return nil
}

// CheckModule refuses to go on without the module that holds keys of the inventory: it
// must answer, and hold at least one of those that sign or will. A single one that is
// missing is reported as any row that does not open. ErrModule.
func (v *Vault) CheckModule(i Inventory) error {
	there, missing := 0, 0
	for _, row := range i.Rows {
		switch {
		case !signs(row) || !row.Elsewhere():
		case i.Usable(row.ID):
			there++
		default:
			missing++
		}
	}
	ready := v.Ready()
	switch {
	case v.module == nil && missing > 0:
		return fmt.Errorf("%w: %d keys in the database have their private half there, and none is configured", ErrModule, missing)
	case ready != nil:
		return ready
	case missing > 0 && there == 0:
		return fmt.Errorf("%w: it holds none of the %d keys that should be there (nothing was changed)", ErrModule, missing)
	}
	return nil
}

// signs reports whether a key signs, or is about to.
func signs(row storage.Key) bool {
	return row.State == storage.KeyNext || row.State == storage.KeyActive
}

// Destroy destroys the private half of a row in the module. ErrModule.
func (v *Vault) Destroy(row storage.Key) error {
	reference, _, err := openPrivate(v.current(), row)
	if err != nil {
		return fmt.Errorf("destroy key %s: %w", row.ID, err)
	}
	if v.module == nil {
		return fmt.Errorf("destroy key %s: %w: none is configured", row.ID, ErrModule)
	}
	if err := v.module.Destroy(string(reference)); err != nil {
		return fmt.Errorf("destroy key %s: %w: %w", row.ID, ErrModule, err)
	}
	return nil
}
