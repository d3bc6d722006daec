package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/static"
	"signet/templates"
)

// The demo's cookies. Both are its own: a relying party on another host could
// hold no others.
const (
	flowCookie   = "signet_demo_flow"   // what an unfinished sign-in must come back with
	resultCookie = "signet_demo_result" // key of what a finished one brought
	flowLife     = 10 * time.Minute
)

// demo is a relying party on a library that is not ours. It reaches the provider
// as any other would: over HTTP, by discovery, with its client id and secret.
type demo struct {
	issuer  string
	secret  string
	http    *http.Client
	pages   *templates.Pages
	results *demoResults
	log     *slog.Logger
	mux     http.Handler
}

func newDemo(issuer, secret string, now func() time.Time, log *slog.Logger) (*demo, error) {
	files, err := static.New("")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	pages, err := templates.New(files)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	d := &demo{
		issuer:  issuer,
		secret:  secret,
		http:    &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, // no proxy: it is this machine
		pages:   pages,
		results: newDemoResults(now),
		log:     log,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+demoPath, d.show)
	mux.HandleFunc("GET "+demoPath+"/login", d.login)
	mux.HandleFunc("GET "+demoPath+"/callback", d.callback)
	mux.HandleFunc("POST "+demoPath+"/logout", d.logout)
	d.mux = http.NewCrossOriginProtection().Handler(mux)
	return d, nil
}

func (d *demo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser sends "Origin: null" with the sign-out form
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	d.mux.ServeHTTP(w, r)
}

// show is the page: the way in, or what came of it.
func (d *demo) show(w http.ResponseWriter, r *http.Request) {
	d.write(w, http.StatusOK, d.results.of(r).page)
}

func (d *demo) write(w http.ResponseWriter, status int, page templates.Demo) {
	page.Login = demoPath + "/login"
	page.Username = demoUserEmail
	page.Issuer = strings.TrimPrefix(d.issuer, "http://")
	if page.SignedIn {
		page.Logout = demoPath + "/logout"
	}
	var body bytes.Buffer
	if err := d.pages.Write(&body, page); err != nil {
		d.log.Error("demo page", "error", err)
		http.Error(w, "The demo page cannot be shown; the log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(body.Bytes()); err != nil {
		d.log.Debug("demo page", "error", err)
	}
}

// fail shows the page with what went wrong and the way in.
func (d *demo) fail(w http.ResponseWriter, status int, err error) {
	d.log.Warn("demo sign-in", "error", err)
	d.write(w, status, templates.Demo{Error: err.Error()})
}

// flow is what one sign-in must come back with. It lives in the browser that
// began it: nothing is kept for a stranger.
type flow struct {
	State    string `json:"s"` // binds the answer to this browser
	Nonce    string `json:"n"` // binds the ID token to this sign-in
	Verifier string `json:"v"` // proves that who redeems the code asked for it
}

// login starts the sign-in: a fresh state, nonce and code verifier, and off to the
// provider (OIDC Core, section 3.1.2.1).
func (d *demo) login(w http.ResponseWriter, r *http.Request) {
	_, client, err := d.discover(r.Context())
	if err != nil {
		d.fail(w, http.StatusBadGateway, err)
		return
	}
	f := flow{State: randomText(32), Nonce: randomText(32), Verifier: oauth2.GenerateVerifier()}
	if err := setFlow(w, f); err != nil {
		d.fail(w, http.StatusInternalServerError, err)
		return
	}
	http.Redirect(w, r, client.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), http.StatusSeeOther)
}

// discover reads the provider's metadata. It is read for each sign-in: a demo
// should show what is so now.
func (d *demo) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	issuer, err := oidc.NewProvider(oidc.ClientContext(ctx, d.http), d.issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("discovery: %w", err)
	}
	endpoint := issuer.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // client_secret_basic; to find out by trying would hide the first error
	return issuer, &oauth2.Config{
		ClientID:     demoClient,
		ClientSecret: d.secret,
		Endpoint:     endpoint,
		RedirectURL:  d.issuer + demoPath + "/callback",
		Scopes:       []string{oidc.ScopeOpenID, "profile", "email"},
	}, nil
}

// callback checks the answer, redeems the code and verifies what comes of it.
func (d *demo) callback(w http.ResponseWriter, r *http.Request) {
	f, err := flowOf(r)
	clearCookie(w, flowCookie)
	if err != nil {
		d.fail(w, http.StatusBadRequest, err)
		return
	}
	code, err := d.answer(r.URL.Query(), f)
	if err != nil {
		d.fail(w, http.StatusBadRequest, err)
		return
	}
	found, err := d.redeem(r.Context(), code, f)
	if err != nil {
		d.fail(w, http.StatusBadGateway, err)
		return
	}
	key := d.results.keep(found)
	http.SetCookie(w, demoCookie(resultCookie, key, 0))
	// Away from the URL that holds the code.
	http.Redirect(w, r, demoPath, http.StatusSeeOther)
}

// answer gives the code of an authorization response that is for this browser and
// from this provider (RFC 9207).
func (d *demo) answer(query url.Values, f flow) (string, error) {
	switch {
	case subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1:
		return "", errors.New("the answer belongs to another sign-in (state differs): start again")
	case query.Get("iss") != d.issuer:
		return "", errors.New("the answer comes from another issuer (iss differs)")
	case query.Get("error") != "":
		return "", fmt.Errorf("%s: %s", query.Get("error"), query.Get("error_description"))
	case query.Get("code") == "":
		return "", errors.New("the answer holds neither a code nor an error")
	}
	return query.Get("code"), nil
}

