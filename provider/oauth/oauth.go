package oauth

import (
	"net/netip"
	"time"

	"signet/provider/assertion"
	"signet/provider/directory"
	"signet/provider/firstparty"
	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/notice"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/upkeep"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/static"
	"signet/storage"
)

// Deps are the dependencies of the endpoints. The last fields have a useful zero value; all others are required.
type Deps struct {
	DB           *storage.DB
	Ring         *keys.Ring
	Tokens       *flow.Tokens
	Policy       flow.Policy
	Clients      *request.Clients
	Assertions   *assertion.Verifier
	Directory    *directory.Directory
	Registration directory.RegistrationPolicy
	Requests     *request.Requests
	Sessions     *session.Sessions
	Visits       *visit.Visits
	Notices      *notice.Outbox
	Apps         *firstparty.Handler // answers requests of kind request.Cookies
	Site         *web.Site
	Files        *static.Files
	Jobs         *upkeep.Jobs
	Issuer       string
	CodeLife     time.Duration  // lifetime of an authorization code
	DeviceLife   time.Duration  // lifetime of a device code
	KeysCached   time.Duration  // how long the JWKS may be cached
	Proxies      []netip.Prefix // trusted to report the address of a client
	Now          func() time.Time

	Failures    storage.NetworkLimit // of client authentications
	Pushes      storage.NetworkLimit // of requests that clients without authentication push
	DeviceCodes storage.NetworkLimit // of device codes, for each client without authentication

	ResponseTypes     []string // in the discovery document; nil: code
	RequirePushed     bool     // every authorization request must be pushed
	SignUp            bool     // people can create an account, so prompt=create works
	SessionManagement bool     // session_state, check_session_iframe
}

// Handler serves the endpoints of the package.
type Handler struct {
	Deps
	discovery    []byte
	discoveryTag string
}

// New returns the endpoints. It builds the discovery document once.
func New(d Deps) (*Handler, error) {
	h := &Handler{Deps: d}
	var err error
	h.discovery, h.discoveryTag, err = h.discoveryDocument()
	return h, err
}
