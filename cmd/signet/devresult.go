package main

import (
	"net/http"
	"sync"
	"time"

	"signet/templates"
)

const (
	maxResults = 100
	resultLife = 12 * time.Hour
)

// demoResult is what one sign-in at the demo brought.
type demoResult struct {
	page           templates.Demo
	subject, nonce string // what the ID token of a refresh must not change
	idToken        string // the hint of the sign-out
	accessToken    string
	refreshToken   string // "" for none
	at             time.Time
}

// demoResults keeps results in memory, by a random key that the browser has in a
// cookie. Only what a sign-in has yielded is kept, and only the newest.
type demoResults struct {
	now   func() time.Time
	mu    sync.Mutex
	byKey map[string]demoResult
}

func newDemoResults(now func() time.Time) *demoResults {
	return &demoResults{now: now, byKey: map[string]demoResult{}}
}

// keep stores a result and gives its key.
func (s *demoResults) keep(found demoResult) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byKey) >= maxResults {
		s.dropOldest()
	}
	found.at = s.now()
	key := randomText(32)
	s.byKey[key] = found
	return key
}

func (s *demoResults) dropOldest() {
	oldest := ""
	for key, r := range s.byKey {
		if oldest == "" || r.at.Before(s.byKey[oldest].at) {
			oldest = key
		}
	}
	delete(s.byKey, oldest)
}

// of gives the result of this browser, or an empty one.
func (s *demoResults) of(r *http.Request) demoResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byKey[resultKey(r)]
	if s.now().Sub(found.at) > resultLife {
		return demoResult{}
	}
	return found
}

// replace puts another result in the place of this browser's. One that was
// forgotten meanwhile, by a sign-out in another tab, does not come back.
func (s *demoResults) replace(r *http.Request, found demoResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := resultKey(r)
	if before, ok := s.byKey[key]; ok {
		found.at = before.at
		s.byKey[key] = found
	}
}

func (s *demoResults) forget(r *http.Request) {
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
