package firstparty

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// members are the claims of a user that the app may learn. It gets others at /userinfo.
var members = []string{"sub", "email", "name", "picture", "roles", "groups"}

// person is what the app learns of a user: those members that the scopes of its client
// release (OIDC Core, section 5.4) and the user has. The others are left out.
func person(client storage.Client, u storage.User) map[string]any {
	claims := flow.UserInfoClaims(request.Rights{Scopes: scopesOf(client)}, flow.VisibleTo(client, u))
	maps.DeleteFunc(claims, func(name string, _ any) bool { return !slices.Contains(members, name) })
	return claims
}

// session says who is signed in. expires_at is when the app's access token expires; the
// present moment if it has none yet, so that the app refreshes first.
func (h *Handler) session(w http.ResponseWriter, r *http.Request) error {
	client, err := h.Requests.FirstPartyClient()
	if err != nil {
		return err
	}
	current, renewed, err := h.Sessions.CurrentWithRenewal(r)
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
		Authenticated bool           `json:"authenticated"`
		User          map[string]any `json:"user"`
		Expires       string         `json:"expires_at"`
		AuthTime      string         `json:"auth_time,omitempty"`
		AMR           []string       `json:"amr,omitempty"`
	}{true, person(client, current.User), rfc3339(expires), authTime(current.AuthTime), current.AMR})
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
