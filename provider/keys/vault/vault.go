package vault

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"

	"signet/storage"
)

// ErrMasterKey: no key in the database opens with the master key that was given.
var ErrMasterKey = errors.New("wrong master_key")

// Config of a vault.
type Config struct {
	Master [32]byte // master key: seals private keys at rest
	// Masters, if not nil, gives the master keys that count now: the one in use and,
	// while a rewrap is under way, the one it moves to. It is asked at first, and again
	// whenever a key does not open.
	Masters func() ([][32]byte, error)
	Module  Module // stores private halves outside this process; nil: none does
	// ModuleAlgorithms lists the algorithms whose new keys are made in the Module. A key
	// stays where it was made.
	ModuleAlgorithms []string
}

// Vault holds the master keys that rows may be sealed under, and the module where
// private halves may be instead. It is safe for concurrent use.
type Vault struct {
	read             func() ([][32]byte, error) // nil: the master keys never change
	module           Module                     // nil: none
	moduleAlgorithms []string                   // lines whose new keys are made in the module

	mu      sync.Mutex
	masters [][32]byte               // in use; while a rewrap is under way, the one it moves to comes last
	signers map[string]crypto.Signer // of the keys in the module that sign or will, by reference
}

// New checks the master keys. ErrMasterKey: one is all zeros.
func New(c Config) (*Vault, error) {
	if c.Master == [32]byte{} {
		return nil, fmt.Errorf("%w: it is all zeros", ErrMasterKey)
	}
	v := &Vault{read: c.Masters, module: c.Module, moduleAlgorithms: slices.Clone(c.ModuleAlgorithms), masters: [][32]byte{c.Master}}
	return v, v.refresh()
}

// refresh asks again for the master keys that count.
func (v *Vault) refresh() error {
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

// Open opens rows. A row that does not open is skipped and listed as unusable, so that
// it does not take the good ones with it. When some do not open, the master keys are
// asked for again: they may have been replaced while this program runs.
//
// ErrMasterKey: there are sealed rows, and none of them opens.
func (v *Vault) Open(rows []storage.Key) (*Set, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	set, err := v.openAll(rows)
	if v.read == nil || err == nil && !set.lacksMaster() {
		return set, err
	}
	before := v.masters
	if err := v.refresh(); err != nil {
		return nil, fmt.Errorf("read the master key again: %w", err)
	}
	if slices.Equal(before, v.masters) {
		return set, err
	}
	return v.openAll(rows)
}

// openAll opens rows with the master keys at hand. New rows will be sealed under the
// last master key that a row opened with: once a rewrap has begun, every node knows the
// one it moves to. The caller holds mu.
func (v *Vault) openAll(rows []storage.Key) (*Set, error) {
	set := &Set{Inventory: Inventory{Rows: rows}}
	signers := map[string]crypto.Signer{}
	sealed, open, under := 0, 0, 0
	for _, row := range rows {
		if isRefused(row) {
			continue
		}
		o, err := openRow(v.masters, row)
		if row.State != storage.KeyGone && !errors.Is(err, errUnknownLine) {
			sealed++
			if err == nil {
				open, under = open+1, max(under, o.under)
			}
		}
		if err == nil && o.key != nil && o.key.IsInModule() && signs(row) {
			if o.key.Signer, err = v.signerOf(o.key); err == nil {
				signers[o.key.reference] = o.key.Signer
			}
		}
		set.add(row, o, err)
	}
	v.signers = signers
	if sealed > 0 && open == 0 {
		return nil, fmt.Errorf("%w: none of the %d keys in the database opens with it; "+
			"start with the master_key they were made with (nothing was changed)", ErrMasterKey, sealed)
	}
	set.sealing = v.masters[under]
	return set, nil
}

// signerOf gives the signer of a key in the module. One that was found before is used
// again. ErrModule.
func (v *Vault) signerOf(k *Key) (crypto.Signer, error) {
	if known := v.signers[k.reference]; known != nil {
		return known, nil
	}
	return trySigner(v.module, k)
}

// current gives the master keys at hand.
func (v *Vault) current() [][32]byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.masters
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
		case !signs(row) || !row.IsExternal():
		case i.IsUsable(row.ID):
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
