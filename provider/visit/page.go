package visit

import (
	"net/http"

	"signet/provider/logo"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/templates"
)

// Page is a handler for signed-in users.
type Page = func(w http.ResponseWriter, r *http.Request, current session.Current) error

// RequireSignIn calls the page only for requests with a session. It sends other browsers to
// the sign-in page, and after the sign-in to back, a path below the issuer.
func (v *Visits) RequireSignIn(back string, page Page) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		current, err := v.SignedIn(r)
		switch {
		case err != nil:
			return err
		case current == nil:
			return v.redirect(w, r, signInPath(v.Site.Base+back))
		}
		return page(w, r, *current)
	}
}

// Common returns the data that all pages share, with the client that the user signs in to.
func (v *Visits) Common(opened request.Opened) templates.Common {
	c := v.Site.Common()
	if !opened.Kind.IsOfClient() {
		return c
	}
	shown := opened.RedirectURI
	switch {
	case opened.Kind == request.Device && opened.Client.IsUnapproved():
		shown = "" // the application can invent its client_uri
	case opened.Kind == request.Device:
		shown = opened.Client.Metadata.ClientURI
	}
	c.Client = templates.Client{
		Name: opened.Client.Name, Host: templates.HostOf(shown), HomeURL: opened.Client.Metadata.ClientURI,
		PolicyURL: opened.Client.Metadata.PolicyURI, TermsURL: opened.Client.Metadata.TosURI,
		LogoPath:   logo.PathOf(opened.Client),
		Unverified: opened.Client.IsUnapproved(),
	}
	if c.Client.Name == "" {
		c.Client.Name = opened.Client.ID
	}
	return c
}
