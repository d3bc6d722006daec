package templates_test

import "signet/templates"

// adminSamples are the operators' pages in all their states.
func adminSamples() map[string]templates.Page {
	frame := func(here string) templates.Admin { return templates.Admin{Common: plain, Here: here} }
	noon := templates.Moment{ISO: "2026-03-01T12:00:00Z", Text: "1 March 2026, 12:00 UTC", Ago: "3 days ago"}
	google := templates.ConnectorCard{
		ID: "google", Kind: "google", Name: "Google", ClientID: "407408718192.apps.googleusercontent.com", Ticket: "sealed.ticket",
		RedirectURI: "https://auth.example.com/auth/login/google/callback", Field: "Authorized redirect URIs",
		Console: "https://console.cloud.google.com/apis/credentials", Hints: []string{"Google compares it character by character."},
		Scopes: []string{"openid", "email", "profile"}, SignUp: true, LastSuccess: noon,
	}
	corp := templates.ConnectorCard{
		ID: "corp", Kind: "oidc", Name: "Example Corp", ClientID: "signet", Ticket: "sealed.ticket", RedirectURI: "https://auth.example.com/auth/login/corp/callback",
		Field: "Redirect URI", AutoLink: true, Domains: []string{"corp.example", "example.com"},
		LastFailure: templates.ConnectorFailure{At: noon, Code: "upstream_unreachable", Advice: "It did not answer.", Reason: "fetch keys: connection refused"},
	}
	tested, broken := google, corp
	tested.Test = &templates.ConnectorTest{Works: true, Finding: "It answers.", Facts: []templates.Fact{{Name: "Keys", Value: "2"}}}
	broken.Test = &templates.ConnectorTest{Finding: "It did not answer.", Reason: "fetch discovery document: connection refused"}
	return map[string]templates.Page{
		"admin":                 templates.AdminOverview{Admin: frame("overview"), Connectors: 2},
		"admin-one":             templates.AdminOverview{Admin: frame("overview"), Connectors: 1},
		"admin-bare":            templates.AdminOverview{},
		"admin-connectors":      templates.AdminConnectors{Admin: frame("connectors"), Connectors: []templates.ConnectorCard{google, corp}},
		"admin-connectors-none": templates.AdminConnectors{Admin: frame("connectors")},
		"admin-connectors-test": templates.AdminConnectors{Admin: frame("connectors"), Connectors: []templates.ConnectorCard{tested, corp}},
		"admin-connectors-fail": templates.AdminConnectors{Admin: frame("connectors"), Connectors: []templates.ConnectorCard{google, broken}},
	}
}
