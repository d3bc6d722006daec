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

// ServeHTTP answers below Path, with headers for pages of its own.
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
	d.write(w, status, templates.Demo{Error: problem(err)})
}

// refused is an error that the provider has answered (RFC 6749, section 4.1.2.1).
type refused struct{ code, description string }

// Error is for the log.
func (r *refused) Error() string { return r.code + ": " + r.description }

// problem is what the page says of an error. A code of the protocol stands apart from the
// sentence.
func problem(err error) *templates.FormError {
	if r, ok := errors.AsType[*refused](err); ok {
		return &templates.FormError{Code: r.code, Text: words.Unlisted("Signet did not sign you in here. " + sentence(r.description))}
	}
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && r.ErrorCode != "" {
		return &templates.FormError{Code: r.ErrorCode, Text: words.Unlisted("Signet gave no tokens. " + sentence(r.ErrorDescription))}
	}
	return &templates.FormError{Code: "sign_in_failed", Text: words.Unlisted("The sign-in failed: " + err.Error())}
}

// sentence writes a description as OAuth has them as a sentence of a page.
func sentence(description string) string {
	if description == "" {
		return ""
	}
	return "It says: “" + description + "”."
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
