package vault

import "signet/storage"

// Rewrap seals private halves and tokens under the new master key.
type Rewrap struct{ masters [][32]byte }

// Rewrap returns a Rewrap to the last of the master keys. It returns false if there is only
// one master key.
func (v *Vault) Rewrap() (Rewrap, bool) {
	masters := v.currentMasters()
	return Rewrap{masters}, len(masters) > 1
}

// Opens reports whether a row opens with one of the master keys or has nothing to open.
func (r Rewrap) Opens(row storage.Key) bool {
	_, _, err := openPrivate(r.masters, row)
	return err == nil || len(row.Sealed) == 0
}

// Key returns the private half of a row sealed under the new master key. It returns nil if
// the row must not change: it is already sealed so, has nothing sealed, or does not open.
func (r Rewrap) Key(row storage.Key) ([]byte, error) {
	target := len(r.masters) - 1
	private, under, err := openPrivate(r.masters, row)
	if err != nil || under == target {
		return nil, nil
	}
	return sealPrivate(r.masters[target], row.Sealed[0], row.Line, row.ID, private)
}

// Token returns the upstream token of an identity sealed under the new master key. It
// returns nil in the same cases as Key.
func (r Rewrap) Token(i storage.Identity) ([]byte, error) {
	target := len(r.masters) - 1
	token, under, err := openToken(r.masters, i)
	if err != nil || under == target {
		return nil, nil
	}
	return sealToken(r.masters[target], i, token)
}
