package interaction

import (
	"net/http"

	"signet/provider/web"
)

// Routes lists the paths below the issuer that this package serves. The start of a trip and
// its callback change state with GET, so they do not serve HEAD. POST /login is a route of
// package provider, which tells forms from JSON.
func (h *Handler) Routes() []web.Route {
	page := func(methods, path string, serve web.Handler) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.PagePolicy, Handler: h.Site.Page(serve)}
	}
	return []web.Route{
		page("GET|HEAD", "/login", h.showLogin),
		page("GET|HEAD", "/login/factor", h.showFactor),
		page("POST", "/login/factor", h.checkFactor),
		page("POST", "/login/factor/key", h.checkKey),
		page("GET|HEAD", "/login/enrol", h.showEnrol),
		page("POST", "/decline", h.decline),
		page("GET|HEAD", "/consent", h.showConsent),
		page("POST", "/consent", h.consent),
		page("GET|HEAD", "/device", h.showDeviceEntry),
		page("POST", "/device", h.enterDevice),
		page("GET|HEAD", "/device/confirm", h.showDevice),
		page("POST", "/device/confirm", h.answerDevice),
		page("GET|HEAD", "/select", h.showChoice),
		page("POST", "/select", h.choose),
		{
			Methods: "POST", Path: "/login/passkey", Policy: web.PagePolicy,
			Handler: h.Site.Page(h.signInWithPasskey), Specification: "WebAuthn, section 7.2",
		},
		{
			Methods: "POST", Path: "/login/passkey/made", Policy: web.PagePolicy,
			Handler: h.Site.Page(h.addMadePasskey), Specification: "WebAuthn, section 7.1",
		},
		page("GET|HEAD", "/login/link", h.showProve),
		page("POST", "/login/link", h.prove),
		page("POST", "/login/link/confirm", h.connect),
		page("GET|HEAD", "/setup", h.showSetup),
		page("POST", "/setup", h.setup),
		page("POST", "/login/{connector}", h.leave),
		page("GET", "/login/{connector}/start", h.start),
		{
			Methods: "GET", Path: "/login/{connector}/callback", Policy: web.PagePolicy,
			Handler: h.Site.Page(h.callback), Specification: "RFC 6749, section 4.1.2; OIDC Core, section 3.1.2.5",
		},
		{ // posted from the site of the upstream: the GET that follows checks state and cookie
			Methods: "POST", Path: "/login/{connector}/callback", Policy: web.EntryPagePolicy,
			Handler: h.Site.CrossOriginPage(h.callbackPost), Specification: "OAuth 2.0 Form Post Response Mode, section 2",
		},
	}
}

// Login serves POST /login if the body is a form.
func (h *Handler) Login() http.Handler { return h.Site.Page(h.login) }
