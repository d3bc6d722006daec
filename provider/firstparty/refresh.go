package firstparty

import (
	"crypto/rand"
	"errors"
	"fmt"
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

// refresh gives the app new cookies, on the word of the session cookie: the decision is
// that of prompt=none. A refresh token of another session, or one that cannot be opened,
// counts as absent.
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
	expires, err := h.renew(w, r, h.request(client), client, current)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		Expires string `json:"expires_at"`
	}{rfc3339(expires)})
}

// request is the authorization request that a call of the app stands for. Whatever has
// to be asked is left to the pages.
func (h *Handler) request(client storage.Client) request.Request {
	return request.Request{
		ID: rand.Text(), Kind: request.Cookies, Created: storage.At(h.Now()), ClientID: client.ID,
		Path: h.Requests.Base + "/", Prompt: []string{"none"},
	}
}

// renew decides as the dispatcher does, and sets the cookies if nothing has to be asked.
// It gives the moment at which the access token expires.
//
// session.ErrNone: nobody is signed in. *interactionRequired: the pages have something
// to ask.
func (h *Handler) renew(w http.ResponseWriter, r *http.Request, q request.Request, client storage.Client, current *session.Current) (time.Time, error) {
	at := h.Now()
	switch next := flow.NextStep(q, flow.Facts{Current: current, Client: client}, at); {
	case next == flow.NeedsLogin:
		return time.Time{}, session.ErrNone
	case next != flow.Answer:
		return time.Time{}, &interactionRequired{continueAt: h.Issuer + q.RestartPath()}
	}
	return h.setTokens(w, r, client, *current, at)
}

// AnswerWithCookies gives the browser the app's cookies at the end of a sign-in on the
// pages, and sends it to where the app wants it. Only a navigation gets that far: an
// image or a frame of a sibling host would carry the cookies, too.
func (h *Handler) AnswerWithCookies(w http.ResponseWriter, r *http.Request, opened request.Opened, current session.Current) error {
	q := opened.Request
	site, use := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Dest")
	if (site == "same-site" || site == "cross-site") && use != "document" {
		return &web.Problem{
			Status: http.StatusForbidden, Code: "cross_origin", Title: words.Say("application-error.embedded.title"),
			Text: words.Say("application-error.embedded.text"), StartURL: h.Requests.Base + q.RestartPath(),
		}
	}
	_, err := h.setTokens(w, r, opened.Client, current, h.Now())
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

// setTokens opens or renews the session's first-party grant and sets its cookies.
func (h *Handler) setTokens(w http.ResponseWriter, r *http.Request, client storage.Client, current session.Current, at time.Time) (time.Time, error) {
	renewal := h.renewal(r, client, current, at)
	grant, err := h.DB.RenewFirstParty(r.Context(), renewal, at)
	if err != nil {
		return time.Time{}, err
	}
	// The session may have been proven anew since the grant was opened, and each renewal
	// is an authorization of its own: for what the client is registered for now.
	grant.Scopes = scopesOf(client)
	grant.AuthTime, grant.ACR, grant.AMR = current.AuthTime, current.ACR, current.AMR
	access, err := h.Tokens.AccessToken(grant, current.User, grant.Scopes, []string{h.Tokens.FirstPartyAudience(client)}, at)
	if err != nil {
		return time.Time{}, err
	}
	refresh, err := h.Tokens.RefreshToken(grant)
	if err != nil {
		return time.Time{}, fmt.Errorf("sign refresh token: %w", err)
	}
	life := h.Tokens.Lifetimes.Access
	tokens := session.Tokens{Access: access, AccessLife: life, Refresh: refresh}
	if current.Persistent {
		tokens.RefreshLife = min(grant.IdleExpiresAt, grant.ExpiresAt).Time().Sub(storage.At(at).Time())
	}
	return at.Add(life), h.Sessions.Cookies.SetTokens(w, tokens)
}

// renewal is the order to storage: with the browser's refresh token, if that may be one
// of this user at this client.
func (h *Handler) renewal(r *http.Request, client storage.Client, current session.Current, at time.Time) storage.FirstPartyRenewal {
	renewal := storage.FirstPartyRenewal{
		Grant: storage.Grant{
			ID: storage.NewTimedID(at), UserID: current.UserID, ClientID: client.ID, SessionID: current.ID, Scopes: scopesOf(client),
			AuthTime: current.AuthTime, ACR: current.ACR, AMR: current.AMR,
			IdleFor: h.Tokens.Lifetimes.Refresh, ExpiresAt: storage.At(at.Add(h.Tokens.Lifetimes.RefreshMax)),
		},
		Grace: h.Tokens.Grace(client), From: web.TraceOf(r.Context()).Origin(),
	}
	// An expired one too: that it comes back has to be noticed, however late.
	token, err := h.Ring.OpenRefresh(h.Sessions.Cookies.RefreshToken(r), at)
	if (err == nil || errors.Is(err, keys.ErrExpired)) && token.Subject == current.UserID && token.ClientID == client.ID {
		renewal.GrantID, renewal.Generation = token.GrantID, token.Generation
	}
	return renewal
}

// scopesOf gives the scopes that the client is registered for, or the usual ones. The
// grant ends with the session, so that offline_access is not among them.
func scopesOf(client storage.Client) []string {
	if client.Metadata.Scope == "" {
		return []string{request.ScopeOpenID, request.ScopeProfile, request.ScopeEmail}
	}
	return slices.DeleteFunc(foreign.Distinct(strings.Fields(client.Metadata.Scope)), func(scope string) bool {
		return scope == request.ScopeOfflineAccess || !request.MayAsk(client, scope)
	})
}
