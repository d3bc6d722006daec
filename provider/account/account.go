package account

import (
	"net/http"
	"net/url"
	"time"

	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/keys"
	"signet/provider/link"
	"signet/provider/notice"
	"signet/provider/passkey"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// Deps are the dependencies of the pages. All are required.
type Deps struct {
	Site       *web.Site
	DB         *storage.DB
	Ring       *keys.Ring
	Clients    *request.Clients
	Sessions   *session.Sessions
	Passwords  *credential.Passwords
	Passkeys   *passkey.Passkeys
	Directory  *directory.Directory
	Links      *link.Links
	Visits     *visit.Visits
	Notices    *notice.Outbox
	Connectors []templates.ConnectorButton // in the order of the configuration
	Now        func() time.Time

	EditUsername bool   // people may edit their preferred_username; if false, only operators may
	SendsMails   bool   // otherwise no page offers an act that needs a mail
	DemoPath     string // the home page links to it; "" for no link
}

// Handler serves the account pages and the home page.
type Handler struct{ Deps }

// New makes a Handler.
func New(d Deps) *Handler { return &Handler{d} }

// Paths of the pages, below the issuer.
const (
	overviewPath   = "/account"
	profilePath    = "/account/profile"
	emailPath      = "/account/email"
	changePath     = "/account/email/change"
	securityPath   = "/account/security"
	totpPath       = "/account/security/totp"
	removeTOTPPath = "/account/security/totp/remove"
	codesPath      = "/account/security/codes"
	passwordPath   = "/account/password"
	passkeysPath   = "/account/passkeys"
	addPasskeyPath = "/account/passkeys/add"
	sessionsPath   = "/account/sessions"
	endAllPath     = "/account/sessions/end-all"
	appsPath       = "/account/apps"
	withdrawPath   = "/account/apps/withdraw"
	identitiesPath = "/account/identities"
	linkPath       = "/account/identities/link"
	unlinkPath     = "/account/identities/unlink"
)

// readForm reads a posted form that may have only these fields and the ticket.
func readForm(w http.ResponseWriter, r *http.Request, fields ...string) (url.Values, error) {
	return web.FormWithFields(w, r, append(fields, "ticket")...)
}

// ticketOf returns the ticket for one act of this session. shown is the object that the
// page has shown, such as a session id.
func ticketOf(current session.Current, purpose, shown string) visit.Ticket {
	return visit.TicketOf(current, "account."+purpose, shown)
}

// ticket returns the sealed ticket for a form.
func (h *Handler) ticket(current session.Current, purpose, shown string) (string, error) {
	return h.Visits.SealTicket(ticketOf(current, purpose, shown))
}

// frame returns the parts that all account pages share.
func (h *Handler) frame(r *http.Request, current session.Current, here string) templates.Account {
	return templates.Account{
		Common: h.Site.Common(), Here: here, Admin: current.User.AdminRole().IsAny(), Done: doneSentences[r.URL.Query().Get("done")],
		User: templates.Person{Name: current.User.Name, Email: current.User.Email},
	}
}

// doneSentences are the confirmations at the top of a page, by the code in its address. The
// address only selects one of them, so a link cannot make a page show a text of its own.
var doneSentences = map[string]words.Sentence{
	"profile":        words.Say("account-done.profile"),
	"mail":           words.Say("account-done.mail"),
	"mail-new":       words.Say("account-done.mail-new"),
	"verified":       words.Say("account-done.verified"),
	"changed":        words.Say("account-done.changed"),
	"retype":         words.Say("account-done.retype"),
	"password":       words.Say("account-done.password"),
	"totp":           words.Say("account-done.totp"),
	"app-added":      words.Say("account-done.app-added"),
	"key":            words.Say("account-done.key-added"),
	"key-name":       words.Say("account-done.key-renamed"),
	"no-key":         words.Say("account-done.no-key"),
	"no-totp":        words.Say("account-done.no-totp"),
	"passkey":        words.Say("account-done.passkey"),
	"always-ask":     words.Say("account-done.always-ask"),
	"not-always-ask": words.Say("account-done.not-always-ask"),
	"renamed":        words.Say("account-done.passkey-renamed"),
	"removed":        words.Say("account-done.passkey-removed"),
	"session":        words.Say("account-done.session"),
	"others":         words.Say("account-done.others"),
	"trust":          words.Say("account-done.trust"),
	"app":            words.Say("account-done.app"),
	"linked":         words.Say("account-done.linked"),
	"unlinked":       words.Say("account-done.unlinked"),
}

// showDone sends the browser to a page with a confirmation.
func (h *Handler) showDone(w http.ResponseWriter, path, code string) error {
	return h.Site.ContinueTo(w, h.Site.Base+path+"?done="+code)
}

// notFound is the page for an object that this user does not have, or no longer has.
func notFound(title, text words.Sentence, back string) *web.Problem {
	return &web.Problem{Status: http.StatusNotFound, Code: "not_found", Title: title, Text: text, StartURL: back}
}
