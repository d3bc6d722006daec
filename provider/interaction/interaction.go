package interaction

import (
	"context"
	"net/http"
	"time"

	"signet/provider/credential"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// Handler holds what the steps need.
type Handler struct {
	Site       *web.Site
	DB         *storage.DB
	Carrier    *request.Carrier
	Sessions   *session.Sessions
	Passwords  *credential.Passwords
	Connectors []Connector   // in the operator's order
	Health     *Health       // how the connectors fare
	KeepFor    time.Duration // what "Keep me signed in" promises
	Consent    time.Duration // how long a consent is remembered
	Now        func() time.Time

	LoginJSON http.Handler // POST /login of a first-party app
}

// step is one open request on its way.
type step struct {
	sealed  string
	q       request.Request
	client  storage.Client
	linking bool // on a trip to connect an identity, not to sign in
	other   bool // another account is wanted than the one that is signed in
}

// open opens the request of a step.
func (h *Handler) open(ctx context.Context, sealed string) (step, error) {
	q, client, err := h.Carrier.Open(ctx, sealed, h.Now())
	if err != nil {
		return step{}, err
	}
	web.TraceOf(ctx).Client(client.ID)
	return step{sealed: sealed, q: q, client: client}, nil
}

// current is the signed-in user of a step that needs one. Without a session the
// dispatcher is asked again, which shows the sign-in page.
func (h *Handler) current(r *http.Request, s step) (session.Current, error) {
	current, err := h.Sessions.Current(r)
	if err == session.ErrNone {
		return current, web.Stale(h.next(s), err)
	}
	return current, err
}

// next is the path of the dispatcher for this request.
func (h *Handler) next(s step) string {
	return h.Site.Base + request.To("/authorize/next", s.sealed)
}

// common is the frame of a page, with the client the person is on the way to.
func (h *Handler) common(s step) templates.Common {
	c := h.Site.Common()
	if s.q.Kind != request.Code {
		return c
	}
	c.Client = templates.Client{
		Name: s.client.Name, Host: templates.HostOf(s.q.RedirectURI), LogoURL: s.client.Metadata.LogoURI,
		PolicyURL: s.client.Metadata.PolicyURI, TermsURL: s.client.Metadata.TosURI,
	}
	if c.Client.Name == "" {
		c.Client.Name = s.client.ID
	}
	return c
}

func person(u storage.User) templates.Person {
	return templates.Person{Name: u.Name, Email: u.Email}
}
