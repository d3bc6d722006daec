package keys

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"

	"signet/storage"
)

// vault holds the master keys that rows may be sealed under: the one in use and,
// while a rewrap is under way, the one it moves to; and the module where private
// halves may be instead. It is safe for concurrent use.
type vault struct {
	read   func() ([][32]byte, error) // nil: they never change
	module Module                     // nil: none

	mu      sync.Mutex
	masters [][32]byte
	signers map[string]crypto.Signer // of the keys in the module that sign or will, by reference
}

func newVault(c Config) (*vault, error) {
	if c.Master == [32]byte{} {
		return nil, fmt.Errorf("%w: it is all zeros", ErrMasterKey)
	}
	v := &vault{read: c.Masters, module: c.Module, masters: [][32]byte{c.Master}}
	return v, v.refresh()
}

// refresh asks again for the master keys that count.
func (v *vault) refresh() error {
	if v.read == nil {
		return nil
	}
	masters, err := v.read()
	if err != nil {
		return err
	}
	if len(masters) == 0 || slices.Contains(masters, [32]byte{}) {
		return fmt.Errorf("%w: it is all zeros", ErrMasterKey)
	}
	v.masters = masters
	return nil
}

// open opens rows. When some do not open it asks for the master keys again: they
// may have been replaced while this program runs.
func (v *vault) open(rows []storage.Key) (*keySet, []unusableRow, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	set, unusable, err := v.openSet(rows)
	sealed := func(u unusableRow) bool { return errors.Is(u.why, errSealed) }
	if v.read == nil || err == nil && !slices.ContainsFunc(unusable, sealed) {
		return set, unusable, err
	}
	before := v.masters
	if err := v.refresh(); err != nil {
		return nil, nil, fmt.Errorf("read the master key again: %w", err)
	}
	if slices.Equal(before, v.masters) {
		return set, unusable, err
	}
	return v.openSet(rows)
}

// target gives the master key that a rewrap moves to. False: there is but one.
func (v *vault) target() (masters [][32]byte, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.masters, len(v.masters) > 1
}
