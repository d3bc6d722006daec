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

// tokenResponse is the answer of the token endpoint (RFC 6749, section 5.1).
type tokenResponse struct {
	access, idToken string
	document        object // the whole answer
}

// exchange redeems the code (RFC 6749, section 4.1.3; RFC 7636, section 4.5). It never
// repeats the request, because a code can be redeemed only once. x/oauth2 is not used here:
// it accepts repeated members, and its errors quote the answer.
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

// tokenRequest returns the form of a token request and the header that authenticates us.
func (c *base) tokenRequest(endpoint, code string, a Attempt, as credentials) (url.Values, http.Header, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {a.Verifier}}
	if a.RedirectURI != "" {
		form.Set("redirect_uri", a.RedirectURI)
	}
	header := http.Header{}
	return form, header, as.apply(endpoint, form, header, c.now())
}

// readExchange returns the answer of the token endpoint. If the endpoint refused, the error
// is a *tokenRefusal.
func readExchange(res response) (object, error) {
	o, err := res.object(exchangeStep)
	switch {
	case err != nil && res.status == http.StatusOK:
		return object{}, err
	case err != nil: // often an HTML page; the status is enough
		return object{}, newTokenRefusal(exchangeStep, res, object{})
	}
	// GitHub refuses with status 200. Some programs send an empty error with a success.
	if res.status != http.StatusOK || !o.isEmpty("error") {
		return object{}, newTokenRefusal(exchangeStep, res, o)
	}
	return o, nil
}

// tokenRefusal is the error for a refusal by the token endpoint.
type tokenRefusal struct {
	status int
	code   string // the member error; "" if it is absent
	cause  error
}

// Error returns the text of the cause.
func (r *tokenRefusal) Error() string { return r.cause.Error() }

// Unwrap returns the cause, which wraps one of the errors of a Connector.
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
		return fmt.Errorf("%s: status %d: check client_id and the client's secret or key: %w", step, res.status, ErrMisconfigured)
	case res.status == http.StatusNotFound || res.status == http.StatusMethodNotAllowed || res.status == http.StatusGone:
		return untrusted("%s: status %d: the token endpoint does not exist", step, res.status)
	case err != nil:
		return atStep(step, err)
	}
	return untrusted("%s: status %d, %s, error %q", step, res.status, foreign.ForError(res.contentType()), foreign.ForError(code))
}

// readTokenResponse reads the access token. token_type may be absent: OpenID Connect allows
// only Bearer (OIDC Core, section 3.1.3.3). It does not read the ID token.
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

// isNotVisible reports characters that could end a header.
func isNotVisible(r rune) bool { return r <= ' ' || r > '~' }

// storeTokens puts the tokens into the identity if the settings request it. It skips members
// other than the access token that cannot be read, because the sign-in does not need them.
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
