package admin

import (
	"cmp"
	"net/url"
	"strings"

	"signet/federation"
	"signet/templates/words"
)

// registration says how to register Signet at an upstream.
type registration struct {
	field   string // label of the upstream's form field for the redirect URI
	console string // URL of that form; "" if unknown
	hints   []words.Sentence
}

// registrationAt returns the instructions for the kind of the connector.
func registrationAt(c Connector, issuer string) registration {
	switch c.Kind() {
	case federation.Google:
		return registration{"Authorized redirect URIs", "https://console.cloud.google.com/apis/credentials", []words.Sentence{
			words.Say("connector-hint.google-address"),
			words.Say("connector-hint.google-type"),
			words.Say("connector-hint.google-testing"),
		}}
	case federation.GitHub:
		return registration{"Authorization callback URL", newGitHubApp(c, issuer), []words.Sentence{
			words.Say("connector-hint.github-address"),
			words.Say("connector-hint.github-permissions"),
		}}
	case federation.Microsoft:
		return registration{"Redirect URI of the platform Web", "https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationsListBlade", []words.Sentence{
			words.Say("connector-hint.microsoft-tenants"),
		}}
	case federation.Apple:
		return registration{"Return URLs of the Services ID", "https://developer.apple.com/account/resources/identifiers/list/serviceId", []words.Sentence{
			words.Say("connector-hint.apple-address"),
		}}
	case federation.GitLab:
		return registration{"Redirect URI", cmp.Or(strings.TrimSuffix(c.Home, "/"), "https://gitlab.com") + "/-/user_settings/applications", []words.Sentence{
			words.Say("connector-hint.gitlab-boxes"),
		}}
	}
	return registration{"Redirect URI (also called callback URL)", "", []words.Sentence{
		words.Say("connector-hint.oidc-grant"),
	}}
}

// newGitHubApp returns the URL of GitHub's form for a new OAuth app, with the values of
// this issuer filled in.
func newGitHubApp(c Connector, issuer string) string {
	filled := url.Values{
		"oauth_application[name]": {"Signet"}, "oauth_application[url]": {issuer}, "oauth_application[callback_url]": {c.RedirectURI},
	}
	return cmp.Or(strings.TrimSuffix(c.Home, "/"), "https://github.com") + "/settings/applications/new?" + filled.Encode()
}

// Connector is an upstream with the settings that the pages show.
type Connector struct {
	federation.Connector
	RedirectURI    string // operators register it at the upstream
	ClientID       string
	Home           string // base URL of the upstream; "" if the settings have none
	AllowedDomains []string
	SignUp         bool // creates accounts for new users
	AutoLink       bool // links accounts by verified email address
}
