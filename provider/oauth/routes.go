package oauth

import (
	"net/http"

	"signet/provider/web"
)

// Routes returns the endpoints, each with the specification that it follows.
func (h *Handler) Routes() []web.Route {
	entry := func(methods, path string, serve web.Handler, specification string) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.EntryPagePolicy, Handler: h.Site.CrossOriginPage(serve), Specification: specification}
	}
	client := func(methods, path string, serve clientEndpoint, specification string) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.ClientPolicy, Handler: h.withCORS(http.MethodPost, requireForm(h.requireClient(serve))), Specification: specification}
	}
	return append(h.documentRoutes(),
		entry("GET|POST", "/authorize", h.authorize, "RFC 6749, section 4.1.1; OIDC Core, section 3.1.2.1"),
		entry("GET", "/authorize/next", h.next, ""),
		entry("GET|POST", "/end_session", h.endSession, "OIDC RP-Initiated Logout, section 2"),
		web.Route{
			Methods: "GET|HEAD", Path: "/check_session", Policy: web.FramedPolicy,
			Handler: h.Site.CrossOriginPage(h.checkSession), Specification: "OIDC Session Management, section 3.2",
		},
		client("POST|OPTIONS", "/token", h.token, "RFC 6749, section 3.2; OIDC Core, section 3.1.3"),
		client("POST|OPTIONS", "/par", h.push, "RFC 9126, section 2"),
		client("POST|OPTIONS", "/revoke", h.revoke, "RFC 7009, section 2"),
		web.Route{
			Methods: "POST", Path: "/device_authorization", Policy: web.ServerPolicy,
			Handler: requireForm(h.requireClient(h.deviceAuthorization)), Specification: "RFC 8628, section 3.1",
		},
		web.Route{
			Methods: "POST", Path: "/register", Policy: web.RegistrationPolicy,
			Handler: http.HandlerFunc(h.register), Specification: "RFC 7591, section 3; OIDC Registration, section 3.1",
		},
		web.Route{
			Methods: "GET|HEAD|PUT|DELETE|OPTIONS", Path: "/register/{client_id}", Policy: web.ManagementPolicy,
			Handler: h.withCORS("GET, HEAD, PUT, DELETE", http.HandlerFunc(h.registration)), Specification: "RFC 7592, section 2; OIDC Registration, section 4",
		},
		web.Route{
			Methods: "POST", Path: "/introspect", Policy: web.ServerPolicy,
			Handler: requireForm(http.HandlerFunc(h.introspect)), Specification: "RFC 7662, section 2",
		},
		web.Route{
			Methods: "GET|HEAD|POST|OPTIONS", Path: "/userinfo", Policy: web.TokenPolicy,
			Handler: h.withCORS("GET, HEAD, POST", http.HandlerFunc(h.userinfo)), Specification: "OIDC Core, section 5.3; RFC 6750, section 2",
		},
	)
}
