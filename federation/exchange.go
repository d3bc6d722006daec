package federation

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/federation/foreign"
)

// tokenResponse is what the token endpoint gave (RFC 6749, section 5.1).
type tokenResponse struct {
	access, idToken string
	document        object // the whole answer
}

// exchange redeems the code: one request, never a second one, since a code is
// good for one (RFC 6749, section 4.1.3; RFC 7636, section 4.5). x/oauth2 would
// take a doubled member and put the answer into its error.
func (c *base) exchange(ctx context.Context, endpoint, code string, a Attempt, as credentials) (tokenResponse, error) {
	form, header, err := c.tokenRequest(endpoint, code, a, as)
	if err != nil {
		return tokenResponse{}, err
	}
	res, err := c.caller.post(ctx, exchangeStep, endpoint, form, header)
	if err != nil {
		return tokenResponse{}, err
	}
	o, err := readExchange(res)
	if err != nil {
		return tokenResponse{}, err
	}
	return readTokenResponse(exchangeStep, o)
}

const exchangeStep = "exchange code"

// tokenRequest is the form of a token request and the header that authenticates us.
func (c *base) tokenRequest(endpoint, code string, a Attempt, as credentials) (url.Values, http.Header, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {a.Verifier}}
	if a.RedirectURI != "" {
		form.Set("redirect_uri", a.RedirectURI)
	}
	header := http.Header{}
	return form, header, as.apply(endpoint, form, header, c.now())
}

// readExchange reads the answer of the token endpoint, unless it is a refusal.
func readExchange(res response) (object, error) {
	o, err := res.object(exchangeStep)
	switch {
	case err != nil && res.status == http.StatusOK:
		return object{}, err
	case err != nil: // often HTML; the status says enough
		return object{}, newTokenRefusal(exchangeStep, res, object{})
	}
	// GitHub says no with status 200. An empty error is how some programs write none.
	if res.status != http.StatusOK || !o.isEmpty("error") {
		return object{}, newTokenRefusal(exchangeStep, res, o)
	}
	return o, nil
}

// tokenRefusal is a refusal of the token endpoint.
type tokenRefusal struct {
	status int
	code   string // error; "" if it gave none
	cause  error
}

// Error is the cause.
func (r *tokenRefusal) Error() string { return r.cause.Error() }

// Unwrap gives the cause, one of the errors of a Connector.
func (r *tokenRefusal) Unwrap() error { return r.cause }

func newTokenRefusal(step string, res response, o object) error {
	code, err := o.text("error")
	return &tokenRefusal{res.status, code, causeOfRefusal(step, res, code, err)}
}

func causeOfRefusal(step string, res response, code string, err error) error {
	switch _, known := causesByCode[code]; {
	case known:
		return upstreamError(step, code)
	case res.status == http.StatusUnauthorized || res.status == http.StatusForbidden:
		return fmt.Errorf("%s: status %d: %w", step, res.status, ErrMisconfigured)
	case res.status == http.StatusNotFound || res.status == http.StatusMethodNotAllowed || res.status == http.StatusGone:
		return untrusted("%s: status %d: there is no token endpoint", step, res.status)
	case err != nil:
		return atStep(step, err)
	}
	return untrusted("%s: status %d, %s, error %q", step, res.status, foreign.ForError(res.contentType()), foreign.ForError(code))
}

// readTokenResponse takes from the answer what every sign-in goes by. A token type need not
// be named: no other than Bearer was agreed on (OIDC Core, section 3.1.3.3).
func readTokenResponse(step string, o object) (tokenResponse, error) {
	access, err := o.text("access_token")
	if err != nil {
		return tokenResponse{}, atStep(step, err)
	}
	kind, err := o.text("token_type")
	switch {
	case err != nil:
		return tokenResponse{}, atStep(step, err)
	case kind != "" && !strings.EqualFold(kind, "bearer"):
		return tokenResponse{}, untrusted("%s: token_type %q is not Bearer", step, foreign.ForError(kind))
	case access == "" || strings.ContainsFunc(access, isNotVisible):
		return tokenResponse{}, untrusted("%s: access_token is missing or malformed", step)
	}
	return tokenResponse{access: access, document: o}, nil
}

// isNotVisible finds what would break out of a header.
func isNotVisible(r rune) bool { return r <= ' ' || r > '~' }

// storeTokens gives the tokens to the identity if the settings ask for it. A member beside the
// access token that cannot be read is left out: the sign-in does not depend on it.
func (c *base) storeTokens(g tokenResponse, i *Identity) {
	if !c.config.KeepToken {
		return
	}
	refresh, _ := g.document.text("refresh_token")
	i.Token = &Token{AccessToken: g.access, RefreshToken: refresh, Scope: strings.Join(g.document.optionalList("scope"), " ")}
	if life := g.document.optionalSeconds("expires_in"); life > 0 {
		i.Token.ExpiresAt = c.now().Add(time.Duration(life) * time.Second).UnixMilli()
	}
}

func bearerHeader(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}
