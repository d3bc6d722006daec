package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/federation/foreign"
)

// tokenResponse is what the token endpoint gave (RFC 6749, section 5.1).
type tokenResponse struct {
	access, refresh, idToken, scope string
	expiresAt                       int64 // Unix milliseconds; 0: unknown
}

// exchange redeems the code: one request, never a second one, since a code is
// good for one (RFC 6749, section 4.1.3; RFC 7636, section 4.5). x/oauth2 would
// take a doubled member and put the answer into its error.
func (c *base) exchange(ctx context.Context, endpoint, code string, a Attempt, as credentials) (tokenResponse, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {a.RedirectURI}, "code_verifier": {a.Verifier},
	}
	header := http.Header{}
	if err := as.apply(endpoint, form, header, c.now()); err != nil {
		return tokenResponse{}, err
	}
	const step = "exchange code"
	res, err := c.caller.post(ctx, step, endpoint, form, header)
	if err != nil {
		return tokenResponse{}, err
	}
	o, err := res.object(step)
	if err != nil {
		return tokenResponse{}, err
	}
	// GitHub says no with status 200.
	if o["error"] != nil || res.status != http.StatusOK {
		return tokenResponse{}, refusedExchange(step, res.status, o)
	}
	return c.readTokenResponse(o)
}

func refusedExchange(step string, status int, o object) error {
	code, _ := o["error"].(string)
	switch _, known := refusals[code]; {
	case known:
		return refusal(step, code)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%s: status %d: %w", step, status, ErrMisconfigured)
	}
	return untrusted("%s: status %d, error %q", step, status, foreign.ForError(code))
}

func (c *base) readTokenResponse(o object) (tokenResponse, error) {
	var g tokenResponse
	var kind string
	for name, into := range map[string]*string{
		"access_token": &g.access, "refresh_token": &g.refresh, "id_token": &g.idToken, "scope": &g.scope, "token_type": &kind,
	} {
		var err error
		if *into, err = o.text(name); err != nil {
			return g, fmt.Errorf("exchange code: %w", err)
		}
	}
	if g.access == "" || strings.ContainsFunc(g.access, notVisible) || !strings.EqualFold(kind, "bearer") {
		return g, untrusted("exchange code: no bearer token in the answer")
	}
	if n, ok := o["expires_in"].(json.Number); ok {
		if seconds, err := n.Int64(); err == nil && seconds > 0 && seconds < 1<<31 {
			g.expiresAt = c.now().Add(time.Duration(seconds) * time.Second).UnixMilli()
		}
	}
	return g, nil
}

// notVisible finds what would break out of a header.
func notVisible(r rune) bool { return r <= ' ' || r > '~' }

// keep gives the tokens to the identity if the settings ask for it.
func (c *base) keep(g tokenResponse, i *Identity) {
	if c.config.KeepToken {
		i.Token = &Token{g.access, g.refresh, g.scope, g.expiresAt}
	}
}

func bearerHeader(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}
