package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"signet/federation"
	"signet/provider/directory"
	"signet/storage"
)

// Connector is a connector of the settings, with the call that checks it.
type Connector struct {
	directory.ConnectorDocument
	// Probe runs the steps of a sign-in that need no user. It changes nothing.
	Probe func(ctx context.Context) federation.Report
}

// connectorOperations lists the operations on connectors. They come from the settings, so the API
// changes none. No answer has a secret.
func (h *Handler) connectorOperations() []operation {
	return []operation{
		{
			methods: "GET|HEAD", path: "/admin/api/v1/connectors", id: "list-connectors", tag: "connectors", summary: "List the connectors of the settings, with their last sign-ins",
			scope: storage.ScopeAdminAll, reads: true, result: reflect.TypeFor[page[directory.ConnectorDocument]](), serve: h.listConnectors,
		},
		{
			methods: "POST", path: "/admin/api/v1/connectors/{id}/check", id: "check-connector", tag: "connectors", summary: "Call the upstream and check whether users can sign in through it",
			scope: storage.ScopeAdminAll, result: reflect.TypeFor[directory.CheckedConnectorDocument](), errors: []int{http.StatusNotFound}, serve: h.checkConnector,
		},
	}
}

func (h *Handler) listConnectors(c *call) (reply, error) {
	health, err := h.DB.ConnectorHealth(c.Context())
	if err != nil {
		return reply{}, err
	}
	p := page[directory.ConnectorDocument]{Items: []directory.ConnectorDocument{}}
	for _, one := range h.Connectors {
		p.Items = append(p.Items, one.WithHealth(health[one.ID]))
	}
	return reply{body: p}, nil
}

func (h *Handler) checkConnector(c *call) (reply, error) {
	i := slices.IndexFunc(h.Connectors, func(one Connector) bool { return one.ID == c.PathValue("id") })
	if i < 0 {
		return reply{}, storage.ErrNotFound
	}
	report := h.Connectors[i].Probe(c.Context())
	return reply{body: directory.DescribeCheck(h.Connectors[i].ConnectorDocument, report)}, nil
}

// connectorIDs returns the ids of the connectors of the settings.
func (h *Handler) connectorIDs() []string {
	var ids []string
	for _, one := range h.Connectors {
		ids = append(ids, one.ID)
	}
	return ids
}
