package front

import (
	"net/http"

	"signet/provider/web"
)

// IconRoutes are the routes of favicon.ico: below the issuer, and at the root of its host,
// where browsers look for it.
func (f *Front) IconRoutes() []web.Route {
	icon := web.Route{Methods: "GET|HEAD", Path: "/favicon.ico", Policy: web.FilePolicy, Handler: http.HandlerFunc(f.Files.Icon)}
	if f.Site.Base == "" {
		return []web.Route{icon}
	}
	atHost := icon
	atHost.AtHostRoot = true
	return []web.Route{icon, atHost}
}
