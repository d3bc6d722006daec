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
	// Module, if not nil, keeps private halves outside this process. New keys of the
	// lines in InModule are made there; keys stay where they were made.
	Module   Module
	InModule []string
}

// Vault holds the master keys that rows may be sealed under, and the module where
// private halves may be instead. It is safe for concurrent use.
type Vault struct {
	read     func() ([][32]byte, error) // nil: the master keys never change
	module   Module                     // nil: none
	inModule []string                   // lines whose new keys are made in the module

	mu      sync.Mutex
	masters [][32]byte               // in use; while a rewrap is under way, the one it moves to comes last
	signers map[string]crypto.Signer // of the keys in the module that sign or will, by reference
}

// New checks the master keys. ErrMasterKey: one is all zeros.
func New(c Config) (*Vault, error) {
	if c.Master == [32]byte{} {
		return nil, fmt.Errorf("%w: it is all zeros", ErrMasterKey)
	}
	v := &Vault{read: c.Masters, module: c.Module, inModule: slices.Clone(c.InModule), masters: [][32]byte{c.Master}}
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
		if err == nil && o.key != nil && o.key.InModule() && signs(row) {
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

// current gives the master keys at hand.
func (v *Vault) current() [][32]byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.masters
}

// Rewrap seals anew under the master key that it moves to.
type Rewrap struct{ masters [][32]byte }

// Rewrap moves to the last of the master keys. False: there is but one.
func (v *Vault) Rewrap() (Rewrap, bool) {
	masters := v.current()
	return Rewrap{masters}, len(masters) > 1
}

// Opens reports whether a row is without a sealed half, or opens with one of the master
// keys.
func (r Rewrap) Opens(row storage.Key) bool {
	_, _, err := openPrivate(r.masters, row)
	return err == nil || len(row.Sealed) == 0
}

// Key gives the new seal of a row; nil if it stays: it is sealed so already, has nothing
// sealed, or does not open.
func (r Rewrap) Key(row storage.Key) ([]byte, error) {
	target := len(r.masters) - 1
	private, under, err := openPrivate(r.masters, row)
	if err != nil || under == target {
		return nil, nil
	}
	return sealPrivate(r.masters[target], row.Sealed[0], row.Line, row.ID, private)
}

// Token does with an upstream's token what Key does with a row.
func (r Rewrap) Token(i storage.Identity) ([]byte, error) {
	target := len(r.masters) - 1
	token, under, err := openToken(r.masters, i)
	if err != nil || under == target {
		return nil, nil
	}
	return sealToken(r.masters[target], i, token)
}
