package interaction

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"signet/federation"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// leave takes a connector's button. The form answers at once; the upstream is
// first spoken to by the GET that follows.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request) error {
	s, _, err := h.openForm(w, r)
	if err != nil {
		return err
	}
	connector, ok := h.connector(r.PathValue("connector"))
	if !ok {
		return h.Site.NotFound()
	}
	return h.Visits.Depart(w, visit.Departure{Connector: connector.ID(), RequestID: s.ID}, s.Sealed)
}

// start makes the attempt, keeps it in this browser and leaves for the upstream.
func (h *Handler) start(w http.ResponseWriter, r *http.Request) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return lostAttempt(errOtherSite)
	}
	query := r.URL.Query()
	s, err := h.open(r.Context(), query.Get("request"))
	if err != nil {
		return err
	}
	d, err := h.Visits.Departed(query.Get("departure"), r.PathValue("connector"), s.Opened)
	if err != nil {
		return err
	}
	s.linking = d.Link != nil
	connector, ok := h.connector(d.Connector)
	if !ok {
		return h.Site.NotFound()
	}
	upstream, location, err := connector.Start(r.Context(), h.wishes(s, connector))
	if err != nil {
		return h.upstreamProblem(s, connector, err)
	}
	if err := h.keepAttempt(w, r, attempt{Upstream: upstream, Request: s.Sealed, Link: d.Link}); err != nil {
		return err
	}
	return web.SeeOther(w, location)
}

// wishes are what the upstream is asked for, so that its answer can meet the request.
// One that asks again but need not say when is always asked to.
func (h *Handler) wishes(s step, c Connector) federation.Options {
	fresh := s.Freshness(s.Client)
	return federation.Options{
		RedirectURI: CallbackURI(h.Site.Issuer.String(), c.ID()), MaxAge: s.MaxAge, AuthTime: fresh.Known,
		Fresh: fresh.Again || c.Reauthenticates() == federation.AsksAgain && (fresh.MaxAge != nil || fresh.Known),
	}
}

// CallbackURI is the redirect URI that is to be registered at the upstream.
func CallbackURI(issuer, connector string) string {
	return issuer + "/login/" + connector + "/callback"
}

const (
	postedLife = time.Minute
	postedMost = 3072 // bytes of a form that goes on in a URL
)

// callbackPost takes the form that an upstream (Apple) has the browser post
// across sites, which comes without our Lax cookies: sealed for a minute, it goes
// on as a GET to the same path.
func (h *Handler) callbackPost(w http.ResponseWriter, r *http.Request) error {
	connector, ok := h.connector(r.PathValue("connector"))
	if !ok || !connector.AnswersByPOST() {
		w.Header().Set("Allow", http.MethodGet)
		return &web.Problem{
			Status: http.StatusMethodNotAllowed, Code: "invalid_request", Title: "This sign-in cannot go on",
			Text: "The answer came in a way that this connector does not use.",
		}
	}
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	encoded := form.Encode()
	if len(encoded) > postedMost {
		return &web.Problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Title: "This sign-in cannot go on", Text: "The upstream's answer is too long."}
	}
	sealed, err := h.Ring.Seal("posted", []byte(encoded), h.Now().Add(postedLife))
	if err != nil {
		return fmt.Errorf("seal callback: %w", err)
	}
	return web.SeeOther(w, h.Site.Base+"/login/"+connector.ID()+"/callback?"+url.Values{"posted": {sealed}}.Encode())
}

// callbackValues are the parameters of a callback, of the query or of the form
// that callbackPost has sealed.
func (h *Handler) callbackValues(r *http.Request, connector Connector) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = web.Strict(values)
	}
	if err != nil {
		return nil, lostAttempt(web.Because("malformed_request", err))
	}
	if !connector.AnswersByPOST() || !values.Has("posted") {
		return values, nil
	}
	payload, err := h.Ring.Unseal("posted", values.Get("posted"), h.Now())
	switch {
	case errors.Is(err, keys.ErrExpired):
		return nil, lostAttempt(web.Because("attempt_expired", err))
	case errors.Is(err, keys.ErrInvalid):
		return nil, lostAttempt(web.Because("attempt_invalid", err))
	case err != nil:
		return nil, fmt.Errorf("open callback: %w", err)
	}
	return url.ParseQuery(string(payload))
}

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

// wayBack is where a trip began: the sign-in page, where the other ways still
// work, or the account page.
func (h *Handler) wayBack(s step) string {
	if s.linking {
		return h.Site.Base + "/account/identities"
	}
	return h.Site.Base + request.To("/login", s.Sealed)
}

const backText = "Go back"

// upstreamProblem is the page for a trip that failed. Each leads back.
func (h *Handler) upstreamProblem(s step, c Connector, err error) error {
	p := &web.Problem{Code: federation.Code(err), StartURL: h.wayBack(s), StartText: backText, Cause: err}
	name := c.Name()
	switch {
	case errors.Is(err, federation.ErrDenied):
		p.Status, p.Title = http.StatusForbidden, "You were not signed in"
		p.Text = "You, or " + name + ", stopped the sign-in. Nothing was changed: try again, or use another way to sign in."
	case errors.Is(err, federation.ErrUnreachable):
		p.Status, p.Title = http.StatusBadGateway, name+" is not answering"
		p.Text = "Try again in a moment, or use another way to sign in."
	case errors.Is(err, federation.ErrNoEmail):
		p.Status, p.Title = http.StatusForbidden, name+" gave no email address"
		p.Text = "An account here needs a verified email address. Add or verify one at " + name + ", or let " + name + " share it, and try again."
	case errors.Is(err, federation.ErrNotAllowed):
		p.Status, p.Title = http.StatusForbidden, "This account cannot be used here"
		p.Text = "Only certain " + name + " accounts are accepted, such as those of an organization. Choose another account, or ask the operator."
	case errors.Is(err, federation.ErrMisconfigured):
		p.Status, p.Title = http.StatusBadGateway, "Signing in with "+name+" is not set up right"
		p.Text = "The operator has to correct it. Until then, use another way to sign in."
	case errors.Is(err, federation.ErrUntrusted):
		p.Status, p.Title = http.StatusBadGateway, "The answer of "+name+" cannot be used"
		p.Text = "It did not pass the checks that protect your account. Try again; if it happens again, tell the operator."
	default:
		return err
	}
	h.Health.failed(c.ID(), p.Code, err, h.Now())
	return p
}

// withToken is an identity as it is linked, with the upstream's token if the
// connector keeps it.
func (h *Handler) withToken(i federation.Identity, userID string) (storage.Identity, error) {
	stored := asStored(i, userID)
	if i.Token == nil {
		return stored, nil
	}
	token, err := json.Marshal(i.Token)
	if err != nil {
		return stored, fmt.Errorf("encode upstream token: %w", err)
	}
	stored.Detail.Token, err = h.Ring.SealToken(stored, token)
	return stored, err
}

// asStored is an identity as it is linked to a user, without its token: what goes
// through the browser has none.
func asStored(i federation.Identity, userID string) storage.Identity {
	return storage.Identity{
		Connector: i.Connector, Issuer: i.Issuer, Subject: i.Subject, UserID: userID, Email: i.Email, Name: i.Name,
	}
}
