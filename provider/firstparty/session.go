package firstparty

import (
	"errors"
	"net/http"
	"time"

	"signet/provider/flow"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// person is what the app learns of a user.
type person struct {
	Subject string `json:"sub"`
	Email   string `json:"email"` // "" if the client may not see it
	Name    string `json:"name"`
	Picture string `json:"picture"`
}

func personOf(v flow.Visible) person {
	u := v.User()
	return person{Subject: u.ID, Email: u.Email, Name: u.Name, Picture: u.Picture}
}

// session says who is signed in. expires_at is when the app's access token expires; the
// present moment if it has none yet, so that the app refreshes first.
func (h *Handler) session(w http.ResponseWriter, r *http.Request) error {
	client, err := h.Requests.FirstPartyClient()
	if err != nil {
		return err
	}
	current, renewed, err := h.Sessions.Renewed(r)
	if errors.Is(err, session.ErrNone) {
		return web.WriteJSON(w, http.StatusOK, map[string]bool{"authenticated": false})
	}
	if err != nil {
		return err
	}
	expires := h.Now()
	if renewed != 0 {
		expires = renewed.Time().Add(h.Tokens.Lifetimes.Access)
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		Authenticated bool     `json:"authenticated"`
		User          person   `json:"user"`
		Expires       string   `json:"expires_at"`
		AuthTime      string   `json:"auth_time,omitempty"`
		AMR           []string `json:"amr"`
	}{true, personOf(flow.VisibleTo(client, current.User)), rfc3339(expires), authTime(current.AuthTime), current.AMR})
}

// authTime is left out if nobody knows when the person proved who they are.
func authTime(at storage.Millis) string {
	if at == 0 {
		return ""
	}
	return rfc3339(at.Time())
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// logout ends the browser's session and removes its cookies, also where there is no
// session: a person who signs out twice is signed out.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request) error {
	if _, err := web.PostJSON(w, r); err != nil {
		return err
	}
	current, err := h.Visits.SignedIn(r)
	if err != nil {
		return err
	}
	if current == nil {
		h.Sessions.Clear(w)
	} else if err := h.Sessions.End(r.Context(), w, *current, "signed_out"); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
