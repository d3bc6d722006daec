package interaction

import (
	"net/http"

	"signet/federation"
	"signet/provider/visit"
	"signet/provider/web"
)

// leave takes a connector's button. The form answers at once; the upstream is
// first spoken to by the GET that follows.
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

// start makes the attempt, keeps it in this browser and leaves for the upstream.
func (h *Handler) start(w http.ResponseWriter, r *http.Request) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return lostAttempt(errOtherSite)
	}
	query := r.URL.Query()
	key := query.Get("for")
	sealed, ok := h.Sessions.Cookies.Carried(r, key)
	if !ok {
		return lostAttempt(errNoRequest)
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
	t := trip{step: s, connector: connector, attempt: attempt{Key: key, Request: s.Sealed, Link: d.Link, Prove: d.Prove}}
	upstream, location, err := connector.Start(r.Context(), h.optionsFor(s, connector))
	if err != nil {
		return h.upstreamProblem(r, t, err)
	}
	t.attempt.Upstream = upstream
	if err := h.keepAttempt(w, r, t.attempt); err != nil {
		return err
	}
	return web.SeeOther(w, location)
}

// optionsFor is what the upstream is asked for, so that its answer can meet the request.
// An upstream that asks again but need not say when is always asked to.
func (h *Handler) optionsFor(s step, c Connector) federation.Options {
	fresh := s.Freshness(s.Client)
	return federation.Options{
		RedirectURI: CallbackURI(h.Site.Issuer.String(), c.ID()), MaxAge: s.MaxAge, AuthTime: fresh.AuthTimeKnown,
		Fresh: fresh.Again || c.Reauthenticates() == federation.AlwaysReauthenticates && (fresh.MaxAge != nil || fresh.AuthTimeKnown),
	}
}

// Every address that a connector leaves for fits into an answer.
var _ [web.MaxAddress - federation.MaxAuthorizationURL]struct{}

// CallbackURI is the redirect URI that is to be registered at the upstream.
func CallbackURI(issuer, connector string) string {
	return issuer + "/login/" + connector + "/callback"
}
