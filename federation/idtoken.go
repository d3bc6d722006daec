package federation

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"time"

	"signet/federation/foreign"
)

// maxIDToken is in bytes. ID tokens with groups have about a tenth of that.
const maxIDToken = 64 << 10

// verifyIDToken checks an ID token and returns its claims (OIDC Core, section 3.1.3.7).
// Claims that neither a check nor an identity reads may have any value. Libraries that
// decode the whole token refuse it for such a claim, or for a certificate in its header.
// ErrUntrusted; ErrUnreachable if the keys cannot be fetched.
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
		return object{}, untrusted("%s: nonce is missing or does not match the attempt", step)
	}
	if _, err := claims.subject(); err != nil {
		return object{}, atStep(step, err)
	}
	return claims, atStep(step, c.checkTimes(claims, []string{"exp", "iat", "nbf", "auth_time"}, "exp", "iat"))
}

// verifySigned checks algorithm, signature, issuer and audience of a token, and returns the
// claims. It does not check times, nonce or azp.
func (c *relyingParty) verifySigned(ctx context.Context, step string, m *metadata, token foreign.UnverifiedJWS, allowed []string) (object, error) {
	if !slices.Contains(allowed, token.Algorithm) {
		return object{}, untrusted("%s: alg %q is not one of the algorithms %v that the settings and the upstream's metadata allow", step, foreign.ForError(token.Algorithm), allowed)
	}
	switch {
	case slices.Contains(symmetric, token.Algorithm):
		if !token.VerifyHMAC([]byte(c.config.ClientSecret.Reveal())) {
			return object{}, untrusted("%s: the signature does not match the client secret", step)
		}
	case m.keys == nil:
		return object{}, untrusted("%s: alg %q needs published keys, but the allowed algorithms use only the client secret", step, foreign.ForError(token.Algorithm))
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
		return object{}, untrusted("%s: aud does not contain client_id", step)
	}
	return claims, nil
}

// checkAudience requires that azp, if present, is this client, and that a token with several
// audiences has azp.
func (c *relyingParty) checkAudience(claims object) error {
	audience, err := claims.stringList("aud")
	if err != nil {
		return err
	}
	party, err := claims.text("azp")
	if err != nil || party != "" && party != c.config.ClientID || party == "" && len(audience) > 1 {
		return untrusted("azp is not client_id")
	}
	return nil
}

// checkAccessToken compares at_hash with the access token. at_hash is optional in the code
// flow (OIDC Core, section 3.1.3.6). It is the left half of a hash, whose function is that
// of the ID token's algorithm, HMAC included.
func checkAccessToken(claims object, algorithm, access string) error {
	want, err := claims.text("at_hash")
	if err != nil || want == "" {
		return err
	}
	h := foreign.HashOf(algorithm).New()
	h.Write([]byte(access))
	sum := h.Sum(nil)
	if got := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]); subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return untrusted("at_hash does not match the access token")
	}
	return nil
}

// checkTimes compares the times of a token with the clock. The required times must be
// present.
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
			return untrusted("exp is in the past: the token has expired, or the clocks differ")
		case ok && name != "exp" && at.After(now.Add(skew)):
			return untrusted("%s is in the future: check the clocks", name)
		}
	}
	return nil
}
