package federation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signet/federation/foreign"
)

// probeCalls is the most calls that a probe makes, one after the other.
const probeCalls = 5

// Probe reads discovery document and keys anew, even if they are remembered, and then goes
// on as a sign-in does. It stops at the first thing that would end one.
func (c *relyingParty) Probe(ctx context.Context, redirectURI string) Report {
	ctx, cancel := context.WithTimeout(ctx, probeCalls*c.caller.timeout)
	defer cancel()
	r := Report{Issuer: c.issuer}
	m, err := c.discovery.fetch(ctx)
	if err != nil {
		r.Err = err
		return r
	}
	r.addMetadata(m)
	c.warnOfMetadata(&r, m)
	if r.Err = c.checkEndpointURL(m, redirectURI); r.Err != nil {
		return r
	}
	if r.Err = c.probeKeys(ctx, &r, m); r.Err != nil {
		return r
	}
	a := newAttempt(c.config.ID, c.issuer, Options{RedirectURI: redirectURI}, c.now())
	if redirectURI != "" {
		page := c.authorizationURL(m, a, Options{RedirectURI: redirectURI})
		if r.Err = c.probePage(ctx, &r, page, c.discovery.baseURL, func(callback url.Values) error {
			_, err := a.codeFromCallback(c.config.ID, c.issuer, callback, c.callbackIssuer(m), c.now())
			return err
		}); r.Err != nil {
			return r
		}
	}
	if r.Err = c.probeToken(ctx, &r, m.token, a, c.credentials.withMethod(m.clientAuth)); r.Err != nil {
		return r
	}
	if r.Err = r.checkClock(); r.Err == nil {
		c.probeUserinfo(ctx, &r, m)
	}
	return r
}

// addMetadata notes what the upstream says of itself.
func (r *Report) addMetadata(m *metadata) {
	r.Endpoints = map[string]string{"authorization": m.authorization, "token": m.token, "userinfo": m.userinfo, "jwks": m.jwks}
	r.Algorithms, r.Scopes = m.algorithms, m.document.optionalList("scopes_supported")
	r.ClientAuth, r.Prompts = m.document.optionalList("token_endpoint_auth_methods_supported"), m.document.optionalList("prompt_values_supported")
	r.PKCE = slices.Contains(m.document.optionalList("code_challenge_methods_supported"), "S256")
	r.IssuerInCallback = m.issuerInCallback
}

// warnOfMetadata compares what the upstream says it can do with what we shall ask for. No
// sign-in stops for that: an upstream often can do more than it says.
func (c *relyingParty) warnOfMetadata(r *Report, m *metadata) {
	if !r.PKCE {
		r.warn("it does not say that it knows PKCE with S256; it is sent all the same")
	}
	responseMode := ""
	if c.preset.formPost {
		responseMode = "form_post"
	}
	method := c.credentials.withMethod(m.clientAuth).method
	for _, w := range []struct{ member, value, what string }{
		{"response_types_supported", "code", "the response type code"},
		{"grant_types_supported", "authorization_code", "the grant type authorization_code"},
		{"token_endpoint_auth_methods_supported", method, "the client authentication " + method},
		{"response_modes_supported", responseMode, "the response mode form_post"},
	} {
		if said := m.document.optionalList(w.member); w.value != "" && len(said) > 0 && !slices.Contains(said, w.value) {
			r.warn("its %s do not name %s, which sign-ins use", w.member, w.what)
		}
	}
}

func (r *Report) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// probeKeys wants a key that an ID token can be verified with.
func (c *relyingParty) probeKeys(ctx context.Context, r *Report, m *metadata) error {
	if m.keys == nil {
		return nil
	}
	found, err := fetchKeys(ctx, c.caller, m.jwks)
	r.Keys, r.IgnoredKeys, r.ClockSkew = len(found.keys), found.ignored, c.clockSkew(found.header)
	if err != nil {
		return err
	}
	if found.ignored > 0 {
		r.warn("%d of its keys are ignored: they are malformed or too weak", found.ignored)
	}
	ours := c.algorithms(m)
	fits := slices.ContainsFunc(ours, func(algorithm string) bool {
		return slices.Contains(symmetric, algorithm) || slices.ContainsFunc(found.keys, func(k foreign.Key) bool { return k.Fits(algorithm) })
	})
	if !fits {
		return untrusted("fetch keys: none of the %d usable keys is for %s", len(found.keys), strings.Join(ours, ", "))
	}
	return nil
}

// probePage asks for the sign-in page. judge reads a callback, should the upstream send the
// browser back at once. home is where the upstream has been reached before.
func (c *base) probePage(ctx context.Context, r *Report, page, home string, judge func(url.Values) error) error {
	const step = "ask for the sign-in page"
	a, err := c.caller.getPage(ctx, step, page)
	if err != nil && a.status == 0 && hostOf(page) != hostOf(home) {
		r.warn("%v; people's browsers must reach it, this server need not", err)
		return nil
	}
	if err != nil {
		return err
	}
	back, _ := url.Parse(a.header.Get("Location"))
	asked, _ := url.Parse(page)
	switch {
	case a.status >= 300 && a.status < 400 && back != nil && isCallback(back, asked.Query().Get("redirect_uri")):
		callback, err := CallbackValues(back.RawQuery)
		if err != nil {
			return err
		}
		return judge(callback)
	case a.status == http.StatusForbidden: // often a guard against programs
		r.warn("%s: status 403; whether people get it is not known", step)
	case a.status == http.StatusNotFound, a.status == http.StatusGone, a.status == http.StatusMethodNotAllowed:
		return fmt.Errorf("%s: status %d at %s: %w", step, a.status, foreign.ForError(asked.Host+asked.Path), ErrMisconfigured)
	case a.status >= 400:
		return fmt.Errorf("%s: status %d: does it know this client_id, and is the redirect URI registered there?: %w", step, a.status, ErrMisconfigured)
	}
	return nil
}

