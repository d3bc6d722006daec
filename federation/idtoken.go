package federation

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/federation/foreign"
)

// maxIDToken is in bytes; upstreams that put groups into it come to a tenth.
const maxIDToken = 64 << 10

// verifyIDToken checks an ID token and gives its claims (OIDC Core, section
// 3.1.3.7). The library verifies signature, algorithm and expiry. The rest is
// decided here, on the strictly read text, which must say the same as what the
// library read.
func (c *relyingParty) verifyIDToken(ctx context.Context, m *metadata, g tokenResponse, nonce string) (object, error) {
	if g.idToken == "" || len(g.idToken) > maxIDToken {
		return nil, untrusted("verify ID token: there is none, or it is too long")
	}
	claims, token, err := c.verifySigned(ctx, m, g.idToken, false)
	if err != nil {
		return nil, err
	}
	if token.AccessTokenHash != "" && token.VerifyAccessToken(g.access) != nil {
		return nil, untrusted("verify ID token: at_hash is another access token's")
	}
	if got, err := claims.text("nonce"); err != nil || nonce == "" || subtle.ConstantTimeCompare([]byte(got), []byte(nonce)) != 1 {
		return nil, untrusted("verify ID token: nonce is missing or another attempt's")
	}
	if err := c.checkClaims(claims); err != nil {
		return nil, err
	}
	return claims, nil
}

// verifySigned checks a token's signature, and its expiry unless it need have
// none.
func (c *relyingParty) verifySigned(ctx context.Context, m *metadata, text string, endless bool) (object, *oidc.IDToken, error) {
	keys := &witness{keys: c.keys(m)}
	verifier := oidc.NewVerifier(m.issuer, keys, &oidc.Config{
		ClientID: c.config.ClientID, SupportedSigningAlgs: c.algorithms(m),
		SkipIssuerCheck: true, // checkClaims does, and knows upstreams with several
		SkipExpiryCheck: endless,
		Now:             func() time.Time { return c.now().Add(-skew) },
	})
	token, err := verifier.Verify(ctx, text)
	if keys.unreachable != nil {
		return nil, nil, fmt.Errorf("verify signed token: fetch keys: %w", keys.unreachable)
	}
	if err != nil {
		return nil, nil, untrusted("verify signed token: %s", foreign.ForError(err.Error()))
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, nil, untrusted("verify signed token: no claims")
	}
	claims, err := decodeObject(payload)
	if err != nil {
		return nil, nil, untrusted("verify signed token: %v", err)
	}
	return claims, token, c.checkIssuerAndAudience(claims)
}

func (c *relyingParty) checkIssuerAndAudience(claims object) error {
	issuer, err := claims.text("iss")
	if err != nil || !c.issues(issuer) {
		return untrusted("verify signed token: iss %q is not the upstream's", foreign.ForError(issuer))
	}
	audience, err := claims.list("aud")
	if err != nil || !slices.Contains(audience, c.config.ClientID) {
		return untrusted("verify signed token: aud is not this client")
	}
	party, err := claims.text("azp")
	if err != nil || party != "" && party != c.config.ClientID || party == "" && len(audience) > 1 {
		return untrusted("verify signed token: azp is not this client")
	}
	return nil
}

func (c *relyingParty) checkClaims(claims object) error {
	if _, err := claims.subject(); err != nil {
		return err
	}
	now := c.now()
	if _, ok, err := claims.seconds("exp"); err != nil || !ok {
		return untrusted("verify ID token: exp is missing or no time")
	}
	for _, name := range []string{"iat", "nbf", "auth_time"} {
		at, ok, err := claims.seconds(name)
		if err != nil || name == "iat" && !ok {
			return untrusted("verify ID token: %s is missing or no time", name)
		}
		if ok && time.Unix(at, 0).After(now.Add(skew)) {
			return untrusted("verify ID token: %s lies in the future; do the clocks agree?", name)
		}
	}
	return nil
}
