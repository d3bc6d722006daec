package keeper

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signet/provider/keys/vault"
	"signet/storage"
)

// Scheduled is a key with its planned times. A time that does not apply is zero.
type Scheduled struct {
	storage.Key
	MaySignFrom     time.Time // of a next key: when it has been published for long enough
	SignsFrom       time.Time // of a next key: when the schedule activates it
	SignsUntil      time.Time // of an active key: when the schedule retires it
	PublishedUntil  time.Time // of an active or retired key: when it leaves the JWKS; of the internal line: when it stops opening
	LastTokenExpiry time.Time // of an active or retired key: when its last token expires
}

// Schedule returns the keys with the times that apply if no operator changes anything. They
// are sorted by line, with the internal line last, and within a line the active key first.
func (l Life) Schedule(rows []storage.Key, at time.Time) []Scheduled {
	l.setDefaults()
	all := vault.Inventory{Rows: rows}
	list := make([]Scheduled, 0, len(rows))
	for _, k := range rows {
		one := Scheduled{Key: k}
		switch k.State {
		case storage.KeyNext:
			one.MaySignFrom, one.SignsFrom = l.maySignFrom(k, l.PublishBefore), l.due(all.Find(k.Line, storage.KeyActive), k)
		case storage.KeyActive:
			one.SignsUntil = l.SignsUntil(k)
			lastSigns := one.SignsUntil
			if lastSigns.Before(at) { // it is overdue and goes on signing until another key can
				lastSigns = at
			}
			one.LastTokenExpiry = lastSigns.Add(k.LongestLife)
			one.PublishedUntil = one.LastTokenExpiry.Add(l.MaxAge)
		case storage.KeyRetired:
			one.LastTokenExpiry, one.PublishedUntil = k.LastTokenExpiry().Time(), k.GoneAt.Time()
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(a, b Scheduled) int {
		return cmp.Or(
			cmp.Compare(sortRank(a.Line), sortRank(b.Line)), cmp.Compare(a.Line, b.Line),
			cmp.Compare(slices.Index(states, a.State), slices.Index(states, b.State)), cmp.Compare(b.CreatedAt, a.CreatedAt))
	})
	return list
}

// states has all states in the order of Schedule.
var states = []storage.KeyState{storage.KeyActive, storage.KeyNext, storage.KeyRetired, storage.KeyRevoked, storage.KeyGone}

// sortRank sorts the internal line after the others.
func sortRank(line string) int {
	if line == storage.InternalLine {
		return 1
	}
	return 0
}

// Life returns the configured times with the defaults filled in.
func (k *Keeper) Life() Life { return k.life }

// SeenSince splits the readers of the JWKS into those that have read it since the given time
// and those that read it only before. A program in neither list may still know the keys:
// caches read for other programs, and programs without their own user agent look the same.
func SeenSince(readers []storage.JWKSReader, since time.Time) (seen, unseen []storage.JWKSReader) {
	for _, r := range readers {
		if r.SeenAt.Time().Before(since) {
			unseen = append(unseen, r)
		} else {
			seen = append(seen, r)
		}
	}
	return seen, unseen
}

// Confirms reports whether the typed text confirms the revocation of a key: it must be the
// kid or at least its first 8 characters.
func Confirms(typed, kid string) bool { return len(typed) >= 8 && strings.HasPrefix(kid, typed) }

// Consequences are the facts about the planned revocation of a key. They convert to
// templates.KeyConsequences, which renders them as sentences.
type Consequences struct {
	Line      string
	State     string
	NextSince time.Time // when the line's next key was published; zero: there is no next key
}

// ConsequencesOf returns the consequences that the revocation of k would have.
func ConsequencesOf(rows []storage.Key, k storage.Key) Consequences {
	c := Consequences{Line: k.Line, State: string(k.State)}
	if next := (vault.Inventory{Rows: rows}).Find(k.Line, storage.KeyNext); next != nil {
		c.NextSince = next.CreatedAt.Time()
	}
	return c
}

// Aftermath are the facts about a revoked key. They convert to templates.KeyAftermath,
// which renders them as sentences. A time that does not apply is zero.
type Aftermath struct {
	KeyID           string
	Line            string
	Reason          string    // in the operator's words
	Was             string    // state before the revocation
	Successor       string    // kid of the key that signs or seals in its place; "" if none does
	SuccessorSince  time.Time // when the successor was published
	SuccessorUnseen bool      // the revocation made the successor: no relying party has seen it before
	CachedUntil     time.Time // when relying parties that follow Cache-Control stop accepting the key
	LastTokenExpiry time.Time // when the last token expires that was signed before the revocation
	InModule        bool      // the private half still has to be destroyed in the module
}

// Aftermath returns the facts about a revoked key, derived from the rows. It returns false if
// the key does not exist or is not revoked.
func (l Life) Aftermath(rows []storage.Key, id string) (Aftermath, bool) {
	l.setDefaults()
	i := slices.IndexFunc(rows, func(k storage.Key) bool { return k.ID == id && k.State == storage.KeyRevoked })
	if i < 0 {
		return Aftermath{}, false
	}
	k, was := rows[i], stateAtRevocation(rows[i])
	a := Aftermath{KeyID: k.ID, Line: k.Line, Reason: k.RevokeReason, Was: string(was), InModule: k.IsExternal()}
	for _, other := range rows {
		if was == storage.KeyActive && other.Line == k.Line && other.ActivatedAt == k.RevokedAt && other.State != storage.KeyRevoked {
			a.Successor, a.SuccessorSince = other.ID, other.CreatedAt.Time()
			a.SuccessorUnseen = other.CreatedAt == other.ActivatedAt
		}
	}
	if k.Line == storage.InternalLine || was == storage.KeyGone {
		return a, true
	}
	a.CachedUntil = k.RevokedAt.Time().Add(l.MaxAge)
	switch was {
	case storage.KeyActive:
		a.LastTokenExpiry = k.RevokedAt.Time().Add(k.LongestLife)
	case storage.KeyRetired:
		a.LastTokenExpiry = k.RetiredAt.Add(k.LongestLife).Time()
	}
	return a, true
}

// stateAtRevocation derives the state before the revocation from the times in the row.
func stateAtRevocation(k storage.Key) storage.KeyState {
	switch {
	case k.ActivatedAt == 0:
		return storage.KeyNext
	case k.RetiredAt == 0:
		return storage.KeyActive
	case k.GoneAt > k.RevokedAt:
		return storage.KeyRetired
	}
	return storage.KeyGone
}