func isCallback(at *url.URL, redirectURI string) bool {
	want, err := url.Parse(redirectURI)
	return err == nil && at.Scheme == want.Scheme && at.Host == want.Host && at.Path == want.Path
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// probeToken redeems a code that the upstream never gave: one that knows the client says
// invalid_grant, one that does not says so first.
func (c *base) probeToken(ctx context.Context, r *Report, endpoint string, a Attempt, as credentials) error {
	form, header, err := c.tokenRequest(endpoint, "signet-check-"+rand.Text(), a, as)
	if err != nil {
		return err
	}
	res, err := c.caller.post(ctx, exchangeStep, endpoint, form, header)
	if err != nil {
		return err
	}
	if res.header.Get("Date") != "" {
		r.ClockSkew = c.clockSkew(res.header)
	}
	_, err = readExchange(res)
	no, isRefusal := errors.AsType[*tokenRefusal](err)
	switch {
	case err == nil:
		r.warn("it redeemed a made-up code, so client id and secret could not be tried")
	case !isRefusal:
		return err
	case no.code == "invalid_grant" || no.code == "bad_verification_code":
	case no.isAboutClient():
		return err
	default:
		r.warn("client id and secret could not be tried: it answers a made-up code with %v", err)
	}
	return nil
}

// isAboutClient reports whether the refusal is about the client, so that no other code would
// have been redeemed either.
func (r *tokenRefusal) isAboutClient() bool {
	switch r.code {
	case "invalid_client", "unauthorized_client", "unsupported_grant_type", "redirect_uri_mismatch",
		"incorrect_client_credentials", "application_suspended", "deleted_client":
		return true
	}
	_, known := causesByCode[r.code]
	return !known && (r.status > 200 && r.status < 300 || slices.Contains([]int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone,
	}, r.status))
}

// checkClock compares the clocks. A token that was issued in the future is refused; one of
// an upstream that is behind has expired early, if it lives that short.
func (r *Report) checkClock() error {
	switch {
	case r.ClockSkew > skew:
		return untrusted("its clock is %s ahead of this server's: iat lies in the future until one of the two is set right", r.ClockSkew)
	case r.ClockSkew < -skew:
		r.warn("its clock is %s behind this server's: tokens that live no longer than that are refused", r.ClockSkew.Abs())
	}
	return nil
}

// probeUserinfo tries the endpoint with a made-up token. It is only asked for what ID
// tokens leave out, so what is wrong with it need not stop anybody.
func (c *relyingParty) probeUserinfo(ctx context.Context, r *Report, m *metadata) {
	if m.userinfo == "" {
		return
	}
	const step = "read userinfo"
	a, err := c.caller.get(ctx, step, m.userinfo, bearerHeader("signet-check-"+rand.Text()))
	switch {
	case err != nil:
		r.warn("%v; sign-ins whose ID token has no address fail", err)
	case a.status != http.StatusUnauthorized && a.status != http.StatusForbidden && a.status != http.StatusBadRequest:
		r.warn("%s: status %d for a made-up token, want 401; sign-ins whose ID token has no address may fail", step, a.status)
	}
}

// Probe asks GitHub for the sign-in page, redeems a made-up code, and asks the API for a
// user without a token, which it must refuse.
func (c *gitHub) Probe(ctx context.Context, redirectURI string) Report {
	ctx, cancel := context.WithTimeout(ctx, probeCalls*c.caller.timeout)
	defer cancel()
	r := Report{
		Issuer: c.web, Scopes: c.Scopes(), PKCE: true,
		Endpoints: map[string]string{"authorization": c.authorizationEndpoint(), "token": c.tokenEndpoint(), "userinfo": c.api + "/user"},
	}
	if r.Err = c.checkURLLength(redirectURI, 0, c.authorizationURL); r.Err != nil {
		return r
	}
	const step = "read user"
	a, err := c.getAPI(ctx, step, "/user", "")
	switch {
	case err != nil:
		r.Err = err
	case a.status != http.StatusUnauthorized && !isRateLimited(a):
		r.Err = fmt.Errorf("%s: status %d without a token, want 401: is base_url right?: %w", step, a.status, ErrMisconfigured)
	}
	if r.Err != nil {
		return r
	}
	attempt := newAttempt(c.config.ID, c.web, Options{RedirectURI: redirectURI}, c.now())
	if redirectURI != "" {
		page := c.authorizationURL(attempt, Options{RedirectURI: redirectURI})
		if r.Err = c.probePage(ctx, &r, page, c.web, func(callback url.Values) error {
			_, err := attempt.codeFromCallback(c.config.ID, c.web, callback, c.callbackIssuer, c.now())
			return err
		}); r.Err != nil {
			return r
		}
	}
	r.Err = c.probeToken(ctx, &r, c.tokenEndpoint(), attempt, c.credentials)
	return r
}
