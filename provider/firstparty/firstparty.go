package firstparty

import (
	"time"

	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/storage"
)

// Deps are the dependencies of Handler. All are required.
type Deps struct {
	Issuer   string
	DB       *storage.DB
	Ring     *keys.Ring
	Requests *request.Requests
	Sessions *session.Sessions
	Visits   *visit.Visits
	Tokens   *flow.Tokens
	Policy   flow.Policy
	Now      func() time.Time
}

// Handler serves the endpoints of the first-party app.
type Handler struct{ Deps }

// New returns the handler of one provider.
func New(d Deps) *Handler { return &Handler{d} }
