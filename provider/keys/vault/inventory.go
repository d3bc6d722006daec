package vault

import (
	"errors"
	"slices"

	"signet/storage"
)

// Inventory lists all keys at one moment and the problems with them. It cannot sign or open
// anything.
type Inventory struct {
	Rows     []storage.Key // as read from the database
	Unusable []Unusable    // rows that do not open, and keys that cannot sign
}

// Unusable is a row that does not open, or a key with which the module does not sign.
type Unusable struct {
	Row storage.Key
	Err error
}

// Find returns the first row of a line in a state, or nil. A line has at most one active
// and one next key.
func (i Inventory) Find(line string, state storage.KeyState) *storage.Key {
	at := slices.IndexFunc(i.Rows, func(k storage.Key) bool { return k.Line == line && k.State == state })
	if at < 0 {
		return nil
	}
	return &i.Rows[at]
}

// Problem returns the reason why a key cannot be used, or nil if it can. ErrModule: the key
// could be used if the module answered and held it.
func (i Inventory) Problem(kid string) error {
	for _, u := range i.Unusable {
		if u.Row.ID == kid {
			return u.Err
		}
	}
	return nil
}

// IsUsable reports whether there is no problem with a key.
func (i Inventory) IsUsable(kid string) bool { return i.Problem(kid) == nil }

// AwaitsModule reports whether a key could be used if the module answered and held it.
func (i Inventory) AwaitsModule() bool { return i.hasProblem(ErrModule) }

// lacksMasterKey reports whether a row might open with another master key.
func (i Inventory) lacksMasterKey() bool { return i.hasProblem(ErrNotOpened) }

func (i Inventory) hasProblem(cause error) bool {
	return slices.ContainsFunc(i.Unusable, func(u Unusable) bool { return errors.Is(u.Err, cause) })
}

// Set is an inventory with the opened keys, in the order of their database rows.
type Set struct {
	Inventory
	Keys    []*Key    // of published lines, including gone keys, which only verify
	Secrets []*Secret // of the internal line

	sealing [32]byte // the master key under which new rows are sealed
}

// Published returns the keys that are in the JWKS.
func (s *Set) Published() []*Key {
	return slices.DeleteFunc(slices.Clone(s.Keys), func(k *Key) bool { return k.Row.State == storage.KeyGone })
}

// add adds a row to the set. If the module does not sign with a key, the key is in Keys and
// in Unusable: it still verifies.
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
