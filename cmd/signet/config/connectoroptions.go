package config

import (
	"fmt"

	"signet/federation"
	"signet/provider"
)

// connectorOptions is the table of the settings of a connector.
var connectorOptions = []option[provider.Connector]{
	{
		key: "id", unit: "name", example: "google",
		shape: matching(federation.IDPattern),
		about: "name of the connector; it is part of the redirect URI and of every link between an account and this upstream, so never change it",
		set:   into(func(c *provider.Connector) *string { return &c.ID }, parseConnectorID),
	},
	{
		key: "type", unit: "google, github, oidc, microsoft, apple or gitlab", example: "oidc",
		shape: oneOfWords(federation.KindNames()...),
		about: "kind of upstream; use oidc for any OpenID provider",
		set:   into(func(c *provider.Connector) *federation.Kind { return &c.Kind }, parseKind),
	},
	{
		key: "name", unit: "text", example: "Example Inc.",
		about: "name that people see on the button",
		set:   into(func(c *provider.Connector) *string { return &c.Name }, parseText),
	},
	{
		key: "client_id", unit: "text", example: "signet",
		about: "client id of Signet at the upstream",
		set:   into(func(c *provider.Connector) *string { return &c.ClientID }, parseText),
	},
	{
		key: "client_secret", unit: "text", example: "the secret that the upstream showed", secret: true,
		about: "client secret of Signet at the upstream",
		set:   into(func(c *provider.Connector) *federation.Secret { return &c.ClientSecret }, parseSecret),
	},
	{
		key: "client_auth", unit: "method", example: "client_secret_post",
		about: "client_secret_basic, client_secret_post, private_key_jwt or none; if it is not set, a method that the upstream supports",
		set:   into(func(c *provider.Connector) *string { return &c.ClientAuth }, parseText),
	},
	{
		key: "client_key", unit: "private key, PEM", example: "-----BEGIN PRIVATE KEY-----…", secret: true,
		about: "private key for private_key_jwt, and for the signed client secret of Apple",
		set:   into(func(c *provider.Connector) *federation.Secret { return &c.ClientKey }, parseSecret),
	},
	{
		key: "client_key_id", unit: "text", example: "2026-01",
		about: "key id of client_key at the upstream",
		set:   into(func(c *provider.Connector) *string { return &c.ClientKeyID }, parseText),
	},
	{
		key: "team_id", unit: "text", example: "A1B2C3D4E5",
		about: "team id of the Apple developer account",
		set:   into(func(c *provider.Connector) *string { return &c.TeamID }, parseText),
	},
	{
		key: "issuer", unit: "URL", example: "https://login.example.com",
		shape: matching(`^https?://.+$`),
		about: "exactly as in the upstream's discovery document; needed only for oidc",
		set:   into(func(c *provider.Connector) *string { return &c.Issuer }, parseText),
	},
	{
		key: "base_url", byDef: "https://github.com", unit: "URL", example: "https://github.example.com",
		shape: matching(`^https?://.+$`),
		about: "address of GitHub Enterprise",
		set:   into(func(c *provider.Connector) *string { return &c.BaseURL }, parseText),
	},
	{
		key: "tenants", unit: "GUIDs", example: "9188040d-6c67-4c5b-b112-36a304b66dad",
		shape: listOf(nil),
		about: "Microsoft tenants whose users may sign in",
		set:   into(func(c *provider.Connector) *[]string { return &c.Tenants }, parseItems),
	},
	{
		key: "scopes", unit: "scopes", example: "groups",
		shape: listOf(nil),
		about: "scopes to request in addition to those of the type",
		set:   into(func(c *provider.Connector) *[]string { return &c.Scopes }, parseItems),
	},
	{
		key: "allowed_domains", unit: "domains", example: "example.com",
		shape: listOf(nil),
		about: "only users of these domains may sign in; for google the hd claim decides, for other types the domain of the verified email address",
		set:   into(func(c *provider.Connector) *[]string { return &c.AllowedDomains }, parseItems),
	},
	{
		key: "require_email", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "refuse users without an email address that the upstream has verified, even if they have an account",
		set:   into(func(c *provider.Connector) *bool { return &c.RequireEmail }, parseBool),
	},
	{
		key: "link_by_verified_email", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "a verified email address of the upstream (see trust) signs in to the account that has proven this address; never to an administrator's",
		set:   into(func(c *provider.Connector) *bool { return &c.AutoLink }, parseBool),
	},
	{
		key: "signup", unit: "true or false", example: "false",
		shape: trueOrFalse,
		about: "users without an account get one; it gets the email address only if the upstream has verified it; if this is not set, the setting signup decides",
		set:   into(func(c *provider.Connector) *bool { return &c.SignUp }, parseSignUp),
	},
	{
		key: "claims", mapping: true, unit: "claim of OpenID Connect: claim of the upstream", example: "{email: mail, groups: roles}",
		shape: pairs,
		about: "names of the upstream's claims where they differ; groups and preferred_username are read only if they are named here; email_verified is about the claim email, so map both if the address comes from another claim",
		set:   into(func(c *provider.Connector) *map[string]string { return &c.Claims }, parsePairs),
	},
	{
		key: "algorithms", unit: "algorithm names", example: "ES256",
		shape: listOf(nil),
		about: "algorithms that may sign the upstream's ID tokens; if it is not set, the asymmetric ones",
		set:   into(func(c *provider.Connector) *[]string { return &c.Algorithms }, parseItems),
	},
	{
		key: "hosts", unit: "hosts", example: "api.example.net",
		shape: listOf(nil),
		about: "hosts outside the upstream's own domain that its endpoints may use",
		set:   into(func(c *provider.Connector) *[]string { return &c.Hosts }, parseItems),
	},
	{
		key: "trust", unit: "unknown, verifies or authoritative", example: "authoritative",
		shape: oneOfWords("unknown", "verifies", "authoritative"),
		about: "how far the upstream's email addresses are trusted; unknown: never; verifies: if it sends email_verified: true; authoritative: it runs the mailboxes of the domains; " +
			"if it is not set: authoritative for google (its own domains), verifies for apple, github and gitlab, unknown for microsoft and oidc",
		set: into(func(c *provider.Connector) *federation.Trust { return &c.Trust }, parseTrust),
	},
	{
		key: "domains", unit: "domains", example: "example.com",
		shape: listOf(nil),
		about: "email domains for `trust: authoritative`: their addresses count as verified unless the upstream says that they are not; * stands for every domain",
		set:   into(func(c *provider.Connector) *[]string { return &c.Domains }, parseItems),
	},
	{
		key: "reauthenticates", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "true: the upstream makes users sign in again if asked to (prompt=login), even if it sends no auth_time; false: it never does; if it is not set, true for microsoft and false for github, and for all others the auth_time decides",
		set:   into(func(c *provider.Connector) **bool { return &c.Reauthenticates }, parseBoolPointer),
	},
	{
		key: "keep_token", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "store the upstream's tokens, encrypted",
		set:   into(func(c *provider.Connector) *bool { return &c.KeepToken }, parseBool),
	},
}

func parseConnectorID(text string) (string, error) { return text, provider.CheckConnectorID(text) }

func parseKind(text string) (federation.Kind, error) {
	kind, err := oneOf(federation.KindNames()...)(text)
	return federation.Kind(kind), err
}

// parseSignUp parses true and false. Both override the setting signup.
func parseSignUp(text string) (bool, error) {
	word, err := oneOf("true", "false")(text)
	return word == "true", err
}

// parseTrust returns Distrust for unknown, because an explicit unknown overrides the default
// of the type.
func parseTrust(text string) (federation.Trust, error) {
	for _, trust := range []federation.Trust{federation.Distrust, federation.Verifies, federation.Authoritative} {
		if text == trust.String() {
			return trust, nil
		}
	}
	return 0, fmt.Errorf("is %q; use unknown, verifies or authoritative", text)
}
