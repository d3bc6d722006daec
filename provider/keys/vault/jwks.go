package vault

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// JWKS is a ready JWKS document.
type JWKS struct {
	Body []byte
	ETag string // with its quotes
}

// JWKS returns the document of the published keys: next, active and retired. They are
// sorted by algorithm and age, not by state: if only the state of a key changes, the bytes
// stay the same.
func (s *Set) JWKS() (JWKS, error) {
	keys := s.Published()
	slices.SortFunc(keys, func(a, b *Key) int {
		return cmp.Or(cmp.Compare(a.Row.Line, b.Row.Line),
			cmp.Compare(a.Row.CreatedAt, b.Row.CreatedAt), cmp.Compare(a.Row.ID, b.Row.ID))
	})
	document := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		document.Keys = append(document.Keys, k.document)
	}
	body, err := json.Marshal(document)
	if err != nil {
		return JWKS{}, err
	}
	sum := sha256.Sum256(body)
	return JWKS{Body: body, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`}, nil
}
