package keys

import (
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

// Schedule tells what becomes of the keys if nobody interferes.
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
	return list
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
