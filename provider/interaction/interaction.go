package interaction

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"signet/provider/directory"
	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/link"
	"signet/provider/passkey"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// Deps are the dependencies of a Handler. All are required.
type Deps struct {
	Site          *web.Site
	DB            *storage.DB
	Ring          *keys.Ring
	Requests      *request.Requests
	Sessions      *session.Sessions
	Policy        flow.Policy
	Directory     *directory.Directory
	Visits        *visit.Visits
	Passkeys      *passkey.Passkeys
	Connectors    []Connector          // in the operator's order
	Health        *Health              // results of trips to the upstreams
	KeepFor       time.Duration        // life of a session with "Keep me signed in"
	ConsentLife   time.Duration        // time for which a consent is remembered
	WrongCodes    storage.NetworkLimit // of user codes of devices
	Now           func() time.Time
	Links         *link.Links
	SendsMails    bool // offers a mail to people who forgot their password
	MakesPasskeys bool // lets browsers make a passkey by themselves after a sign-in with a password
	SignUp        bool // offers a mail to people who want an account
	Log           *slog.Logger
}

// Handler serves the steps of a sign-in.
type Handler struct{ Deps }

// New returns the handler of the steps.
func New(d Deps) *Handler { return &Handler{d} }

// step is one step of a sign-in: its opened request.
type step struct {
	request.Opened
	wantsOther bool // the user wants another account than the signed-in one
}

// keepStronger returns the condition on which a sign-in for the request keeps a stronger proof of the
// browser's session.
func (h *Handler) keepStronger(s step) *storage.Freshness {
	return h.Visits.KeepStronger(s.Freshness(s.Client))
}

// open opens the request of a step.
func (h *Handler) open(ctx context.Context, sealed string) (step, error) {
	opened, err := h.Requests.Open(ctx, sealed, h.Now())
	return step{Opened: opened}, err
}

// openForm reads a form and opens the request of its step. If fields are given, the form may
// have no others.
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

// current returns the session of a step that needs one. If there is none, the error is a
// page that leads to the dispatcher, which then shows the sign-in page.
func (h *Handler) current(r *http.Request, s step) (session.Current, error) {
	current, err := h.Sessions.Current(r)
	if err == session.ErrNone {
		return current, h.stale(r, h.next(s), err)
	}
	return current, err
}

// stale is web.StaleForm for a form that needs a cookie. If the browser sent none at all,
// the page explains that cookies are blocked.
func (h *Handler) stale(r *http.Request, wayOn string, cause error) *web.Problem {
	p := web.StaleForm(wayOn, cause)
	if !h.Sessions.Cookies.HasAnyCookie(r) {
		blocked := visit.CookiesBlocked(wayOn)
		p.Title, p.Text, p.StartText = blocked.Title, blocked.Text, blocked.StartText
	}
	return p
}

// checkCookies refuses a sign-in form from a browser that blocks cookies, since the browser
// would not store the session. Callers check before they store, hash or use up anything.
func (h *Handler) checkCookies(r *http.Request, wayOn string) error {
	if !h.Sessions.Cookies.HasAnyCookie(r) {
		return visit.CookiesBlocked(wayOn)
	}
	return nil
}

// next returns the address of the dispatcher for this request.
func (h *Handler) next(s step) string { return h.Visits.Next(s.Sealed) }

// common returns the data that all pages share, with the client that the user signs in to.
func (h *Handler) common(s step) templates.Common { return h.Visits.Common(s.Opened) }

// person returns the user as pages show it.
func person(u storage.User) templates.Person {
	return templates.Person{Name: u.Name, Email: u.Email}
}

// connector returns the connector with this id; false if it is unknown or was removed.
func (h *Handler) connector(id string) (Connector, bool) {
	for _, c := range h.Connectors {
		if c.ID() == id {
			return c, true
		}
	}
	return Connector{}, false
}

// addFact stores, in the session, a decision of the user about the request of a step.
func (h *Handler) addFact(ctx context.Context, s step, current session.Current, kind storage.FactKind) error {
	at := h.Now()
	fact := storage.Fact{Kind: kind, At: storage.At(at), Request: s.ID}
	return h.sessionEnded(s, h.DB.AddFact(ctx, current.UserID, current.ID, fact, at))
}

// sessionEnded returns a page if err says that the session ended while the page was open;
// otherwise it returns err.
func (h *Handler) sessionEnded(s step, err error) error {
	if errors.Is(err, storage.ErrRevoked) {
		return web.StaleForm(h.next(s), err)
	}
	return err
}

// otherAccountPage returns the address of the sign-in page for another account than the
// signed-in one.
func (h *Handler) otherAccountPage(s step) string {
	return h.signInPage(s) + "&other=1"
}

// signInPage returns the address of the sign-in page of a step.
func (h *Handler) signInPage(s step) string {
	return h.Site.Base + request.StepPath("/login", s.Sealed)
}
