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

// trySigner asks the module for the signer of a key, and has it sign something that the
// public half in the row verifies: the reference might name another key, or none.
func trySigner(m Module, k *Key) (crypto.Signer, error) {
	if m == nil {
		return nil, fmt.Errorf("%w: its private half is there, and none is configured", ErrModule)
	}
	signer, err := m.Signer(k.reference, k.Public)
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

// signs reports whether a key signs, or is about to.
func signs(row storage.Key) bool {
	return row.State == storage.KeyNext || row.State == storage.KeyActive
}
