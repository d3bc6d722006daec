package demo

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"signet/templates"
)

const (
	maxResults = 100
	resultLife = 12 * time.Hour
)

// result holds the tokens and claims of one sign-in at the demo.
type result struct {
	page           templates.Demo
	subject, nonce string // the ID token of a refresh must have the same
	idToken        string // sent as id_token_hint when signing out
	accessToken    string
	refreshToken   string // "" for none
	at             time.Time
}

// results stores results in memory by a random key, which the browser has in a cookie. It
// stores only finished sign-ins, and only the newest ones.
type results struct {
	now   func() time.Time
	mu    sync.Mutex
	byKey map[string]result
}

func newResults(now func() time.Time) *results {
	return &results{now: now, byKey: map[string]result{}}
}

// keep stores a result and returns its key.
func (s *results) keep(found result) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byKey) >= maxResults {
		s.dropOldest()
	}
	found.at = s.now()
	key := rand.Text()
	s.byKey[key] = found
	return key
}

func (s *results) dropOldest() {
	oldest := ""
	for key, r := range s.byKey {
		if oldest == "" || r.at.Before(s.byKey[oldest].at) {
			oldest = key
		}
	}
	delete(s.byKey, oldest)
}

// of returns the result of this browser, or an empty one.
func (s *results) of(r *http.Request) result {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byKey[resultKey(r)]
	if s.now().Sub(found.at) > resultLife {
		return result{}
	}
	return found
}

// replace replaces the result of this browser. It does nothing if the result was deleted
// meanwhile by a sign-out in another tab.
func (s *results) replace(r *http.Request, found result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := resultKey(r)
	if before, ok := s.byKey[key]; ok {
		found.at = before.at
		s.byKey[key] = found
	}
}

func (s *results) forget(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byKey, resultKey(r))
}

func resultKey(r *http.Request) string {
	if cookies := r.CookiesNamed(resultCookie); len(cookies) == 1 {
		return cookies[0].Value
	}
	return ""
}
