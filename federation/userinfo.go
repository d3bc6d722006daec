package federation

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"signet/federation/foreign"
)

// userinfo asks the userinfo endpoint for what the ID token leaves out (OIDC
// Core, section 5.3). It costs a round trip, so only if something is missing that is used.
// The zero object: not asked.
//
// An answer about somebody else ends every sign-in. Otherwise it depends on what is
// missing: without an address or groups the identity would be half of one, and the failure
// is the sign-in's; without a name or a picture it is whole, and the failure is a note.
func (c *relyingParty) userinfo(ctx context.Context, m *metadata, g tokenResponse, token object) (more object, note, err error) {
	decides, adorns := c.missingClaims(m, token)
	if m.userinfo == "" || !decides && !adorns {
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
	case err != nil && decides:
		return object{}, nil, err
	case err != nil:
		return object{}, err, nil
	case subject != own: // OIDC Core, section 5.3.2: it is about somebody else
		return object{}, nil, untrusted("%s: sub is not the ID token's", step)
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

// missingClaims reports what the ID token leaves out: a claim that decides something, and one that
// only adorns an account. Of the names, one is enough, unless the settings map others. An
// upstream that lists its claims (claims_supported) without preferred_username or picture
// is not asked for those each time.
func (c *relyingParty) missingClaims(m *metadata, token object) (decides, adorns bool) {
	for name := range c.config.Claims {
		switch claim := c.config.claim(name); name {
		case "email", "email_verified", "groups":
			decides = decides || token.isEmpty(claim)
		default:
			adorns = adorns || token.optionalText(claim) == ""
		}
	}
	for _, name := range []string{"preferred_username", "picture"} {
		if m.claims == nil || slices.Contains(m.claims, name) {
			adorns = adorns || token.optionalText(c.config.claim(name)) == ""
		}
	}
	return decides || token.isEmpty(c.config.claim("email")), adorns || token.optionalText(c.config.claim("name")) == ""
}
