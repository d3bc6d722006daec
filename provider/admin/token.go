package admin

import (
	"net/http"
	"slices"
	"strings"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

const tokenPath = "/admin/token"

var tokenAct = visit.Act{Name: "admin", Page: tokenPath, Back: "/admin"}

// tokenTexts describe the scopes of a token for the administration API.
var tokenTexts = map[string]words.Sentence{
	storage.ScopeAdminRead:    words.Say("admin-token.read"),
	storage.ScopeAdminUsers:   words.Say("admin-token.users"),
	storage.ScopeAdminClients: words.Say("admin-token.clients"),
	storage.ScopeAdminKeys:    words.Say("admin-token.keys"),
	storage.ScopeAdminAll:     words.Say("admin-token.all"),
}

// askToken shows the scopes for which the person can get a token for the administration API.
func (h *Handler) askToken(w http.ResponseWriter, r *http.Request, current session.Current) error {
	if ok, err := h.confirmed(w, r, current, tokenAct); !ok {
		return err
	}
	page, err := h.tokenPage(r, current)
	if err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

func (h *Handler) tokenPage(r *http.Request, current session.Current) (templates.AdminToken, error) {
	frame, err := h.frame(r, current, "token")
	if err != nil {
		return templates.AdminToken{}, err
	}
	page := templates.AdminToken{Admin: frame}
	for _, scope := range current.User.AdminRole().Scopes() {
		page.Scopes = append(page.Scopes, templates.TokenScope{Name: scope, About: tokenTexts[scope]})
	}
	page.Ticket, err = h.Visits.SealTicket(ticketOf(current, "token", ""))
	return page, err
}

// operatorToken is the JSON answer for a script of the page. Its members are those of a token response
// (RFC 6749, section 5.1).
type operatorToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
}

// issueToken answers with an access token for the administration API, bound to the session. The cookie
// alone is not enough: the form has the ticket of the page, and the sign-in is recent. A script that
// prefers JSON gets JSON.
func (h *Handler) issueToken(w http.ResponseWriter, r *http.Request, current session.Current) error {
	form, err := web.FormWithFields(w, r, "ticket", "scope")
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(form, ticketOf(current, "token", ""), tokenPath); err != nil {
		return err
	}
	if ok, err := h.confirmed(w, r, current, tokenAct); !ok {
		return err
	}
	scopes := strings.Fields(form.Get("scope"))
	allowed := current.User.AdminRole().Scopes()
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(allowed, scope) }) {
		return h.scopeRefused(allowed)
	}
	issued, err := h.Tokens.OperatorToken(current.Session, current.User, scopes, h.Now())
	if err != nil {
		return err
	}
	err = h.DB.RecordEvent(r.Context(), storage.Event{
		Type: storage.AdminTokenIssued, Outcome: storage.Succeeded, UserID: current.UserID, SessionID: current.ID, From: h.originOf(r, current),
		Detail: map[string]any{"scopes": scopes},
	}, h.Now())
	if err != nil {
		return err
	}
	if !web.WantsPage(r) {
		return web.WriteJSON(w, http.StatusOK, operatorToken{issued.Access, "Bearer", int64(issued.Life.Seconds()), issued.Scope})
	}
	page, err := h.tokenPage(r, current)
	if err != nil {
		return err
	}
	page.Token, page.Granted = issued.Access, issued.Scope
	return h.Site.Show(w, page)
}

// scopeRefused is the page for scopes that the role does not stand for.
func (h *Handler) scopeRefused(allowed []string) *web.Problem {
	return &web.Problem{
		Status: http.StatusForbidden, Code: "scope_not_allowed", Title: words.Say("admin-error.scope-not-allowed.title"),
		Text:     words.Say("admin-error.scope-not-allowed.text", "Allowed", strings.Join(allowed, ", ")),
		StartURL: h.Site.Base + tokenPath, StartText: words.Say("admin-error.token"),
	}
}
