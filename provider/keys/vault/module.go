package vault

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"

	"signet/storage"
)

// Module stores private halves of published lines outside this process and signs with them
// there, like a hardware security module. It must be safe for concurrent use.
type Module interface {
	// Generate makes a key pair for an algorithm. The reference identifies the pair in later
	// calls; it is not secret.
	Generate(alg string) (public crypto.PublicKey, reference string, err error)
	// Signer returns the signer of a key. If the key is missing, the error may come only at
	// the first signature.
	Signer(reference string, public crypto.PublicKey) (crypto.Signer, error)
	// Destroy destroys the private half. It succeeds if the private half does not exist.
	Destroy(reference string) error
	// Ready returns nil if the module can be used now.
	Ready() error
}

// ErrModule: keys are in a module that is not configured, does not answer, or does not
// hold them.
var ErrModule = errors.New("the module that holds the keys cannot be used")

// testedSigner returns the signer of a key in the module after a test signature that the
// public half in the row must verify: the reference might be of another or a missing key.
// ErrModule.
func testedSigner(m Module, k *Key) (crypto.Signer, error) {
	if m == nil {
		return nil, fmt.Errorf("%w: the private half is in a module, but none is configured", ErrModule)
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
		return nil, fmt.Errorf("%w: it holds another key under this reference", ErrModule)
	}
	return signer, nil
}

// needsSigner reports whether a key signs now or next.
func needsSigner(row storage.Key) bool {
	return row.State == storage.KeyNext || row.State == storage.KeyActive
}
