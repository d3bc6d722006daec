package keys

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"signet/storage"
)

// Scheduled is a key with what the schedule has in store for it. A time that does
// not come is zero.
type Scheduled struct {
	storage.Key
	RipeAt         time.Time // of a next key: it has been published for long enough
	SignsFrom      time.Time // of a next key
	SignsUntil     time.Time // of an active key
	PublishedUntil time.Time // of an active or retired key; of the internal line: it opens until then
	TokensDieAt    time.Time // of an active or retired key: its last token
}

// Schedule tells what becomes of the keys if nobody interferes, line by line: the
// internal one last, of each the key that signs first.
func (l Life) Schedule(rows []storage.Key, at time.Time) []Scheduled {
	l.setDefaults()
	set := keySet{rows: rows}
	list := make([]Scheduled, 0, len(rows))
	for _, k := range rows {
		one := Scheduled{Key: k}
		switch k.State {
		case storage.KeyNext:
			one.RipeAt, one.SignsFrom = l.ripe(k, l.PublishBefore), l.due(set.find(k.Line, storage.KeyActive), k)
		case storage.KeyActive:
			one.SignsUntil = l.SignsUntil(k)
			last := one.SignsUntil
			if last.Before(at) { // it signs on until another can
				last = at
			}
			one.TokensDieAt = last.Add(k.LongestLife)
			one.PublishedUntil = one.TokensDieAt.Add(l.MaxAge)
		case storage.KeyRetired:
			one.TokensDieAt, one.PublishedUntil = k.LastTokenDies().Time(), k.GoneAt.Time()
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(a, b Scheduled) int {
		return cmp.Or(
			cmp.Compare(last(a.Line), last(b.Line)), cmp.Compare(a.Line, b.Line),
			cmp.Compare(slices.Index(states, a.State), slices.Index(states, b.State)), cmp.Compare(b.CreatedAt, a.CreatedAt))
	})
	return list
}

// states in the order that keys are listed in.
var states = []storage.KeyState{storage.KeyActive, storage.KeyNext, storage.KeyRetired, storage.KeyRevoked, storage.KeyGone}

// last is more for the line that comes last.
func last(line string) int {
	if line == storage.InternalLine {
		return 1
	}
	return 0
}

// Life is how long keys live, with the defaults filled in.
func (k *Keeper) Life() Life { return k.life }

// SeenSince parts the readers of the JWKS into those that have come since and those
// that came only before. Nothing follows for who is in neither: caches read for
// others, and who checks tokens without a name of its own is not told apart.
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

// Damage says what stops working when a key is revoked.
func Damage(k storage.Key) string {
	switch {
	case k.State == storage.KeyNext:
		return "It has signed nothing: nobody will notice."
	case k.Line == storage.InternalLine:
		return "Refresh tokens and codes under it end, and sign-ins under way begin again. Sessions live on."
	case k.State == storage.KeyGone:
		return "Its ID tokens no longer serve as id_token_hint."
	}
	return "Every access and ID token it has signed stops working; refresh tokens and sessions live on."
}

// Confirms reports whether somebody has typed the kid, or enough of it, to revoke the key.
func Confirms(typed, kid string) bool { return len(typed) >= 8 && strings.HasPrefix(kid, typed) }

// Succession says who takes the place of a key when it is revoked; "" where nobody
// has to.
func (l Life) Succession(rows []storage.Key, k storage.Key, stamp func(time.Time) string) string {
	if k.State != storage.KeyActive {
		return ""
	}
	next := (&keySet{rows: rows}).find(k.Line, storage.KeyNext)
	if next == nil {
		return "There is no next key: a new one takes its place, and relying parties see it only when they read the JWKS again."
	}
	if k.Line == storage.InternalLine {
		return "The next one takes its place at once."
	}
	return "The next key, published since " + stamp(next.CreatedAt.Time()) + ", signs in its place at once."
}

// Aftermath is what a revocation did, and what follows from it. A time that does not
// come is zero.
type Aftermath struct {
	Key           storage.Key // as it is now
	Was           storage.KeyState
	Successor     *storage.Key // signs or seals in its place
	CachedUntil   time.Time    // relying parties that follow Cache-Control take it no more from then on
	LastTokenDies time.Time    // of those that were signed in good faith
}

// Aftermath reads off the keys what the revocation of one did. False: it is not revoked.
func (l Life) Aftermath(rows []storage.Key, id string) (Aftermath, bool) {
	l.setDefaults()
	i := slices.IndexFunc(rows, func(k storage.Key) bool { return k.ID == id && k.State == storage.KeyRevoked })
	if i < 0 {
		return Aftermath{}, false
	}
	k := rows[i]
	a := Aftermath{Key: k, Was: stateAtRevocation(k)}
	for _, other := range rows {
		if a.Was == storage.KeyActive && other.Line == k.Line && other.ActivatedAt == k.RevokedAt && other.State != storage.KeyRevoked {
			a.Successor = &other
		}
	}
	if k.Line == storage.InternalLine || a.Was == storage.KeyGone {
		return a, true
	}
	at := k.RevokedAt.Time()
	a.CachedUntil = at.Add(l.MaxAge)
	switch a.Was {
	case storage.KeyActive:
		a.LastTokenDies = at.Add(k.LongestLife)
	case storage.KeyRetired:
		a.LastTokenDies = k.RetiredAt.Add(k.LongestLife).Time()
	}
	return a, true
}

// stateAtRevocation reads a state off the times that it left in the row.
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

// Unseen reports whether nobody can have seen the successor: it was made by the
// revocation, since there was no next key.
func (a Aftermath) Unseen() bool {
	return a.Successor != nil && a.Successor.CreatedAt == a.Successor.ActivatedAt
}

// Tell says it in sentences.
func (a Aftermath) Tell(stamp func(time.Time) string) []string {
	told := []string{fmt.Sprintf("The %s key %s is revoked: every server refuses it within a second.", a.Key.Line, a.Key.ID)}
	say := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	switch next := a.Successor; {
	case a.Was != storage.KeyActive:
	case next == nil:
		say("Nothing takes its place until the module that holds the keys answers.")
	case a.Key.Line == storage.InternalLine:
		say("The secret %s takes its place.", next.ID)
	case a.Unseen():
		say("The key %s signs from now on; there was no next key, so relying parties see it only when they read the JWKS again.", next.ID)
	default:
		say("The key %s signs from now on; it has been published since %s.", next.ID, stamp(next.CreatedAt.Time()))
	}
	if a.Was == storage.KeyNext {
		say("It had signed nothing: nobody will notice.")
	} else if !a.CachedUntil.IsZero() {
		say("Relying parties and APIs that check tokens by themselves take those of the revoked key until they read the JWKS again: "+
			"by %s where Cache-Control is followed, elsewhere when they meet a token of the new key or are restarted.", stamp(a.CachedUntil))
	}
	if !a.LastTokenDies.IsZero() {
		say("Tokens signed in good faith have all expired by %s; whoever has the key can make others with any date.", stamp(a.LastTokenDies))
	}
	if a.Key.Elsewhere() {
		say("Its private half is still in the module; the servers destroy it as soon as the module answers.")
	}
	return told
}
