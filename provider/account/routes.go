package account

import (
	"net/http"

	"signet/provider/visit"
	"signet/provider/web"
)

// Routes are the paths below the issuer that this package serves. Each stands
// with the page that the browser comes to if it has to sign in first.
func (h *Handler) Routes(router *web.Router) {
	for pattern, served := range map[string]struct {
		back string
		page visit.Page
	}{
		"GET|HEAD /account":                   {overviewPath, h.overview},
		"GET|HEAD /account/profile":           {profilePath, h.showProfile},
		"POST /account/profile":               {profilePath, h.saveProfile},
		"GET|HEAD /account/password":          {passwordPath, h.showPassword},
		"POST /account/password":              {passwordPath, h.changePassword},
		"GET|HEAD /account/sessions":          {sessionsPath, h.showSessions},
		"POST /account/sessions/end":          {sessionsPath, h.endSession},
		"POST /account/sessions/end-others":   {sessionsPath, h.endOthers},
		"GET|HEAD /account/sessions/end-all":  {endAllPath, h.askEndAll},
		"POST /account/sessions/end-all":      {endAllPath, h.endAll},
		"GET|HEAD /account/apps":              {appsPath, h.showApps},
		"GET|HEAD /account/apps/withdraw":     {appsPath, h.askWithdraw},
		"POST /account/apps/withdraw":         {appsPath, h.withdraw},
		"GET|HEAD /account/identities":        {identitiesPath, h.showIdentities},
		"GET|HEAD /account/identities/link":   {identitiesPath, h.askLink},
		"POST /account/identities/link":       {identitiesPath, h.linkIdentity},
		"GET|HEAD /account/identities/unlink": {identitiesPath, h.askUnlink},
		"POST /account/identities/unlink":     {identitiesPath, h.unlinkIdentity},
	} {
		router.Page(pattern, h.Site.Page(h.Visits.RequireSignIn(served.back, served.page)))
	}
	router.Page("GET|HEAD /.well-known/change-password", http.HandlerFunc(h.WellKnown))
}

// WellKnown leads password managers to the form (W3C, A Well-Known URL for
// Changing Passwords). They ask at the root of the host, which is not always ours.
func (h *Handler) WellKnown(w http.ResponseWriter, _ *http.Request) {
	_ = web.SeeOther(w, h.Site.Base+passwordPath)
}
