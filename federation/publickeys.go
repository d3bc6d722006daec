package federation

import (
	"context"
	"net/http"
	"time"

	"signet/federation/foreign"
)

const (
	// keysLife is how long fetched keys of a client or workload are used. A key that its owner
	// withdraws is trusted no longer than this.
	keysLife = 10 * time.Minute
	// keysTimeout ends a fetch of such keys.
	keysTimeout = 5 * time.Second
)

// PublicKeys holds the keys that another party publishes as a JWK Set at one address. It fetches
// them when they are first needed, after ten minutes, and when no cached key verifies a
// signature, but at most once in five seconds. Callers that wait at the same time share one fetch.
// While the host cannot be reached, the keys of the last day are used.
//
// It is safe for concurrent use.
type PublicKeys struct{ set keySet }

// NewPublicKeys returns the keys at address. It makes no call.
func NewPublicKeys(client *http.Client, address string, now func() time.Time) *PublicKeys {
	return &PublicKeys{keySet{caller: newCaller(client, keysTimeout), now: now, uri: address, life: keysLife}}
}

// Verify checks that one of the keys made the signature. If the token names a key, only that key
// and keys without a name count; at most 20 keys are tried. It checks no claim and accepts every
// algorithm of its keys.
//
// ErrUnreachable: the keys cannot be fetched. ErrUntrusted: the document has no usable key, or
// no key verifies the token.
func (p *PublicKeys) Verify(ctx context.Context, token foreign.UnverifiedJWS) error {
	return p.set.verify(ctx, token)
}

// VerifyByKeys is Verify for keys that are known already. ErrUntrusted.
func VerifyByKeys(keys []foreign.Key, token foreign.UnverifiedJWS) error {
	return verifyByAny(keys, token)
}
