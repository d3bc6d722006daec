package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	freshFor = 5 * time.Minute // this API accepts a revoked key at most that long
	coolDown = 5 * time.Second // between two reads, even if many tokens name unknown keys
)

// keySet caches the keys that Signet publishes at /jwks. It reads them again when a token
// names an unknown key, which happens after a rotation, and when the copy is too old.
type keySet struct {
	url  string
	http http.Client
	last atomic.Pointer[published]

	mu     sync.Mutex // held while the keys are read
	asked  time.Time
	failed error // result of the last read
}

type published struct {
	jose.JSONWebKeySet
	at time.Time
}

func newKeySet(url string) *keySet {
	s := &keySet{url: url, http: http.Client{Timeout: 5 * time.Second}}
	s.last.Store(&published{})
	return s
}

var errUnreadable = errors.New("the keys of Signet cannot be read")

// key returns the key with this id. errNotSignedIn: Signet has no such key. errUnreadable:
// Signet did not answer.
func (s *keySet) key(id string) (jose.JSONWebKey, error) {
	last := s.last.Load()
	key, known := last.named(id)
	if known && time.Since(last.at) < freshFor {
		return key, nil
	}
	if !known {
		s.mu.Lock()
	} else if !s.mu.TryLock() { // another request is reading the keys
		return key, nil
	}
	defer s.mu.Unlock()
	if time.Since(s.asked) > coolDown {
		s.failed = s.read()
		s.asked = time.Now()
	}
	if key, known = s.last.Load().named(id); known {
		return key, nil // a known key is used even if Signet does not answer
	}
	if s.failed != nil {
		return jose.JSONWebKey{}, s.failed
	}
	return jose.JSONWebKey{}, errNotSignedIn
}

func (p *published) named(id string) (jose.JSONWebKey, bool) {
	keys := p.Key(id)
	if len(keys) != 1 {
		return jose.JSONWebKey{}, false
	}
	return keys[0], true
}

func (s *keySet) read() error {
	answer, err := s.http.Get(s.url)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	defer answer.Body.Close()
	next := published{at: time.Now()}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s answers %s", errUnreadable, s.url, answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&next.JSONWebKeySet); err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	s.last.Store(&next)
	return nil
}
