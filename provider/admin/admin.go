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

	NeedsFactor bool // administrators without a second factor may only read
}

// Handler serves the pages for operators.
type Handler struct{ Deps }

// New makes a Handler.
func New(d Deps) *Handler { return &Handler{d} }

const connectorsPath = "/admin/connectors" // below the issuer

// frame returns the parts that all pages for operators share.
func (h *Handler) frame(r *http.Request, current session.Current, here string) (templates.Admin, error) {
	emergency, err := h.Visits.EmergencyNotices(r.Context(), current.User)
	return templates.Admin{Common: h.Site.Common(), Here: here, Emergency: emergency, NeedsFactor: h.lacksFactor(current)}, err
}

// lacksFactor reports whether the administrator may only read, because the session has one factor.
// Users who have a second factor have no such session.
func (h *Handler) lacksFactor(current session.Current) bool {
	return h.NeedsFactor && !storage.ACRReaches(current.ACR, storage.ACRTwoFactors)
}

func (h *Handler) overview(w http.ResponseWriter, r *http.Request, current session.Current) error {
	frame, err := h.frame(r, current, "overview")
	if err != nil {
		return err
	}
	return h.Site.Show(w, templates.AdminOverview{Admin: frame, Connectors: len(h.Connectors)})
}

// ticketOf returns the ticket for one act of this session. shown is the object that the
// page has shown, such as a key.
func ticketOf(current session.Current, purpose, shown string) visit.Ticket {
	return visit.TicketOf(current, "admin."+purpose, shown)
}
