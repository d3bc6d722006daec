package templates_test

import (
	"signet/templates"
	"signet/templates/words"
)

// emergencySample has every kind of notice about emergency links.
var emergencySample = []words.Sentence{
	words.Say("emergency.used-new", "When", "1 March 2026, 12:00 UTC", "Email", "root@example.com", "HostUser", "root (sudo by ada)"),
	words.Say("emergency.used-renew", "When", "1 March 2026, 12:00 UTC", "Email", words.Say("emergency.deleted"), "HostUser", "root"),
	words.Say("emergency.open-new", "When", "1 March 2026, 12:00 UTC", "HostUser", "root"),
	words.Say("emergency.open-renew", "When", "1 March 2026, 12:00 UTC", "Email", "ada@example.com", "HostUser", "root"),
}

// adminSamples are the operators' pages in all their states.
func adminSamples() map[string]templates.Page {
	frame := func(here string) templates.Admin { return templates.Admin{Common: plain, Here: here} }
	everything := words.Say("admin.role-admin")
	noon := templates.Moment{ISO: "2026-03-01T12:00:00Z", Text: "1 March 2026, 12:00 UTC", Ago: words.Say("moment.days-ago", "Count", 3)}
	google := templates.ConnectorCard{
		ID: "google", Kind: "google", Name: "Google", ClientID: "407408718192.apps.googleusercontent.com", Ticket: "sealed.ticket",
		RedirectURI: "https://auth.example.com/auth/login/google/callback", Field: "Authorized redirect URIs",
		Console: "https://console.cloud.google.com/apis/credentials", Hints: []words.Sentence{words.Say("connector-hint.google-address")},
		Scopes: []string{"openid", "email", "profile"}, SignUp: true, LastSuccess: noon,
	}
	corp := templates.ConnectorCard{
		ID: "corp", Kind: "oidc", Name: "Example Corp", ClientID: "signet", Ticket: "sealed.ticket", RedirectURI: "https://auth.example.com/auth/login/corp/callback",
		Field: "Redirect URI", AutoLink: true, Domains: []string{"corp.example", "example.com"},
		LastFailure: templates.ConnectorFailure{At: noon, Code: "upstream_unreachable", Advice: words.Say("connector-failure.unreachable"), Reason: "fetch keys: connection refused"},
	}
	tested, broken := google, corp
	tested.Test = &templates.ConnectorTest{Works: true, Finding: words.Say("connector-test.works"), Facts: []templates.Fact{{Name: words.Say("connector-test.keys"), Value: "2"}}}
	broken.Test = &templates.ConnectorTest{Finding: words.Say("connector-failure.unreachable"), Reason: "fetch discovery document: connection refused"}
	soon := templates.Moment{ISO: "2026-03-08T12:00:00Z", Text: "8 March 2026, 12:00 UTC", Ago: words.Say("moment.in-days", "Count", 4)}
	const kid = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	active := templates.KeyRow{ID: kid, Algorithm: "ES256", State: "active", Created: noon, SignsUntil: soon, PublishedUntil: soon, LastTokenExpiry: soon}
	next := templates.KeyRow{ID: "1" + kid[1:], Algorithm: "ES256", State: "next", Created: noon, SignsFrom: soon}
	keys := templates.AdminKeys{
		Admin: frame("keys"), NextRotation: soon,
		Keys: []templates.KeyRow{
			active, next,
			{ID: "2" + kid[1:], Algorithm: "RS256", State: "retired", Created: noon, LastSigned: noon, PublishedUntil: soon, LastTokenExpiry: soon, InModule: true},
			{ID: "3" + kid[1:], Algorithm: "RS256", State: "revoked", Created: noon, Revoked: noon, Reason: "lost laptop"},
			{ID: "sjdkeKSe", Algorithm: "internal", State: "active", Created: noon, SignsUntil: soon, PublishedUntil: soon, LastTokenExpiry: soon},
		},
		Timeline: templates.KeyTimeline{Width: 700, Height: 92, Foot: 76, Today: 300, Rotation: 640, Rows: []templates.KeyTimelineRow{
			{Label: "ES256 active", Y: 36, Bars: []templates.KeyTimelineBar{
				{X: 120, Y: 24, Width: 40, Height: 14}, {Signing: true, X: 160, Y: 24, Width: 480, Height: 14},
				{Checking: true, X: 640, Y: 24, Width: 2, Height: 14},
			}},
			{Label: "ES256 next", Y: 62, Bars: []templates.KeyTimelineBar{{X: 160, Y: 50, Width: 480, Height: 14}}},
		}},
		Readiness: templates.KeyReadiness{
			Since: noon, Seen: []templates.KeyReader{{Family: "jose", At: noon}}, Unseen: []templates.KeyReader{{Family: "Apache", At: noon}},
		},
	}
	seen := keys
	seen.ReadOnly = true
	rotated := keys
	rotated.Done, rotated.Readiness = words.Say("admin-keys-done.rotated"), templates.KeyReadiness{Since: noon}
	revoked := keys
	revoked.Done, revoked.Readiness = words.Say("admin-keys-done.revoked"), templates.KeyReadiness{}
	revoked.Aftermath = []words.Sentence{
		words.Say("key-aftermath.revoked", "Line", "RS256", "Key", "3"+kid[1:]),
		words.Say("key-aftermath.cached", "Until", soon.Text),
	}
	rotate := templates.AdminRotate{Admin: frame("keys"), Next: []templates.KeyRow{next}, Readiness: keys.Readiness, Shown: next.ID, Ticket: "sealed.ticket"}
	young := rotate
	young.NotBefore = soon
	revoke := templates.AdminRevoke{Admin: frame("keys"), Key: active, Damage: words.Say("key-consequence.tokens"), Succession: words.Say("key-consequence.next", "Since", noon.Text), Ticket: "sealed.ticket"}
	mistyped := revoke
	mistyped.Wrong, mistyped.Reason = words.Say("admin-revoke.wrong-kid"), "lost laptop"
	alarmed := frame("overview")
	alarmed.Emergency = emergencySample
	return map[string]templates.Page{
		"admin-emergency":       templates.AdminOverview{Admin: alarmed, Role: everything, Connectors: 2},
		"admin-keys":            keys,
		"admin-keys-done":       rotated,
		"admin-keys-revoked":    revoked,
		"admin-keys-none":       templates.AdminKeys{Admin: frame("keys")},
		"admin-rotate":          rotate,
		"admin-rotate-young":    young,
		"admin-rotate-none":     templates.AdminRotate{Admin: frame("keys")},
		"admin-revoke":          revoke,
		"admin-revoke-mistyped": mistyped,
		"admin":                 templates.AdminOverview{Admin: frame("overview"), Role: everything, Connectors: 2},
		"admin-factor":          templates.AdminOverview{Admin: templates.Admin{Common: plain, Here: "overview", NeedsFactor: true}, Role: everything, Connectors: 1},
		"admin-token": templates.AdminToken{Admin: frame("token"), Ticket: "sealed.ticket", Scopes: []templates.TokenScope{
			{Name: "signet:read", About: words.Say("admin-token.read")}, {Name: "signet:admin", About: words.Say("admin-token.all")},
		}},
		"admin-token-issued": templates.AdminToken{Admin: frame("token"), Ticket: "sealed.ticket", Token: "eyJ.eyJ.sig", Granted: "signet:users", Scopes: []templates.TokenScope{
			{Name: "signet:users", About: words.Say("admin-token.users")},
		}},
		"admin-helpdesk":           templates.AdminOverview{Admin: templates.Admin{Common: plain, Here: "overview", Closed: []string{"connectors", "keys"}, ReadOnly: true}, Role: words.Say("admin.role-helpdesk"), Connectors: 2},
		"admin-auditor":            templates.AdminOverview{Admin: templates.Admin{Common: plain, Here: "overview", ReadOnly: true}, Role: words.Say("admin.role-auditor"), Connectors: 2},
		"admin-connectors-auditor": templates.AdminConnectors{Admin: templates.Admin{Common: plain, Here: "connectors", ReadOnly: true}, Connectors: []templates.ConnectorCard{google}},
		"admin-keys-auditor":       seen,
		"admin-one":                templates.AdminOverview{Admin: frame("overview"), Role: everything, Connectors: 1},
		"admin-bare":               templates.AdminOverview{},
		"admin-connectors":         templates.AdminConnectors{Admin: frame("connectors"), Connectors: []templates.ConnectorCard{google, corp}},
		"admin-connectors-none":    templates.AdminConnectors{Admin: frame("connectors")},
		"admin-connectors-test":    templates.AdminConnectors{Admin: frame("connectors"), Connectors: []templates.ConnectorCard{tested, corp}},
		"admin-connectors-fail":    templates.AdminConnectors{Admin: frame("connectors"), Connectors: []templates.ConnectorCard{google, broken}},
	}
}
