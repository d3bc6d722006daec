package vault

import (
	"errors"
	"slices"

	"signet/storage"
)

// Inventory is what is known of all keys at one moment. It holds nothing that signs or
// opens.
type Inventory struct {
	Rows     []storage.Key // as they were read
	Unusable []Unusable    // rows that were skipped, and keys that cannot sign
}

// Unusable is a row that does not open, or whose module does not sign with it.
type Unusable struct {
	Row storage.Key
	Err error
}

// Find gives the one row of a line that is active or next, or nil.
func (i Inventory) Find(line string, state storage.KeyState) *storage.Key {
	at := slices.IndexFunc(i.Rows, func(k storage.Key) bool { return k.Line == line && k.State == state })
	if at < 0 {
		return nil
	}
	return &i.Rows[at]
}

// Problem says why a key cannot be used; nil if it can. ErrModule: only the module is in
// the way.
func (i Inventory) Problem(kid string) error {
	for _, u := range i.Unusable {
		if u.Row.ID == kid {
			return u.Err
		}
	}
	return nil
}

// IsUsable reports whether a key that signs, or will, is able to.
func (i Inventory) IsUsable(kid string) bool { return i.Problem(kid) == nil }

// AwaitsModule reports whether a key could be used if the module answered and held it.
func (i Inventory) AwaitsModule() bool { return i.any(ErrModule) }

// lacksMaster reports whether a row may open with another master key.
func (i Inventory) lacksMaster() bool { return i.any(ErrNotOpened) }

func (i Inventory) any(cause error) bool {
	return slices.ContainsFunc(i.Unusable, func(u Unusable) bool { return errors.Is(u.Err, cause) })
}

// Set is an inventory together with the keys that opened, in the order of the rows.
type Set struct {
	Inventory
	Keys    []*Key    // of published lines; gone ones too, which only verify
	Secrets []*Secret // of the internal line

	sealing [32]byte // the master key that new rows are sealed under
}

// Published gives the keys that are in the JWKS.
func (s *Set) Published() []*Key {
	return slices.DeleteFunc(slices.Clone(s.Keys), func(k *Key) bool { return k.Row.State == storage.KeyGone })
}

// add files a row. A key whose module does not sign is both: it verifies, and is
// unusable.
func (s *Set) add(row storage.Key, o opened, err error) {
	if err != nil {
		s.Unusable = append(s.Unusable, Unusable{row, err})
	}
	if o.key != nil {
		s.Keys = append(s.Keys, o.key)
	}
	if o.secret != nil {
		s.Secrets = append(s.Secrets, o.secret)
	}
}
