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

// ErrInvalid: the assertion does not prove the client. The error has the stable code of the cause.
var ErrInvalid = errors.New("the assertion does not prove the client")

// invalid returns an error for this JWT. code ends the stable code of the error.
func (a *Unverified) invalid(code, format string, args ...any) error {
	return web.Because(a.purpose.noun+"_"+code, fmt.Errorf("%w: "+format, append([]any{a.purpose.failure}, args...)...))
}

// Config holds the dependencies of a Verifier. All are required.
type Config struct {
	DB         *storage.DB
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

// Verify checks that an assertion proves this client to a provider with these audiences, and marks
// it as used (RFC 7523, section 3; OIDC Core, section 9). The caller has checked that the client
// authenticates with assertions.
//
// ErrInvalid. Another error means that the database did not respond.
func (v *Verifier) Verify(ctx context.Context, client storage.Client, a Unverified, audiences []string) error {
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
	allowed := v.Algorithms
	if only != "" {
		allowed = []string{only}
	}
	if !slices.Contains(allowed, a.token.Algorithm) {
		return a.invalid("algorithm", "alg is %q, want one of %v", foreign.ForError(a.token.Algorithm), allowed)
	}
	err := v.keys.verify(ctx, client, a.token)
	switch {
	case errors.Is(err, federation.ErrUnreachable):
		return web.Because("client_keys_unreachable", fmt.Errorf("%w: %w", a.purpose.failure, err))
	case err != nil:
		return a.invalid("signature", "%w", err)
	}
	return nil
}
