package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"signet/cmd/signet/spelling"
	"signet/federation"
	"signet/provider"
	"signet/provider/outbound"
)

// Who gets an account on their own.
const (
	signUpClosed     = "closed"
	signUpConnectors = "connectors"
)

// connectorDraft is a connector while its settings are read.
type connectorDraft struct {
	provider.Connector
	signUp string // "true", "false", or "" for what the setting signup says
	where  place
	given  map[string]given // by the key of the option
}

func newConnectorDraft(where place) *connectorDraft {
	return &connectorDraft{where: where, given: map[string]given{}}
}

// connectorOptions is the one list of what can be set of a connector.
var connectorOptions = []option[connectorDraft]{
	{
		key: "id", unit: "name", example: "google",
		shape: matching(federation.IDPattern),
		about: "part of the redirect URI, and of every link between an account and this upstream: never change it",
		set:   into(func(c *connectorDraft) *string { return &c.ID }, parseConnectorID),
	},
	{
		key: "type", unit: "google, github, oidc, microsoft, apple or gitlab", example: "oidc",
		shape: oneOfWords(federation.KindNames()...),
		about: "what kind of upstream it is; oidc for any OpenID provider",
		set:   into(func(c *connectorDraft) *federation.Kind { return &c.Kind }, parseKind),
	},
	{
		key: "name", unit: "text", example: "Example Inc.",
		about: "what people call it: the label of the button",
		set:   into(func(c *connectorDraft) *string { return &c.Name }, parseText),
	},
	{
		key: "client_id", unit: "text", example: "signet",
		about: "the client that the upstream knows Signet as",
		set:   into(func(c *connectorDraft) *string { return &c.ClientID }, parseText),
	},
	{
		key: "client_secret", unit: "text", example: "what the upstream showed once", secret: true,
		about: "its secret",
		set:   into(func(c *connectorDraft) *federation.Secret { return &c.ClientSecret }, parseSecret),
	},
	{
		key: "client_auth", unit: "method", example: "client_secret_post",
		about: "client_secret_basic, client_secret_post, private_key_jwt or none; if not set, what the upstream knows",
		set:   into(func(c *connectorDraft) *string { return &c.ClientAuth }, parseText),
	},
	{
		key: "client_key", unit: "private key, PEM", example: "-----BEGIN PRIVATE KEY-----…", secret: true,
		about: "for private_key_jwt, and for the client secret that Apple wants signed",
		set:   into(func(c *connectorDraft) *federation.Secret { return &c.ClientKey }, parseSecret),
	},
	{
		key: "client_key_id", unit: "text", example: "2026-01",
		about: "the key's name at the upstream",
		set:   into(func(c *connectorDraft) *string { return &c.ClientKeyID }, parseText),
	},
	{
		key: "team_id", unit: "text", example: "A1B2C3D4E5",
		about: "Apple's name of the developer's team",
		set:   into(func(c *connectorDraft) *string { return &c.TeamID }, parseText),
	},
	{
		key: "issuer", unit: "URL", example: "https://login.example.com",
		shape: matching(`^https?://.+$`),
		about: "exactly as in the upstream's discovery document; needed of oidc alone",
		set:   into(func(c *connectorDraft) *string { return &c.Issuer }, parseText),
	},
	{
		key: "base_url", byDef: "https://github.com", unit: "URL", example: "https://github.example.com",
		shape: matching(`^https?://.+$`),
		about: "of GitHub Enterprise",
		set:   into(func(c *connectorDraft) *string { return &c.BaseURL }, parseText),
	},
	{
		key: "tenants", unit: "GUIDs", example: "9188040d-6c67-4c5b-b112-36a304b66dad",
		shape: listOf(nil),
		about: "tenants of Microsoft that may sign in",
		set:   into(func(c *connectorDraft) *[]string { return &c.Tenants }, parseItems),
	},
	{
		key: "scopes", unit: "scopes", example: "groups",
		shape: listOf(nil),
		about: "asked for beyond those the type asks for",
		set:   into(func(c *connectorDraft) *[]string { return &c.Scopes }, parseItems),
	},
	{
		key: "allowed_domains", unit: "domains", example: "example.com",
		shape: listOf(nil),
		about: "the only ones who may sign in: by Google's hd claim, elsewhere by the domain of the address that the upstream calls verified",
		set:   into(func(c *connectorDraft) *[]string { return &c.AllowedDomains }, parseItems),
	},
	{
		key: "require_email", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "refuse people whose address the upstream does not vouch for, also those who have an account",
		set:   into(func(c *connectorDraft) *bool { return &c.RequireEmail }, parseBool),
	},
	{
		key: "link_by_verified_email", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "an address that the upstream vouches for (see trust) opens the account that has proven it; never an administrator's",
		set:   into(func(c *connectorDraft) *bool { return &c.AutoLink }, parseBool),
	},
	{
		key: "signup", unit: "true or false", example: "false",
		shape: trueOrFalse,
		about: "people without an account get one, with the address only if the upstream vouches for it; if not set, the setting signup decides",
		set:   into(func(c *connectorDraft) *string { return &c.signUp }, oneOf("true", "false")),
	},
	{
		key: "claims", unit: "claim of OpenID Connect: claim of the upstream", example: "{email: mail, groups: roles}",
		shape: pairs,
		about: "where the upstream's claims have other names; groups are taken only if named here; email_verified speaks of the claim email, so map it too where the address comes from another",
		set:   into(func(c *connectorDraft) *map[string]string { return &c.Claims }, parsePairs),
	},
	{
		key: "algorithms", unit: "algorithm names", example: "ES256",
		shape: listOf(nil),
		about: "which may sign its ID tokens; if not set, the asymmetric ones",
		set:   into(func(c *connectorDraft) *[]string { return &c.Algorithms }, parseItems),
	},
	{
		key: "hosts", unit: "hosts", example: "api.example.net",
		shape: listOf(nil),
		about: "hosts outside its own domain that its endpoints may lie on",
		set:   into(func(c *connectorDraft) *[]string { return &c.Hosts }, parseItems),
	},
	{
		key: "trust", unit: "unknown, verifies or authoritative", example: "authoritative",
		shape: oneOfWords("unknown", "verifies", "authoritative"),
		about: "what its word on an address is worth: verifies if email_verified is to be believed, authoritative if it runs the mailboxes of domains; " +
			"if not set, google is authoritative for its own, apple, github and gitlab verify, microsoft and oidc are unknown",
		set: into(func(c *connectorDraft) *federation.Trust { return &c.Trust }, parseTrust),
	},
	{
		key: "domains", unit: "domains", example: "example.com",
		shape: listOf(nil),
		about: "the domains that trust: authoritative is for: there an address counts as verified unless the upstream says that it is not; * for every domain",
		set:   into(func(c *connectorDraft) *[]string { return &c.Domains }, parseItems),
	},
	{
		key: "reauthenticates", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "it lets people prove anew who they are when it is asked to (prompt=login), also if it names no auth_time; false: it never does; if not set, true for microsoft, false for github, and for the others their auth_time tells",
		set:   into(func(c *connectorDraft) **bool { return &c.Reauthenticates }, parseBoolPointer),
	},
	{
		key: "keep_token", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "keep the upstream's tokens, sealed",
		set:   into(func(c *connectorDraft) *bool { return &c.KeepToken }, parseBool),
	},
}

