package firstparty

import (
	"net/http"

	"signet/provider/web"
	"signet/templates/words"
)

// Routes returns the paths below the issuer that this package serves, except for Login.
func (h *Handler) Routes() []web.Route {
	app := func(methods, path string, serve http.Handler) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.FirstPartyPolicy, Handler: serve}
	}
	return []web.Route{
		app("OPTIONS", "/login", h.Login()),
		app("POST|OPTIONS", "/refresh", h.call(http.MethodPost, h.refresh)),
		{Methods: "POST|OPTIONS", Path: "/logout", Policy: web.FirstPartyPolicy, Handler: h.call(http.MethodPost, h.logout), ForPeople: web.Link{Path: "/end_session", Text: words.Say("application-error.sign-out-here")}},
		app("GET|HEAD|OPTIONS", "/session", h.call(http.MethodGet, h.session)),
	}
}

// Login returns the handler of the app's sign-in: POST /login with a JSON body.
func (h *Handler) Login() http.Handler { return h.call(http.MethodPost, h.login) }
