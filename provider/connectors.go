package provider

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"signet/federation"
	"signet/federation/foreign"
	"signet/provider/admin"
	"signet/provider/interaction"
	"signet/storage"
	"signet/templates"
)

// Connector is an upstream and what the operator lets it do here.
type Connector struct {
	federation.Config
	AutoLink bool // a vouched address opens the account that has proven it
	SignUp   bool // people without an account get one
}

// Build makes the connector, with what the operator lets it do here. It calls nobody.
//
// federation.ErrMisconfigured: the settings cannot work or contradict each other; the
// text names the key.
func (c Connector) Build(client *http.Client, now func() time.Time) (interaction.Connector, error) {
	if err := CheckConnectorID(c.ID); err != nil {
		return interaction.Connector{}, fmt.Errorf("connector %q: id %w: %w", foreign.ForError(c.ID), err, federation.ErrMisconfigured)
	}
	built, err := federation.New(c.Config, client, now)
	if err != nil {
		return interaction.Connector{}, err
	}
	if c.AutoLink && built.Trust() == federation.Unknown {
		return interaction.Connector{}, fmt.Errorf("connector %q: link_by_verified_email would link nobody: trust is unknown, so no address of this upstream opens an account "+
			"(example: trust: verifies): %w", c.ID, federation.ErrMisconfigured)
	}
	return interaction.Connector{Connector: built, AutoLink: c.AutoLink, SignUp: c.SignUp}, nil
}

// build makes them all. It calls nobody: an upstream that is down costs its own button,
// never the start.
func build(connectors []Connector, client *http.Client, now func() time.Time) ([]interaction.Connector, error) {
	built := make([]interaction.Connector, 0, len(connectors))
	for _, c := range connectors {
		connector, err := c.Build(client, now)
		if err != nil {
			return nil, fmt.Errorf("build connector: %w", err)
		}
		built = append(built, connector)
	}
	return built, nil
}

// ids are the ids of connectors.
func ids(connectors []Connector) []string {
	ids := make([]string, 0, len(connectors))
	for _, c := range connectors {
		ids = append(ids, c.ID)
	}
	return ids
}

// described are they with what the operators' pages tell of their settings.
func described(connectors []Connector, built []interaction.Connector, issuer string) []admin.Connector {
	described := make([]admin.Connector, len(built))
	for i, c := range connectors {
		described[i] = admin.Connector{
			Connector: built[i].Connector, RedirectURI: interaction.CallbackURI(issuer, c.ID), ClientID: c.ClientID,
			Home: cmp.Or(c.BaseURL, c.Issuer), AllowedDomains: c.AllowedDomains, SignUp: c.SignUp, AutoLink: c.AutoLink,
		}
	}
	return described
}

// groupSources are they with the issuers whose groups count.
func groupSources(built []interaction.Connector) []storage.GroupSource {
	sources := make([]storage.GroupSource, len(built))
	for i, c := range built {
		sources[i].Connector = c.ID()
		if c.TakesGroups() {
			sources[i].Issuers = c.Issuers()
		}
	}
	return sources
}

// upstreams are they without what the operator lets them do here.
func upstreams(built []interaction.Connector) []federation.Connector {
	upstreams := make([]federation.Connector, len(built))
	for i, c := range built {
		upstreams[i] = c.Connector
	}
	return upstreams
}

// buttons are they as pages show them.
func buttons(built []interaction.Connector) []templates.ConnectorButton {
	buttons := make([]templates.ConnectorButton, len(built))
	for i, c := range built {
		buttons[i] = interaction.Button(c)
	}
	return buttons
}
