package federation

import (
	"context"
	"errors"
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

// Errors of keys that a client or the issuer of a workload publishes. They are no upstream.
var (
	// ErrKeys: the keys cannot be fetched, or none of them is usable.
	ErrKeys = errors.New("the public keys cannot be used")
	// ErrSignature: no key verifies the signature.
	ErrSignature = errors.New("the signature cannot be verified")
)

// PublicKeys holds the keys that another party publishes as a JWK Set at one address. It fetches
// them when they are first needed, after ten minutes, and when no cached key verifies a
// signature, but at most once in five seconds, also if that fails. Callers that wait at the same
// time share one fetch. While the host cannot be reached, the keys of the last day are used.
//
// It is safe for concurrent use.
type PublicKeys struct{ set keySet }

// NewPublicKeys returns the keys at address. It makes no call.
func NewPublicKeys(client *http.Client, address string, now func() time.Time) *PublicKeys {
	return &PublicKeys{keySet{caller: newCaller(client, keysTimeout), now: now, uri: address, life: keysLife}}
}

// NewIssuerKeys returns the keys of an issuer of tokens. Each fetch reads their address in the
// issuer's discovery document first. It makes no call.
func NewIssuerKeys(client *http.Client, issuer string, now func() time.Time) *PublicKeys {
	return &PublicKeys{keySet{caller: newCaller(client, keysTimeout), now: now, issuer: issuer, life: keysLife}}
}

// Verify checks that one of the keys made the signature. If the token names a key, only that key
// and keys without a name count; at most 20 keys are tried. It checks no claim and accepts every
// algorithm of its keys. Errors: ErrKeys, ErrSignature.
func (p *PublicKeys) Verify(ctx context.Context, token foreign.UnverifiedJWS) error {
	return ofKeys(p.set.verify(ctx, token))
}

// VerifyByKeys is Verify for keys that are known already. Errors: ErrSignature.
func VerifyByKeys(keys []foreign.Key, token foreign.UnverifiedJWS) error {
	return ofKeys(verifyByAny(keys, token))
}

// ofKeys replaces an error about an upstream by ErrKeys or ErrSignature with the same reason.
func ofKeys(err error) error {
	if err == nil {
		return nil
	}
	kind, reason := ErrKeys, err.Error()
	if errors.Is(err, errSignature) {
		kind = ErrSignature
	}
	if e, is := errors.AsType[*answerError](err); is {
		reason = e.reason
	}
	return &answerError{reason, kind}
}

// discoverKeys returns the address of the keys in the discovery document of an issuer (OIDC
// Discovery, section 3). It reads only issuer and jwks_uri, because issuers of workload tokens
// sign nobody in. The document's issuer must equal issuer byte for byte, and the address must be in
// its domain, so that the document cannot make this server call another host. Errors are those of
// fetchKeys.
func discoverKeys(ctx context.Context, c caller, issuer string) (string, error) {
	const step = "discover keys"
	from := discoveryURL(issuer)
	a, err := c.get(ctx, step, from, nil)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", untrusted("%s: status %d at %s, want 200: check the issuer, or set its jwks_uri", step, a.status, foreign.ForError(from))
	}
	o, err := a.object(step)
	if err != nil {
		return "", err
	}
	named, err := o.text("issuer")
	if err != nil {
		return "", err
	}
	if named != issuer {
		return "", untrusted("%s: issuer in the document is %q, want exactly %q", step, foreign.ForError(named), issuer)
	}
	address, err := o.text("jwks_uri")
	if err != nil {
		return "", err
	}
	switch u, ofIssuer, err := endpointURL(issuer, address); {
	case err != nil:
		return "", untrusted("%s: jwks_uri: %v", step, err)
	case !ofIssuer:
		return "", untrusted("%s: the host %s of jwks_uri is not in the issuer's domain: if the keys are there, set it as jwks_uri", step, foreign.ForError(u.Host))
	}
	return address, nil
}
