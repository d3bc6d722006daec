package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/templates"
	"signet/templates/words"
)

// relyingParty is a relying party built on coreos/go-oidc. It uses the provider as every
// other one does: over HTTP, by discovery, with its client id and secret.
type relyingParty struct {
	issuer  string
	secret  string
	dataDir string // as a word of a shell
	http    *http.Client
	pages   *templates.Pages
	results *results
	log     *slog.Logger
	mux     http.Handler
}

// pagePolicy is the Content-Security-Policy of the demo's own pages.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP serves the paths below Path, with the security headers of the demo's own pages.
func (d *relyingParty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser sends "Origin: null" with the sign-out form
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	d.mux.ServeHTTP(w, r)
}

func (d *relyingParty) write(w http.ResponseWriter, status int, page templates.Demo) {
	page.Login = Path + "/login"
	page.Username, page.DataDir = UserEmail, d.dataDir
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

// fail shows the page with the error and the sign-in button.
func (d *relyingParty) fail(w http.ResponseWriter, status int, err error) {
	d.log.Warn("demo sign-in", "error", err)
	d.write(w, status, templates.Demo{Error: problem(err)})
}

// refused is an error response of the provider (RFC 6749, section 4.1.2.1).
type refused struct{ code, description string }

// Error returns the text for the log.
func (r *refused) Error() string { return r.code + ": " + r.description }

// problem returns the page's description of an error: a sentence, and apart from it the error
// code of the protocol.
func problem(err error) *templates.FormError {
	if r, ok := errors.AsType[*refused](err); ok {
		if r.description == "" {
			return &templates.FormError{Code: r.code, Text: words.Say("demo.refused")}
		}
		return &templates.FormError{Code: r.code, Text: words.Say("demo.refused-reason", "Reason", r.description)}
	}
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && r.ErrorCode != "" {
		if r.ErrorDescription == "" {
			return &templates.FormError{Code: r.ErrorCode, Text: words.Say("demo.no-tokens")}
		}
		return &templates.FormError{Code: r.ErrorCode, Text: words.Say("demo.no-tokens-reason", "Reason", r.ErrorDescription)}
	}
	return &templates.FormError{Code: "sign_in_failed", Text: words.Say("demo.failed", "Reason", err.Error())}
}

// discover reads the provider's metadata. It reads it for each sign-in, so that the demo
// shows changes at once.
func (d *relyingParty) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	issuer, err := oidc.NewProvider(oidc.ClientContext(ctx, d.http), d.issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("discovery: %w", err)
	}
	endpoint := issuer.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // client_secret_basic; trying both methods would hide the first error
	return issuer, &oauth2.Config{
		ClientID:     ClientID,
		ClientSecret: d.secret,
		Endpoint:     endpoint,
		RedirectURL:  d.issuer + Path + "/callback",
		Scopes:       []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
	}, nil
}
