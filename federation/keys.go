package federation

import (
	"context"
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

// asymmetric lists the algorithms that verify with published keys (RFC 7518, section 3.1;
// RFC 8037; RFC 9864 gives EdDSA with Ed25519 a second name).
var asymmetric = []string{"RS256", "ES256", "EdDSA", "Ed25519", "PS256", "RS384", "ES384", "PS384", "RS512", "ES512", "PS512"}

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
	uri    string

	mu      sync.Mutex
	cached  []foreign.Key
	failure error
	askedAt time.Time
	flight  chan struct{} // closed when the current fetch ends; nil: no fetch is running
}

// verify checks that one of the upstream's keys made the signature.
//
// It tries the cached keys first. If none of them verifies the token, it fetches the key set
// again, but at most once in retryAfter, so that tokens with invented key ids do not cause a
// fetch each. ErrUnreachable: the keys cannot be fetched. ErrUntrusted: the set has no usable
// key, or no key verifies the token.
func (k *keySet) verify(ctx context.Context, token foreign.UnverifiedJWS) error {
	k.mu.Lock()
	keys := k.cached
	k.mu.Unlock()
	if verifyByAny(keys, token) == nil {
		return nil
	}
	keys, err := k.refresh(ctx)
	if err != nil {
		return err
	}
	return verifyByAny(keys, token)
}

// verifyByAny returns nil if one of the keys verifies the token, else ErrUntrusted with the
// reason. It also tries keys without an id, because the token's key may have none.
func verifyByAny(keys []foreign.Key, token foreign.UnverifiedJWS) error {
	named, fitting := 0, 0
	for _, key := range keys {
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
	switch {
	case named == 0:
		return untrusted("none of the %d usable keys has the token's kid %q", len(keys), foreign.ForError(token.KeyID))
	case fitting == 0:
		return untrusted("the key with the token's kid %q is not for %s", foreign.ForError(token.KeyID), foreign.ForError(token.Algorithm))
	}
	return untrusted("no published key verifies the signature")
}

// refresh fetches the keys, unless the last fetch was less than retryAfter ago. Then it
// returns the result of that fetch, also if it failed.
func (k *keySet) refresh(ctx context.Context) ([]foreign.Key, error) {
	k.mu.Lock()
	if !k.askedAt.IsZero() && within(k.askedAt, k.now(), retryAfter) && k.flight == nil {
		defer k.mu.Unlock()
		return k.cached, k.failure
	}
	if k.flight == nil {
		k.flight = make(chan struct{})
		go k.fetch(context.WithoutCancel(ctx), k.flight) // ctx of the first caller may end before the fetch
	}
	flight := k.flight
	k.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, fmt.Errorf("fetch keys: no answer in time: %w", ErrUnreachable)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cached, k.failure
}

func (k *keySet) fetch(ctx context.Context, flight chan struct{}) {
	found, err := fetchKeys(ctx, k.caller, k.uri)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.askedAt, k.failure = k.now(), err
	if err == nil {
		k.cached = found.keys
	}
	k.flight = nil
	close(flight)
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
	a, err := c.get(ctx, step, uri, nil)
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
