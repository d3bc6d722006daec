package firstparty

import (
	"net/http"

	"signet/provider/web"
)

// Routes are the paths below the issuer that this package serves, beside Login.
func (h *Handler) Routes(router *web.Router) {
	router.Page("OPTIONS /login", h.Login())
	router.API("POST|OPTIONS /refresh", h.call(http.MethodPost, h.refresh))
	router.API("POST|OPTIONS /logout", h.call(http.MethodPost, h.logout))
	router.API("GET|HEAD|OPTIONS /session", h.call(http.MethodGet, h.session))
}

// Login takes the sign-in of the app: POST /login with a body of JSON.
func (h *Handler) Login() http.Handler { return h.call(http.MethodPost, h.login) }
