package provider

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/credential"
	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// FirstParty is the app whose pages live on Signet's cookies and never see a token.
type FirstParty struct {
	ClientID string   // its client; default: the only first-party client
	Origins  []string // of its pages, beside the issuer's own: scheme, host and port
	Audience string   // of its access tokens, never the issuer; default: the client's id
}

// appUser is what the app learns of the person.
type appUser struct {
	Subject string `json:"sub"`
	Email   string `json:"email"` // "" if the client may not see it
	Name    string `json:"name"`
	Picture string `json:"picture"`
}

func appUserOf(v flow.Visible) appUser {
	u := v.User()
	return appUser{Subject: u.ID, Email: u.Email, Name: u.Name, Picture: u.Picture}
}

// loginJSON signs a person in with a password that the app has asked for.
func (p *Provider) loginJSON(w http.ResponseWriter, r *http.Request) error {
	client, err := p.carrier.FirstPartyClient()
	if err != nil {
		return err
	}
	body, err := web.PostJSON(w, r, "username", "password")
	if err != nil {
		return err
	}
	if body["username"] == "" || body["password"] == "" {
		return &web.FormError{Status: http.StatusBadRequest, Text: "send both username and password"}
	}
	web.TraceOf(r.Context()).Client(client.ID)
	q := p.cookiesRequest(client)
	current, err := p.visits.SignIn(w, r, visit.PasswordSignIn{
		Username: body["username"], Password: body["password"], Keep: true, RequestID: q.ID, ClientID: client.ID,
	})
	if err != nil {
		return notSignedIn(w, r, err)
	}
	web.TraceOf(r.Context()).User(current.User.ID)
	expires, err := p.answerApp(w, r, q, client, &current)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		User    appUser `json:"user"`
		Expires string  `json:"expires_at"`
	}{appUserOf(flow.VisibleTo(client, current.User)), rfc3339(expires)})
}

// notSignedIn answers why a password was not accepted; errors that are no refusal
// are given back.
func notSignedIn(w http.ResponseWriter, r *http.Request, err error) error {
	status, refusal := web.FormRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	if status == http.StatusUnprocessableEntity {
		status = http.StatusUnauthorized // what the page calls a form to be corrected
	}
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	credential.Note(trace, err)
	text := refusal.Text
	if refusal.Retry != "" {
		text += " Try again " + refusal.Retry + "."
	}
	web.App.Tell(w, r, web.Answer{Status: status, Code: refusal.Code, Text: text}, err)
	return nil
}

// refreshCookies gives the app new cookies, on the word of the session cookie: the
// dispatcher runs as for prompt=none. A refresh token of another session, or one
// that cannot be opened, counts as absent.
func (p *Provider) refreshCookies(w http.ResponseWriter, r *http.Request) error {
	client, err := p.carrier.FirstPartyClient()
	if err != nil {
		return err
	}
	if _, err := web.PostJSON(w, r); err != nil {
		return err
	}
	current, err := p.visits.SignedIn(r)
	if err != nil {
		return err
	}
	expires, err := p.answerApp(w, r, p.cookiesRequest(client), client, current)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		Expires string `json:"expires_at"`
	}{rfc3339(expires)})
}