// parseConnectorID asks for what federation asks for, and refuses link: /login/link is a
// page of ours.
func parseConnectorID(text string) (string, error) {
	if text == "link" {
		return "", errors.New("is link, which is taken: choose another")
	}
	return text, federation.CheckID(text)
}

func parseKind(text string) (federation.Kind, error) {
	kind, err := oneOf(federation.KindNames()...)(text)
	return federation.Kind(kind), err
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

func parseBoolPointer(text string) (*bool, error) {
	value, err := parseBool(text)
	return &value, err
}

func parseText(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", errors.New("is empty")
	}
	return text, nil
}

func parseSecret(text string) (federation.Secret, error) {
	if text == "" {
		return federation.Secret{}, errors.New("is empty")
	}
	return federation.NewSecret(text), nil
}

// readConnectors reads the list of the file.
func (r *reader) readConnectors(name string, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode {
		r.complain(at(name, list), "connectors", "must be a list, each item with id, type, client_id and client_secret")
		return
	}
	for _, item := range list.Content {
		if item.Kind != yaml.MappingNode {
			r.complain(at(name, item), "connectors", "each item must hold settings, one to a line (example: id: google)")
			continue
		}
		draft := newConnectorDraft(at(name, item))
		seen := map[string]bool{}
		for i := 0; i+1 < len(item.Content); i += 2 {
			key, value := item.Content[i], item.Content[i+1]
			if seen[key.Value] {
				r.complain(at(name, key), "connectors."+key.Value, "stands twice, remove one")
				continue
			}
			seen[key.Value] = true
			r.readConnectorKey(name, draft, key, value)
		}
		if draft.ID == "" && !seen["id"] {
			r.complain(draft.where, "connectors", "id is missing (example: id: google)")
		}
		r.connectors = append(r.connectors, draft)
	}
}

