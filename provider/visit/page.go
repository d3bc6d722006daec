package visit

import (
	"net/http"

	"signet/provider/session"
	"signet/provider/web"
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
