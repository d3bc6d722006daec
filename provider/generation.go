package provider

import (
	"net/http"
	"net/netip"

	"signet/provider/account"
	"signet/provider/address"
	"signet/provider/admin"
	"signet/provider/admin/api"
	"signet/provider/firstparty"
	"signet/provider/flow"
	"signet/provider/front"
	"signet/provider/interaction"
	"signet/provider/oauth"
	"signet/provider/recovery"
	"signet/provider/request"
	"signet/provider/signup"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// generation holds the parts that a reload of the settings builds again: the packages
// that serve requests, their routes and the one handler. One generation serves a request
// from beginning to end.
type generation struct {
	connectors []string // their ids
	groups     []storage.GroupSource
	routes     []web.Route
	proxies    []netip.Prefix // trusted
	handler    http.Handler
}

// newGeneration builds the packages that serve requests on the shared parts.
func newGeneration(s *shared, live Live) (*generation, error) {
	c := s.config
	connectors, err := buildConnectors(live.Connectors, s.outbound.Configured(), c.Now)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, c := range federationConnectors(connectors) {
		names[c.ID()] = c.Name()
	}
	s.names.Store(&names)
	requests := request.New(request.Config{
		DB: s.db, Ring: s.ring, Clients: s.clients, Life: c.Lifetimes.Request, Issuer: c.Issuer, Base: s.issuer.Path, Explain: c.Development,
		FirstParty: c.FirstParty.ClientID, Origins: append([]string{s.issuer.Scheme + "://" + s.issuer.Host}, live.Origins...),
	})
	visits := visit.New(visit.Deps{
		Site: s.site, DB: s.db, Ring: s.ring, Requests: requests, Sessions: s.sessions, Passwords: s.passwords, Factors: s.factors, Passkeys: s.passkeys,
		Connectors: federationConnectors(connectors), FreshFor: c.Lifetimes.StepUp, Now: c.Now,
	})
	policy := flow.Policy{Subjects: s.subjects, RequireFactor: c.EveryFactor}
	signUp := live.OpenSignUp && c.SendsMails()
	signIn := interaction.New(interaction.Deps{
		Site: s.site, DB: s.db, Ring: s.ring, Requests: requests, Sessions: s.sessions, Visits: visits, Passkeys: s.passkeys,
		Policy: policy, Directory: s.directory, Links: s.links, Connectors: connectors, Health: s.health, KeepFor: c.Lifetimes.SessionKept, ConsentLife: c.Lifetimes.Consent, WrongCodes: c.RateLimits.OfNetwork(), SendsMails: c.SendsMails(), SignUp: signUp, MakesPasskeys: c.MakesPasskeys, Now: c.Now, Log: c.Log,
	})
	accountPages := account.New(account.Deps{
		Site: s.site, DB: s.db, Clients: s.clients, Sessions: s.sessions, Passwords: s.passwords, Passkeys: s.passkeys, Visits: visits, Notices: s.notices,
		Directory: s.directory, Links: s.links, Ring: s.ring, Connectors: connectorButtons(connectors), Now: c.Now, EditUsername: c.EditUsername, SendsMails: c.SendsMails(), DemoPath: c.DemoPath,
	})
	addressPages := address.New(address.Deps{Site: s.site, DB: s.db, Links: s.links, Visits: visits, Sessions: s.sessions, Now: c.Now})
	recoveryPages := recovery.New(recovery.Deps{
		Site: s.site, DB: s.db, Links: s.links, Directory: s.directory, Requests: requests, Visits: visits, Ring: s.ring, Factors: s.factors, Passkeys: s.passkeys, Sessions: s.sessions,
		Connectors: connectorIDs(live.Connectors), SendsMails: c.SendsMails(), Now: c.Now,
	})
	signUpPages := signup.New(signup.Deps{
		Site: s.site, DB: s.db, Links: s.links, Directory: s.directory, Requests: requests, Sessions: s.sessions, Visits: visits,
		Connectors: signUpButtons(connectors), Upstreams: connectorButtons(connectors), Open: live.OpenSignUp, SendsMails: c.SendsMails(), Now: c.Now,
	})
	adminPages := admin.New(admin.Deps{
		Site: s.site, DB: s.db, Visits: visits, Connectors: adminConnectors(live.Connectors, connectors, c.Issuer), Keys: s.keeper, Tokens: s.tokens, NeedsFactor: c.AdminFactor, Idle: c.Lifetimes.AdminIdle, Now: c.Now,
	})
	adminAPI, err := api.New(api.Deps{DB: s.db, Ring: s.ring, Tokens: s.tokens, Directory: s.directory, Links: s.links, Keys: s.keeper, Connectors: apiConnectors(live.Connectors, connectors, c.Issuer), SendsMails: c.SendsMails(), Style: s.files.URL("site.css"), Issuer: c.Issuer, NeedsFactor: c.AdminFactor, Now: c.Now})
	if err != nil {
		return nil, err
	}
	app := firstparty.New(firstparty.Deps{
		Issuer: c.Issuer, DB: s.db, Ring: s.ring, Requests: requests, Sessions: s.sessions, Visits: visits, Tokens: s.tokens, Policy: policy, Now: c.Now,
	})
	protocol, err := oauth.New(oauth.Deps{
		DB: s.db, Ring: s.ring, Tokens: s.tokens, Policy: policy, Clients: s.clients, Assertions: s.proofs, Directory: s.directory, Registration: c.Registration,
		Requests: requests, Sessions: s.sessions, Visits: visits, Notices: s.notices,
		Apps: app, Site: s.site, Jobs: s.jobs, Issuer: c.Issuer, CodeLife: c.Lifetimes.Code, DeviceLife: c.Lifetimes.DeviceCode, KeysCached: c.Keys.MaxAge, ResponseTypes: c.ResponseTypes, RequirePushed: c.RequirePushed,
		Failures: c.RateLimits.OfNetwork(), Pushes: c.RequestLimits.pushes(), DeviceCodes: c.RequestLimits.deviceCodes(c.Lifetimes.DeviceCode),
		SignUp: signUp, SessionManagement: c.SessionManagement, Files: s.files,
		Proxies: live.TrustedProxies, Now: c.Now,
	})
	if err != nil {
		return nil, err
	}
	entrance := front.New(front.Deps{
		DB: s.db, Ring: s.ring, Site: s.site, Files: s.files, Jobs: s.jobs, Gates: s.gates, Proxies: live.TrustedProxies, Now: c.Now, Log: c.Log,
	})
	routes := rooms{protocol, signIn, s.logos, app, recoveryPages, signUpPages, addressPages, accountPages, adminPages, adminAPI, entrance}.routes()
	return &generation{connectors: connectorIDs(live.Connectors), groups: groupSources(connectors), routes: routes, proxies: live.TrustedProxies, handler: entrance.Handler(routes)}, nil
}
