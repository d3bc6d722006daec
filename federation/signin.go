package federation

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"

	"golang.org/x/oauth2"
)

// Start makes the authorization request (OIDC Core, section 3.1.2.1) with PKCE, nonce and
// state.
func (c *relyingParty) Start(ctx context.Context, o Options) (Attempt, string, error) {
	if err := checkRedirectURI(o.RedirectURI); err != nil {
		return Attempt{}, "", err
	}
	ctx, cancel := c.caller.withDeadline(ctx)
	defer cancel()
	m, err := c.discovery.get(ctx)
	if err != nil {
		return Attempt{}, "", fmt.Errorf("start: %w", err)
	}
	if err := c.checkEndpointURL(m, o.RedirectURI); err != nil {
		return Attempt{}, "", fmt.Errorf("start: %w", err)
	}
	a := newAttempt(c.config.ID, c.issuer, o, c.now())
	return a, c.authorizationURL(m, a, o), nil
}

func (c *relyingParty) authorizationURL(m *metadata, a Attempt, o Options) string {
	client := oauth2.Config{
		ClientID: c.config.ClientID, RedirectURL: o.RedirectURI, Scopes: c.Scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: m.authorization},
	}
	options := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("nonce", a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	for name, value := range c.parameters(o) {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	return client.AuthCodeURL(a.State, options...)
}

// parameters returns the parameters that depend on the options or on the kind of upstream.
func (c *relyingParty) parameters(o Options) map[string]string {
	p := map[string]string{}
	if o.Fresh {
		p["prompt"] = cmp.Or(c.preset.freshPrompt, "login")
		p["max_age"] = "0" // the upstream must then send auth_time (OIDC Core, section 2)
	}
	if o.AuthTime {
		p["max_age"] = cmp.Or(p["max_age"], anyAge)
	}
	if o.MaxAge != nil {
		p["max_age"] = strconv.FormatInt(max(*o.MaxAge, 0), 10)
	}
	if o.LoginHint != "" {
		p["login_hint"] = o.LoginHint
	}
	if c.preset.formPost {
		p["response_mode"] = "form_post"
	}
	if c.quirks.addParameters != nil {
		c.quirks.addParameters(c, o, p)
	}
	return p
}

// anyAge is a max_age of one year, in seconds. It requires auth_time, but practically never
// makes the upstream authenticate the user again.
const anyAge = "31536000"

// Finish exchanges the callback's code and returns the identity that the ID token and, if
// needed, userinfo assert.
func (c *relyingParty) Finish(ctx context.Context, a Attempt, callback url.Values) (Identity, error) {
	ctx, cancel := c.caller.withDeadline(ctx)
	defer cancel()
	m, err := c.discovery.get(ctx)
	if err != nil {
		return Identity{}, fmt.Errorf("finish: %w", err)
	}
	code, err := a.codeFromCallback(c.config.ID, c.issuer, callback, c.callbackIssuer(m), c.now())
	if err != nil {
		return Identity{}, err
	}
	g, err := c.exchange(ctx, m.token, code, a, c.credentials.withMethod(m.clientAuth))
	if err != nil {
		return Identity{}, err
	}
	if g.idToken, err = g.document.text("id_token"); err != nil {
		return Identity{}, atStep("exchange code", err)
	}
	claims, err := c.verifyIDToken(ctx, m, g, a.Nonce)
	if err != nil {
		return Identity{}, err
	}
	more, profileError, err := c.userinfo(ctx, m, g, claims)
	if err != nil {
		return Identity{}, err
	}
	i, err := c.identify(a, claims, more)
	if err != nil {
		return Identity{}, fmt.Errorf("read identity: %w", err)
	}
	i.ProfileError = profileError
	if c.quirks.completeIdentity != nil {
		if err := c.quirks.completeIdentity(c, claims, callback, &i); err != nil {
			return Identity{}, fmt.Errorf("read identity: %w", err)
		}
	}
	if err := c.checkAllowed(claims, i); err != nil {
		return Identity{}, fmt.Errorf("check who may sign in: %w", err)
	}
	c.storeTokens(g, &i)
	return i, nil
}

// callbackIssuer returns a check of the callback's parameter iss (RFC 9207). It may be
// absent only if the upstream does not advertise it.
func (c *relyingParty) callbackIssuer(m *metadata) func(string) bool {
	return func(iss string) bool {
		if iss == "" {
			return !m.issuerInCallback
		}
		return c.isIssuer(iss)
	}
}

func (c *relyingParty) checkAllowed(claims object, i Identity) error {
	if c.quirks.checkAllowed != nil {
		return c.quirks.checkAllowed(c, claims, i)
	}
	return c.checkAllowedAddress(i)
}
