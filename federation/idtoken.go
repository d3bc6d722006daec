package federation

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"time"

	"signet/federation/foreign"
)

// maxIDToken is in bytes; upstreams that put groups into it come to a tenth.
const maxIDToken = 64 << 10

// verifyIDToken checks an ID token and gives its claims (OIDC Core, section 3.1.3.7). A
// claim that no check and no identity reads may hold anything. Verifiers that read the
// token into one struct refuse it for such a claim, or for a certificate in its header.
func (c *relyingParty) verifyIDToken(ctx context.Context, m *metadata, g tokenResponse, nonce string) (object, error) {
	const step = "verify ID token"
	if g.idToken == "" || len(g.idToken) > maxIDToken {
		return object{}, untrusted("%s: id_token is missing or over 64 KiB", step)
	}
	token, err := foreign.ReadJWS(g.idToken)
	if err != nil {
		return object{}, untrusted("%s: id_token %v", step, err)
	}
	claims, err := c.verifySigned(ctx, step, m, token, c.algorithms(m))
	if err != nil {
		return object{}, err
	}
	if err := c.checkAudience(claims); err != nil {
		return object{}, atStep(step, err)
	}
	if err := checkAccessToken(claims, token.Algorithm, g.access); err != nil {
		return object{}, atStep(step, err)
	}
	if got, err := claims.text("nonce"); err != nil || nonce == "" || subtle.ConstantTimeCompare([]byte(got), []byte(nonce)) != 1 {
		return object{}, untrusted("%s: nonce is missing or another attempt's", step)
	}
	if _, err := claims.subject(); err != nil {
		return object{}, atStep(step, err)
	}
	return claims, atStep(step, c.checkTimes(claims, []string{"exp", "iat", "nbf", "auth_time"}, "exp", "iat"))
}

// verifySigned checks a token's signature, algorithm and issuer, and that it is meant for
// this client. It gives the claims.
func (c *relyingParty) verifySigned(ctx context.Context, step string, m *metadata, token foreign.UnverifiedJWS, allowed []string) (object, error) {
	if !slices.Contains(allowed, token.Algorithm) {
		return object{}, untrusted("%s: alg %q is not one of %v, which the settings and the upstream's metadata allow", step, foreign.ForError(token.Algorithm), allowed)
	}
	switch {
	case slices.Contains(symmetric, token.Algorithm):
		if !token.VerifyHMAC([]byte(c.config.ClientSecret.Reveal())) {
			return object{}, untrusted("%s: the signature is not by the client secret", step)
		}
	case m.keys == nil:
		return object{}, untrusted("%s: alg %q needs published keys, which these settings do not use", step, foreign.ForError(token.Algorithm))
	default:
		if err := m.keys.verify(ctx, token); err != nil {
			return object{}, atStep(step, err)
		}
	}
	members, err := foreign.ReadMembers(token.Payload)
	if err != nil {
		return object{}, untrusted("%s: its payload %v", step, err)
	}
	claims := object{members}
	issuer, err := claims.text("iss")
	if err != nil || !c.isIssuer(issuer) {
		return object{}, untrusted("%s: iss %q is not the upstream's", step, foreign.ForError(issuer))
	}
	audience, err := claims.stringList("aud")
	if err != nil || !slices.Contains(audience, c.config.ClientID) {
		return object{}, untrusted("%s: aud is not this client", step)
	}
	return claims, nil
}

// checkAudience wants to be the one that a token for several was issued to.
func (c *relyingParty) checkAudience(claims object) error {
	audience, err := claims.stringList("aud")
	if err != nil {
		return err
	}
	party, err := claims.text("azp")
	if err != nil || party != "" && party != c.config.ClientID || party == "" && len(audience) > 1 {
		return untrusted("azp is not this client")
	}
	return nil
}

// checkAccessToken compares at_hash, which need not be there with a code (OIDC Core,
// section 3.1.3.6): the left half of the hash that the ID token's algorithm is built on,
// the symmetric ones included.
func checkAccessToken(claims object, algorithm, access string) error {
	want, err := claims.text("at_hash")
	if err != nil || want == "" {
		return err
	}
	h := foreign.HashOf(algorithm).New()
	h.Write([]byte(access))
	sum := h.Sum(nil)
	if got := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]); subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return untrusted("at_hash is another access token's")
	}
	return nil
}

// checkTimes compares the times of a token with the clock; the required ones must be there.
func (c *relyingParty) checkTimes(claims object, names []string, required ...string) error {
	now := c.now()
	for _, name := range names {
		seconds, ok, err := claims.seconds(name)
		if err != nil {
			return err
		}
		at := time.Unix(seconds, 0)
		switch {
		case !ok && slices.Contains(required, name):
			return untrusted("%s is missing", name)
		case ok && name == "exp" && !at.After(now.Add(-skew)):
			return untrusted("it has expired; do the clocks agree?")
		case ok && name != "exp" && at.After(now.Add(skew)):
			return untrusted("%s lies in the future; do the clocks agree?", name)
		}
	}
	return nil
}
