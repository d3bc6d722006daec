package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/flow"
	"signet/provider/web"
	"signet/storage"
)

// tokenResponse is a successful answer of the token endpoint (RFC 6749, section
// 5.1; OIDC Core, section 3.1.3.3).
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	// RefreshExpiresIn is the life of the refresh token in seconds. No RFC defines the member; many
	// servers and clients use this name.
	RefreshExpiresIn int64  `json:"refresh_token_expires_in,omitempty"`
	Scope            string `json:"scope"`
	IDToken          string `json:"id_token,omitempty"`
}

// newTokenResponse returns the answer with the issued tokens, or err if it is not nil.
func newTokenResponse(issued flow.Issued, err error) (tokenResponse, error) {
	if err != nil {
		return tokenResponse{}, err
	}
	return tokenResponse{
		AccessToken: issued.Access, TokenType: oidc.BearerToken, ExpiresIn: int64(issued.Life.Seconds()),
		RefreshToken: issued.Refresh, RefreshExpiresIn: int64(issued.RefreshLife.Seconds()), Scope: issued.Scope, IDToken: issued.ID,
	}, nil
}

// tokenRequest is a form request of an authenticated client.
type tokenRequest struct {
	client storage.Client
	form   url.Values
}

// grants has the function of each grant type that storage.GrantTypes marks as served.
var grants = map[string]func(*Handler, context.Context, tokenRequest) (tokenResponse, error){
	storage.GrantCode:              (*Handler).codeGrant,
	storage.GrantRefresh:           (*Handler).refreshGrant,
	storage.GrantClientCredentials: (*Handler).serviceGrant,
	storage.GrantDevice:            (*Handler).deviceGrant,
}

// token serves the token endpoint (RFC 6749, section 3.2).
func (h *Handler) token(ctx context.Context, r tokenRequest) (any, error) {
	asked := r.form.Get("grant_type")
	serve, served := grants[asked]
	switch {
	case asked == "":
		return nil, errNoGrantType
	case !served:
		return nil, errGrantType
	case r.form.Has("authorization_details"): // RFC 9396, section 6: this provider knows no type of them
		return nil, errAuthorizationDetails
	case !slices.Contains(r.client.Metadata.GrantTypes, asked):
		return nil, errClientGrant
	case r.client.Public() && slices.Contains(r.client.OwnGrantTypes(), asked):
		return nil, errPublicClient
	}
	return serve(h, ctx, r)
}

// clientEndpoint serves an authenticated client. It returns the value that is sent as JSON,
// or nil for an empty body.
type clientEndpoint func(context.Context, tokenRequest) (any, error)

// requireClient authenticates the client, calls serve and sends its result as JSON. It sends
// an empty body if the result is nil. A *flow.Refusal is sent with its own code.
func (h *Handler) requireClient(serve clientEndpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, err := h.authenticate(r)
		var answer any
		if err == nil {
			web.TraceOf(r.Context()).NoteClient(client.ID)
			allowOrigin(w.Header(), r.Header.Get("Origin"), client)
			answer, err = serve(r.Context(), tokenRequest{client, r.PostForm})
		}
		if err == nil && answer != nil {
			status := http.StatusOK
			if _, is := answer.(pushedResponse); is {
				status = http.StatusCreated // RFC 9126, section 2.2
			}
			err = web.WriteJSON(w, status, answer)
		}
		if err != nil {
			failAsClient(w, r, err)
		}
	})
}

// failAsClient answers a client with the error of its request. A refusal of the parameters of an
// authorization request has its own code and description; the table has those of all others, and of
// requests that the client may simply try again.
func failAsClient(w http.ResponseWriter, r *http.Request, err error) {
	if refusal, ok := errors.AsType[*flow.Refusal](err); ok && refusal.Code != "temporarily_unavailable" {
		web.OAuth.FailWith(w, r, web.Answer{Status: http.StatusBadRequest, Code: refusal.Code, Text: refusal.Description}, err)
		return
	}
	web.OAuth.Fail(w, r, err)
}
