package interaction

import (
	"net/http"

	"signet/provider/web"
	"signet/templates/words"
)

// callback finishes an attempt. Then it signs in with the identity. If the trip was started on
// the account page, it links the identity to that account; if on the page of an invitation, it
// creates the account of the invitation.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) error {
	connector, ok := h.connector(r.PathValue("connector"))
	if !ok {
		return h.connectorGone(w, r)
	}
	web.TraceOf(r.Context()).UpdateConnectorHealth(connector.ID())
	values, err := h.callbackValues(r, connector)
	if err != nil {
		return err
	}
	a, err := h.takeAttempt(w, r, connector.ID(), values.Get("state"))
	if err != nil {
		return err
	}
	s, err := h.openTrip(r, a)
	if err != nil {
		return err
	}
	t := trip{step: s, connector: connector, attempt: a}
	t.identity, err = connector.Finish(r.Context(), a.Upstream, values)
	if err != nil {
		return h.upstreamProblem(r, t, err)
	}
	h.Health.succeeded(connector.ID(), h.Now())
	if note := t.identity.ProfileError; note != nil {
		web.TraceOf(r.Context()).Note("upstream_note", note.Error())
	}
	switch {
	case t.isLinking():
		return h.linkIdentity(w, r, t)
	case t.attempt.Invited != nil:
		return h.acceptInvitation(w, r, t)
	}
	return h.signInThrough(w, r, t)
}

// connectorGone answers a callback of an unknown connector. If the browser has an attempt
// for it, the connector was removed during the trip, and a page leads back to the sign-in
// page. Otherwise the path does not exist.
func (h *Handler) connectorGone(w http.ResponseWriter, r *http.Request) error {
	a, err := h.takeAttempt(w, r, r.PathValue("connector"), r.URL.Query().Get("state"))
	if err != nil {
		return h.Site.NotFound()
	}
	s, err := h.openTrip(r, a)
	if err != nil {
		return err
	}
	return &web.Problem{
		Status: http.StatusNotFound, Code: "connector_gone", Title: words.Say("sign-in-problem.removed-title"),
		Text:     words.Say("sign-in-problem.removed"),
		StartURL: h.wayBack(r, trip{step: s, attempt: a}), StartText: backText,
	}
}
