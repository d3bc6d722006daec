package visit

import (
	"errors"
	"net/http"
	"time"

	"signet/federation"
	"signet/provider/credential"
	"signet/provider/factor"
	"signet/provider/keys"
	"signet/provider/passkey"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// Deps are the dependencies of Visits. All are required.
type Deps struct {
	Site       *web.Site
	DB         *storage.DB
	Ring       *keys.Ring
	Requests   *request.Requests
	Sessions   *session.Sessions
	Passwords  *credential.Passwords
	Factors    *factor.Factors
	Passkeys   *passkey.Passkeys
	Connectors []federation.Connector // in the operator's order
	FreshFor   time.Duration          // time after a proof in which the user may do an Act
	Now        func() time.Time
}

// Visits reads and changes the sign-in of a browser.
type Visits struct{ Deps }

// New returns the Visits of a provider.
func New(d Deps) *Visits { return &Visits{d} }

// SignedIn returns the session of the browser; nil if nobody is signed in. Callers must not
// treat storage.ErrUnavailable as "nobody is signed in".
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
