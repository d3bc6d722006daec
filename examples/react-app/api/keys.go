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
	freshFor = 5 * time.Minute // a key that was revoked is good here no longer
	coolDown = 5 * time.Second // between two reads, however many tokens name keys that do not exist
)

// keySet is what Signet publishes at /jwks. It is read when a token names a key that
// is not in it, which is how a rotation is noticed, and when it is not fresh.
type keySet struct {
	url  string
	http http.Client
	last atomic.Pointer[published]

	mu     sync.Mutex // held by the one who reads
	asked  time.Time
	failed error // how that went
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

// key gives the key of this id: errNotSignedIn if Signet has none, errUnreadable if
// it did not say so.
func (s *keySet) key(id string) (jose.JSONWebKey, error) {
	last := s.last.Load()
	key, known := last.named(id)
	if known && time.Since(last.at) < freshFor {
		return key, nil
	}
	if !known {
		s.mu.Lock()
	} else if !s.mu.TryLock() { // somebody is at it
		return key, nil
	}
	defer s.mu.Unlock()
	if time.Since(s.asked) > coolDown {
		s.failed = s.read()
		s.asked = time.Now()
	}
	if key, known = s.last.Load().named(id); known {
		return key, nil // also while Signet does not answer
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
