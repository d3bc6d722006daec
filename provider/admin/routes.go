package admin

import (
	"net/http"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/templates"
	"signet/templates/words"
)

// Routes returns the paths below the issuer that this package serves. back is the page to
// which the browser returns if it must sign in first.
func (h *Handler) Routes() []web.Route {
	page := func(methods, path, back string, serve visit.Page) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.PagePolicy, Handler: h.Site.Page(h.Visits.RequireSignIn(back, h.requireAdmin(back, serve)))}
	}
	return []web.Route{
		page("GET|HEAD", "/admin", "/admin", h.overview),
		page("GET|HEAD", "/admin/connectors", connectorsPath, h.showConnectors),
		page("POST", "/admin/connectors/test", connectorsPath, h.testConnector),
		page("GET|HEAD", "/admin/keys", keysPath, h.showKeys),
		page("GET|HEAD", "/admin/keys/rotate", rotatePath, h.askRotate),
		page("POST", "/admin/keys/rotate", rotatePath, h.rotate),
		page("GET|HEAD", "/admin/keys/revoke", keysPath, h.askRevoke),
		page("POST", "/admin/keys/revoke", keysPath, h.revoke),
	}
}

// requireAdmin serves a page only to administrators. Other users get 403. A form of a session that lacks
// a second factor changes nothing: its administrator gives the factor and returns to the page back, or
// gets 403 if the account has none.
func (h *Handler) requireAdmin(back string, next visit.Page) visit.Page {
	return func(w http.ResponseWriter, r *http.Request, current session.Current) error {
		if !current.User.Admin {
			return &web.Problem{
				Status: http.StatusForbidden, Code: "admin_required", Title: words.Say("admin-error.admin-required.title"),
				Text:     words.Say("admin-error.admin-required.text", "User", templates.Person{Name: current.User.Name, Email: current.User.Email}.Label()),
				StartURL: h.Site.Base + "/account", StartText: words.Say("admin-error.account"),
			}
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
