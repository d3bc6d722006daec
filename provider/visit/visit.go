package visit

import (
	"errors"
	"net/http"
	"time"

	"signet/federation"
	"signet/provider/credential"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// Deps is what visits need. All is required.
type Deps struct {
	Site       *web.Site
	DB         *storage.DB
	Ring       *keys.Ring
	Requests   *request.Requests
	Sessions   *session.Sessions
	Passwords  *credential.Passwords
	Connectors []federation.Connector // in the operator's order
	Now        func() time.Time
}

// Visits tells and changes who is signed in at a browser.
type Visits struct{ Deps }

// New makes the visits of a provider.
func New(d Deps) *Visits { return &Visits{d} }

// SignedIn gives the visitor's session; nil if nobody is signed in at the browser.
// storage.ErrUnavailable must never be read as "nobody".
func (v *Visits) SignedIn(r *http.Request) (*session.Current, error) {
	current, err := v.Sessions.Current(r)
	switch {
	case err == nil:
		return &current, nil
	case errors.Is(err, session.ErrNone):
		return nil, nil
	}
	return nil, err
}
