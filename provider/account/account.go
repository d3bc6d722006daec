package account

import (
	"net/http"
	"net/url"
	"time"

	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/notice"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// Deps is what the pages need. All is required.
type Deps struct {
	Site       *web.Site
	DB         *storage.DB
	Clients    *request.Clients
	Sessions   *session.Sessions
	Passwords  *credential.Passwords
	Directory  *directory.Directory
	Visits     *visit.Visits
	Notices    *notice.Outbox
	Connectors []templates.ConnectorButton // of the upstreams, in the operator's order
	Now        func() time.Time

	EditUsername bool   // people may edit their preferred_username; otherwise operators alone
	DemoPath     string // linked from the home page; "" for no link
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler of the pages.
func New(d Deps) *Handler { return &Handler{d} }

// The pages, below the issuer.
const (
	overviewPath   = "/account"
	profilePath    = "/account/profile"
	passwordPath   = "/account/password"
	sessionsPath   = "/account/sessions"
	endAllPath     = "/account/sessions/end-all"
	appsPath       = "/account/apps"
	withdrawPath   = "/account/apps/withdraw"
	identitiesPath = "/account/identities"
	linkPath       = "/account/identities/link"
	unlinkPath     = "/account/identities/unlink"
)

// readForm reads a posted form that may have these fields and its ticket, no others.
func readForm(w http.ResponseWriter, r *http.Request, fields ...string) (url.Values, error) {
	return web.FormWithFields(w, r, append(fields, "ticket")...)
}

// ticketOf names what a form of this session may do.
func ticketOf(current session.Current, purpose, shown string) visit.Ticket {
	return visit.TicketOf(current, "account."+purpose, shown)
}

// ticket seals what a form of this session may do.
func (h *Handler) ticket(current session.Current, purpose, shown string) (string, error) {
	return h.Visits.SealTicket(ticketOf(current, purpose, shown))
}

// frame is what all account pages show around their content.
func (h *Handler) frame(r *http.Request, current session.Current, here string) templates.Account {
	return templates.Account{
		Common: h.Site.Common(), Here: here, Admin: current.User.Admin, Done: doneSentences[r.URL.Query().Get("done")],
		User: templates.Person{Name: current.User.Name, Email: current.User.Email},
	}
}

// doneSentences are the sentences that a page can begin with, by the code that stands in
// its address: the address chooses one and says nothing itself.
var doneSentences = map[string]string{
	"profile":  "Your profile was saved.",
	"retype":   "Thank you. The passwords that you typed were not kept: type them once more.",
	"password": "Your password was changed. All other devices and all applications were signed out.",
	"session":  "That session was signed out.",
	"others":   "All other sessions were signed out.",
	"app":      "The application has no access any more.",
	"linked":   "The account was connected. You can sign in with it from now on.",
	"unlinked": "The account was disconnected.",
}

// showDone leads to a page that says what was done.
func (h *Handler) showDone(w http.ResponseWriter, path, code string) error {
	return h.Site.ContinueTo(w, h.Site.Base+path+"?done="+code)
}

// notFound is the page for what the person does not have, or has no longer.
func notFound(title, text, back string) *web.Problem {
	return &web.Problem{Status: http.StatusNotFound, Code: "not_found", Title: title, Text: text + " Nothing was changed.", StartURL: back}
}
