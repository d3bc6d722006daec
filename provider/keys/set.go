package keys

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"signet/storage"
)

// keySet is all that the ring knows at one moment: built once per change of the
// keys and, but for its cache, never altered.
type keySet struct {
	rows   []storage.Key    // as they were read
	lines  map[string]bool  // lines that are there: with a row, usable or not, but for retired ones
	opened map[string]bool  // kids whose private half opened, and of a module's key can sign
	whole  bool             // no row was skipped
	apart  map[string]error // why keys that should sign cannot be had from the module, by kid

	sealing [32]byte // the master key that new rows are sealed under

	signing map[string]*signingKey // the active key by algorithm
	access  map[string]*signingKey // by the ready header of an access token
	hints   map[string]*signingKey // by the ready header of an ID token; gone keys too

	secret  *secret            // the active one
	secrets map[string]*secret // by the raw bytes of their id
	refresh map[string]*secret // by the ready header of a refresh token

	jwks     Published
	verified verifiedCache
}

// signingKey is a key of a published line, ready for use.
type signingKey struct {
	id        string
	alg       *algorithm
	private   crypto.Signer // nil: gone, or in a module that it cannot be had from
	reference string        // to the private half in a module; "" for one that was sealed here
	public    crypto.PublicKey
	accessID  string // ready header of an access token
	idID      string // ready header of an ID token
	document  jwk
	createdAt storage.Millis
}

// usableStates are those in which a key verifies and opens.
var usableStates = []storage.KeyState{storage.KeyNext, storage.KeyActive, storage.KeyRetired}

var errUnknownLine = errors.New("this program does not know the algorithm")

func unknownState(s storage.KeyState) error {
	return fmt.Errorf("this program does not know the state %q", s)
}

// unusableRow is a row that was skipped, and why.
type unusableRow struct {
	key storage.Key
	why error
}

// openSet opens the rows. One that does not open is skipped and given back with
// the reason, since a bad row must not take the good ones with it. When there are
// sealed rows and none of them opens, it is the master key that is wrong.
//
// New rows are sealed under the last master key that a row opened with: once a
// rewrap has begun, every node knows the one it moves to.
func (v *vault) openSet(rows []storage.Key) (*keySet, []unusableRow, error) {
	set := &keySet{
		rows:    rows,
		lines:   map[string]bool{},
		opened:  map[string]bool{},
		apart:   map[string]error{},
		signing: map[string]*signingKey{},
		access:  map[string]*signingKey{},
		hints:   map[string]*signingKey{},
		secrets: map[string]*secret{},
		refresh: map[string]*secret{},
	}
	var unusable []unusableRow
	var published []*signingKey
	sealed, open, under := 0, 0, 0
	signers := map[string]crypto.Signer{}
	for _, row := range rows {
		if row.State != storage.KeyRetired && row.State != storage.KeyGone {
			set.lines[row.Line] = true
		}
		if row.State == storage.KeyRevoked || row.State == storage.KeyGone && row.Line == storage.InternalLine {
			continue // refused everywhere
		}
		k, with, err := set.add(v.masters, row)
		if err != nil {
			unusable = append(unusable, unusableRow{row, err})
		}
		if row.State == storage.KeyGone || errors.Is(err, errUnknownLine) {
			continue // nothing that the master key could have opened
		}
		sealed++
		if err != nil {
			continue
		}
		open, under = open+1, max(under, with)
		if k != nil {
			published = append(published, k)
			err = v.findSigner(k, row, signers)
		}
		if err != nil {
			unusable, set.apart[row.ID] = append(unusable, unusableRow{row, err}), err
		} else {
			set.opened[row.ID] = true
		}
		if k != nil && k.private != nil && row.State == storage.KeyActive {
			set.signing[k.alg.name] = k
		}
	}
	v.signers = signers
	if sealed > 0 && open == 0 {
		return nil, nil, fmt.Errorf("%w: none of the %d keys in the database opens with it; "+
			"start with the master_key they were made with (nothing was changed)", ErrMasterKey, sealed)
	}
	set.sealing, set.whole = v.masters[under], len(unusable) == 0
	var err error
	set.jwks, err = publish(published)
	return set, unusable, err
}

// add opens one row that is not revoked and files it. It gives the key if the row
// is of a published line, and the place of the master key it is sealed under.
func (s *keySet) add(masters [][32]byte, row storage.Key) (*signingKey, int, error) {
	if row.Line == storage.InternalLine {
		under, err := s.addSecret(masters, row)
		return nil, under, err
	}
	alg := algorithms[row.Line]
	if alg == nil {
		return nil, 0, errUnknownLine
	}
	k := &signingKey{id: row.ID, alg: alg, createdAt: row.CreatedAt}
	under, err := k.open(masters, row)
	if err != nil {
		return nil, 0, err
	}
	if !slices.Contains(usableStates, row.State) && row.State != storage.KeyGone {
		return nil, 0, unknownState(row.State)
	}
	k.accessID = readyHeader(alg.name, k.id, typAccess)
	k.idID = readyHeader(alg.name, k.id, typID)
	s.hints[k.idID] = k
	if row.State != storage.KeyGone {
		s.access[k.accessID] = k
	}
	return k, under, nil
}

// open fills in the halves of a key. The public one comes out of the sealed
// private one, not out of the row: whoever can write to the database but lacks
// the master key must not bring in a key of his own. Of a key in a module the row's
// public half must have the thumbprint that the reference is sealed under; so it
// verifies without the module. Only a gone key, good for id_token_hint alone, has
// nothing but the row's public half.
func (k *signingKey) open(masters [][32]byte, row storage.Key) (under int, err error) {
	if row.State == storage.KeyGone {
		k.public, err = parseJWK(row.Public, k.alg)
	} else {
		under, err = k.openSealed(masters, row)
	}
	if err != nil {
		return 0, err
	}
	if k.document, err = k.alg.jwk(k.public); err != nil {
		return 0, err
	}
	if k.document.ID != row.ID {
		return 0, errors.New("the kid is not the key's thumbprint")
	}
	return under, nil
}

func (k *signingKey) openSealed(masters [][32]byte, row storage.Key) (under int, err error) {
	private, under, err := openPrivate(masters, row)
	if err != nil {
		return 0, err
	}
	if row.Elsewhere() {
		k.reference = string(private)
		k.public, err = parseJWK(row.Public, k.alg)
		return under, err
	}
	if k.private, err = parsePrivate(private); err != nil {
		return 0, err
	}
	k.public = k.private.Public()
	return under, nil
}

func (s *keySet) addSecret(masters [][32]byte, row storage.Key) (under int, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(row.ID)
	if err != nil || len(raw) != secretIDSize {
		return 0, errors.New("the kid is not one of ours")
	}
	value, under, err := openPrivate(masters, row)
	if err != nil {
		return 0, err
	}
	if len(value) != 32 {
		return 0, fmt.Errorf("the secret has %d bytes instead of 32", len(value))
	}
	if !slices.Contains(usableStates, row.State) {
		return 0, unknownState(row.State)
	}
	k, err := newSecretKey(row.ID, raw, value)
	if err != nil {
		return 0, err
	}
	if row.State == storage.KeyActive {
		s.secret = k
	}
	s.secrets[string(raw)] = k
	s.refresh[k.refreshHeader] = k
	return under, nil
}
