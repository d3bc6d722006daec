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

func invalid(code, format string, args ...any) error {
	return web.Because(code, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
}

// Config holds the dependencies of a Verifier. All are required.
type Config struct {
	DB         *storage.DB
	HTTP       *http.Client // fetches keys from addresses that an administrator entered
	Foreign    *http.Client // fetches keys of clients that registered themselves
	Algorithms []string     // that assertions may be signed with
	Now        func() time.Time
}

// Verifier verifies assertions. It is safe for concurrent use.
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
		return invalid("assertion_not_own", "iss and sub must both be the client_id")
	}
	if err := a.checkClaims(audiences, v.Now()); err != nil {
		return err
	}
	if a.id == "" {
		return invalid("assertion_without_id", "jti is missing")
	}
	if err := v.checkSignature(ctx, client, a.token); err != nil {
		return err
	}
	fresh, err := v.DB.SpendAssertion(ctx, client.ID, a.id, storage.At(a.times["exp"].Add(skew+storage.MaxClockSkew)))
	if err != nil {
		return err
	}
	if !fresh {
		return invalid("assertion_replayed", "it was used before")
	}
	return nil
}

// checkClaims checks audience and times. The limits of exp bound the time for which a stolen
// assertion is of use.
func (a *Unverified) checkClaims(audiences []string, at time.Time) error {
	if !a.isFor(audiences) {
		return invalid("assertion_audience", "aud is %q, want one of %q", describe(a.audience), describe(audiences))
	}
	expires, found := a.times["exp"]
	switch {
	case !found:
		return invalid("assertion_times", "exp is missing")
	case !expires.After(at.Add(-skew)):
		return invalid("assertion_expired", "exp is %s ago: it has expired, or the clocks differ", at.Sub(expires).Round(time.Second))
	case expires.After(at.Add(maxLife + skew)):
		return invalid("assertion_times", "exp is more than %s ahead", maxLife)
	}
	for _, name := range []string{"iat", "nbf"} {
		if from, found := a.times[name]; found && from.After(at.Add(skew)) {
			return invalid("assertion_times", "%s is %s ahead: check the clocks", name, from.Sub(at).Round(time.Second))
		}
	}
	return nil
}

// checkSignature checks the algorithm and the signature.
func (v *Verifier) checkSignature(ctx context.Context, client storage.Client, token foreign.UnverifiedJWS) error {
	allowed := v.Algorithms
	if only := client.Metadata.TokenEndpointAuthAlg; only != "" {
		allowed = []string{only}
	}
	if !slices.Contains(allowed, token.Algorithm) {
		return invalid("assertion_algorithm", "alg is %q, want one of %v", foreign.ForError(token.Algorithm), allowed)
	}
	err := v.keys.verify(ctx, client, token)
	switch {
	case errors.Is(err, federation.ErrUnreachable):
		return invalid("client_keys_unreachable", "%w", err)
	case err != nil:
		return invalid("assertion_signature", "%w", err)
	}
	return nil
}
