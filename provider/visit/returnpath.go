package visit

import (
	"crypto/rand"
	"net/http"
	"net/url"

	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// signInThen is the path, below the issuer, of a sign-in that ends at returnTo.
func signInThen(returnTo string) string {
	return "/login?" + url.Values{"return_to": {returnTo}}.Encode()
}

// dispatcher is the path, below the issuer, that decides the next step of a request.
func dispatcher(sealed string) string { return request.StepPath("/authorize/next", sealed) }

// Next is the address of the dispatcher for a sealed request: every step of a sign-in
// returns there.
func (v *Visits) Next(sealed string) string { return v.Site.Base + dispatcher(sealed) }

// RequestFor makes a request that ends at returnTo; "" for the home page. Where there is
// a first-party app, it gets its cookies on the way. False for an address that is no
// place to return to.
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

// onward sends the browser to a path below the issuer, each method in its way.
func (v *Visits) onward(w http.ResponseWriter, r *http.Request, path string) error {
	if r.Method == http.MethodPost {
		return v.Site.ContinueTo(w, v.Site.Base+path)
	}
	return web.SeeOther(w, v.Site.Base+path)
}
