package vault

import "signet/storage"

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
