package firstparty

import (
	"net/http"

	"signet/provider/credential"
	"signet/provider/visit"
	"signet/provider/web"
)

// login signs a person in with a password that the app has asked for. return_to is where the
// pages lead at their end, should they have to ask for more.
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
	q := h.request(client)
	if body["return_to"] != "" {
		var ok bool
		if q.Path, ok = h.Requests.ReturnTo(body["return_to"]); !ok {
			return &web.FormError{Status: http.StatusBadRequest, Text: "return_to must be a path of the issuer, or a URL whose origin stands in first_party.origins"}
		}
	}
	current, err := h.Visits.SignIn(w, r, visit.PasswordSignIn{
		Username: body["username"], Password: body["password"], Keep: true, RequestID: q.ID, ClientID: client.ID,
	})
	if err != nil {
		return notSignedIn(w, r, err)
	}
	web.TraceOf(r.Context()).NoteUser(current.User.ID)
	expires, err := h.renew(w, r, q, client, &current)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		User    map[string]any `json:"user"`
		Expires string         `json:"expires_at"`
	}{person(client, current.User), rfc3339(expires)})
}

// notSignedIn answers why a password was not accepted. Errors that are no refusal are
// given back.
func notSignedIn(w http.ResponseWriter, r *http.Request, err error) error {
	status, refusal := web.FormRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	if status == http.StatusUnprocessableEntity {
		status = http.StatusUnauthorized // what the page calls a form to be corrected
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), refusal.Code, err)
	text := refusal.Text.String()
	if retry := refusal.Retry(); !retry.IsZero() {
		text += " " + retry.String()
	}
	web.App.FailWith(w, r, web.Answer{Status: status, Code: refusal.Code, Text: text}, err)
	return nil
}
