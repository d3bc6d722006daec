package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
	"signet/provider/keys/vault"
	"signet/storage"
)

// keySet holds the keys that the ring uses at one moment. It is built once per change of
// the keys, and only its cache changes after that.
type keySet struct {
	opened *vault.Set

	signing map[string]*signingKey // the active keys by algorithm
	access  map[string]*signingKey // by the ready header of an access token
	hints   map[string]*signingKey // by the ready header of an ID token; includes gone keys

	secret  *secret            // the active secret; nil if there is none
	secrets map[string]*secret // by the raw bytes of the id
	refresh map[string]*secret // by the ready header of a refresh token

	jwks     vault.JWKS
	verified verifiedCache
}

// signingKey is a key of a published line, ready for use.
type signingKey struct {
	*vault.Key
	accessID string // ready header of an access token
	idID     string // ready header of an ID token
}

// secret is a key of the internal line, ready for use.
type secret struct {
	*vault.Secret
	refreshKey    []byte // for HS256
	refreshHeader string
	bucketKey     []byte // see Ring.Bucket
}

// assemble builds a key set: it indexes the keys by their headers and ids in tokens and
// messages.
func assemble(opened *vault.Set) (*keySet, error) {
	set := &keySet{
		opened:  opened,
		signing: map[string]*signingKey{},
		access:  map[string]*signingKey{},
		hints:   map[string]*signingKey{},
		secrets: map[string]*secret{},
		refresh: map[string]*secret{},
	}
	for _, k := range opened.Keys {
		set.addKey(k)
	}
	for _, s := range opened.Secrets {
		if err := set.addSecret(s); err != nil {
			return nil, err
		}
	}
	var err error
	set.jwks, err = opened.JWKS()
	return set, err
}

func (s *keySet) addKey(opened *vault.Key) {
	row := opened.Row
	k := &signingKey{opened, readyHeader(row.Line, row.ID, typAccess), readyHeader(row.Line, row.ID, typID)}
	s.hints[k.idID] = k
	if row.State != storage.KeyGone {
		s.access[k.accessID] = k
	}
	if row.State == storage.KeyActive && k.Signer != nil {
		s.signing[row.Line] = k
	}
}

func (s *keySet) addSecret(opened *vault.Secret) error {
	k, err := newSecret(opened)
	if err != nil {
		return err
	}
	if opened.Row.State == storage.KeyActive {
		s.secret = k
	}
	s.secrets[string(opened.ID)] = k
	s.refresh[k.refreshHeader] = k
	return nil
}

func newSecret(opened *vault.Secret) (*secret, error) {
	k := &secret{Secret: opened, refreshHeader: readyHeader("HS256", opened.Row.ID, typRefresh)}
	var err error
	if k.refreshKey, err = hkdf.Key(sha256.New, k.Value, nil, purposeInfo(string(typRefresh)), 32); err != nil {
		return nil, err
	}
	k.bucketKey, err = hkdf.Key(sha256.New, k.Value, nil, purposeInfo(purposeBucket), 32)
	return k, err
}

const purposeBucket = "bucket" // see Ring.Bucket

// purposeInfo returns the HKDF info for a purpose, so that each use of a secret has its own
// key.
func purposeInfo(purpose string) string { return "signet/v1/" + purpose }
