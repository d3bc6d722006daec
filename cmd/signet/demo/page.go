package demo

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/provider/web"
	"signet/static"
	"signet/templates"
	"signet/templates/words"
)

func newRelyingParty(issuer, secret, dataDir string, now func() time.Time, log *slog.Logger) (*relyingParty, error) {
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
		dataDir: shellWord(dataDir),
		http:    &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, // no proxy, since the provider is on this machine
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

// show renders the page: the sign-in button, or the result of the sign-in.
func (d *relyingParty) show(w http.ResponseWriter, r *http.Request) {
	d.write(w, http.StatusOK, d.results.of(r).page)
}

// wrongMethod answers 405. Some paths of the demo act on GET, so HEAD is allowed only for the
// page itself.
func (d *relyingParty) wrongMethod(w http.ResponseWriter, _ *http.Request, allow string) {
	d.write(w, http.StatusMethodNotAllowed, templates.Demo{Error: &templates.FormError{
		Code: "method_not_allowed", Text: words.Say("demo.method", "Methods", allow),
	}})
}

// login starts a sign-in with a new state, nonce and code verifier, and redirects to the
// provider (OIDC Core, section 3.1.2.1).
func (d *relyingParty) login(w http.ResponseWriter, r *http.Request) {
	_, client, err := d.discover(r.Context())
	if err != nil {
		d.fail(w, http.StatusBadGateway, err)
		return
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	if err := setFlow(w, r, f); err != nil {
		d.fail(w, http.StatusInternalServerError, err)
		return
	}
	http.Redirect(w, r, client.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), http.StatusSeeOther)
}

// callback checks the authorization response, redeems the code and verifies the tokens.
func (d *relyingParty) callback(w http.ResponseWriter, r *http.Request) {
	f, err := takeFlow(w, r, r.URL.Query().Get("state"))
	if err != nil && d.results.of(r).page.SignedIn {
		// The person went back, or another tab showed a page of the finished sign-in, and the
		// provider answered a second time. This answer is not needed.
		http.Redirect(w, r, Path, http.StatusSeeOther)
		return
	}
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
	// Redirect, so that the code disappears from the address bar.
	http.Redirect(w, r, Path, http.StatusSeeOther)
}

// answer returns the code of an authorization response. It checks that the response belongs
// to this browser and comes from this provider (RFC 9207).
func (d *relyingParty) answer(query url.Values, f flow) (string, error) {
	switch {
	case subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1:
		return "", errors.New("the answer belongs to another sign-in (state differs): start again")
	case query.Get("iss") != d.issuer:
		return "", errors.New("the answer comes from another issuer (iss differs)")
	case query.Get("error") != "":
		return "", &refused{query.Get("error"), query.Get("error_description")}
	case query.Get("code") == "":
		return "", errors.New("the answer holds neither a code nor an error")
	}
	return query.Get("code"), nil
}

// logout deletes the result and signs out at the provider too (OIDC RP-Initiated Logout,
// section 2). A sign-out ends the session but not offline access, so the demo also revokes
// its refresh token (RFC 7009).
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
