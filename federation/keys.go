package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"signet/federation/foreign"
)

// retryAfter is the shortest time between two fetches from an upstream. It limits the calls
// while the upstream is down, and when many tokens have unknown key ids.
const retryAfter = 5 * time.Second

// maxTriedKeys is the number of keys that are tried for one token, so that a token without a kid
// does not cost a hundred verifications.
const maxTriedKeys = 20

// asymmetric lists the algorithms that verify with published keys (RFC 7518, section 3.1;
// RFC 8037; RFC 9864 gives EdDSA with Ed25519 a second name).
var asymmetric = []string{"RS256", "ES256", "EdDSA", "Ed25519", "PS256", "RS384", "ES384", "PS384", "RS512", "ES512", "PS512"}

// keysMediaTypes are the accepted forms of a JWK Set. Kubernetes serves only the registered one (RFC
// 7517, section 8.5.2).
const keysMediaTypes = "application/jwk-set+json, application/json"

var symmetric = []string{"HS256", "HS384", "HS512"}

// needsKeys reports whether one of the algorithms verifies with published keys.
func needsKeys(algorithms []string) bool {
	return slices.ContainsFunc(algorithms, func(a string) bool { return !slices.Contains(symmetric, a) })
}

// keySet holds an upstream's signing keys. It fetches them when a token needs a key that is
// not cached. Callers that wait at the same time share one fetch; a caller whose context
// ends does not stop it.
type keySet struct {
	caller caller
	now    func() time.Time
	uri    string        // "": the discovery document of issuer names it
	issuer string        // only used without uri
	life   time.Duration // how long fetched keys are used; 0: as long as the keySet

	mu        sync.Mutex
	cached    []foreign.Key
	fetchedAt time.Time
	failure   error
	askedAt   time.Time
	flight    chan struct{} // closed when the current fetch ends; nil: no fetch is running
}

// verify checks that one of the upstream's keys made the signature.
//
// It tries the cached keys first. If none of them verifies the token, it fetches the key set
// again, but at most once in retryAfter, so that tokens with invented key ids do not cause a
// fetch each. ErrUnreachable: the keys cannot be fetched. ErrUntrusted: the set has no usable
// key, or no key verifies the token.
//
// After k.life it fetches the keys before it uses them. If the upstream cannot be reached then,
// the old keys verify tokens until staleLife, and the next fetches run in the background.
func (k *keySet) verify(ctx context.Context, token foreign.UnverifiedJWS) error {
	k.mu.Lock()
	keys, age := k.cached, k.age()
	k.mu.Unlock()
	if age != expiredKeys && verifyByAny(keys, token) == nil {
		if age == staleKeys {
			k.startFetch(ctx)
		}
		return nil
	}
	fetched, err := k.refresh(ctx)
	if err != nil {
		k.mu.Lock()
		age = k.age()
		k.mu.Unlock()
		if age == staleKeys && verifyByAny(keys, token) == nil {
			return nil
		}
		return err
	}
	return verifyByAny(fetched, token)
}

// keyAge says whether cached keys may verify tokens.
type keyAge int

const (
	freshKeys   keyAge = iota
	staleKeys          // only because the last fetch did not reach the upstream
	expiredKeys        // not before another fetch
)

// age returns the age of the cached keys. The caller holds the lock.
func (k *keySet) age() keyAge {
	at := k.now()
	switch {
	case k.life == 0 || within(k.fetchedAt, at, k.life):
		return freshKeys
	case errors.Is(k.failure, ErrUnreachable) && within(k.fetchedAt, at, staleLife):
		return staleKeys
	}
	return expiredKeys
}

// errSignature is the ErrUntrusted of a token that no key verifies.
var errSignature = fmt.Errorf("%w", ErrUntrusted)