// redeem exchanges the code and verifies the tokens (OIDC Core, section 3.1.3.7).
func (d *demo) redeem(ctx context.Context, code string, f flow) (demoResult, error) {
	issuer, client, err := d.discover(ctx)
	if err != nil {
		return demoResult{}, err
	}
	ctx = oidc.ClientContext(ctx, d.http)
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return demoResult{}, fmt.Errorf("redeem the code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := issuer.VerifierContext(ctx, &oidc.Config{ClientID: demoClient}).Verify(ctx, raw)
	if err != nil {
		return demoResult{}, fmt.Errorf("verify the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return demoResult{}, errors.New("the ID token is of another sign-in (nonce differs)")
	}
	bound := ""
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return demoResult{}, fmt.Errorf("bind the access token to the ID token: %w", err)
		}
		bound = "; at_hash matches the access token"
	}
	// The audience is for the API to check: here it is /userinfo.
	if _, err := issuer.VerifierContext(ctx, &oidc.Config{SkipClientIDCheck: true}).Verify(ctx, token.AccessToken); err != nil {
		return demoResult{}, fmt.Errorf("verify the access token: %w", err)
	}
	user, err := issuer.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return demoResult{}, fmt.Errorf("ask /userinfo: %w", err)
	}
	if user.Subject != id.Subject {
		return demoResult{}, errors.New("/userinfo speaks of another subject") // OIDC Core, section 5.3.2
	}
	return describeResult(raw, token.AccessToken, bound, user)
}

func describeResult(idToken, accessToken, bound string, user *oidc.UserInfo) (demoResult, error) {
	var claims map[string]any
	if err := user.Claims(&claims); err != nil {
		return demoResult{}, fmt.Errorf("read /userinfo: %w", err)
	}
	shown, err := json.MarshalIndent(claims, "", "  ")
	if err != nil {
		return demoResult{}, fmt.Errorf("show /userinfo: %w", err)
	}
	id, err := decodeToken("ID token", idToken, "Signature, issuer, audience, nonce and expiry verified by go-oidc"+bound+".")
	if err != nil {
		return demoResult{}, err
	}
	access, err := decodeToken("Access token", accessToken, "Signature, issuer and expiry verified by go-oidc. An API checks the audience, too.")
	if err != nil {
		return demoResult{}, err
	}
	return demoResult{idToken: idToken, page: templates.Demo{
		SignedIn: true, Email: user.Email, UserInfo: string(shown), Tokens: []templates.DemoToken{id, access},
	}}, nil
}

// decodeToken shows what a JWT holds; it verifies nothing.
func decodeToken(name, raw, checked string) (templates.DemoToken, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return templates.DemoToken{}, fmt.Errorf("decode the %s: not a JWT", name)
	}
	var shown [2]bytes.Buffer
	for i := range shown {
		plain, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Indent(&shown[i], plain, "", "  ")
		}
		if err != nil {
			return templates.DemoToken{}, fmt.Errorf("decode the %s: %w", name, err)
		}
	}
	return templates.DemoToken{Name: name, Checked: checked, Header: shown[0].String(), Claims: shown[1].String(), Raw: raw}, nil
}

// logout forgets the result and signs out at the provider, too (OIDC RP-Initiated
// Logout, section 2).
func (d *demo) logout(w http.ResponseWriter, r *http.Request) {
	found := d.results.of(r)
	d.results.forget(r)
	clearCookie(w, resultCookie)
	target := demoPath
	if end := d.endSession(r.Context()); end != "" && found.idToken != "" {
		target = end + "?" + url.Values{
			"id_token_hint":            {found.idToken},
			"post_logout_redirect_uri": {d.issuer + demoPath},
			"client_id":                {demoClient},
		}.Encode()
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// endSession is where the provider signs people out; "" if it does not say.
func (d *demo) endSession(ctx context.Context) string {
	issuer, _, err := d.discover(ctx)
	if err != nil {
		d.log.Warn("demo sign-out", "error", err)
		return ""
	}
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := issuer.Claims(&metadata); err != nil {
		return ""
	}
	return metadata.EndSession
}

func setFlow(w http.ResponseWriter, f flow) error {
	packed, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	http.SetCookie(w, demoCookie(flowCookie, base64.RawURLEncoding.EncodeToString(packed), flowLife))
	return nil
}

func flowOf(r *http.Request) (flow, error) {
	var f flow
	cookies := r.CookiesNamed(flowCookie)
	if len(cookies) != 1 {
		return f, errors.New("this browser has not started a sign-in, or it took too long: start again")
	}
	packed, err := base64.RawURLEncoding.DecodeString(cookies[0].Value)
	if err == nil {
		err = json.Unmarshal(packed, &f)
	}
	if err != nil || f.State == "" || f.Nonce == "" || f.Verifier == "" {
		return f, errors.New("the cookie of this sign-in cannot be read: start again")
	}
	return f, nil
}

// demoCookie is not Secure: dev is plain http, and Safari keeps no Secure cookie
// there. Lax, because it must be there when the provider sends the browser back.
func demoCookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: demoPath, MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

func clearCookie(w http.ResponseWriter, name string) {
	c := demoCookie(name, "", 0)
	c.MaxAge = -1
	http.SetCookie(w, c)
}
