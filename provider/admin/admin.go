package admin

import (
	"context"
	"net/http"
	"time"

	"signet/provider/flow"
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
	Tokens     *flow.Tokens
	Idle       time.Duration // after this time without use, the person signs in again
	Now        func() time.Time

	NeedsFactor bool // people with a role of administration, but without a second factor, may only read
}

// Handler serves the pages for operators.
type Handler struct{ Deps }

// New makes a Handler.
func New(d Deps) *Handler { return &Handler{d} }

// Paths below the issuer.
const (
	connectorsPath = "/admin/connectors"
	securityPath   = "/account/security"
)

// frame returns the parts that all pages for operators share.
func (h *Handler) frame(r *http.Request, current session.Current, here string) (templates.Admin, error) {
	emergency, err := h.Visits.EmergencyNotices(r.Context(), current.User)
	frame := templates.Admin{Common: h.Site.Common(), Here: here, Emergency: emergency, NeedsFactor: h.lacksFactor(current)}
	role := current.User.AdminRole()
	for name, scopes := range map[string][]string{"connectors": readsConnectors, "keys": readsKeys} {
		if !role.May(scopes) {
			frame.Closed = append(frame.Closed, name)
		}
	}
	frame.ReadOnly = !role.May([]string{storage.ScopeAdminAll})
	return frame, err
}

// roleSentences describe the rights of each role on the first page.
var roleSentences = map[storage.AdminRole]words.Sentence{
	storage.Administrator: words.Say("admin.role-admin"),
	storage.Helpdesk:      words.Say("admin.role-helpdesk"),
	storage.Auditor:       words.Say("admin.role-auditor"),
}

// notesPerIdle is how often within Idle a use of the pages is stored at most.
const notesPerIdle = 15

// noteUse stores that the session uses the pages.
func (h *Handler) noteUse(ctx context.Context, current session.Current) error {
	every := h.Idle / notesPerIdle
	if current.AdminSeenAt > storage.At(h.Now().Add(-every)) {
		return nil
	}
	return h.DB.NoteAdminUse(ctx, current.ID, every, h.Now())
}

// lacksFactor reports whether the session may only read, because it has one factor.
func (h *Handler) lacksFactor(current session.Current) bool {
	return h.NeedsFactor && !storage.ACRReaches(current.ACR, storage.ACRTwoFactors)
}

// factorDue reports whether the session lacks a second factor that its account can give, such as a
// passkey.
func (h *Handler) factorDue(ctx context.Context, current session.Current) (bool, error) {
	if !h.lacksFactor(current) {
		return false, nil
	}
	reach, err := h.Visits.ReachableACR(ctx, current.UserID)
	return storage.ACRReaches(reach, storage.ACRTwoFactors), err
}

// factorNeeded is the page for an act of an administrator whose account has no second factor.
func (h *Handler) factorNeeded() *web.Problem {
	return &web.Problem{
		Status: http.StatusForbidden, Code: "second_factor_needed", Title: words.Say("admin-error.factor-needed.title"),
		Text: words.Say("admin-error.factor-needed.text"), StartURL: h.Site.Base + securityPath, StartText: words.Say("admin-error.factor-needed.link"),
	}
}

// confirmed reports whether the session may begin an act. If not, the answer asks for a recent sign-in,
// and for the second factor that the account has.
func (h *Handler) confirmed(w http.ResponseWriter, r *http.Request, current session.Current, act visit.Act) (bool, error) {
	due, err := h.factorDue(r.Context(), current)
	switch {
	case err != nil:
		return false, err
	case due:
		return false, h.Visits.NotFresh(w, r, current, act)
	case !h.Visits.IsFresh(current):
		return false, h.Visits.StepUp(w, r, act)
	}
	return true, nil
}

func (h *Handler) overview(w http.ResponseWriter, r *http.Request, current session.Current) error {
	frame, err := h.frame(r, current, "overview")
	if err != nil {
		return err
	}
	return h.Site.Show(w, templates.AdminOverview{Admin: frame, Role: roleSentences[current.User.AdminRole()], Connectors: len(h.Connectors)})
}

// ticketOf returns the ticket for one act of this session. shown is the object that the
// page has shown, such as a key.
func ticketOf(current session.Current, purpose, shown string) visit.Ticket {
	return visit.TicketOf(current, "admin."+purpose, shown)
}
