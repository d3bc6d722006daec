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

// retryAfter keeps an upstream that is down, and one that a flood of unknown key
// ids makes us ask again, from more than one call in that time.
const retryAfter = 5 * time.Second

// asymmetric are the algorithms that verify by published keys (RFC 7518, section 3.1; RFC
// 8037; RFC 9864 gives EdDSA by Ed25519 a second name).
var asymmetric = []string{"RS256", "ES256", "EdDSA", "Ed25519", "PS256", "RS384", "ES384", "PS384", "RS512", "ES512", "PS512"}

var symmetric = []string{"HS256", "HS384", "HS512"}

// needsKeys reports whether a token by one of the algorithms is verified by a published key.
func needsKeys(algorithms []string) bool {
	return slices.ContainsFunc(algorithms, func(a string) bool { return !slices.Contains(symmetric, a) })
}

// keySet holds an upstream's signing keys. They are fetched when a token first needs one
// that is not known, once for all callers that wait. A caller that gives up
// does not stop the fetch.
type keySet struct {
	caller caller
	now    func() time.Time
	uri    string

	mu      sync.Mutex
	cached  []foreign.Key
	failure error
	askedAt time.Time
	flight  chan struct{} // closed when the fetch under way has ended
}

// verify checks that one of the upstream's keys made the signature.
//
// Keys that are known are tried first. If none of them did it, the set is fetched anew, but
// at most once in retryAfter: tokens that name keys which never existed cost an attacker
// more than the upstream. ErrUnreachable: the keys cannot be fetched. ErrUntrusted: there
// are none, or none fits.
func (k *keySet) verify(ctx context.Context, token foreign.UnverifiedJWS) error {
	k.mu.Lock()
	known := k.cached
	k.mu.Unlock()
	if verifyByAny(known, token) == nil {
		return nil
	}
	known, err := k.refresh(ctx)
	if err != nil {
		return err
	}
	return verifyByAny(known, token)
}

// verifyByAny says why none of the keys made the signature. A key without an id may be the
// one that a token names; the signature decides.
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
	return untrusted("the signature is not by the published key")
}

// refresh fetches the keys, unless that was done a moment ago. Failures are remembered
// for as long.
func (k *keySet) refresh(ctx context.Context) ([]foreign.Key, error) {
	k.mu.Lock()
	if !k.askedAt.IsZero() && within(k.askedAt, k.now(), retryAfter) && k.flight == nil {
		defer k.mu.Unlock()
		return k.cached, k.failure
	}
	if k.flight == nil {
		k.flight = make(chan struct{})
		go k.fetch(context.WithoutCancel(ctx), k.flight) // the caller that started it may be gone before it ends
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

// publishedKeys is an answer of an upstream that holds its keys.
type publishedKeys struct {
	keys    []foreign.Key // that tokens may be verified with
	ignored int           // others, which are malformed, too weak or too many
	header  http.Header
}

// fetchKeys reads the published keys. ErrUntrusted if none of them can be used.
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
		return publishedKeys{ignored: bad}, untrusted("%s: the set holds no usable key, and %d that are malformed or too weak", step, bad)
	}
	return publishedKeys{usable, bad, a.header}, nil
}

func within(since, at time.Time, life time.Duration) bool {
	age := at.Sub(since)
	return age >= 0 && age < life // a clock that was set back ends it, too
}
