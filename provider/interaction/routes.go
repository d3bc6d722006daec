package interaction

import (
	"net/http"

	"signet/provider/web"
)

// Routes are the paths below the issuer that this package serves. The trip to an
// upstream and back acts by GET, so those two paths do not name HEAD.
func (h *Handler) Routes(router *web.Router) {
	for pattern, handler := range map[string]web.Handler{
		"GET|HEAD /login":                 h.showLogin,
		"POST /decline":                   h.decline,
		"GET|HEAD /consent":               h.showConsent,
		"POST /consent":                   h.consent,
		"GET|HEAD /select":                h.showChoice,
		"POST /select":                    h.choose,
		"GET|HEAD /login/link":            h.showProve,
		"POST /login/link":                h.prove,
		"GET|HEAD /setup":                 h.showSetup,
		"POST /setup":                     h.setup,
		"POST /login/{connector}":         h.leave,
		"GET /login/{connector}/start":    h.start,
		"GET /login/{connector}/callback": h.callback,
	} {
		router.Page(pattern, h.Site.Page(handler))
	}
	// Posted across sites by the upstream: the state and its cookie are the check.
	router.Page("POST /login/{connector}/callback", h.Site.Plain(h.callbackPost))
}

// Login takes the sign-in form: POST /login, where the body is no JSON.
func (h *Handler) Login() http.Handler { return h.Site.Page(h.login) }
