package interaction

import (
	"net/http"

	"signet/provider/request"
	"signet/provider/web"
)

// callback finishes an attempt and decides what becomes of who has come.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) error {
	connector, ok := h.connector(r.PathValue("connector"))
	if !ok {
		return h.connectorGone(w, r)
	}
	web.TraceOf(r.Context()).Connector(connector.ID())
	values, err := h.callbackValues(r, connector)
	if err != nil {
		return err
	}
	a, err := h.takeAttempt(w, r, connector.ID(), values.Get("state"))
	if err != nil {
		return err
	}
	s, err := h.open(r.Context(), a.Request)
	if err != nil {
		return err
	}
	s.linking = a.Link != nil
	identity, err := connector.Finish(r.Context(), a.Upstream, values)
	if err != nil {
		return h.upstreamProblem(s, connector, err)
	}
	h.Health.succeeded(connector.ID(), h.Now())
	if a.Link != nil {
		return h.linkHere(w, r, s, connector, a, identity)
	}
	return h.arrive(w, r, s, connector, a.Upstream.ID, identity)
}

// connectorGone leads whoever was on a trip when the operator took the connector
// away back to the sign-in page, and is nowhere for everybody else.
func (h *Handler) connectorGone(w http.ResponseWriter, r *http.Request) error {
	a, err := h.takeAttempt(w, r, r.PathValue("connector"), r.URL.Query().Get("state"))
	if err != nil {
		return h.Site.NotFound()
	}
	s, err := h.open(r.Context(), a.Request)
	if err != nil {
		return err
	}
	return &web.Problem{
		Status: http.StatusNotFound, Code: "connector_gone", Title: "This way to sign in is gone",
		Text:     "The operator of this service has removed it since you started. Use another way to sign in.",
		StartURL: h.Site.Base + request.To("/login", s.Sealed),
	}
}
