package assertion

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"signet/federation"
	"signet/federation/foreign"
	"signet/provider/web"
	"signet/storage"
)

const (
	// maxLife is how far ahead exp may be. Until exp, the use of the assertion is stored.
	maxLife = time.Hour
	// skew is the allowed difference between the clock of the client and ours.
	skew = 30 * time.Second
)

// Errors of a Verifier. Each has the stable code of the cause.
var (
	// ErrInvalid: the assertion does not prove the client.
	ErrInvalid = errors.New("the assertion does not prove the client")
	// ErrNoKeys: the keys that verify a JWT cannot be fetched, or none is usable. So nobody knows
	// whether the client has signed it.
	ErrNoKeys = errors.New("the JWT cannot be verified")
)

// invalid returns an error for this JWT. code ends the stable code of the error.
func (a *Unverified) invalid(code, format string, args ...any) error {
	return web.Because(a.purpose.noun+"_"+code, fmt.Errorf("%w: "+format, append([]any{a.purpose.failure}, args...)...))
}

// Config holds the dependencies of a Verifier. All are required.
type Config struct {
	DB         *storage.DB
	Issuer     string       // of this server
	HTTP       *http.Client // fetches keys from addresses that an administrator entered
	Foreign    *http.Client // fetches keys of clients that registered themselves
	Algorithms []string     // that clients may sign with
	Now        func() time.Time
}

// Verifier verifies assertions and request objects. It is safe for concurrent use.
type Verifier struct {
	Config
	keys *keyMemory
}

// New returns a Verifier that has fetched no keys yet.
func New(c Config) *Verifier { return &Verifier{c, newKeyMemory(c)} }

// Verify checks that an assertion proves this client to a provider with these audiences (RFC 7523,
// section 3; OIDC Core, section 9). The client has signed it itself, or it is a token of an issuer
// that one of the client's federations names. An assertion of the client itself is marked as used.
// The caller has checked that the client authenticates with assertions.
//
// ErrInvalid, ErrNoKeys. Another error means that the database did not respond.
func (v *Verifier) Verify(ctx context.Context, client storage.Client, a Unverified, audiences []string) error {
	if a.Issuer != client.ID && len(client.Federations) > 0 {
		return v.verifyWorkload(ctx, client, a)
	}
	if a.Issuer != client.ID || a.Subject != client.ID {
		return a.invalid("not_own", "iss and sub must both be the client_id")
	}
	if !a.isFor(audiences) {
		return a.invalid("audience", "aud is %q, want one of %q", describe(a.audience), describe(audiences))
	}
	if err := a.checkTimes(v.Now()); err != nil {
		return err
	}
	if a.id == "" {
		return a.invalid("without_id", "jti is missing")
	}
	if err := v.checkSignature(ctx, client, a, client.Metadata.TokenEndpointAuthAlg); err != nil {
		return err
	}
	fresh, err := v.DB.SpendAssertion(ctx, client.ID, a.id, storage.At(a.times["exp"].Add(skew+storage.MaxClockSkew)))
	if err != nil {
		return err
	}
	if !fresh {
		return a.invalid("replayed", "it was used before")
	}
	return nil
}

// checkTimes checks exp, iat and nbf. The limits of exp bound the time for which a stolen JWT is of
// use.
func (a *Unverified) checkTimes(at time.Time) error {
	expires, found := a.times["exp"]
	switch {
	case !found:
		return a.invalid("times", "exp is missing")
	case !expires.After(at.Add(-skew)):
		return a.invalid("expired", "exp is %s ago: it has expired, or the clocks differ", at.Sub(expires).Round(time.Second))
	case expires.After(at.Add(maxLife + skew)):
		return a.invalid("times", "exp is more than %s ahead", maxLife)
	}
	for _, name := range []string{"iat", "nbf"} {
		if from, found := a.times[name]; found && from.After(at.Add(skew)) {
			return a.invalid("times", "%s is %s ahead: check the clocks", name, from.Sub(at).Round(time.Second))
		}
	}
	return nil
}

// checkSignature checks the algorithm and the signature. only is the registered algorithm; "" allows
// every one.
func (v *Verifier) checkSignature(ctx context.Context, client storage.Client, a Unverified, only string) error {
	if err := v.checkAlgorithm(a, only); err != nil {
		return err
	}
	return a.signatureError(v.keys.verify(ctx, client, a.token))
}

// checkAlgorithm checks the algorithm of a JWT. only is the registered one; "" allows every one.
func (v *Verifier) checkAlgorithm(a Unverified, only string) error {
	allowed := v.Algorithms
	if only != "" {
		allowed = []string{only}
	}
	if !slices.Contains(allowed, a.token.Algorithm) {
		return a.invalid("algorithm", "alg is %q, want one of %v", foreign.ForError(a.token.Algorithm), allowed)
	}
	return nil
}

// signatureError returns the error of a JWT for an error of federation.PublicKeys.Verify; nil for nil.
func (a *Unverified) signatureError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, federation.ErrSignature):
		return a.invalid("signature", "%w", err)
	}
	return web.Because("client_keys_unreachable", fmt.Errorf("%w: %w", ErrNoKeys, err))
}