// logoutJSON ends the browser's session and removes its cookies, also where there
// is none: whoever signs out twice is signed out.
func (p *Provider) logoutJSON(w http.ResponseWriter, r *http.Request) error {
	if _, err := web.PostJSON(w, r); err != nil {
		return err
	}
	current, err := p.sessions.Current(r)
	switch {
	case err == nil:
		err = p.sessions.End(r.Context(), w, current, "signed_out")
	case errors.Is(err, session.ErrNone):
		p.sessions.Clear(w)
		err = nil
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// sessionJSON says who is signed in. expires_at is when the app's access token does;
// the present moment if it has none yet, so that it refreshes first.
func (p *Provider) sessionJSON(w http.ResponseWriter, r *http.Request) error {
	client, err := p.carrier.FirstPartyClient()
	if err != nil {
		return err
	}
	current, renewed, err := p.sessions.Renewed(r)
	if errors.Is(err, session.ErrNone) {
		return web.WriteJSON(w, http.StatusOK, map[string]bool{"authenticated": false})
	}
	if err != nil {
		return err
	}
	expires := p.Now()
	if renewed != 0 {
		expires = renewed.Time().Add(p.Lifetimes.Access)
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		Authenticated bool     `json:"authenticated"`
		User          appUser  `json:"user"`
		Expires       string   `json:"expires_at"`
		AuthTime      string   `json:"auth_time,omitempty"`
		AMR           []string `json:"amr"`
	}{true, appUserOf(flow.VisibleTo(client, current.User)), rfc3339(expires), authTime(current.AuthTime), current.AMR})
}

// authTime is left out if nobody knows when the person proved who they are.
func authTime(at storage.Millis) string {
	if at == 0 {
		return ""
	}
	return rfc3339(at.Time())
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// cookiesRequest is the authorization request that a call of the app stands for.
// Whatever has to be asked is left to the pages.
func (p *Provider) cookiesRequest(client storage.Client) request.Request {
	return request.Request{
		ID: rand.Text(), Kind: request.Cookies, Created: storage.At(p.Now()), ClientID: client.ID,
		Path: p.base + "/", Prompt: []string{"none"},
	}
}

// answerApp asks the dispatcher, and sets the cookies if that has nothing against
// it. It gives the moment at which the access token expires.
func (p *Provider) answerApp(w http.ResponseWriter, r *http.Request, q request.Request, client storage.Client, current *session.Current) (time.Time, error) {
	at := p.Now()
	switch next := flow.NextStep(q, flow.Facts{Current: current, Client: client}, at); {
	case next == flow.NeedsLogin:
		return time.Time{}, session.ErrNone
	case next != flow.Answer:
		return time.Time{}, &interactionRequired{continueAt: p.locate(q.Again())}
	}
	return p.setTokens(w, r, client, *current, at)
}

// interactionRequired: the pages have something to ask.
type interactionRequired struct{ continueAt string }

func (e *interactionRequired) Error() string { return "interaction required" }

// Cause is the code for the log and the table of answers.
func (e *interactionRequired) Cause() string { return "interaction_required" }

// answerCookies gives the browser the app's cookies at the end of a sign-in on the
// pages, and sends it to where the app wants it. Only who came here by a navigation
// gets that far: an image or a frame of a sibling host would carry the cookies, too.
func (p *Provider) answerCookies(w http.ResponseWriter, r *http.Request, q request.Request, client storage.Client, current session.Current, at time.Time) error {
	site, use := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Dest")
	if (site == "same-site" || site == "cross-site") && use != "document" {
		return &web.Problem{
			Status: http.StatusForbidden, Code: "cross_origin", Title: "This page cannot be part of another site",
			Text: "Open it by itself.", StartURL: p.base + q.Again(),
		}
	}
	_, err := p.setTokens(w, r, client, current, at)
	if errors.Is(err, storage.ErrRevoked) {
		return web.Stale(p.base+q.Again(), err)
	}
	if tooLong, ok := errors.AsType[*session.TooLongError](err); ok {
		return &web.Problem{
			Status: http.StatusInternalServerError, Code: "token_too_large", Title: "You cannot be signed in to this application",
			Text: "Tell its operator: " + tooLong.Error() + ".", Cause: err,
		}
	}
	if err != nil {
		return err
	}
	return web.SeeOther(w, q.Path)
}

// setTokens opens or renews the session's first-party grant and sets its cookies.
func (p *Provider) setTokens(w http.ResponseWriter, r *http.Request, client storage.Client, current session.Current, at time.Time) (time.Time, error) {
	grant, err := p.db.RenewFirstParty(r.Context(), p.renewal(r, client, current, at), at)
	if err != nil {
		return time.Time{}, err
	}
	// The session may have been proven anew since the grant was opened, and each renewal
	// is an authorization of its own: for what the client is registered for now.
	grant.Scopes = appScopes(client)
	grant.AuthTime, grant.ACR, grant.AMR = current.AuthTime, current.ACR, current.AMR
	access, err := p.tokens.Access(grant, current.User, grant.Scopes, []string{p.tokens.FirstPartyAudience(client)}, at)
	if err != nil {
		return time.Time{}, err
	}
	refresh, err := p.tokens.Refresh(grant)
	if err != nil {
		return time.Time{}, fmt.Errorf("sign refresh token: %w", err)
	}
	tokens := session.Tokens{Access: access, AccessLife: p.Lifetimes.Access, Refresh: refresh}
	if current.Persistent {
		tokens.RefreshLife = min(grant.IdleExpiresAt, grant.ExpiresAt).Time().Sub(storage.At(at).Time())
	}
	return at.Add(p.Lifetimes.Access), p.sessions.Cookies.SetTokens(w, tokens)
}

// renewal is what storage is asked for: with the browser's refresh token, if that
// may be one of this user at this client.
func (p *Provider) renewal(r *http.Request, client storage.Client, current session.Current, at time.Time) storage.FirstPartyRenewal {
	renewal := storage.FirstPartyRenewal{
		Grant: storage.Grant{
			ID: storage.NewTimedID(at), UserID: current.UserID, ClientID: client.ID, SessionID: current.ID, Scopes: appScopes(client),
			AuthTime: current.AuthTime, ACR: current.ACR, AMR: current.AMR,
			IdleFor: p.Lifetimes.Refresh, ExpiresAt: storage.At(at.Add(p.Lifetimes.RefreshMax)),
		},
		Grace: p.tokens.Grace(client), From: web.TraceOf(r.Context()).Origin(),
	}
	// An expired one too: that it comes back has to be noticed, however late.
	token, err := p.ring.OpenRefresh(p.sessions.Cookies.RefreshToken(r), at)
	if (err == nil || errors.Is(err, keys.ErrExpired)) && token.Subject == current.UserID && token.ClientID == client.ID {
		renewal.GrantID, renewal.Generation = token.GrantID, token.Generation
	}
	return renewal
}

// appScopes are those the client is registered for, or the usual ones. The grant
// ends with the session, so that offline_access is none of them.
func appScopes(client storage.Client) []string {
	if client.Metadata.Scope == "" {
		return []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail}
	}
	return slices.DeleteFunc(strings.Fields(client.Metadata.Scope), func(scope string) bool {
		return scope == oidc.ScopeOfflineAccess || !request.MayAsk(client, scope)
	})
}
