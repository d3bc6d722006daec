package visit

import (
	"net/http"

	"signet/provider/session"
	"signet/provider/web"
)

// Page is a handler for somebody who is signed in.
type Page = func(w http.ResponseWriter, r *http.Request, current session.Current) error

// RequireSignIn lets a page see only requests with a session. Others are sent to sign
// in and come to back, a path below the issuer.
func (v *Visits) RequireSignIn(back string, page Page) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		current, err := v.SignedIn(r)
		switch {
		case err != nil:
			return err
		case current == nil:
			return v.onward(w, r, signInThen(v.Site.Base+back))
		}
		return page(w, r, *current)
	}
}
