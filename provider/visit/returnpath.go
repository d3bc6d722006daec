package visit

import (
	"crypto/rand"
	"net/http"
	"net/url"

	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// signInPath returns the path, below the issuer, of a sign-in that ends at returnTo.
func signInPath(returnTo string) string {
	return "/login?" + url.Values{"return_to": {returnTo}}.Encode()
}

// dispatcherPath returns the path, below the issuer, that decides the next step of a
// request.
func dispatcherPath(sealed string) string { return request.StepPath("/authorize/next", sealed) }

// Next returns the address of the dispatcher for a sealed request. Every step of a sign-in
// ends there.
func (v *Visits) Next(sealed string) string { return v.Site.Base + dispatcherPath(sealed) }

// RequestFor returns a request that ends at returnTo; "" is the home page. If there is a
// first-party app, the request also sets the cookies of the app. It returns false if
// returnTo is not an allowed return address.
func (v *Visits) RequestFor(returnTo string) (q request.Request, ok bool) {
	if returnTo == "" {
		returnTo = v.Site.Base + "/"
	}
	q = request.Request{ID: rand.Text(), Created: storage.At(v.Now())}
	client, err := v.Requests.FirstPartyClient()
	if err != nil {
		q.Kind = request.Page
		q.Path, ok = request.LocalPath(returnTo, v.Site.Base)
		return q, ok
	}
	q.Kind, q.ClientID = request.Cookies, client.ID
	q.Path, ok = v.Requests.ReturnTo(returnTo)
	return q, ok
}

// redirect sends the browser to a path below the issuer: after a POST with a page that
// refreshes, otherwise with a 303.
func (v *Visits) redirect(w http.ResponseWriter, r *http.Request, path string) error {
	if r.Method == http.MethodPost {
		return v.Site.ContinueTo(w, v.Site.Base+path)
	}
	return web.SeeOther(w, v.Site.Base+path)
}