// verifyByAny returns nil if one of the keys verifies the token, else errSignature with the
// reason. It also tries keys without an id, because the token's key may have none.
func verifyByAny(keys []foreign.Key, token foreign.UnverifiedJWS) error {
	named, fitting := 0, 0
	for _, key := range keys {
		if fitting == maxTriedKeys {
			break
		}
		if token.KeyID != "" && key.ID != "" && key.ID != token.KeyID {
			continue
		}
		named++
		if !key.Fits(token.Algorithm) {
			continue
		}
		fitting++
		if key.Verify(token) {
			return nil
		}
	}
	reason := "no published key verifies the signature"
	switch {
	case named == 0:
		reason = fmt.Sprintf("none of the %d usable keys has the token's kid %q", len(keys), foreign.ForError(token.KeyID))
	case fitting == 0:
		reason = fmt.Sprintf("the key with the token's kid %q is not for %s", foreign.ForError(token.KeyID), foreign.ForError(token.Algorithm))
	}
	return &answerError{reason, errSignature}
}

// refresh fetches the keys, unless the last fetch was less than retryAfter ago. Then it
// returns the result of that fetch, also if it failed.
func (k *keySet) refresh(ctx context.Context) ([]foreign.Key, error) {
	k.mu.Lock()
	if k.askedJustNow() {
		defer k.mu.Unlock()
		return k.cached, k.failure
	}
	k.mu.Unlock()
	flight := k.startFetch(ctx)
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, unreachable("fetch keys: no answer in time")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cached, k.failure
}

// askedJustNow reports whether no fetch may start yet. The caller holds the lock.
func (k *keySet) askedJustNow() bool {
	return k.flight == nil && !k.askedAt.IsZero() && within(k.askedAt, k.now(), retryAfter)
}

// startFetch starts a fetch, unless one is running or the last one was less than retryAfter ago.
// The returned channel is closed when the fetch ends.
func (k *keySet) startFetch(ctx context.Context) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.askedJustNow() {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	if k.flight == nil {
		k.flight = make(chan struct{})
		go k.fetch(context.WithoutCancel(ctx), k.flight) // ctx of the first caller may end before the fetch
	}
	return k.flight
}

func (k *keySet) fetch(ctx context.Context, flight chan struct{}) {
	found, err := k.published(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.askedAt, k.failure = k.now(), err
	if err == nil {
		k.cached, k.fetchedAt = found.keys, k.askedAt
	}
	k.flight = nil
	close(flight)
}

// published returns the keys that are published now. Both calls together end after the time limit
// of one. Errors are those of fetchKeys.
func (k *keySet) published(ctx context.Context) (publishedKeys, error) {
	ctx, cancel := context.WithTimeout(ctx, k.caller.timeout)
	defer cancel()
	uri := k.uri
	if uri == "" {
		var err error
		if uri, err = discoverKeys(ctx, k.caller, k.issuer); err != nil {
			return publishedKeys{}, err
		}
	}
	return fetchKeys(ctx, k.caller, uri)
}

// publishedKeys is an upstream's answer with its keys.
type publishedKeys struct {
	keys    []foreign.Key // can verify tokens
	ignored int           // number of malformed, weak or surplus keys
	header  http.Header
}

// fetchKeys fetches the published keys. ErrUnreachable; ErrUntrusted, also if no key is
// usable.
func fetchKeys(ctx context.Context, c caller, uri string) (publishedKeys, error) {
	const step = "fetch keys"
	a, err := c.get(ctx, step, uri, http.Header{"Accept": {keysMediaTypes}})
	if err != nil {
		return publishedKeys{}, err
	}
	if a.status != http.StatusOK {
		return publishedKeys{}, untrusted("%s: status %d", step, a.status)
	}
	usable, bad, err := foreign.UsableKeys(a.body)
	switch {
	case err != nil:
		return publishedKeys{}, untrusted("%s: status %d, %s: the answer %v", step, a.status, foreign.ForError(a.contentType()), err)
	case len(usable) == 0:
		return publishedKeys{ignored: bad}, untrusted("%s: the key set has no usable key; %d keys are malformed or too weak", step, bad)
	}
	return publishedKeys{usable, bad, a.header}, nil
}

func within(since, at time.Time, life time.Duration) bool {
	age := at.Sub(since)
	return age >= 0 && age < life // age is negative if the clock was set back
}
