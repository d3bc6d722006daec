package firstparty

import (
	"errors"
	"fmt"
	"net/http"

	"signet/provider/credential"
	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// login serves POST /login: it signs a person in with a password from a form of the app.
// If the pages must ask for more, they lead to return_to at their end.
func (h *Handler) login(w http.ResponseWriter, r *http.Request) error {
	client, err := h.Requests.FirstPartyClient()
	if err != nil {
		return err
	}
	body, err := web.PostJSON(w, r, "username", "password", "return_to")
	if err != nil {
		return err
	}
	if body["username"] == "" || body["password"] == "" {
		return &web.FormError{Status: http.StatusBadRequest, Text: "send both username and password"}
	}
	web.TraceOf(r.Context()).NoteClient(client.ID)
	q := h.newRequest(client)
	if body["return_to"] != "" {
		var ok bool
		if q.Path, ok = h.Requests.ReturnTo(body["return_to"]); !ok {
			return &web.FormError{Status: http.StatusBadRequest, Text: "return_to must be a path of the issuer, or a URL with an origin that first_party.origins lists"}
		}
	}
	current, err := h.Visits.SignIn(w, r, visit.PasswordSignIn{
		Username: body["username"], Password: body["password"], Keep: true, RequestID: q.ID, ClientID: client.ID,
		KeepStronger: h.Visits.KeepStronger(q.Freshness(client)), AcceptsTrust: flow.AcceptsTrust(q, client),
	})
	if _, due := errors.AsType[*storage.FactorDueError](err); due {
		web.TraceOf(r.Context()).MarkRecorded() // nothing was refused: the sign-in goes on
		return h.continueWithFactor(q)
	}
	if err != nil {
		return answerRefusal(w, r, err)
	}
	web.TraceOf(r.Context()).NoteUser(current.User.ID)
	expires, err := h.renew(w, r, q, client, &current)
	if err != nil {
		return err
	}
	user, err := h.claimsForApp(client, current.User)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		User    map[string]any `json:"user"`
		Expires string         `json:"expires_at"`
	}{user, rfc3339(expires)})
}

// continueWithFactor sends the browser of the app to the page for the second factor. The page leads
// to return_to at its end.
func (h *Handler) continueWithFactor(q request.Request) error {
	q.Prompt = nil
	sealed, err := h.Requests.Seal(q)
	if err != nil {
		return fmt.Errorf("seal request: %w", err)
	}
	return &interactionRequired{continueAt: h.Issuer + request.StepPath(flow.FactorPage, sealed)}
}

// answerRefusal answers with the reason why a password was refused. It returns err
// unanswered if err is not a refusal.
func answerRefusal(w http.ResponseWriter, r *http.Request, err error) error {
	status, refusal := web.FormRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	if status == http.StatusUnprocessableEntity {
		status = http.StatusUnauthorized // 422 is for forms of a page; an API answers 401
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), refusal.Code, err)
	text := refusal.Text.String()
	if retry := refusal.Retry(); !retry.IsZero() {
		text += " " + retry.String()
	}
	web.App.FailWith(w, r, web.Answer{Status: status, Code: refusal.Code, Text: text}, err)
	return nil
}
