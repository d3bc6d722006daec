package provider

import (
	"slices"

	"signet/provider/account"
	"signet/provider/address"
	"signet/provider/admin"
	"signet/provider/admin/api"
	"signet/provider/firstparty"
	"signet/provider/front"
	"signet/provider/interaction"
	"signet/provider/logo"
	"signet/provider/oauth"
	"signet/provider/recovery"
	"signet/provider/signup"
	"signet/provider/web"
)

// rooms are the packages that serve paths, in the order of docs/routes.md.
type rooms struct {
	protocol *oauth.Handler
	signIn   *interaction.Handler
	logos    *logo.Logos
	app      *firstparty.Handler
	recovery *recovery.Handler
	signUp   *signup.Handler
	address  *address.Handler
	account  *account.Handler
	admin    *admin.Handler
	api      *api.Handler
	front    *front.Front
}

// routes returns the one list of routes: the routes of each package, and POST /login,
// which two packages share. The router, docs/routes.md and the table in doc.go are made
// from this list.
func (r rooms) routes() []web.Route {
	return slices.Concat(
		inPackage("oauth", r.protocol.Routes()),
		inPackage("interaction", r.signIn.Routes()),
		inPackage("logo", r.logos.Routes()),
		inPackage("firstparty", r.app.Routes()),
		// The form of the sign-in page and the JSON of the first-party app share one path.
		[]web.Route{{Methods: "POST", Path: "/login", Policy: web.PagePolicy, Handler: web.FormOrJSON(r.signIn.Login(), r.app.Login()), Package: "interaction, firstparty"}},
		inPackage("recovery", r.recovery.Routes()),
		inPackage("signup", r.signUp.Routes()),
		inPackage("address", r.address.Routes()),
		inPackage("account", r.account.Routes()),
		inPackage("admin", r.admin.Routes()),
		inPackage("admin/api", r.api.Routes()),
		inPackage("front", r.front.HealthRoutes()),
		inPackage("front", r.front.IconRoutes()),
	)
}

// inPackage sets the package of the routes.
func inPackage(name string, routes []web.Route) []web.Route {
	for i := range routes {
		routes[i].Package = name
	}
	return routes
}
