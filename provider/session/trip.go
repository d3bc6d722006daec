package session

import (
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A trip to an upstream uses two cookies: one carries the sealed authorization request, the
// other the attempt. All attempts for one request share the request's cookie. A browser
// sends all these cookies with every request. Together they stay below tripShare, so that
// all cookies of Signet fit into the Cookie header that proxies accept by default
// (nginx: 8 KB).
const (
	attemptPrefix   = "_up_"
	carriedPrefix   = "_for_"
	maxAttempts     = 3
	attemptIDLength = 26 // characters
	tripKeyLength   = 8  // characters
	maxCleared      = 6  // cookies that one answer removes, since its header block is limited too
)

// These are the shares of the Cookie header, in characters. The other cookies about the person
// have 1,340, and the rest is for the tokens of the first-party app, see SetTokens. The shares
// are for the default base name; a longer base name makes the share of the trips smaller.
const (
	tripShare        = 2432
	personCookies    = 7 // session, device, "_passkey", "_pending", a half sign-in, the connector that was used last, and later a trusted browser
	maxSealedAttempt = 320
)

// MaxPendingSize is the longest sealed value of the cookie "_pending", in characters.
const MaxPendingSize = 600

// TripLife is how long the browser stores the cookies of a trip.
const TripLife = 10 * time.Minute

// maxTripsSize returns how many characters of the Cookie header all trips may use.
func (c Cookies) maxTripsSize() int {
	return tripShare - personCookies*max(0, len(c.Base)-len(DefaultBase))
}

// maxAttemptSize returns how many characters the cookie of the largest attempt uses.
func (c Cookies) maxAttemptSize() int {
	return c.size(attemptPrefix, "") + attemptIDLength + tripKeyLength + len(".") + maxSealedAttempt
}

// MaxCarriedSize returns the longest allowed sealed request, in characters. A request of
// this size and one attempt just fit into the share of the trips.
func (c Cookies) MaxCarriedSize() int {
	return c.maxTripsSize() - c.maxAttemptSize() - c.size(carriedPrefix, "") - tripKeyLength
}

// TripKey returns the short name of an authorization request in the cookies and addresses of
// a trip. It proves nothing.
func TripKey(requestID string) string {
	sum := sha256.Sum256([]byte(requestID))
	return base32.StdEncoding.EncodeToString(sum[:5])
}

// CarryRequest stores a sealed request in the browser for the attempts that follow. If the
// space is short, it removes the cookies of older trips.
func (c Cookies) CarryRequest(w http.ResponseWriter, r *http.Request, key, sealed string) {
	name := carriedPrefix + key
	c.makeRoom(w, r, key, c.size(name, sealed)+c.maxAttemptSize())
	c.Set(w, name, sealed, TripLife)
}

// CarriedRequest returns the sealed request that the browser has sent for the key.
func (c Cookies) CarriedRequest(r *http.Request, key string) (string, bool) {
	if !isTripKey(key) {
		return "", false
	}
	return c.Read(r, carriedPrefix+key)
}

// KeepAttempt stores a sealed attempt for the request of that key. Each attempt has its own
// cookie, so that two tabs cannot mix up two attempts. If there are three already, it
// removes the oldest.
func (c Cookies) KeepAttempt(w http.ResponseWriter, r *http.Request, id, key, sealed string) {
	value := key + "." + sealed
	c.makeRoom(w, r, key, c.size(attemptPrefix+id, value))
	c.Set(w, attemptPrefix+id, value, TripLife)
}

// TakeAttempt returns the sealed attempt of an id, with the sealed request for which it was
// started. It removes the attempt's cookie, and the request's cookie unless another
// attempt needs it.
func (c Cookies) TakeAttempt(w http.ResponseWriter, r *http.Request, id string) (attempt, request string, ok bool) {
	value, ok := c.Read(r, attemptPrefix+id)
	if !ok {
		return "", "", false
	}
	c.Clear(w, attemptPrefix+id)
	key, attempt, found := strings.Cut(value, ".")
	if !found {
		return "", "", false
	}
	request, ok = c.CarriedRequest(r, key)
	if others := c.trips(r).attempts; ok && !slices.ContainsFunc(others, func(o tripCookie) bool { return o.key == key && o.suffix != attemptPrefix+id }) {
		c.Clear(w, carriedPrefix+key)
	}
	return attempt, request, ok
}

// tripCookie is one cookie of a trip that the browser has sent.
type tripCookie struct {
	suffix, key string
	size        int
}

// trips are all cookies of trips that the browser has sent, the oldest first (RFC 6265,
// section 5.4: browsers send older cookies first).
type trips struct {
	attempts, requests []tripCookie
	malformed          []string // suffixes of cookies that Signet has not made
}

func (c Cookies) trips(r *http.Request) trips {
	var t trips
	for _, cookie := range r.Cookies() {
		suffix, ours := strings.CutPrefix(cookie.Name, c.name(""))
		key, isRequest := strings.CutPrefix(suffix, carriedPrefix)
		trip := tripCookie{suffix, key, c.size(suffix, cookie.Value)}
		switch {
		case !ours:
		case isRequest && isTripKey(key):
			t.requests = append(t.requests, trip)
		case isRequest:
			t.malformed = append(t.malformed, suffix)
		case strings.HasPrefix(suffix, attemptPrefix):
			if trip.key, _, ours = strings.Cut(cookie.Value, "."); ours && isTripKey(trip.key) {
				t.attempts = append(t.attempts, trip)
			} else {
				t.malformed = append(t.malformed, suffix)
			}
		}
	}
	return t
}

// makeRoom removes cookies of older trips until there are fewer than three attempts and
// need more characters fit. It never removes the request of the key.
func (c Cookies) makeRoom(w http.ResponseWriter, r *http.Request, key string, need int) {
	t := c.trips(r)
	removed := t.malformed
	for len(t.attempts) >= maxAttempts || t.size()+need > c.maxTripsSize() {
		dropped := t.dropOne(key)
		if len(dropped) == 0 {
			break
		}
		removed = append(removed, dropped...)
	}
	for _, suffix := range removed[:min(len(removed), maxCleared)] {
		c.Clear(w, suffix)
	}
}

// dropOne takes a request without an attempt out of t. If there is none, or if there are
// too many attempts, it takes out the oldest attempt, and its request unless another
// attempt needs it. It never takes the request of the key. It returns the suffixes of the
// dropped cookies.
func (t *trips) dropOne(key string) (suffixes []string) {
	isUnused := func(request tripCookie) bool {
		return request.key != key && !slices.ContainsFunc(t.attempts, func(a tripCookie) bool { return a.key == request.key })
	}
	if i := slices.IndexFunc(t.requests, isUnused); i >= 0 && len(t.attempts) < maxAttempts {
		suffixes = append(suffixes, t.requests[i].suffix)
		t.requests = slices.Delete(t.requests, i, i+1)
		return suffixes
	}
	if len(t.attempts) == 0 {
		return nil
	}
	oldest := t.attempts[0]
	t.attempts = t.attempts[1:]
	suffixes = append(suffixes, oldest.suffix)
	if i := slices.IndexFunc(t.requests, func(q tripCookie) bool { return q.key == oldest.key && isUnused(q) }); i >= 0 {
		suffixes = append(suffixes, t.requests[i].suffix)
		t.requests = slices.Delete(t.requests, i, i+1)
	}
	return suffixes
}

func (t *trips) size() (sum int) {
	for _, cookie := range slices.Concat(t.attempts, t.requests) {
		sum += cookie.size
	}
	return sum
}

// size returns how many characters a cookie uses in the Cookie header: "name=value; ".
func (c Cookies) size(suffix, value string) int { return len(c.name(suffix)) + len(value) + 3 }

func isTripKey(key string) bool {
	return len(key) == tripKeyLength && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
