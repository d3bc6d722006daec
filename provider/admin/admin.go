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

// Deps is what the pages need. All is required.
type Deps struct {
	Site       *web.Site
	DB         *storage.DB
	Visits     *visit.Visits
	Connectors []Connector // in the operator's order
	Keys       *keeper.Keeper
	Now        func() time.Time
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler of the pages.
func New(d Deps) *Handler { return &Handler{d} }

const connectorsPath = "/admin/connectors" // below the issuer

// frame is what all pages for operators show around their content.
func (h *Handler) frame(here string) templates.Admin {
	return templates.Admin{Common: h.Site.Common(), Here: here}
}

func (h *Handler) overview(w http.ResponseWriter, _ *http.Request, _ session.Current) error {
	return h.Site.Show(w, templates.AdminOverview{Admin: h.frame("overview"), Connectors: len(h.Connectors)})
}

// ticketOf names what a form of this session may do.
func ticketOf(current session.Current, purpose, shown string) visit.Ticket {
	return visit.TicketOf(current, "admin."+purpose, shown)
}
