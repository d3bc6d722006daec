package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// answer sends the successful response to the client, with the code and the tokens of its
// response type.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, opened request.Opened, current session.Current, at time.Time) error {
	q, client := opened.Request, opened.Client
	stated := current.StatedAuthTime(q.Freshness(client), at)
	if stated == current.AuthTime {
		stated = 0
	}
	authorized := current.Session
	authorized.ACR = flow.StatedACR(q, client, current.ACR)
	content, params, t := newCode(q, authorized, stated, at), url.Values{}, q.Type()
	if t.InFrontChannel() {
		content.Front = storage.NewTimedID(at)
	}
	if t.Code {
		code, err := h.sealCode(content, at)
		if err != nil {
			return err
		}
		params.Set("code", code)
	}
	if !t.InFrontChannel() {
		return h.respond(w, r, q, params)
	}
	issued, err := h.issueFrontChannel(r, opened, content, params.Get("code"), current.User, at)
	var tooLong *flow.ListTooLongError
	switch {
	case errors.Is(err, storage.ErrRevoked): // the session has ended since it was read
		return h.refuse(w, r, q, client, *flow.NeedsLogin.Refusal)
	case errors.As(err, &tooLong):
		return h.refuse(w, r, q, client, *flow.Refuse(web.CauseOf(err), "server_error", tooLong.Error()))
	case err != nil:
		return err
	}
	setTokens(params, issued)
	return h.respond(w, r, q, params)
}

// issueFrontChannel opens a grant and makes the tokens of the response. Its grant is not that of
// the code: each ends by itself, but a replay of the code ends both.
func (h *Handler) issueFrontChannel(r *http.Request, opened request.Opened, content authorizationCode, code string, user storage.User, at time.Time) (flow.Issued, error) {
	grant := h.newGrant(content, opened.Rights(), at)
	grant.ID = content.Front
	if grant.Offline { // offline_access is for the grant of the code
		grant.Offline, grant.IdleFor, grant.ExpiresAt = false, h.Tokens.Lifetimes.Refresh, storage.At(at.Add(h.Tokens.Lifetimes.RefreshMax))
	}
	trace := web.TraceOf(r.Context())
	grant, err := h.DB.OpenGrant(r.Context(), grant, trace.Origin(), at)
	if err != nil {
		return flow.Issued{}, err
	}
	trace.NoteGrant(grant)
	return h.Tokens.IssueFrontChannel(opened.Client, grant, user, flow.FrontChannel{
		Type: opened.Type(), Rights: flow.GrantRights(grant), Nonce: opened.Nonce, Code: code,
	}, at)
}

// setTokens adds the tokens to the parameters of a response (OIDC Core, sections 3.2.2.5 and
// 3.3.2.5).
func setTokens(params url.Values, issued flow.Issued) {
	if issued.Access != "" {
		params.Set("access_token", issued.Access)
		params.Set("token_type", oidc.BearerToken)
		params.Set("expires_in", strconv.Itoa(int(issued.Life.Seconds())))
		params.Set("scope", issued.Scope)
	}
	if issued.ID != "" {
		params.Set("id_token", issued.ID)
	}
}
