package session

import (
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A trip to an upstream lives in two cookies: one carries the sealed authorization
// request, the other the attempt. Attempts for one request share its cookie. A browser
// sends all of them with each request, so together they stay below tripShare: with the
// other cookies of ours they fit into what proxies accept by default (nginx: 8 KB).
const (
	attemptPrefix  = "_up_"
	carriedPrefix  = "_for_"
	attemptsAtOnce = 3
	attemptID      = 26 // characters of an attempt's id
	tripKey        = 8  // and of a TripKey
	mostCleared    = 6  // cookies that one answer removes: its header block is bounded, too
)

// The shares of the Cookie header, in characters; the tokens of the app have the rest, see
// SetTokens. They hold for the default base name: a longer one takes what it needs from
// the trips.
const (
	tripShare   = 2400
	personShare = 1024 // session, device, MaxPendingSize, the connector that was used last, and later a trusted browser
	persons     = 5    // so many cookies
	attemptMost = 320  // a sealed attempt
)

// MaxPendingSize is how long what is sealed into the cookie "_pending" may be, in characters.
const MaxPendingSize = 600

// TripLife is how long the cookies of a trip live.
const TripLife = 10 * time.Minute

// mostTrips is how many characters of the Cookie header all trips may take.
func (c Cookies) mostTrips() int { return tripShare - persons*max(0, len(c.Base)-len(DefaultBase)) }

// attemptRoom is how many characters the largest attempt takes.
func (c Cookies) attemptRoom() int {
	return c.size(attemptPrefix, "") + attemptID + tripKey + len(".") + attemptMost
}

// MaxCarriedSize is how long a sealed request may be, in characters, so that it and one
// attempt fit into what trips may take.
func (c Cookies) MaxCarriedSize() int {
	return c.mostTrips() - c.attemptRoom() - c.size(carriedPrefix, "") - tripKey
}

// TripKey names the request of a trip in cookies and addresses. It proves nothing.
func TripKey(requestID string) string {
	sum := sha256.Sum256([]byte(requestID))
	return base32.StdEncoding.EncodeToString(sum[:5])
}

// CarryRequest keeps a sealed request in the browser for the attempts that follow. Older trips
// make room.
func (c Cookies) CarryRequest(w http.ResponseWriter, r *http.Request, key, sealed string) {
	name := carriedPrefix + key
	c.makeRoom(w, r, key, c.size(name, sealed)+c.attemptRoom())
	c.Set(w, name, sealed, TripLife)
}

// CarriedRequest gives the sealed request that the browser carries under the key.
func (c Cookies) CarriedRequest(r *http.Request, key string) (string, bool) {
	if !isTripKey(key) {
		return "", false
	}
	return c.Read(r, carriedPrefix+key)
}

// KeepAttempt keeps a sealed attempt for the request of that key, in a cookie of its own:
// two tabs cannot mix up two attempts. Beyond three the oldest makes room.
func (c Cookies) KeepAttempt(w http.ResponseWriter, r *http.Request, id, key, sealed string) {
	value := key + "." + sealed
	c.makeRoom(w, r, key, c.size(attemptPrefix+id, value))
	c.Set(w, attemptPrefix+id, value, TripLife)
}

// TakeAttempt gives the sealed attempt of an id with the sealed request that it was
// started for, and removes it. The request stays while another attempt needs it.
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

// trips are all cookies of trips, in the order in which they were made (RFC 6265, section
// 5.4: a browser sends the older of two first).
type trips struct {
	attempts, requests []tripCookie
	broken             []string // suffixes of those that this program has not made
}

func (c Cookies) trips(r *http.Request) trips {
	var t trips
	for _, cookie := range r.Cookies() {
		suffix, ours := strings.CutPrefix(cookie.Name, c.name(""))
		key, isRequest := strings.CutPrefix(suffix, carriedPrefix)
		one := tripCookie{suffix, key, c.size(suffix, cookie.Value)}
		switch {
		case !ours:
		case isRequest && isTripKey(key):
			t.requests = append(t.requests, one)
		case isRequest:
			t.broken = append(t.broken, suffix)
		case strings.HasPrefix(suffix, attemptPrefix):
			if one.key, _, ours = strings.Cut(cookie.Value, "."); ours && isTripKey(one.key) {
				t.attempts = append(t.attempts, one)
			} else {
				t.broken = append(t.broken, suffix)
			}
		}
	}
	return t
}

// makeRoom removes the cookies of older trips until an attempt for the key may follow,
// and so many characters fit.
func (c Cookies) makeRoom(w http.ResponseWriter, r *http.Request, key string, need int) {
	t := c.trips(r)
	gone := t.broken
	for len(t.attempts) >= attemptsAtOnce || t.size()+need > c.mostTrips() {
		dropped := t.dropOne(key)
		if len(dropped) == 0 {
			break
		}
		gone = append(gone, dropped...)
	}
	for _, suffix := range gone[:min(len(gone), mostCleared)] {
		c.Clear(w, suffix)
	}
}

// dropOne takes out a request that no attempt needs, or else the oldest attempt with its
// request. It never takes the request of that key. It gives what it took.
func (t *trips) dropOne(key string) (suffixes []string) {
	free := func(request tripCookie) bool {
		return request.key != key && !slices.ContainsFunc(t.attempts, func(a tripCookie) bool { return a.key == request.key })
	}
	if i := slices.IndexFunc(t.requests, free); i >= 0 && len(t.attempts) < attemptsAtOnce {
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
	if i := slices.IndexFunc(t.requests, func(q tripCookie) bool { return q.key == oldest.key && free(q) }); i >= 0 {
		suffixes = append(suffixes, t.requests[i].suffix)
		t.requests = slices.Delete(t.requests, i, i+1)
	}
	return suffixes
}

func (t *trips) size() (sum int) {
	for _, one := range slices.Concat(t.attempts, t.requests) {
		sum += one.size
	}
	return sum
}

// size is what a cookie takes in the Cookie header: "name=value; ".
func (c Cookies) size(suffix, value string) int { return len(c.name(suffix)) + len(value) + 3 }

func isTripKey(key string) bool {
	return len(key) == tripKey && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
