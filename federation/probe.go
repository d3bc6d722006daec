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

// probeCalls is the largest number of calls that a probe makes, one after the other.
const probeCalls = 5

// Probe fetches the discovery document and the keys again, even if they are cached, and then
// makes the calls of a sign-in. It stops at the first fault that would end a sign-in.
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

// addMetadata copies the upstream's metadata into the report.
func (r *Report) addMetadata(m *metadata) {
	r.Endpoints = map[string]string{"authorization": m.authorization, "token": m.token, "userinfo": m.userinfo, "jwks": m.jwks}
	r.Algorithms, r.Scopes = m.algorithms, m.document.optionalList("scopes_supported")
	r.ClientAuth, r.Prompts = m.document.optionalList("token_endpoint_auth_methods_supported"), m.document.optionalList("prompt_values_supported")
	r.PKCE = slices.Contains(m.document.optionalList("code_challenge_methods_supported"), "S256")
	r.IssuerInCallback = m.issuerInCallback
}

// warnOfMetadata warns of features that sign-ins use and the upstream does not advertise.
// These are only warnings, because upstreams often support more than they advertise.
func (c *relyingParty) warnOfMetadata(r *Report, m *metadata) {
	if !r.PKCE {
		r.warn("it does not advertise PKCE with S256; sign-ins send it anyway")
	}
	responseMode := ""
	if c.preset.formPost {
		responseMode = "form_post"
	}
	method := c.credentials.withMethod(m.clientAuth).method
	for _, w := range []struct{ member, value, feature string }{
		{"response_types_supported", "code", "the response type code"},
		{"grant_types_supported", "authorization_code", "the grant type authorization_code"},
		{"token_endpoint_auth_methods_supported", method, "the client authentication " + method},
		{"response_modes_supported", responseMode, "the response mode form_post"},
	} {
		if advertised := m.document.optionalList(w.member); w.value != "" && len(advertised) > 0 && !slices.Contains(advertised, w.value) {
			r.warn("its %s does not list %s, which sign-ins use", w.member, w.feature)
		}
	}
}

func (r *Report) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// probeKeys checks that the upstream publishes a key that can verify ID tokens.
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
	allowed := c.algorithms(m)
	fits := slices.ContainsFunc(allowed, func(algorithm string) bool {
		return slices.Contains(symmetric, algorithm) || slices.ContainsFunc(found.keys, func(k foreign.Key) bool { return k.Fits(algorithm) })
	})
	if !fits {
		return untrusted("fetch keys: none of the %d usable keys is for %s", len(found.keys), strings.Join(allowed, ", "))
	}
	return nil
}

// probePage requests the sign-in page. If the upstream redirects to the callback at once,
// checkCallback checks it. home is the URL at which the upstream has answered before.
func (c *base) probePage(ctx context.Context, r *Report, page, home string, checkCallback func(url.Values) error) error {
	const step = "get the sign-in page"
	a, err := c.caller.getPage(ctx, step, page)
	if err != nil && a.status == 0 && hostOf(page) != hostOf(home) {
		r.warn("%v; browsers must reach this page, but this server does not need to", err)
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
		return checkCallback(callback)
	case a.status == http.StatusForbidden: // often a protection against bots
		r.warn("%s: status 403; the page may still work in browsers", step)
	case a.status == http.StatusNotFound, a.status == http.StatusGone, a.status == http.StatusMethodNotAllowed:
		return fmt.Errorf("%s: status %d at %s: %w", step, a.status, foreign.ForError(asked.Host+asked.Path), ErrMisconfigured)
	case a.status >= 400:
		return fmt.Errorf("%s: status %d: check client_id, and that the redirect URI is registered at the upstream: %w", step, a.status, ErrMisconfigured)
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

// probeToken redeems a made-up code. An upstream that accepts the client's credentials
// answers invalid_grant; else it refuses the client first.
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
	refused, isRefusal := errors.AsType[*tokenRefusal](err)
	switch {
	case err == nil:
		r.warn("it accepted a made-up code, so the client's credentials could not be checked")
	case !isRefusal:
		return err
	case refused.code == "invalid_grant" || refused.code == "bad_verification_code":
	case refused.isAboutClient():
		return err
	default:
		r.warn("the client's credentials could not be checked: it refused a made-up code with: %v", err)
	}
	return nil
}

// isAboutClient reports whether the upstream refused the client, so that it would have
// refused every code.
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

// checkClock compares the clocks. Tokens with an iat in the future are refused. If the
// upstream's clock is behind, its tokens expire early, so this is only a warning.
func (r *Report) checkClock() error {
	switch {
	case r.ClockSkew > skew:
		return untrusted("its clock is %s ahead of this server's clock, so iat is in the future: correct one of the clocks", r.ClockSkew)
	case r.ClockSkew < -skew:
		r.warn("its clock is %s behind this server's clock: tokens with a lifetime below that are refused", r.ClockSkew.Abs())
	}
	return nil
}

// probeUserinfo calls userinfo with a made-up token. Faults are only warnings, because
// sign-ins call userinfo only for claims that the ID token lacks.
func (c *relyingParty) probeUserinfo(ctx context.Context, r *Report, m *metadata) {
	if m.userinfo == "" {
		return
	}
	const step = "read userinfo"
	a, err := c.caller.get(ctx, step, m.userinfo, bearerHeader("signet-check-"+rand.Text()))
	switch {
	case err != nil:
		r.warn("%v; sign-ins whose ID token has no email address fail", err)
	case a.status != http.StatusUnauthorized && a.status != http.StatusForbidden && a.status != http.StatusBadRequest:
		r.warn("%s: status %d for a made-up token, want 401; sign-ins whose ID token has no email address may fail", step, a.status)
	}
}

// Probe calls the API without a token, which it must refuse, requests the sign-in page, and
// redeems a made-up code.
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
		r.Err = fmt.Errorf("%s: status %d without a token, want 401: check base_url: %w", step, a.status, ErrMisconfigured)
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
