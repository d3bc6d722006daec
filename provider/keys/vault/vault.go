package vault

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"sync"

	"signet/provider/keys/openssl"
	"signet/storage"
)

// ErrMasterKey: the given master key is invalid, or no key in the database opens with it.
var ErrMasterKey = errors.New("wrong master_key")

// Config configures a vault.
type Config struct {
	Master [32]byte // master key: seals private keys at rest
	// Masters, if not nil, returns the current master keys: the one in use and, during a
	// rewrap, the new one as the last. The vault calls it at the start, and again whenever
	// a key does not open.
	Masters func() ([][32]byte, error)
	Module  Module // stores private halves outside this process; nil: none does
	// ModuleAlgorithms lists the algorithms whose new keys are made in the Module. A key
	// stays where it was made.
	ModuleAlgorithms []string
	// RSA signs with the RSA keys that are sealed in the database. nil: crypto/rsa does.
	RSA *openssl.Engine
}

// Vault holds the master keys under which rows are sealed, and the module that may store
// private halves. It is safe for concurrent use.
type Vault struct {
	read             func() ([][32]byte, error) // nil: the master keys never change
	module           Module                     // nil: no module is configured
	moduleAlgorithms []string                   // lines whose new keys are made in the module
	rsa              *openssl.Engine            // nil: crypto/rsa signs

	mu      sync.Mutex
	masters [][32]byte               // in use; during a rewrap the new one is the last
	signers map[string]crypto.Signer // of the active and next keys in the module or in the engine, by reference or id
}

// New returns a vault. ErrMasterKey: a master key is all zeros.
func New(c Config) (*Vault, error) {
	if c.Master == [32]byte{} {
		return nil, fmt.Errorf("%w: it is all zeros", ErrMasterKey)
	}
	v := &Vault{read: c.Masters, module: c.Module, moduleAlgorithms: slices.Clone(c.ModuleAlgorithms), rsa: c.RSA, masters: [][32]byte{c.Master}}
	return v, v.refresh()
}

// refresh calls Config.Masters again, if it is set. ErrMasterKey.
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

// Open opens rows. A row that does not open is listed as unusable; the other rows still
// open. If a row does not open, Open reads the master keys again, because they may have been
// replaced while this program runs, and then opens all rows again.
//
// ErrMasterKey: there are sealed rows, and none of them opens.
func (v *Vault) Open(rows []storage.Key) (*Set, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	set, err := v.openAll(rows)
	if v.read == nil || err == nil && !set.lacksMasterKey() {
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

// openAll opens rows with the current master keys. The set seals new rows under the last
// master key with which a row opened: when a row is sealed under the new master key, every
// node can know that key. The caller holds mu.
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
		if err == nil && o.key != nil && needsSigner(row) {
			if o.key.Signer, err = v.signerOf(o.key); err == nil {
				signers[o.key.place()] = o.key.Signer
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

// signerOf returns the signer of a key that signs now or next. It reuses a signer that it
// returned before: the module and the engine have to be asked only once. ErrModule.
func (v *Vault) signerOf(k *Key) (crypto.Signer, error) {
	if known := v.signers[k.place()]; known != nil {
		return known, nil
	}
	if k.IsInModule() {
		return testedSigner(v.module, k)
	}
	private, isRSA := k.Signer.(*rsa.PrivateKey)
	if v.rsa == nil || !isRSA {
		return k.Signer, nil
	}
	signer := v.rsa.Signer(private)
	_, err := k.algorithm.sign(signer, []byte("signet: a trial")) // a fault of the engine shows before the first request
	return signer, err
}

// currentMasters returns the master keys in use.
func (v *Vault) currentMasters() [][32]byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.masters
}

// HasModule reports whether a module is configured.
func (v *Vault) HasModule() bool { return v.module != nil }

// Ready returns nil if the module can be used now, or if none is configured. ErrModule.
func (v *Vault) Ready() error {
	if v.module == nil {
		return nil
	}
	if err := v.module.Ready(); err != nil {
		return fmt.Errorf("%w: %w", ErrModule, err)
	}
	return nil
}

// CheckModule returns an error if the module that should hold keys of the inventory does
// not answer or holds none of the active and next ones. A single missing key is not an
// error: it is in Inventory.Unusable. ErrModule.
func (v *Vault) CheckModule(i Inventory) error {
	found, missing := 0, 0
	for _, row := range i.Rows {
		switch {
		case !needsSigner(row) || !row.IsExternal():
		case i.IsUsable(row.ID):
			found++
		default:
			missing++
		}
	}
	ready := v.Ready()
	switch {
	case v.module == nil && missing > 0:
		return fmt.Errorf("%w: the private halves of %d keys are in a module, but none is configured", ErrModule, missing)
	case ready != nil:
		return ready
	case missing > 0 && found == 0:
		return fmt.Errorf("%w: it holds none of the %d keys that should be there (nothing was changed)", ErrModule, missing)
	}
	return nil
}

// Destroy destroys the private half of a key in the module. ErrModule; ErrNotOpened: the
// reference does not open.
func (v *Vault) Destroy(row storage.Key) error {
	reference, _, err := openPrivate(v.currentMasters(), row)
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
