package oauth

import (
	"net/netip"
	"time"

	"signet/provider/firstparty"
	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/notice"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/upkeep"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// Deps are what the endpoints need. All are required.
type Deps struct {
	DB         *storage.DB
	Ring       *keys.Ring
	Tokens     *flow.Tokens
	Clients    *request.Clients
	Requests   *request.Requests
	Sessions   *session.Sessions
	Visits     *visit.Visits
	Notices    *notice.Outbox
	Apps       *firstparty.Handler // answers requests for cookies
	Site       *web.Site
	Jobs       *upkeep.Jobs
	Issuer     string
	CodeLife   time.Duration  // of an authorization code
	KeysCached time.Duration  // how long the JWKS may be cached
	Proxies    []netip.Prefix // whose word on a client's address is taken
	Now        func() time.Time
}

// Handler serves the endpoints.
type Handler struct {
	Deps
	discovery    []byte
	discoveryTag string
}

// New makes the endpoints, and the discovery document that tells of them.
func New(d Deps) (*Handler, error) {
	h := &Handler{Deps: d}
	var err error
	h.discovery, h.discoveryTag, err = h.discoveryDocument()
	return h, err
}
