package firstparty

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/federation/foreign"
	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates/words"
)

// refresh serves POST /refresh: it gives the app new cookies if the session's cookie is
// valid. It decides as for an authorization request with prompt=none. A refresh token of
// another session, or one that cannot be opened, counts as absent.
func (h *Handler) refresh(w http.ResponseWriter, r *http.Request) error {
	client, err := h.Requests.FirstPartyClient()
	if err != nil {
		return err
	}
	if _, err := web.PostJSON(w, r); err != nil {
		return err
	}
	current, err := h.Visits.SignedIn(r)
	if err != nil {
		return err
	}
	expires, err := h.renew(w, r, h.newRequest(client), client, current)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		Expires string `json:"expires_at"`
	}{rfc3339(expires)})
}

// newRequest returns the authorization request for a call of the app. It has prompt=none,
// since a call cannot show a page.
func (h *Handler) newRequest(client storage.Client) request.Request {
	return request.Request{
		ID: rand.Text(), Kind: request.Cookies, Created: storage.At(h.Now()), ClientID: client.ID,
		Path: h.Requests.Base + "/", Prompt: []string{"none"},
	}
}

// renew makes the same decision as the dispatcher, and sets the cookies if the person needs
// to do nothing. It returns when the access token expires.
//
// session.ErrNone: nobody is signed in. *interactionRequired: the person must do something
// on the pages first.
func (h *Handler) renew(w http.ResponseWriter, r *http.Request, q request.Request, client storage.Client, current *session.Current) (time.Time, error) {
	switch next := h.nextStep(q, client, current); {
	case next == flow.NeedsLogin:
		return time.Time{}, session.ErrNone
	case next != flow.Answer:
		return time.Time{}, &interactionRequired{continueAt: h.Issuer + q.RestartPath()}
	}
	return h.setTokens(w, r, q, client, *current, h.Now())
}

// nextStep decides the next step of a call. Reach is not read: a call shows no page, so it does not
// matter which way the person has.
func (h *Handler) nextStep(q request.Request, client storage.Client, current *session.Current) flow.Step {
	return flow.NextStep(q, h.Policy.Facts(q, client, current), h.Now())
}

// AnswerWithCookies sets the app's cookies at the end of a sign-in on the pages, and
// redirects the browser to the address that the app has chosen. It refuses requests of
// other sites that are not navigations: browsers send the cookies also for an image or a
// frame in a page of a sibling host.
func (h *Handler) AnswerWithCookies(w http.ResponseWriter, r *http.Request, opened request.Opened, current session.Current) error {
	q := opened.Request
	site, use := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Dest")
	if (site == "same-site" || site == "cross-site") && use != "document" {
		return &web.Problem{
			Status: http.StatusForbidden, Code: "cross_origin", Title: words.Say("application-error.embedded.title"),
			Text: words.Say("application-error.embedded.text"), StartURL: h.Requests.Base + q.RestartPath(),
		}
	}
	_, err := h.setTokens(w, r, q, opened.Client, current, h.Now())
	if errors.Is(err, storage.ErrRevoked) {
		return web.StaleForm(h.Requests.Base+q.RestartPath(), err)
	}
	if web.CauseOf(err) == "token_too_large" {
		return &web.Problem{
			Status: http.StatusInternalServerError, Code: "token_too_large", Title: words.Say("application-error.token-too-large.title"),
			Text: words.Say("application-error.token-too-large.text", "Reason", err.Error()), Cause: err,
		}
	}
	if err != nil {
		return err
	}
	return web.SeeOther(w, q.Path)
}

// setTokens opens or renews the session's first-party grant, and sets the cookies with its
// tokens. It returns when the access token expires.
func (h *Handler) setTokens(w http.ResponseWriter, r *http.Request, q request.Request, client storage.Client, current session.Current, at time.Time) (time.Time, error) {
	current.ACR = flow.StatedACR(q, client, current.ACR)
	renewal, err := h.renewal(r, client, current, at)
	if err != nil {
		return time.Time{}, err
	}
	grant, err := h.DB.RenewFirstParty(r.Context(), renewal, at)
	if err != nil {
		return time.Time{}, err
	}
	// Each renewal is an authorization of its own. The person may have signed in again since
	// the grant was opened, and the registered scopes of the client may have changed.
	grant.Scopes = scopesOf(client)
	grant.AuthTime, grant.ACR, grant.AMR = current.AuthTime, current.ACR, current.AMR
	access, err := h.Tokens.AccessToken(client, grant, current.User, grant.Scopes, []string{h.Tokens.FirstPartyAudience(client)}, at)
	if err != nil {
		return time.Time{}, err
	}
	refresh, err := h.Tokens.RefreshToken(client, grant)
	if err != nil {
		return time.Time{}, err
	}
	life := h.Tokens.Lifetimes.Access
	tokens := session.Tokens{Access: access, AccessLife: life, Refresh: refresh}
	if current.Persistent {
		tokens.RefreshLife = min(grant.IdleExpiresAt, grant.ExpiresAt).Time().Sub(storage.At(at).Time())
	}
	return at.Add(life), h.Sessions.Cookies.SetTokens(w, tokens)
}

// renewal returns the input of RenewFirstParty in storage. It includes the grant of the
// browser's refresh token if that token was issued to this user and client.
func (h *Handler) renewal(r *http.Request, client storage.Client, current session.Current, at time.Time) (storage.FirstPartyRenewal, error) {
	renewal := storage.FirstPartyRenewal{
		Grant: storage.Grant{
			ID: storage.NewTimedID(at), UserID: current.UserID, ClientID: client.ID, SessionID: current.ID, Scopes: scopesOf(client),
			AuthTime: current.AuthTime, ACR: current.ACR, AMR: current.AMR,
			IdleFor: h.Tokens.Lifetimes.Refresh, ExpiresAt: storage.At(at.Add(h.Tokens.Lifetimes.RefreshMax)),
		},
		Grace: h.Tokens.Grace(client), From: web.TraceOf(r.Context()).Origin(),
	}
	// The grant of an expired token is passed on too, so that storage detects even a late replay.
	token, err := h.Ring.OpenRefresh(h.Sessions.Cookies.RefreshToken(r), at)
	if err != nil && !errors.Is(err, keys.ErrExpired) || token.ClientID != client.ID {
		return renewal, nil
	}
	sub, err := h.Tokens.Subjects.OfUser(client, current.User)
	if err == nil && token.Subject == sub {
		renewal.GrantID, renewal.Generation = token.GrantID, token.Generation
	}
	return renewal, err
}

// scopesOf returns the registered scopes of the client; if there are none: openid, profile
// and email. It leaves out offline_access, since the grant ends with the session.
func scopesOf(client storage.Client) []string {
	if client.Metadata.Scope == "" {
		return []string{request.ScopeOpenID, request.ScopeProfile, request.ScopeEmail}
	}
	return slices.DeleteFunc(foreign.Distinct(strings.Fields(client.Metadata.Scope)), func(scope string) bool {
		return scope == request.ScopeOfflineAccess || !request.MayAsk(client, scope)
	})
}
