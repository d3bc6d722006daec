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
		return web.Route{Methods: methods, Path: path, Policy: web.PagePolicy, Handler: h.Site.Page(h.Visits.RequireSignIn(back, h.requireAdmin(serve)))}
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

// requireAdmin serves a page only to administrators. Other users get 403. So do forms of an
// administrator who needs a second factor and has none.
func (h *Handler) requireAdmin(next visit.Page) visit.Page {
	return func(w http.ResponseWriter, r *http.Request, current session.Current) error {
		if !current.User.Admin {
			return &web.Problem{
				Status: http.StatusForbidden, Code: "admin_required", Title: words.Say("admin-error.admin-required.title"),
				Text:     words.Say("admin-error.admin-required.text", "User", templates.Person{Name: current.User.Name, Email: current.User.Email}.Label()),
				StartURL: h.Site.Base + "/account", StartText: words.Say("admin-error.account"),
			}
		}
		if r.Method == http.MethodPost && h.lacksFactor(current) {
			return &web.Problem{
				Status: http.StatusForbidden, Code: "second_factor_needed", Title: words.Say("admin-error.factor-needed.title"),
				Text: words.Say("admin-error.factor-needed.text"), StartURL: h.Site.Base + "/account/security/totp", StartText: words.Say("admin-error.factor-needed.link"),
			}
		}
		return next(w, r, current)
	}
}