func (r *reader) readConnectorKey(name string, draft *connectorDraft, key, value *yaml.Node) {
	where, full := at(name, value), "connectors."+key.Value
	option, inFile := connectorOption(key.Value)
	if option == nil {
		r.complain(at(name, key), full, "is not a setting of a connector%s", spelling.DidYouMean(key.Value, keysOf(connectorOptions)))
		return
	}
	text, err := scalarOrList(value)
	if option.key == "claims" && value.Kind == yaml.MappingNode {
		text, err = pairsOf(value)
	}
	if err != nil {
		r.complain(where, full, "%s (%s; example: %s)", err, option.unit, option.example)
		return
	}
	if inFile {
		content, ok := r.readSecret(where, full, text)
		if !ok {
			return
		}
		text = content
	}
	r.setConnector(draft, *option, where, text)
}

// optionOf finds an option by its key, or nil.
func optionOf[C any](options []option[C], key string) *option[C] {
	if i := slices.IndexFunc(options, func(o option[C]) bool { return o.key == key }); i >= 0 {
		return &options[i]
	}
	return nil
}

// connectorOption finds an option by its key, or a secret by its key and _file.
func connectorOption(key string) (found *option[connectorDraft], inFile bool) {
	if named, ok := strings.CutSuffix(key, "_file"); ok {
		if o := optionOf(connectorOptions, named); o != nil && o.secret {
			return o, true
		}
	}
	return optionOf(connectorOptions, key), false
}

func (r *reader) setConnector(draft *connectorDraft, o option[connectorDraft], where place, text string) {
	draft.given[o.key] = given{where, text}
	if err := o.set(draft, text); err != nil {
		r.complain(where, "connectors."+o.key, "%s (%s; example: %s)", err, o.unit, o.example)
	}
}

// pairsOf gives a mapping of scalars as text.
func pairsOf(node *yaml.Node) (string, error) {
	var pairs []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.Kind != yaml.ScalarNode || strings.ContainsAny(key.Value+value.Value, ",=") {
			return "", errors.New("must name one claim for each")
		}
		pairs = append(pairs, key.Value+"="+value.Value)
	}
	return strings.Join(pairs, ","), nil
}

// connectorsByVariable are those that need no file.
var connectorsByVariable = map[string]federation.Kind{"google": federation.Google, "github": federation.GitHub}

// readConnectorVariables reads SIGNET_GOOGLE_CLIENT_ID, …_SECRET and the same of
// GitHub, which make the connector of that name, or complete the file's. It gives
// the names that it knows.
func (r *reader) readConnectorVariables(env map[string]string, known map[string]bool) []string {
	var names []string
	for _, id := range slices.Sorted(maps.Keys(connectorsByVariable)) {
		for _, key := range []string{"client_id", "client_secret"} {
			o, _ := connectorOption(key)
			name := "SIGNET_" + strings.ToUpper(id+"_"+key)
			variables := []string{name}
			if o.secret {
				variables = append(variables, name+"_FILE")
			}
			for _, v := range variables {
				known[v] = true
			}
			names = append(names, variables...)
			r.readVariable(o.secret, name, env, func(where place, value string) {
				r.setConnector(r.draft(id, where), *o, where, value)
			})
		}
	}
	return names
}

// draft is the connector of that id, made if there is none.
func (r *reader) draft(id string, where place) *connectorDraft {
	for _, d := range r.connectors {
		if d.ID == id {
			return d
		}
	}
	d := newConnectorDraft(where)
	d.ID, d.Kind = id, connectorsByVariable[id]
	r.connectors = append(r.connectors, d)
	return d
}

// settleConnectors checks each as a whole, once all sources are read.
func (r *reader) settleConnectors() {
	client := outbound.New(r.config.outbound()).Configured()
	seen := map[string]bool{}
	for _, d := range r.connectors {
		switch {
		case d.ID == "":
			continue // said already
		case seen[d.ID]:
			r.complain(d.where, "connectors", "the id %s stands twice: give one of them another", d.ID)
			continue
		case d.Kind == "":
			r.complain(d.where, "", "connector %q: type is missing (example: type: oidc)", d.ID)
			continue
		}
		seen[d.ID] = true
		if _, err := d.Build(client, time.Now); err != nil {
			r.complain(d.where, "", "%s", strings.TrimSuffix(err.Error(), ": "+federation.ErrMisconfigured.Error()))
			continue
		}
		d.SignUp = d.signUp == "true" || d.signUp == "" && r.config.SignUp != signUpClosed
		r.config.Connectors = append(r.config.Connectors, d.Connector)
	}
}

// outbound is how this configuration has other hosts called.
func (c Config) outbound() outbound.Config {
	var o outbound.Config
	if c.ExtraCA != "" {
		o.Roots, _ = outbound.Roots([]byte(c.ExtraCA)) // was read when it was set
	}
	if proxy := c.Proxy.Reveal(); proxy != "" {
		o.Proxy, _ = url.Parse(proxy)
	}
	return o
}
