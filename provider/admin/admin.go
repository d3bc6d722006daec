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
	"signet/templates/words"
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

// emergencyShown is how long administrators see that an emergency link was created, and
// mostEmergencies is how many links a page shows. Nobody can dismiss the notice, because a
// thief could do that too.
const (
	emergencyShown  = 30 * 24 * time.Hour
	mostEmergencies = 3
)

// frame returns the parts that all pages for operators share.
func (h *Handler) frame(r *http.Request, current session.Current, here string) (templates.Admin, error) {
	frame := templates.Admin{Common: h.Site.Common(), Here: here}
	links, err := h.DB.EmergencyLinks(r.Context(), h.Now().Add(-emergencyShown), mostEmergencies)
	for _, l := range links {
		frame.Emergency = append(frame.Emergency, emergencyNotice(l, h.moments(current)))
	}
	return frame, err
}

// emergencyNotice describes an emergency link.
func emergencyNotice(l storage.EmergencyLink, moment func(time.Time) templates.Moment) words.Sentence {
	var email any = l.Email
	if l.Email == "" {
		email = words.Say("emergency.deleted")
	}
	when, used := moment(l.OpenedAt.Time()).Text, moment(l.UsedAt.Time()).Text
	switch {
	case l.UsedAt != 0 && l.UserID == "":
		return words.Say("emergency.used-new", "When", used, "Email", email, "HostUser", l.HostUser)
	case l.UsedAt != 0:
		return words.Say("emergency.used-renew", "When", used, "Email", email, "HostUser", l.HostUser)
	case l.UserID == "":
		return words.Say("emergency.open-new", "When", when, "HostUser", l.HostUser)
	}
	return words.Say("emergency.open-renew", "When", when, "Email", email, "HostUser", l.HostUser)
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
