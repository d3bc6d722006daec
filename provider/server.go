package provider

import (
	"context"
	"net/http"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"signet/provider/web"
	"signet/storage"
)

// server is Signet behind the library's router: one method per grant. A grant
// that has none answers unsupported_grant_type.
type server struct {
	op.UnimplementedServer
	*Provider
}

var _ op.Server = (*server)(nil)

// grantTypes are those of the token endpoint.
var grantTypes = []string{
	string(oidc.GrantTypeCode), string(oidc.GrantTypeRefreshToken), string(oidc.GrantTypeClientCredentials),
}

// clientRequest settles what the library would answer with another status or
// code than the specification wants: who the client is, and what check says of
// the rest. What passes reaches one method of server.
func (p *Provider) clientRequest(check func(storage.Client, url.Values) error, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, err := p.authenticate(r)
		if err == nil {
			web.TraceOf(r.Context()).Note("client_id", client.ID)
			allowOrigin(w.Header(), r.Header.Get("Origin"), client)
			err = check(client, r.PostForm)
		}
		if err != nil {
			writeOAuthError(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, client)))
	})
}
