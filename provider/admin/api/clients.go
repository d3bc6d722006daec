package api

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"signet/federation/foreign"
	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
)

const clientList = "clients"

// clientFilters are the parameters that select clients.
var clientFilters = []parameter{
	{name: "type", kind: word, words: []string{string(storage.Web), string(storage.SPA), string(storage.Native), string(storage.Service)}, about: "only clients of this type"},
	{name: "disabled", kind: flag, about: "true: only disabled clients"},
	{name: "unapproved", kind: flag, about: "true: only clients that registered themselves and that no administrator approved"},
}

// clientOperations lists the operations on clients and their secrets.
func (h *Handler) clientOperations() []operation {
	client := func(o operation) operation {
		o.tag, o.scope = "clients", storage.ScopeAdminClients
		return o
	}
	changes := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed}
	return []operation{
		client(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/clients", id: "list-clients", summary: "List clients by id", reads: true,
			parameters: slices.Concat(clientFilters, pageParameters), answer: clientPageSchema, serve: h.listClients,
		}),
		client(operation{
			methods: "POST", path: "/admin/api/v1/clients", id: "create-client", summary: "Create a client",
			body: chosenClientSchema(), answer: madeClientSchema, secrets: []string{"client_secret", "client_secret_expires_at"},
			created: true, tagged: true, errors: []int{http.StatusConflict}, serve: h.createClient,
		}),
		client(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/clients/{client_id}", id: "get-client", summary: "Show a client",
			reads: true, answer: describedClientSchema, tagged: true, errors: []int{http.StatusNotFound}, serve: h.showClient,
		}),
		client(operation{
			methods: "PUT", path: "/admin/api/v1/clients/{client_id}", id: "put-client", summary: "Create a client with this id, or replace all its fields; secrets and federations stay",
			body: newClientSchema(), answer: madeClientSchema, tagged: true, puts: true, errors: changes, serve: h.putClient,
		}),
		client(operation{
			methods: "PATCH", path: "/admin/api/v1/clients/{client_id}", id: "update-client", summary: "Change a client by a JSON Merge Patch (RFC 7396)",
			body: clientSchema(), answer: describedClientSchema, tagged: true, errors: changes, serve: h.changeClient,
		}),
		client(operation{
			methods: "DELETE", path: "/admin/api/v1/clients/{client_id}", id: "delete-client", summary: "Delete a client permanently, with its tokens and consents", errors: changes, serve: h.deleteClient,
		}),
		client(operation{
			methods: "POST", path: "/admin/api/v1/clients/{client_id}/approve", id: "approve-client", summary: "Approve a client that registered itself",
			answer: describedClientSchema, tagged: true, errors: []int{http.StatusNotFound}, serve: h.approveClient,
		}),
	}
}

// requirePlain refuses clients that may use the administration API, for a caller that may not do
// everything.
func (c *call) requirePlain(client storage.Client) error {
	if c.caller.isAdmin() || directory.CheckPlainClient(client) == nil {
		return nil
	}
	return atField("scope_missing", "admin_api", "a client that may use the administration API needs the scope "+storage.ScopeAdminAll)
}

// clientChecks are the checks of an act on a client, in the transaction of the act.
func (h *Handler) clientChecks(c *call) []storage.ClientCheck {
	return []storage.ClientCheck{c.requirePlain, func(now storage.Client) error { return c.checkMatch(h.Directory.DescribeClient(now)) }}
}

func (h *Handler) listClients(c *call) (reply, error) {
	after, err := h.position(c, clientList)
	if err != nil {
		return reply{}, err
	}
	clients, err := h.DB.ClientPage(c.Context(), storage.ClientFilter{
		Type: storage.ClientType(c.query.text("type")), Disabled: c.query.flag("disabled"), Unapproved: c.query.flag("unapproved"), After: after,
	}, c.query.limit()+1)
	if err != nil {
		return reply{}, err
	}
	p, err := pageOf(h, c, clientList, clients, h.Directory.DescribeClient, func(c storage.Client) string { return c.ID })
	return reply{body: p}, err
}

