package federation

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"signet/federation/foreign"
)

// userinfo fetches the claims that the ID token lacks from the userinfo endpoint (OIDC Core,
// section 5.3). Because this costs a round trip, it makes the call only if a claim that we
// use is missing; else it returns the zero object.
//
// An answer about another person ends the sign-in (err). The effect of any other failure
// depends on the missing claims: without an address or groups the identity would be
// incomplete, so the failure is err. Without a name or a picture the identity is still
// usable, so the failure is only profileError.
func (c *relyingParty) userinfo(ctx context.Context, m *metadata, g tokenResponse, token object) (more object, profileError, err error) {
	needed, optional := c.missingClaims(m, token)
	if m.userinfo == "" || !needed && !optional {
		return object{}, nil, nil
	}
	own, err := token.subject()
	if err != nil {
		return object{}, nil, err
	}
	const step = "read userinfo"
	var subject string
	if more, err = c.fetchUserinfo(ctx, m, g); err == nil {
		subject, err = more.subject()
		err = atStep(step, err)
	}
	switch {
	case err != nil && needed:
		return object{}, nil, err
	case err != nil:
		return object{}, err, nil
	case subject != own: // OIDC Core, section 5.3.2: the answer is about another person
		return object{}, nil, untrusted("%s: sub is not the sub of the ID token", step)
	}
	return more, nil, nil
}

func (c *relyingParty) fetchUserinfo(ctx context.Context, m *metadata, g tokenResponse) (object, error) {
	const step = "read userinfo"
	a, err := c.caller.get(ctx, step, m.userinfo, http.Header{
		"Authorization": {"Bearer " + g.access}, "Accept": {"application/json, application/jwt"},
	})
	if err != nil {
		return object{}, err
	}
	if a.status != http.StatusOK {
		return object{}, untrusted("%s: status %d", step, a.status)
	}
	if a.mediaType() != "application/jwt" && !foreign.LooksLikeJWS(a.body) {
		return a.object(step)
	}
	allowed, err := c.userinfoAlgorithms(m)
	if err != nil {
		return object{}, atStep(step, err)
	}
	token, err := foreign.ReadJWS(strings.TrimSpace(string(a.body)))
	if err != nil {
		return object{}, untrusted("%s: %s: the answer %v", step, foreign.ForError(a.contentType()), err)
	}
	claims, err := c.verifySigned(ctx, step, m, token, allowed)
	if err != nil {
		return object{}, err
	}
	return claims, atStep(step, c.checkTimes(claims, []string{"exp", "nbf"}))
}

// missingClaims reports whether the ID token lacks a claim that decisions need, and whether it
// lacks an optional claim of the profile. Of the names, only name is required, unless the
// settings map others. preferred_username and picture do not count if claims_supported of the
// upstream does not list them.
func (c *relyingParty) missingClaims(m *metadata, token object) (needed, optional bool) {
	for name := range c.config.Claims {
		switch claim := c.config.claim(name); name {
		case "email", "email_verified", "groups":
			needed = needed || token.isEmpty(claim)
		default:
			optional = optional || token.optionalText(claim) == ""
		}
	}
	for _, name := range []string{"preferred_username", "picture"} {
		if m.claims == nil || slices.Contains(m.claims, name) {
			optional = optional || token.optionalText(c.config.claim(name)) == ""
		}
	}
	return needed || token.isEmpty(c.config.claim("email")), optional || token.optionalText(c.config.claim("name")) == ""
}
