package provider

import (
	"context"
	"net/http"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/web"
	"signet/storage"
)

// tokenRequest is a form request of a client that has authenticated.
type tokenRequest struct {
	client storage.Client
	form   url.Values
}

// grants are those of the token endpoint.
var grants = []struct {
	name  oidc.GrantType
	serve func(*Provider, context.Context, tokenRequest) (tokenResponse, error)
}{
	{oidc.GrantTypeCode, (*Provider).codeGrant},
	{oidc.GrantTypeRefreshToken, (*Provider).refreshGrant},
	{oidc.GrantTypeClientCredentials, (*Provider).serviceGrant},
}

// grantTypes are their names.
var grantTypes = func() []string {
	names := make([]string, len(grants))
	for i, g := range grants {
		names[i] = string(g.name)
	}
	return names
}()

// token serves the token endpoint (RFC 6749, section 3.2).
func (p *Provider) token(ctx context.Context, r tokenRequest) (any, error) {
	if err := checkGrantType(r.client, r.form); err != nil {
		return nil, err
	}
	for _, g := range grants {
		if r.form.Get("grant_type") == string(g.name) {
			return g.serve(p, ctx, r)
		}
	}
	return nil, errGrantType
}

// fromClient authenticates the client and answers with what serve gives as JSON,
// or with an empty body for nil.
func (p *Provider) fromClient(serve func(context.Context, tokenRequest) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, err := p.authenticate(r)
		var answer any
		if err == nil {
			web.TraceOf(r.Context()).Note("client_id", client.ID)
			allowOrigin(w.Header(), r.Header.Get("Origin"), client)
			answer, err = serve(r.Context(), tokenRequest{client, r.PostForm})
		}
		if err == nil && answer != nil {
			err = writeJSON(w, http.StatusOK, answer)
		}
		if err != nil {
			writeOAuthError(w, r, err)
		}
	})
}