func (h *Handler) showClient(c *call) (reply, error) {
	client, err := h.DB.Client(c.Context(), c.PathValue("client_id"))
	return reply{body: h.Directory.DescribeClient(client)}, err
}

func (h *Handler) createClient(c *call) (reply, error) {
	id, chosen := c.members["client_id"].(string)
	if !chosen {
		id = directory.NewClientID()
	}
	return h.makeClient(c, id)
}

// makeClient creates the client that the members describe.
func (h *Handler) makeClient(c *call, id string) (reply, error) {
	draft, err := h.draftClient(c, id)
	if err != nil {
		return reply{}, err
	}
	if err := c.requirePlain(draft); err != nil {
		return reply{}, err
	}
	made, secret, err := h.Directory.CreateClient(c.Context(), draft, c.origin())
	if err != nil {
		return reply{}, idTaken(err)
	}
	described := h.Directory.DescribeClient(made)
	return reply{body: withSecret(described, secret), object: described, location: root + "/clients/" + made.ID}, nil
}

// idTaken says which member is in the way if another client has the id, or a user has it as subject.
func idTaken(err error) error {
	switch {
	case errors.Is(err, storage.ErrSubjectTaken):
		return &fieldError{"client_id", web.WithAdvice(err, "a user has this id as subject")}
	case errors.Is(err, storage.ErrConflict):
		return &fieldError{"client_id", web.WithAdvice(err, "another client has this id")}
	}
	return err
}

// withSecret adds a new secret to the JSON form of a client, if there is one.
func withSecret(described directory.ClientDescription, secret string) directory.ClientDescription {
	if secret == "" {
		return described
	}
	return slices.Insert(slices.Clone(described), 1, directory.ClientMember{Name: "client_secret", Value: secret},
		directory.ClientMember{Name: "client_secret_expires_at", Value: 0})
}

// draftClient returns a client with the defaults of its type and the values of the members.
func (h *Handler) draftClient(c *call, id string) (storage.Client, error) {
	kind, named := c.members["type"].(string)
	if !named {
		kind = string(storage.Web)
	}
	draft := directory.NewClient(storage.ClientType(kind), id, "")
	if err := c.applyToClient(&draft); err != nil {
		return draft, err
	}
	if enabled := c.optional("enabled"); enabled != nil && !*enabled {
		draft.DisabledAt = storage.At(h.Now())
	}
	return draft, nil
}

// applyToClient sets the fields that are named. null empties a field (RFC 7396).
func (c *call) applyToClient(client *storage.Client) error {
	for _, f := range directory.ClientFields() {
		value, named := c.members[f.Name]
		if !named {
			continue
		}
		if err := f.SetJSON(client, value); err != nil {
			return atField("invalid_value", f.Name, f.Name+" "+err.Error())
		}
	}
	return nil
}

// putClient creates or replaces a client. A client that appears or disappears meanwhile counts as if
// it had done so before.
func (h *Handler) putClient(c *call) (done reply, err error) {
	id := c.PathValue("client_id")
	for range 2 {
		done, err = h.replaceClient(c, id)
		if !errors.Is(err, storage.ErrNotFound) {
			return done, err
		}
		if err := c.checkMatch(nil); err != nil {
			return reply{}, err
		}
		done, err = h.makeClient(c, id)
		if !errors.Is(err, storage.ErrConflict) {
			return done, err
		}
	}
	return done, err
}

func (h *Handler) replaceClient(c *call, id string) (reply, error) {
	want, err := h.draftClient(c, id)
	if err != nil {
		return reply{}, err
	}
	return h.reviseClient(c, id, want.Enabled(), func(client *storage.Client) error {
		for _, f := range directory.ClientFields() {
			f.Copy(client, &want)
		}
		return nil
	})
}

func (h *Handler) changeClient(c *call) (reply, error) {
	id := c.PathValue("client_id")
	if enabled := c.optional("enabled"); enabled != nil {
		return h.reviseClient(c, id, *enabled, c.applyToClient)
	}
	revised, err := h.Directory.ReviseClient(c.Context(), id, h.checkedRevision(c, c.applyToClient), c.origin())
	return reply{body: h.Directory.DescribeClient(revised)}, err
}

