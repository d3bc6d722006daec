package interaction

import (
	"net/http"

	"signet/federation"
	"signet/provider/visit"
	"signet/provider/web"
)

// leave serves the button of a connector. It answers at once: the first request to the
// upstream is made by the GET that follows.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r)
	if err != nil {
		return err
	}
	if err := h.checkCookies(r, h.next(s)); err != nil {
		return err
	}
	connector, ok := h.connector(r.PathValue("connector"))
	if !ok {
		return h.Site.NotFound()
	}
	return h.Visits.Depart(w, r, visit.Departure{Connector: connector.ID(), RequestID: s.ID, Prove: form.Get("prove") != ""}, s.Sealed)
}

// start makes the attempt, stores it in this browser and sends the browser to the upstream.
func (h *Handler) start(w http.ResponseWriter, r *http.Request) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return unknownAttempt(errOtherSite)
	}
	query := r.URL.Query()
	key := query.Get("for")
	sealed, ok := h.Sessions.Cookies.CarriedRequest(r, key)
	if !ok {
		return unknownAttempt(errNoRequest)
	}
	s, err := h.open(r.Context(), sealed)
	if err != nil {
		return err
	}
	d, err := h.Visits.OpenDeparture(query.Get("departure"), r.PathValue("connector"), s.Opened)
	if err != nil {
		return err
	}
	connector, ok := h.connector(d.Connector)
	if !ok {
		return h.Site.NotFound()
	}
	t := trip{step: s, connector: connector, attempt: attempt{Key: key, Request: s.Sealed, Link: d.Link, Prove: d.Prove, Invited: d.Invitation}}
	upstream, location, err := connector.Start(r.Context(), h.upstreamOptions(s, connector))
	if err != nil {
		return h.upstreamProblem(r, t, err)
	}
	t.attempt.Upstream = upstream
	if err := h.storeAttempt(w, r, t.attempt); err != nil {
		return err
	}
	return web.SeeOther(w, location)
}

// upstreamOptions returns the parameters for the upstream, so that its answer can satisfy
// the request. If the setting reauthenticates is on, the upstream must ask the user again
// whenever the request demands a recent sign-in.
func (h *Handler) upstreamOptions(s step, c Connector) federation.Options {
	fresh := s.Freshness(s.Client)
	return federation.Options{
		RedirectURI: CallbackURI(h.Site.Issuer.String(), c.ID()), MaxAge: s.MaxAge, AuthTime: fresh.AuthTimeKnown,
		Fresh: fresh.Reauthenticate || c.Reauthenticates() == federation.AlwaysReauthenticates && (fresh.MaxAge != nil || fresh.AuthTimeKnown),
	}
}

// This fails to compile unless every address of an upstream fits into a response.
var _ [web.MaxAddress - federation.MaxAuthorizationURL]struct{}

// CallbackURI returns the redirect URI to register at the upstream.
func CallbackURI(issuer, connector string) string {
	return issuer + "/login/" + connector + "/callback"
}
