package federation

import (
	"net/url"
)

// preset is what one kind of upstream does its own way.
type preset struct {
	name        string
	issuer      string
	scopes      []string
	trust       Trust
	hosts       []string // of endpoints outside the issuer's domain
	formPost    bool
	noUserinfo  bool
	freshPrompt string // where prompt=login is not known

	reauthenticates Reauthentication

	adapt      func(c *relyingParty) error
	issues     func(c *relyingParty, issuer string) bool
	parameters func(c *relyingParty, o Options, p map[string]string)
	settle     func(c *relyingParty, token object, callback url.Values, i *Identity) error
	admit      func(c *relyingParty, token object, i Identity) error
}

var standardScopes = []string{"openid", "profile", "email"}

var presets = map[Kind]preset{
	Google: {
		name: "Google", issuer: googleIssuer, scopes: standardScopes, trust: Authoritative,
		hosts:       []string{"oauth2.googleapis.com", "openidconnect.googleapis.com", "www.googleapis.com"},
		freshPrompt: "select_account", // it refuses login
		issues:      googleIssues, parameters: googleParameters, settle: settleGoogle, admit: admitGoogle,
	},
	GitHub: {
		name: "GitHub", scopes: []string{"read:user", "user:email"}, trust: Verifies,
		freshPrompt: "select_account", reauthenticates: NeverAsks,
	},
	OIDC: {name: "OpenID Connect", scopes: standardScopes},
	Microsoft: {
		name: "Microsoft", scopes: standardScopes, noUserinfo: true,
		reauthenticates: AsksAgain, // documents prompt=login, and names auth_time to few
		adapt:           adaptMicrosoft, issues: microsoftIssues, settle: settleMicrosoft,
	},
	Apple: {
		name: "Apple", issuer: "https://appleid.apple.com", scopes: []string{"openid", "name", "email"}, trust: Verifies,
		formPost: true, noUserinfo: true, adapt: adaptApple, settle: settleApple,
	},
	GitLab: {name: "GitLab", issuer: "https://gitlab.com", scopes: standardScopes, trust: Verifies},
}

func (p preset) knowsLogin() bool { return p.freshPrompt == "" }