func (h *Handler) reviseClient(c *call, id string, enabled bool, revise func(*storage.Client) error) (reply, error) {
	revised, err := h.Directory.ReviseClientState(c.Context(), id, enabled, h.checkedRevision(c, revise), c.origin())
	return reply{body: h.Directory.DescribeClient(revised)}, err
}

// checkedRevision returns a revision that checks the client before and after it.
func (h *Handler) checkedRevision(c *call, revise func(*storage.Client) error) func(*storage.Client) error {
	return func(client *storage.Client) error {
		for _, check := range h.clientChecks(c) {
			if err := check(*client); err != nil {
				return err
			}
		}
		if err := revise(client); err != nil {
			return err
		}
		return c.requirePlain(*client)
	}
}

func (h *Handler) deleteClient(c *call) (reply, error) {
	return reply{}, h.Directory.DeleteClient(c.Context(), c.PathValue("client_id"), c.origin(), h.clientChecks(c)...)
}

func (h *Handler) approveClient(c *call) (reply, error) {
	id := c.PathValue("client_id")
	if err := h.Directory.ApproveClient(c.Context(), id, c.origin(), c.requirePlain); err != nil {
		return reply{}, err
	}
	return h.showClient(c)
}

// secretOperations lists the operations on the secrets of clients.
func (h *Handler) secretOperations() []operation {
	secret := func(o operation) operation {
		o.tag, o.scope = "clients", storage.ScopeAdminClients
		o.errors = append(o.errors, http.StatusNotFound)
		return o
	}
	return []operation{
		secret(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/clients/{client_id}/secrets", id: "list-client-secrets", summary: "List the valid secrets of a client, without the secrets, the newest first",
			reads: true, result: reflect.TypeFor[page[directory.SecretDocument]](), serve: h.listSecrets,
		}),
		secret(operation{
			methods: "POST", path: "/admin/api/v1/clients/{client_id}/secrets", id: "create-client-secret", summary: "Give a client a new secret; of three secrets, the oldest ends at once",
			body:   object(map[string]*huma.Schema{"overlap": {Type: huma.TypeString, Description: "time for which the former secret stays valid, 0s to 90d; " + directory.DefaultOverlap + " without it"}}),
			result: reflect.TypeFor[madeSecret](), secrets: []string{"client_secret"}, created: true, errors: []int{http.StatusConflict}, serve: h.createSecret,
		}),
		secret(operation{
			methods: "DELETE", path: "/admin/api/v1/clients/{client_id}/secrets/{secret_id}", id: "delete-client-secret", summary: "Delete a secret of a client; it is invalid at once",
			errors: []int{http.StatusPreconditionFailed}, serve: h.deleteSecret,
		}),
	}
}

// madeSecret is a new secret.
type madeSecret struct {
	directory.SecretDocument
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret" doc:"shown only in this answer"`
}

func (h *Handler) listSecrets(c *call) (reply, error) {
	client, err := h.DB.Client(c.Context(), c.PathValue("client_id"))
	return reply{body: page[directory.SecretDocument]{Items: h.Directory.DescribeSecrets(client)}}, err
}

func (h *Handler) createSecret(c *call) (reply, error) {
	text, named := c.members["overlap"].(string)
	if !named {
		text = directory.DefaultOverlap
	}
	overlap, err := foreign.ParseDuration(text, 0, directory.LongestOverlap)
	if err != nil {
		return reply{}, atField("invalid_value", "overlap", fmt.Sprintf("overlap %v", err))
	}
	client, secret, err := h.Directory.RotateSecret(c.Context(), c.PathValue("client_id"), overlap, c.origin(), c.requirePlain)
	if err != nil {
		return reply{}, err
	}
	made := madeSecret{h.Directory.DescribeSecrets(client)[0], client.ID, secret}
	return reply{body: made, location: root + "/clients/" + client.ID + "/secrets/" + made.ID}, nil
}

func (h *Handler) deleteSecret(c *call) (reply, error) {
	return reply{}, h.Directory.DeleteSecret(c.Context(), c.PathValue("client_id"), c.PathValue("secret_id"), c.origin(), h.clientChecks(c)...)
}
