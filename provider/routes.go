package provider

import (
	"slices"

	"signet/provider/account"
	"signet/provider/admin"
	"signet/provider/firstparty"
	"signet/provider/front"
	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/provider/web"
)

// rooms are those that serve paths, in the order in which docs/routes.md tells them.
type rooms struct {
	protocol  *oauth.Handler
	signIn    *interaction.Handler
	app       *firstparty.Handler
	account   *account.Handler
	operators *admin.Handler
	front     *front.Front
}

// routes is the list of everything that the provider serves: the list is the
// documentation. Each room gives its rows.
func (r rooms) routes() []web.Route {
	return slices.Concat(
		of("oauth", r.protocol.Routes()),
		of("interaction", r.signIn.Routes()),
		of("firstparty", r.app.Routes()),
		// One path, two kinds of caller: the form of the page, and the JSON of the app.
		[]web.Route{{Methods: "POST", Path: "/login", Policy: web.People, Handler: web.ByBody(r.signIn.Login(), r.app.Login()), Room: "interaction, firstparty"}},
		of("account", r.account.Routes()),
		of("admin", r.operators.Routes()),
		of("front", r.front.Health()),
		of("front", r.front.Icons()),
	)
}

// of notes the room of its routes.
func of(room string, routes []web.Route) []web.Route {
	for i := range routes {
		routes[i].Room = room
	}
	return routes
}
