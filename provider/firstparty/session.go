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

// claimNames are the claims of a user that /login and /session may return. The app gets the
// other claims at /userinfo.
var claimNames = []string{"sub", "email", "name", "picture", "roles", "groups"}

// claimsForApp returns the claims of a user for the app: the members of claimNames that the
// scopes of the client release (OIDC Core, section 5.4). It leaves out claims without a
// value.
func (h *Handler) claimsForApp(client storage.Client, u storage.User) (map[string]any, error) {
	sub, err := h.Tokens.Subjects.OfUser(client, u)
	if err != nil {
		return nil, err
	}
	claims := flow.UserInfoClaims(sub, request.Rights{Scopes: scopesOf(client)}, flow.VisibleTo(client, u))
	maps.DeleteFunc(claims, func(name string, _ any) bool { return !slices.Contains(claimNames, name) })
	return claims, nil
}

// session serves GET /session: it returns the signed-in user. A user to whom /refresh would give no
// cookies, because the app requires a stronger or a newer sign-in, counts as not signed in. expires_at is
// the time when the app's access token expires. If the app has no token yet, it is the current time, so
// that the app calls /refresh first.
func (h *Handler) session(w http.ResponseWriter, r *http.Request) error {
	client, err := h.Requests.FirstPartyClient()
	if err != nil {
		return err
	}
	current, renewed, err := h.Sessions.CurrentWithRenewal(r)
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	if err != nil || h.nextStep(h.newRequest(client), client, &current) != flow.Answer {
		return web.WriteJSON(w, http.StatusOK, map[string]bool{"authenticated": false})
	}
	expires := h.Now()
	if renewed != 0 {
		expires = renewed.Time().Add(h.Tokens.Lifetimes.Access)
	}
	user, err := h.claimsForApp(client, current.User)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		Authenticated bool           `json:"authenticated"`
		User          map[string]any `json:"user"`
		Expires       string         `json:"expires_at"`
		AuthTime      string         `json:"auth_time,omitempty"`
		AMR           []string       `json:"amr,omitempty"`
	}{true, user, rfc3339(expires), formatAuthTime(current.AuthTime), current.AMR})
}

// formatAuthTime returns "" for a sign-in at an unknown time; the answer then has no
// auth_time.
func formatAuthTime(at storage.Millis) string {
	if at == 0 {
		return ""
	}
	return rfc3339(at.Time())
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// logout serves POST /logout: it ends the browser's session and removes its cookies. It
// succeeds also without a session, so that signing out twice is not an error.
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
