package provider

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"signet/federation"
	"signet/federation/foreign"
	"signet/provider/admin"
	"signet/provider/admin/api"
	"signet/provider/directory"
	"signet/provider/interaction"
	"signet/storage"
	"signet/templates"
)

// Connector is an upstream with the rights that the operator gives it.
type Connector struct {
	federation.Config
	AutoLink bool // an email address that the upstream has verified opens the account that has verified it too
	SignUp   bool // new users get an account
}

// Build makes the connector. It does not call the upstream.
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

// buildConnectors builds all connectors. It does not call the upstreams: an upstream that
// does not answer must not prevent the start.
func buildConnectors(connectors []Connector, client *http.Client, now func() time.Time) ([]interaction.Connector, error) {
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

// connectorIDs returns the ids of the connectors.
func connectorIDs(connectors []Connector) []string {
	ids := make([]string, 0, len(connectors))
	for _, c := range connectors {
		ids = append(ids, c.ID)
	}
	return ids
}

// adminConnectors adds the settings that the pages of administrators show.
func adminConnectors(connectors []Connector, built []interaction.Connector, issuer string) []admin.Connector {
	shown := make([]admin.Connector, len(built))
	for i, c := range connectors {
		shown[i] = admin.Connector{
			Connector: built[i].Connector, RedirectURI: interaction.CallbackURI(issuer, c.ID), ClientID: c.ClientID,
			Home: cmp.Or(c.BaseURL, c.Issuer), AllowedDomains: c.AllowedDomains, SignUp: c.SignUp, AutoLink: c.AutoLink,
		}
	}
	return shown
}

// DescribeConnector returns the JSON form of a connector of the settings. issuer may be empty.
func DescribeConnector(issuer string, c Connector) directory.ConnectorDocument {
	d := directory.ConnectorDocument{
		ID: c.ID, Type: string(c.Kind), ClientID: c.ClientID, SignUp: c.SignUp, AutoLink: c.AutoLink, AllowedDomains: append([]string{}, c.AllowedDomains...),
	}
	if issuer != "" {
		d.RedirectURI = interaction.CallbackURI(issuer, c.ID)
	}
	return d
}

// apiConnectors returns the connectors for the administration API.
func apiConnectors(connectors []Connector, built []interaction.Connector, issuer string) []api.Connector {
	shown := make([]api.Connector, len(built))
	for i, c := range connectors {
		described := DescribeConnector(issuer, c)
		shown[i] = api.Connector{ConnectorDocument: described, Probe: func(ctx context.Context) federation.Report {
			return built[i].Probe(ctx, described.RedirectURI)
		}}
	}
	return shown
}

// groupSources lists, for each connector, the issuers whose groups users receive.
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

// federationConnectors returns the connectors without the rights that the operator gives
// them.
func federationConnectors(built []interaction.Connector) []federation.Connector {
	upstreams := make([]federation.Connector, len(built))
	for i, c := range built {
		upstreams[i] = c.Connector
	}
	return upstreams
}

// signUpButtons returns the connectors that may make accounts as buttons for pages.
func signUpButtons(built []interaction.Connector) []templates.ConnectorButton {
	return connectorButtons(slices.DeleteFunc(slices.Clone(built), func(c interaction.Connector) bool { return !c.SignUp }))
}

// connectorButtons returns the connectors as buttons for pages.
func connectorButtons(built []interaction.Connector) []templates.ConnectorButton {
	buttons := make([]templates.ConnectorButton, len(built))
	for i, c := range built {
		buttons[i] = interaction.Button(c)
	}
	return buttons
}
