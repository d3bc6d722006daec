package config

import (
	"fmt"

	"signet/federation"
	"signet/provider"
)

// connectorOptions is the one list of what can be set of a connector.
var connectorOptions = []option[provider.Connector]{
	{
		key: "id", unit: "name", example: "google",
		shape: matching(federation.IDPattern),
		about: "part of the redirect URI, and of every link between an account and this upstream: never change it",
		set:   into(func(c *provider.Connector) *string { return &c.ID }, parseConnectorID),
	},
	{
		key: "type", unit: "google, github, oidc, microsoft, apple or gitlab", example: "oidc",
		shape: oneOfWords(federation.KindNames()...),
		about: "what kind of upstream it is; oidc for any OpenID provider",
		set:   into(func(c *provider.Connector) *federation.Kind { return &c.Kind }, parseKind),
	},
	{
		key: "name", unit: "text", example: "Example Inc.",
		about: "what people call it: the label of the button",
		set:   into(func(c *provider.Connector) *string { return &c.Name }, parseText),
	},
	{
		key: "client_id", unit: "text", example: "signet",
		about: "the client that the upstream knows Signet as",
		set:   into(func(c *provider.Connector) *string { return &c.ClientID }, parseText),
	},
	{
		key: "client_secret", unit: "text", example: "what the upstream showed once", secret: true,
		about: "its secret",
		set:   into(func(c *provider.Connector) *federation.Secret { return &c.ClientSecret }, parseSecret),
	},
	{
		key: "client_auth", unit: "method", example: "client_secret_post",
		about: "client_secret_basic, client_secret_post, private_key_jwt or none; if not set, what the upstream knows",
		set:   into(func(c *provider.Connector) *string { return &c.ClientAuth }, parseText),
	},
	{
		key: "client_key", unit: "private key, PEM", example: "-----BEGIN PRIVATE KEY-----…", secret: true,
		about: "for private_key_jwt, and for the client secret that Apple wants signed",
		set:   into(func(c *provider.Connector) *federation.Secret { return &c.ClientKey }, parseSecret),
	},
	{
		key: "client_key_id", unit: "text", example: "2026-01",
		about: "the key's name at the upstream",
		set:   into(func(c *provider.Connector) *string { return &c.ClientKeyID }, parseText),
	},
	{
		key: "team_id", unit: "text", example: "A1B2C3D4E5",
		about: "Apple's name of the developer's team",
		set:   into(func(c *provider.Connector) *string { return &c.TeamID }, parseText),
	},
	{
		key: "issuer", unit: "URL", example: "https://login.example.com",
		shape: matching(`^https?://.+$`),
		about: "exactly as in the upstream's discovery document; needed of oidc alone",
		set:   into(func(c *provider.Connector) *string { return &c.Issuer }, parseText),
	},
	{
		key: "base_url", byDef: "https://github.com", unit: "URL", example: "https://github.example.com",
		shape: matching(`^https?://.+$`),
		about: "of GitHub Enterprise",
		set:   into(func(c *provider.Connector) *string { return &c.BaseURL }, parseText),
	},
	{
		key: "tenants", unit: "GUIDs", example: "9188040d-6c67-4c5b-b112-36a304b66dad",
		shape: listOf(nil),
		about: "tenants of Microsoft that may sign in",
		set:   into(func(c *provider.Connector) *[]string { return &c.Tenants }, parseItems),
	},
	{
		key: "scopes", unit: "scopes", example: "groups",
		shape: listOf(nil),
		about: "asked for beyond those the type asks for",
		set:   into(func(c *provider.Connector) *[]string { return &c.Scopes }, parseItems),
	},
	{
		key: "allowed_domains", unit: "domains", example: "example.com",
		shape: listOf(nil),
		about: "the only ones who may sign in: by Google's hd claim, elsewhere by the domain of the address that the upstream calls verified",
		set:   into(func(c *provider.Connector) *[]string { return &c.AllowedDomains }, parseItems),
	},
	{
		key: "require_email", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "refuse people whose address the upstream does not vouch for, also those who have an account",
		set:   into(func(c *provider.Connector) *bool { return &c.RequireEmail }, parseBool),
	},
	{
		key: "link_by_verified_email", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "an address that the upstream vouches for (see trust) opens the account that has proven it; never an administrator's",
		set:   into(func(c *provider.Connector) *bool { return &c.AutoLink }, parseBool),
	},
	{
		key: "signup", unit: "true or false", example: "false",
		shape: trueOrFalse,
		about: "people without an account get one, with the address only if the upstream vouches for it; if not set, the setting signup decides",
		set:   into(func(c *provider.Connector) *bool { return &c.SignUp }, parseSignUp),
	},
	{
		key: "claims", mapping: true, unit: "claim of OpenID Connect: claim of the upstream", example: "{email: mail, groups: roles}",
		shape: pairs,
		about: "where the upstream's claims have other names; groups and preferred_username are taken only if named here; email_verified speaks of the claim email, so map it too where the address comes from another",
		set:   into(func(c *provider.Connector) *map[string]string { return &c.Claims }, parsePairs),
	},
	{
		key: "algorithms", unit: "algorithm names", example: "ES256",
		shape: listOf(nil),
		about: "which may sign its ID tokens; if not set, the asymmetric ones",
		set:   into(func(c *provider.Connector) *[]string { return &c.Algorithms }, parseItems),
	},
	{
		key: "hosts", unit: "hosts", example: "api.example.net",
		shape: listOf(nil),
		about: "hosts outside its own domain that its endpoints may lie on",
		set:   into(func(c *provider.Connector) *[]string { return &c.Hosts }, parseItems),
	},
	{
		key: "trust", unit: "unknown, verifies or authoritative", example: "authoritative",
		shape: oneOfWords("unknown", "verifies", "authoritative"),
		about: "what its word on an address is worth: verifies if email_verified is to be believed, authoritative if it runs the mailboxes of domains; " +
			"if not set, google is authoritative for its own, apple, github and gitlab verify, microsoft and oidc are unknown",
		set: into(func(c *provider.Connector) *federation.Trust { return &c.Trust }, parseTrust),
	},
	{
		key: "domains", unit: "domains", example: "example.com",
		shape: listOf(nil),
		about: "the domains that trust: authoritative is for: there an address counts as verified unless the upstream says that it is not; * for every domain",
		set:   into(func(c *provider.Connector) *[]string { return &c.Domains }, parseItems),
	},
	{
		key: "reauthenticates", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "it lets people prove anew who they are when it is asked to (prompt=login), also if it names no auth_time; false: it never does; if not set, true for microsoft, false for github, and for the others their auth_time tells",
		set:   into(func(c *provider.Connector) **bool { return &c.Reauthenticates }, parseBoolPointer),
	},
	{
		key: "keep_token", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "keep the upstream's tokens, sealed",
		set:   into(func(c *provider.Connector) *bool { return &c.KeepToken }, parseBool),
	},
}

func parseConnectorID(text string) (string, error) { return text, provider.CheckConnectorID(text) }

func parseKind(text string) (federation.Kind, error) {
	kind, err := oneOf(federation.KindNames()...)(text)
	return federation.Kind(kind), err
}

// parseSignUp reads true and false, which overrule what the setting signup says.
func parseSignUp(text string) (bool, error) {
	word, err := oneOf("true", "false")(text)
	return word == "true", err
}

// parseTrust gives unknown as Distrust: it is said, and overrules what the type has.
func parseTrust(text string) (federation.Trust, error) {
	for _, trust := range []federation.Trust{federation.Distrust, federation.Verifies, federation.Authoritative} {
		if text == trust.String() {
			return trust, nil
		}
	}
	return 0, fmt.Errorf("is %q, not unknown, verifies or authoritative", text)
}
