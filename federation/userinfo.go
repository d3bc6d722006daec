package federation

import (
	"context"
	"strings"
)

// userinfo asks the userinfo endpoint for what the ID token leaves out (OIDC
// Core, section 5.3). It costs a round trip, so only if the address or a claim
// that the settings map is missing. Nil: not asked.
func (c *relyingParty) userinfo(ctx context.Context, m *metadata, g tokenResponse, token object) (object, error) {
	if m.userinfo == "" || c.preset.noUserinfo || !c.lacks(token) {
		return nil, nil
	}
	const step = "read userinfo"
	a, err := c.caller.get(ctx, step, m.userinfo, bearerHeader(g.access))
	if err != nil {
		return nil, err
	}
	if a.status != 200 {
		return nil, untrusted("%s: status %d", step, a.status)
	}
	var o object
	if a.mediaType() == "application/jwt" {
		o, _, err = c.verifySigned(ctx, m, strings.TrimSpace(string(a.body)), true)
	} else {
		o, err = a.object(step)
	}
	if err != nil {
		return nil, err
	}
	// OIDC Core, section 5.3.2: or it is about somebody else.
	if subject, err := o.subject(); err != nil || subject != token["sub"] {
		return nil, untrusted("%s: sub is not the ID token's", step)
	}
	return o, nil
}

func (c *relyingParty) lacks(token object) bool {
	if token[c.config.claim("email")] == nil {
		return true
	}
	for _, name := range c.config.Claims {
		if token[name] == nil {
			return true
		}
	}
	return false
}
