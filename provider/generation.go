package provider

import (
	"net/http"

	"signet/provider/account"
	"signet/provider/admin"
	"signet/provider/firstparty"
	"signet/provider/front"
	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/provider/request"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// generation is what a reload of the settings makes anew: the rooms, their routes and
// the handler of them all. A request is served by one generation to its end.
type generation struct {
	connectors []string // ids
	groups     []storage.GroupSource
	routes     []web.Route
	handler    http.Handler
}

// newGeneration builds the rooms on what they share.
func newGeneration(s *shared, live Live) (*generation, error) {
	c := s.config
	connectors, err := build(live.Connectors, s.outbound.Configured(), c.Now)
	if err != nil {
		return nil, err
	}
	requests := request.New(request.Config{
		Ring: s.ring, Clients: s.clients, Life: c.Lifetimes.Request, Issuer: c.Issuer, Base: s.issuer.Path, Explain: c.Development,
		FirstParty: c.FirstParty.ClientID, Origins: append([]string{s.issuer.Scheme + "://" + s.issuer.Host}, live.Origins...),
	})
	visits := visit.New(visit.Deps{
		Site: s.site, DB: s.db, Ring: s.ring, Requests: requests, Sessions: s.sessions, Passwords: s.passwords,
		Connectors: upstreams(connectors), Now: c.Now,
	})
	signIn := interaction.New(interaction.Deps{
		Site: s.site, DB: s.db, Ring: s.ring, Requests: requests, Sessions: s.sessions, Visits: visits,
		Directory: s.directory, Connectors: connectors, Health: s.health, KeepFor: c.Lifetimes.SessionKept, Consent: c.Lifetimes.Consent, Now: c.Now,
	})
	own := account.New(account.Deps{
		Site: s.site, DB: s.db, Clients: s.clients, Sessions: s.sessions, Passwords: s.passwords, Visits: visits, Notices: s.notices,
		Directory: s.directory, Connectors: buttons(connectors), Now: c.Now, EditUsername: c.EditUsername, DemoPath: c.DemoPath,
	})
	operators := admin.New(admin.Deps{
		Site: s.site, DB: s.db, Visits: visits, Connectors: described(live.Connectors, connectors, c.Issuer), Keys: s.keeper, Now: c.Now,
	})
	app := firstparty.New(firstparty.Deps{
		Issuer: c.Issuer, DB: s.db, Ring: s.ring, Requests: requests, Sessions: s.sessions, Visits: visits, Tokens: s.tokens, Now: c.Now,
	})
	protocol, err := oauth.New(oauth.Deps{
		DB: s.db, Ring: s.ring, Tokens: s.tokens, Clients: s.clients, Requests: requests, Sessions: s.sessions, Visits: visits, Notices: s.notices,
		Apps: app, Site: s.site, Jobs: s.jobs, Issuer: c.Issuer, CodeLife: c.Lifetimes.Code, KeysCached: c.Keys.MaxAge, Proxies: live.TrustedProxies, Now: c.Now,
	})
	if err != nil {
		return nil, err
	}
	door := front.New(front.Deps{
		DB: s.db, Ring: s.ring, Site: s.site, Files: s.files, Jobs: s.jobs, Gates: s.gates, Proxies: live.TrustedProxies, Now: c.Now, Log: c.Log,
	})
	routes := rooms{protocol, signIn, app, own, operators, door}.routes()
	return &generation{connectors: ids(live.Connectors), groups: groupSources(connectors), routes: routes, handler: door.Handler(routes)}, nil
}
