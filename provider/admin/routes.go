package admin

import (
	"net/http"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// Routes returns the paths below the issuer that this package serves. back is the page to
// which the browser returns if it must sign in first.
func (h *Handler) Routes() []web.Route {
	page := func(methods, path string, scopes []string, back string, serve visit.Page) web.Route {
		return web.Route{
			Methods: methods, Path: path, Policy: web.PagePolicy, Scopes: scopes,
			Handler: h.Site.Page(h.Visits.RequireSignIn(back, h.requireRole(scopes, back, serve))),
		}
	}
	return []web.Route{
		page("GET|HEAD", "/admin", storage.AdminScopes(), "/admin", h.overview),
		page("GET|HEAD", "/admin/token", storage.AdminScopes(), tokenPath, h.askToken),
		page("POST", "/admin/token", storage.AdminScopes(), tokenPath, h.issueToken),
		page("GET|HEAD", "/admin/connectors", readsConnectors, connectorsPath, h.showConnectors),
		page("POST", "/admin/connectors/test", testsConnectors, connectorsPath, h.testConnector),
		page("GET|HEAD", "/admin/keys", readsKeys, keysPath, h.showKeys),
		page("GET|HEAD", "/admin/keys/rotate", changesKeys, rotatePath, h.askRotate),
		page("POST", "/admin/keys/rotate", changesKeys, rotatePath, h.rotate),
		page("GET|HEAD", "/admin/keys/revoke", changesKeys, keysPath, h.askRevoke),
		page("POST", "/admin/keys/revoke", changesKeys, keysPath, h.revoke),
	}
}

// The scopes of the pages. A person needs a role that stands for one of them.
var (
	readsConnectors = []string{storage.ScopeAdminRead, storage.ScopeAdminAll}
	testsConnectors = []string{storage.ScopeAdminAll}
	readsKeys       = []string{storage.ScopeAdminRead, storage.ScopeAdminKeys, storage.ScopeAdminAll}
	changesKeys     = []string{storage.ScopeAdminKeys, storage.ScopeAdminAll}
)

// requireRole serves a page only to people with a role of administration that stands for one of the
// scopes. Others get 403. A session that has not used the pages for Idle signs in again first. A form of a session that lacks a second factor changes nothing: the person
// gives the factor and returns to the page back, or gets 403 if the account has none.
func (h *Handler) requireRole(scopes []string, back string, next visit.Page) visit.Page {
	return func(w http.ResponseWriter, r *http.Request, current session.Current) error {
		if role := current.User.AdminRole(); !role.May(scopes) {
			return h.roleNeeded(role, current.User)
		}
		if current.IsAdminIdle(h.Idle, h.Now()) {
			return h.Visits.StepUp(w, r, visit.Act{Name: "admin", Page: back, Back: "/account", Within: h.Idle})
		}
		if err := h.noteUse(r.Context(), current); err != nil {
			return err
		}
		if r.Method == http.MethodPost {
			if due, err := h.factorDue(r.Context(), current); err != nil {
				return err
			} else if due {
				return h.Visits.NotFresh(w, r, current, visit.Act{Name: "admin", Page: back, Back: "/admin"})
			}
			if h.lacksFactor(current) {
				return h.factorNeeded()
			}
		}
		return next(w, r, current)
	}
}

// roleNeeded is the page for a person whose role of administration does not suffice.
func (h *Handler) roleNeeded(role storage.AdminRole, u storage.User) *web.Problem {
	name := templates.Person{Name: u.Name, Email: u.Email}.Label()
	if role.IsAny() {
		return &web.Problem{
			Status: http.StatusForbidden, Code: "role_insufficient", Title: words.Say("admin-error.role-insufficient.title"),
			Text:     words.Say("admin-error.role-insufficient.text", "User", name, "Role", string(role)),
			StartURL: h.Site.Base + "/admin", StartText: words.Say("admin-error.administration"),
		}
	}
	return &web.Problem{
		Status: http.StatusForbidden, Code: "admin_required", Title: words.Say("admin-error.admin-required.title"),
		Text:     words.Say("admin-error.admin-required.text", "User", name),
		StartURL: h.Site.Base + "/account", StartText: words.Say("admin-error.account"),
	}
}
