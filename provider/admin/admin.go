package admin

import (
	"net/http"
	"time"

	"signet/provider/keys/keeper"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// Deps are the dependencies of the pages. All are required.
type Deps struct {
	Site       *web.Site
	DB         *storage.DB
	Visits     *visit.Visits
	Connectors []Connector // in the order of the configuration
	Keys       *keeper.Keeper
	Now        func() time.Time
}

// Handler serves the pages for operators.
type Handler struct{ Deps }

// New makes a Handler.
func New(d Deps) *Handler { return &Handler{d} }

const connectorsPath = "/admin/connectors" // below the issuer

// frame returns the parts that all pages for operators share.
func (h *Handler) frame(here string) templates.Admin {
	return templates.Admin{Common: h.Site.Common(), Here: here}
}

func (h *Handler) overview(w http.ResponseWriter, _ *http.Request, _ session.Current) error {
	return h.Site.Show(w, templates.AdminOverview{Admin: h.frame("overview"), Connectors: len(h.Connectors)})
}

// ticketOf returns the ticket for one act of this session. shown is the object that the
// page has shown, such as a key.
func ticketOf(current session.Current, purpose, shown string) visit.Ticket {
	return visit.TicketOf(current, "admin."+purpose, shown)
}
