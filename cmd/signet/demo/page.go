package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/provider/web"
	"signet/static"
	"signet/templates"
)

// relyingParty is one on a library that is not ours. It reaches the provider
// as any other would: over HTTP, by discovery, with its client id and secret.
type relyingParty struct {
	issuer  string
	secret  string
	http    *http.Client
	pages   *templates.Pages
	results *results
	log     *slog.Logger
	mux     http.Handler
}

func newRelyingParty(issuer, secret string, now func() time.Time, log *slog.Logger) (*relyingParty, error) {
	files, err := static.New("")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	pages, err := templates.New(files)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	d := &relyingParty{
		issuer:  issuer,
		secret:  secret,
		http:    &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, // no proxy: it is this machine
		pages:   pages,
		results: newResults(now),
		log:     log,
	}
	router := web.NewRouter(d.wrongMethod, d.wrongMethod)
	router.Page("GET|HEAD "+Path, http.HandlerFunc(d.show))
	router.Page("GET "+Path+"/login", http.HandlerFunc(d.login))
	router.Page("GET "+Path+"/callback", http.HandlerFunc(d.callback))
	router.Page("POST "+Path+"/refresh", http.HandlerFunc(d.refresh))
	router.Page("POST "+Path+"/introspect", http.HandlerFunc(d.introspect))
	router.Page("POST "+Path+"/logout", http.HandlerFunc(d.logout))
	d.mux = http.NewCrossOriginProtection().Handler(router)
	return d, nil
}

func (d *relyingParty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser sends "Origin: null" with the sign-out form
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	d.mux.ServeHTTP(w, r)
}

// show is the page: the way in, or what came of it.
func (d *relyingParty) show(w http.ResponseWriter, r *http.Request) {
	d.write(w, http.StatusOK, d.results.of(r).page)
}

func (d *relyingParty) write(w http.ResponseWriter, status int, page templates.Demo) {
	page.Login = Path + "/login"
	page.Username = UserEmail
	page.Issuer = strings.TrimPrefix(d.issuer, "http://")
	if page.SignedIn {
		page.Introspect = Path + "/introspect"
		page.Logout = Path + "/logout"
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
func (d *relyingParty) fail(w http.ResponseWriter, status int, err error) {
	d.log.Warn("demo sign-in", "error", err)
	d.write(w, status, templates.Demo{Error: "The sign-in failed: " + err.Error()})
}

// wrongMethod answers 405: the demo acts by GET, too, so HEAD only asks for its page.
func (d *relyingParty) wrongMethod(w http.ResponseWriter, _ *http.Request, allow string) {
	d.write(w, http.StatusMethodNotAllowed, templates.Demo{Error: "This address answers " + allow + " only."})
}

// login starts the sign-in: a fresh state, nonce and code verifier, and off to the
// provider (OIDC Core, section 3.1.2.1).
func (d *relyingParty) login(w http.ResponseWriter, r *http.Request) {
	_, client, err := d.discover(r.Context())
	if err != nil {
		d.fail(w, http.StatusBadGateway, err)
		return
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	if err := setFlow(w, f); err != nil {
		d.fail(w, http.StatusInternalServerError, err)
		return
	}
	http.Redirect(w, r, client.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), http.StatusSeeOther)
}

// discover reads the provider's metadata. It is read for each sign-in: a demo
// should show what is so now.
func (d *relyingParty) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	issuer, err := oidc.NewProvider(oidc.ClientContext(ctx, d.http), d.issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("discovery: %w", err)
	}
	endpoint := issuer.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // client_secret_basic; to find out by trying would hide the first error
	return issuer, &oauth2.Config{
		ClientID:     ClientID,
		ClientSecret: d.secret,
		Endpoint:     endpoint,
		RedirectURL:  d.issuer + Path + "/callback",
		Scopes:       []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
	}, nil
}

// callback checks the answer, redeems the code and verifies what comes of it.
func (d *relyingParty) callback(w http.ResponseWriter, r *http.Request) {
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
	http.SetCookie(w, cookie(resultCookie, key, 0))
	// Away from the URL that holds the code.
	http.Redirect(w, r, Path, http.StatusSeeOther)
}

// answer gives the code of an authorization response that is for this browser and
// from this provider (RFC 9207).
func (d *relyingParty) answer(query url.Values, f flow) (string, error) {
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

// logout forgets the result and signs out at the provider, too (OIDC RP-Initiated
// Logout, section 2). That ends the session there and not what was given for
// offline access: an application that wants none of it any more gives its refresh
// token back (RFC 7009).
func (d *relyingParty) logout(w http.ResponseWriter, r *http.Request) {
	found := d.results.of(r)
	d.results.forget(r)
	clearCookie(w, resultCookie)
	at, err := d.endpoints(r.Context())
	if err == nil && found.refreshToken != "" {
		_, err = d.ask(r.Context(), at.Revocation, found.refreshToken)
	}
	if err != nil {
		d.log.Warn("demo sign-out", "error", err)
	}
	target := Path
	if at.EndSession != "" && found.idToken != "" {
		target = at.EndSession + "?" + url.Values{
			"id_token_hint":            {found.idToken},
			"post_logout_redirect_uri": {d.issuer + Path},
			"client_id":                {ClientID},
		}.Encode()
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}
