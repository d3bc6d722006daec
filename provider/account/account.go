package account

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"signet/provider/credential"
	"signet/provider/notice"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// Handler holds what the pages need.
type Handler struct {
	Site      *web.Site
	DB        *storage.DB
	Carrier   *request.Carrier
	Sessions  *session.Sessions
	Passwords *credential.Passwords
	Linking   Linking
	Notices   *notice.Outbox
	Now       func() time.Time

	EditUsername bool // people may edit their preferred_username; otherwise operators alone
}

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

// Page is a handler for somebody who is signed in.
type Page = func(w http.ResponseWriter, r *http.Request, current session.Current) error

// SignedIn lets a page see only requests with a session. Others are sent to sign
// in and come to back, a path below the issuer.
func (h *Handler) SignedIn(back string, next Page) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		current, err := h.Sessions.Current(r)
		if errors.Is(err, session.ErrNone) {
			return h.onward(w, r, "/login?"+url.Values{"return_to": {h.Site.Base + back}}.Encode())
		}
		if err != nil {
			return err
		}
		return next(w, r, current)
	}
}

// onward sends the browser to a path below the issuer, each method in its way.
func (h *Handler) onward(w http.ResponseWriter, r *http.Request, path string) error {
	if r.Method == http.MethodPost {
		return h.Site.Onward(w, h.Site.Base+path)
	}
	return web.SeeOther(w, h.Site.Base+path)
}

// form reads a posted form that may have these fields and its ticket, no others.
func form(w http.ResponseWriter, r *http.Request, fields ...string) (url.Values, error) {
	return web.FormOf(w, r, append(fields, "ticket")...)
}

// ticket seals what a form of this session may do.
func (h *Handler) ticket(current session.Current, purpose, shown string) (string, error) {
	return h.Sessions.Ticket(ticketOf(current, purpose, shown))
}

// checkTicket refuses a form that was made for another session, purpose or content.
func (h *Handler) checkTicket(form url.Values, current session.Current, purpose, shown, back string) error {
	err := h.Sessions.CheckTicket(form.Get("ticket"), ticketOf(current, purpose, shown))
	if errors.Is(err, session.ErrStale) {
		return web.Stale(h.Site.Base+back, err)
	}
	return err
}

func ticketOf(current session.Current, purpose, shown string) session.Ticket {
	return session.Ticket{Purpose: "account." + purpose, Session: current.ID, Shown: shown}
}

// frame is what all account pages show around their content.
func (h *Handler) frame(r *http.Request, current session.Current, here string) templates.Account {
	return templates.Account{
		Common: h.Site.Common(), Here: here, Admin: current.User.Admin, Done: done[r.URL.Query().Get("done")],
		User: templates.Person{Name: current.User.Name, Email: current.User.Email},
	}
}

// done are the sentences that a page can begin with, by the code that stands in
// its address: the address chooses one and says nothing itself.
var done = map[string]string{
	"profile":  "Your profile was saved.",
	"retype":   "Thank you. The passwords that you typed were not kept: type them once more.",
	"password": "Your password was changed. All other devices and all applications were signed out.",
	"session":  "That session was signed out.",
	"others":   "All other sessions were signed out.",
	"app":      "The application has no access any more.",
	"linked":   "The account was connected. You can sign in with it from now on.",
	"unlinked": "The account was disconnected.",
}

// finished leads to a page that says what was done.
func (h *Handler) finished(w http.ResponseWriter, path, code string) error {
	return h.Site.Onward(w, h.Site.Base+path+"?done="+code)
}
