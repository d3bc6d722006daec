package config

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"signet/federation"
	"signet/provider"
	"signet/provider/outbound"
)

func (r *Reading) newConnector(where Place) *values[provider.Connector] {
	c := &values[provider.Connector]{
		reading: r, table: connectorOptions, prefix: "connectors.", noun: "a connector",
		target: &provider.Connector{}, given: map[string]givenValue{}, place: where,
	}
	r.connectors = append(r.connectors, c)
	return c
}

// readConnectors reads the list connectors of the settings file.
func (r *Reading) readConnectors(file string, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode {
		r.addMistakeAt(placeOf(file, list), "connectors", "must be a list in which each item has id, type, client_id and client_secret")
		return
	}
	for _, item := range list.Content {
		if item.Kind != yaml.MappingNode {
			r.addMistakeAt(placeOf(file, item), "connectors", "each item must have settings, one per line (example: id: google)")
			continue
		}
		c := r.newConnector(placeOf(file, item))
		before := len(r.Mistakes)
		c.readMapping(file, "", item)
		c.broken = len(r.Mistakes) > before
		if c.target.ID == "" && !hasKey(item, "id") {
			r.addMistakeAt(c.place, "connectors", "id is missing (example: id: google)")
		}
	}
}

func hasKey(mapping *yaml.Node, key string) bool {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return true
		}
	}
	return false
}

// connectorsByVariable holds the connectors that environment variables alone can configure.
var connectorsByVariable = map[string]federation.Kind{"google": federation.Google, "github": federation.GitHub}

// readConnectorVariables reads SIGNET_GOOGLE_CLIENT_ID, SIGNET_GOOGLE_CLIENT_SECRET and the
// same variables of GitHub. They create the connector with that id, or complete the one of
// the file. It returns the names of all such variables.
func (r *Reading) readConnectorVariables(env map[string]string) []string {
	var names []string
	for _, id := range slices.Sorted(maps.Keys(connectorsByVariable)) {
		for _, key := range []string{"client_id", "client_secret"} {
			o := *optionOf(connectorOptions, key)
			o.key = id + "." + key
			names = append(names, o.variables()...)
			before := len(r.Mistakes)
			r.readVariable(o.secret, o.variable(), env, func(where Place, value string) {
				r.connector(id, where).set(*optionOf(connectorOptions, key), where, value)
			})
			r.brokenIDs[id] = r.brokenIDs[id] || len(r.Mistakes) > before
		}
	}
	return names
}

// connector returns the connector with that id, and creates it if there is none.
func (r *Reading) connector(id string, where Place) *values[provider.Connector] {
	for _, c := range r.connectors {
		if c.target.ID == id {
			return c
		}
	}
	c := r.newConnector(where)
	c.target.ID, c.target.Kind = id, connectorsByVariable[id]
	return c
}

// addConnectors checks each connector as a whole, after all sources are read.
func (r *Reading) addConnectors() {
	r.Config.OpenSignUp = r.Config.SignUp == signUpOpen
	if len(r.connectors) == 0 {
		return
	}
	client := outbound.New(r.Config.Outbound).Configured()
	seen := map[string]bool{}
	for _, c := range r.connectors {
		one := *c.target
		switch {
		case one.ID == "":
			continue // reported before
		case seen[one.ID]:
			r.addMistakeAt(c.place, "connectors", "the id %s occurs twice: change one of them", one.ID)
			continue
		case c.broken, r.brokenIDs[one.ID]:
			seen[one.ID] = true
			continue // a missing setting may be a misspelt one, which is reported already
		case one.Kind == "":
			r.addMistakeAt(c.place, "", "connector %q: type is missing (example: type: oidc)", one.ID)
			continue
		}
		seen[one.ID] = true
		if _, err := one.Build(client, time.Now); err != nil {
			r.addMistakeAt(c.place, "", "%s", strings.TrimSuffix(err.Error(), ": "+federation.ErrMisconfigured.Error()))
			continue
		}
		if !c.has("signup") {
			one.SignUp = r.Config.SignUp != signUpClosed
		}
		r.Config.Connectors = append(r.Config.Connectors, one)
	}
}
