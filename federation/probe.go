package federation

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

// Probe fetches the discovery document and the keys anew, whatever is remembered.
func (c *relyingParty) Probe(ctx context.Context) Report {
	ctx, cancel := c.caller.inTime(ctx)
	defer cancel()
	r := Report{Issuer: c.issuer}
	m, err := c.discovery.fetch(ctx)
	if err != nil {
		r.Err = err
		return r
	}
	r.Endpoints = map[string]string{"authorization": m.authorization, "token": m.token, "userinfo": m.userinfo, "jwks": m.jwks}
	r.Algorithms, r.Scopes, r.ClientAuth, r.Prompts = m.algorithms, m.scopes, m.clientAuth, m.prompts
	r.PKCE, r.IssuerInCallback = slices.Contains(m.challenges, "S256"), m.issuerInCallback
	a, err := c.caller.get(ctx, "fetch keys", m.jwks, nil)
	if err == nil {
		r.ClockSkew = c.clockSkew(a.header)
		r.Keys, r.IgnoredKeys, err = countKeys(a)
	}
	if err == nil && len(m.algorithms) > 0 && c.algorithms(m)[0] == noCommon {
		err = fmt.Errorf("algorithms: the upstream signs by none that is allowed: %w", ErrMisconfigured)
	}
	r.Err = err
	return r
}

// Probe asks GitHub's API whether it is there. It needs no token, and says nothing
// of client id and secret: only a sign-in tries those.
func (c *gitHub) Probe(ctx context.Context) Report {
	ctx, cancel := c.caller.inTime(ctx)
	defer cancel()
	r := Report{
		Issuer: c.web, Scopes: c.Scopes(), PKCE: true,
		Endpoints: map[string]string{
			"authorization": c.web + "/login/oauth/authorize", "token": c.web + "/login/oauth/access_token", "userinfo": c.api + "/user",
		},
	}
	a, err := c.ask(ctx, "read API", "/meta", "")
	switch {
	case err != nil:
		r.Err = err
	case a.status != http.StatusOK && !exhausted(a):
		r.Err = fmt.Errorf("read API: status %d: is base_url right?: %w", a.status, ErrMisconfigured)
	}
	if err == nil {
		r.ClockSkew = c.clockSkew(a.header)
	}
	return r
}
