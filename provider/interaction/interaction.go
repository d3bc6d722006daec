package interaction

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"signet/provider/directory"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// Deps is what the steps need. All is required.
type Deps struct {
	Site        *web.Site
	DB          *storage.DB
	Ring        *keys.Ring
	Requests    *request.Requests
	Sessions    *session.Sessions
	Directory   *directory.Directory
	Visits      *visit.Visits
	Connectors  []Connector   // in the operator's order
	Health      *Health       // how the connectors fare
	KeepFor     time.Duration // what "Keep me signed in" promises
	ConsentLife time.Duration // how long a consent is remembered
	Now         func() time.Time
}

// Handler serves the steps.
type Handler struct{ Deps }

// New makes the handler of the steps.
func New(d Deps) *Handler { return &Handler{d} }

// step is one open request on its way.
type step struct {
	request.Opened
	other bool // another account is wanted than the one that is signed in
}

// open opens the request of a step.
func (h *Handler) open(ctx context.Context, sealed string) (step, error) {
	opened, err := h.Requests.Open(ctx, sealed, h.Now())
	return step{Opened: opened}, err
}

// openForm reads a form and opens the request of its step. The form may have these
// fields; without any, it may have all.
func (h *Handler) openForm(w http.ResponseWriter, r *http.Request, fields ...string) (step, url.Values, error) {
	read := web.Form
	if len(fields) > 0 {
		read = func(w http.ResponseWriter, r *http.Request) (url.Values, error) {
			return web.FormWithFields(w, r, fields...)
		}
	}
	form, err := read(w, r)
	if err != nil {
		return step{}, nil, err
	}
	s, err := h.open(r.Context(), form.Get("request"))
	return s, form, err
}

// current is the signed-in user of a step that needs one. Without a session the
// dispatcher is asked again, which shows the sign-in page.
func (h *Handler) current(r *http.Request, s step) (session.Current, error) {
	current, err := h.Sessions.Current(r)
	if err == session.ErrNone {
		return current, h.stale(r, h.next(s), err)
	}
	return current, err
}

// stale is web.StaleForm for a form that needs a cookie: a person whose browser sends none is
// told that, too.
func (h *Handler) stale(r *http.Request, wayOn string, cause error) *web.Problem {
	p := web.StaleForm(wayOn, cause)
	if !h.Sessions.Cookies.AnyCame(r) {
		blocked := visit.CookiesBlocked(wayOn)
		p.Title, p.Text, p.StartText = blocked.Title, blocked.Text, blocked.StartText
	}
	return p
}

// checkCookies refuses a form that signs somebody in, in a browser that would not keep
// the session: nothing is stored, hashed or spent for it.
func (h *Handler) checkCookies(r *http.Request, wayOn string) error {
	if !h.Sessions.Cookies.AnyCame(r) {
		return visit.CookiesBlocked(wayOn)
	}
	return nil
}

// next is the path of the dispatcher for this request.
func (h *Handler) next(s step) string { return h.Visits.Next(s.Sealed) }

// common is the frame of a page, with the client the person is on the way to.
func (h *Handler) common(s step) templates.Common {
	c := h.Site.Common()
	if s.Kind != request.Code {
		return c
	}
	c.Client = templates.Client{
		Name: s.Client.Name, Host: templates.HostOf(s.RedirectURI), HomeURL: s.Client.Metadata.ClientURI,
		PolicyURL: s.Client.Metadata.PolicyURI, TermsURL: s.Client.Metadata.TosURI,
	}
	if c.Client.Name == "" {
		c.Client.Name = s.Client.ID
	}
	return c
}

// person is a user as pages show it.
func person(u storage.User) templates.Person {
	return templates.Person{Name: u.Name, Email: u.Email}
}

// connector finds one by its id; false for one that is unknown or was removed.
func (h *Handler) connector(id string) (Connector, bool) {
	for _, c := range h.Connectors {
		if c.ID() == id {
			return c, true
		}
	}
	return Connector{}, false
}

// addFact notes in the session what the person has decided about the request of a step.
func (h *Handler) addFact(ctx context.Context, s step, current session.Current, kind storage.FactKind) error {
	at := h.Now()
	fact := storage.Fact{Kind: kind, At: storage.At(at), Request: s.ID}
	return h.sessionEnded(s, h.DB.AddFact(ctx, current.UserID, current.ID, fact, at))
}

// sessionEnded answers a step whose session ended while its page lay open; other errors
// are given back.
func (h *Handler) sessionEnded(s step, err error) error {
	if errors.Is(err, storage.ErrRevoked) {
		return web.StaleForm(h.next(s), err)
	}
	return err
}

// otherAccount is the address of the sign-in page that asks for another account than the
// one that is signed in.
func (h *Handler) otherAccount(s step) string {
	return h.signInPage(s) + "&other=1"
}

// signInPage is the address of the sign-in page of a step.
func (h *Handler) signInPage(s step) string {
	return h.Site.Base + request.StepPath("/login", s.Sealed)
}
