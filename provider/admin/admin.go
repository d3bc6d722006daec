package admin

import (
	"errors"
	"net/http"
	"time"

	"signet/provider/keys/keeper"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// Handler holds what the pages need.
type Handler struct {
	Site       *web.Site
	DB         *storage.DB
	Sessions   *session.Sessions
	Connectors []Connector // in the operator's order
	Now        func() time.Time
	Keys       *keeper.Keeper

	// SignedIn sends who has no session to sign in, and then to a path of ours.
	SignedIn func(back string, next page) web.Handler
	// Fresh reports whether the person has proved lately who they are; if not, it has
	// sent them to do so, and then to the page of the act.
	Fresh func(w http.ResponseWriter, r *http.Request, current session.Current, act request.Act) (bool, error)
	// Moment writes a time for a user at a time.
	Moment func(u storage.User, now time.Time, at storage.Millis) templates.Moment
}

const connectorsPath = "/admin/connectors" // below the issuer

// frame is what all pages for operators show around their content.
func (h *Handler) frame(here string) templates.Admin {
	return templates.Admin{Common: h.Site.Common(), Here: here}
}

func (h *Handler) overview(w http.ResponseWriter, _ *http.Request, _ session.Current) error {
	return h.Site.Show(w, templates.AdminOverview{Admin: h.frame("overview"), Connectors: len(h.Connectors)})
}

func ticketOf(current session.Current, purpose, shown string) session.Ticket {
	return session.Ticket{Purpose: "admin." + purpose, Session: current.ID, Shown: shown}
}

// checkTicket refuses a form that was made for another session, purpose or content.
func (h *Handler) checkTicket(sealed string, want session.Ticket, back string) error {
	err := h.Sessions.CheckTicket(sealed, want)
	if errors.Is(err, session.ErrStale) {
		return web.Stale(h.Site.Base+back, err)
	}
	return err
}
