package admin

import (
	"net/http"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/templates"
)

// Routes are the paths below the issuer that this package serves. Each stands
// with the page that the browser comes to if it has to sign in first.
func (h *Handler) Routes(router *web.Router) {
	for pattern, served := range map[string]struct {
		back string
		page visit.Page
	}{
		"GET|HEAD /admin":             {"/admin", h.overview},
		"GET|HEAD /admin/connectors":  {connectorsPath, h.showConnectors},
		"POST /admin/connectors/test": {connectorsPath, h.testConnector},
		"GET|HEAD /admin/keys":        {keysPath, h.showKeys},
		"GET|HEAD /admin/keys/rotate": {rotatePath, h.askRotate},
		"POST /admin/keys/rotate":     {rotatePath, h.rotate},
		"GET|HEAD /admin/keys/revoke": {keysPath, h.askRevoke},
		"POST /admin/keys/revoke":     {keysPath, h.revoke},
	} {
		router.Page(pattern, h.Site.Page(h.Visits.RequireSignIn(served.back, h.operators(served.page))))
	}
}

// operators lets a page see only requests of administrators.
func (h *Handler) operators(next visit.Page) visit.Page {
	return func(w http.ResponseWriter, r *http.Request, current session.Current) error {
		if !current.User.Admin {
			return &web.Problem{
				Status: http.StatusForbidden, Code: "admin_required", Title: "This page is for administrators",
				Text:     "You are signed in as " + templates.Person{Name: current.User.Name, Email: current.User.Email}.Label() + ", which is not an administrator. Sign out and in again as one, or ask one to make you one.",
				StartURL: h.Site.Base + "/account", StartText: "Your account",
			}
		}
		return next(w, r, current)
	}
}
