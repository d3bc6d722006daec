package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"signet/provider/web"
	"signet/static"
	"signet/storage"
)

// serveDocument serves the OpenAPI document. It is public, so pages of every origin may read it.
func (h *Handler) serveDocument(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		web.PublicPreflight(w, r)
		return
	}
	document, err := h.document()
	if err != nil {
		web.API.Fail(w, r, err)
		return
	}
	tag := etagOf(document)
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("ETag", tag)
	if static.Unchanged(r, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document) // if the peer has closed the connection, there is nothing to do
}

const (
	securityName = "client_credentials"
	problemType  = "application/problem+json"
)

// openAPI returns the document of all operations.
func (h *Handler) openAPI() ([]byte, error) {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	scopes := map[string]string{}
	for _, scope := range storage.AdminScopes() {
		scopes[scope] = scopeTexts[scope]
	}
	document := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Signet administration API", Version: "1",
			Description: "Acts of an operator. Each call needs an access token of a service with admin_api, from grant_type=client_credentials, or of a person with a role of administration, from " + h.Issuer + "/admin/token.",
		},
		Servers: []*huma.Server{{URL: h.Issuer + root}},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{securityName: {
				Type: "oauth2", Flows: &huma.OAuthFlows{ClientCredentials: &huma.OAuthFlow{TokenURL: h.Issuer + "/token", Scopes: scopes}},
			}},
		},
	}
	problem := registry.Schema(reflect.TypeFor[web.ProblemDocument](), true, "")
	for _, o := range h.list {
		document.AddOperation(o.describe(registry, problem))
		if o.method() == http.MethodGet {
			head := o.describe(registry, problem)
			head.Method, head.OperationID, head.Summary = http.MethodHead, "head-"+o.id, "The headers of "+o.id
			for _, answer := range head.Responses {
				answer.Content = nil
			}
			document.AddOperation(head)
		}
	}
	return json.Marshal(document)
}

// scopeTexts describes the scopes.
var scopeTexts = map[string]string{
	storage.ScopeAdminRead:    "read everything except mails",
	storage.ScopeAdminUsers:   "read and change users, but not administrators, roles, groups and addresses",
	storage.ScopeAdminClients: "read and change clients, but not those that may use this API",
	storage.ScopeAdminKeys:    "read, rotate and revoke keys",
	storage.ScopeAdminAll:     "do everything",
}

// describe returns the operation as the document shows it. Any one of its security requirements
// suffices.
func (o operation) describe(registry huma.Registry, problem *huma.Schema) *huma.Operation {
	d := &huma.Operation{
		OperationID: o.id, Method: o.method(), Path: strings.TrimPrefix(o.path, root), Summary: o.summary, Tags: []string{o.tag},
		Responses: map[string]*huma.Response{},
	}
	for _, scope := range o.scopes() {
		d.Security = append(d.Security, map[string][]string{securityName: {scope}})
	}
	for name := range pathParameters(o.path) {
		d.Parameters = append(d.Parameters, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, p := range o.parameters {
		d.Parameters = append(d.Parameters, &huma.Param{Name: p.name, In: "query", Description: p.about, Schema: p.schema()})
	}
	if o.puts {
		d.Parameters = append(d.Parameters, &huma.Param{
			Name: "If-None-Match", In: "header", Description: "*: the call only creates, and replaces nothing", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"*"}},
		})
	}
	if slices.Contains(o.errors, http.StatusPreconditionFailed) {
		d.Parameters = append(d.Parameters, &huma.Param{
			Name: "If-Match", In: "header", Description: "ETag of the version that the call changes; without it the call changes any version",
			Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
	if o.method() == http.MethodPost {
		d.Parameters = append(d.Parameters, &huma.Param{
			Name: keyHeader, In: "header", Description: "a text of your choice: within a day, another call with this path, key and body acts no second time, and gets the first answer without its secrets",
			Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[!-~]{1,255}$"},
		})
	}
	statuses := append([]int{400, 401, 403, 422, 500, 503}, o.errors...)
	if o.method() == http.MethodPost {
		statuses = append(statuses, http.StatusConflict)
	}
	if o.body != nil {
		content := map[string]*huma.MediaType{"application/json": {Schema: o.body}}
		if o.method() == http.MethodPatch {
			content["application/merge-patch+json"] = &huma.MediaType{Schema: o.body}
		}
		d.RequestBody = &huma.RequestBody{Required: true, Content: content}
		statuses = append(statuses, 413, 415)
	}
	for _, status := range statuses {
		d.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{problemType: {Schema: problem}}}
	}
	status, success := o.success(registry)
	d.Responses[strconv.Itoa(status)] = success
	if o.puts {
		o.created = true
		status, success = o.success(registry)
		d.Responses[strconv.Itoa(status)] = success
	}
	return d
}

// success describes the answer to a successful call.
func (o operation) success(registry huma.Registry) (int, *huma.Response) {
	if o.result == nil && o.answer == nil {
		return http.StatusNoContent, &huma.Response{Description: "done"}
	}
	status, answer := http.StatusOK, &huma.Response{
		Description: "done", Headers: map[string]*huma.Param{},
		Content: map[string]*huma.MediaType{"application/json": {Schema: o.resultSchema(registry)}},
	}
	header := func(name, about string) {
		answer.Headers[name] = &huma.Param{Description: about, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	if o.tagged {
		header("ETag", "the version of the object, for If-Match")
	}
	if o.created {
		status, answer.Description = http.StatusCreated, "created"
		header("Location", "the URL of the new object")
	}
	return status, answer
}

// resultSchema returns the schema of the answer. If the answer has secrets, a repeated one has
// secret_omitted instead.
func (o operation) resultSchema(registry huma.Registry) *huma.Schema {
	if o.answer != nil {
		return o.answer.in(registry)
	}
	s := registry.Schema(o.result, true, o.id)
	if len(o.secrets) == 0 {
		return s
	}
	full := *registry.SchemaFromRef(s.Ref)
	full.Properties = maps.Clone(full.Properties)
	full.Properties[maskedMember] = boolean("true in a repeated answer, which has no secrets")
	full.Required = slices.DeleteFunc(slices.Clone(full.Required), func(name string) bool { return slices.Contains(o.secrets, name) })
	return &full
}

// namedSchema is a schema that the document shows below components, and that is no Go type.
type namedSchema struct {
	name  string
	build func() *huma.Schema
}

func named(name string, build func() *huma.Schema) *namedSchema { return &namedSchema{name, build} }

// in returns a reference to the schema, and adds it to the components of the document.
func (n *namedSchema) in(registry huma.Registry) *huma.Schema {
	registry.Map()[n.name] = n.build()
	return &huma.Schema{Ref: "#/components/schemas/" + n.name}
}

// pathParameters returns the names in braces.
func pathParameters(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(path, "/") {
			if name, found := strings.CutPrefix(part, "{"); found && !yield(strings.TrimSuffix(name, "}")) {
				return
			}
		}
	}
}

// schema returns the schema of the values of a parameter.
func (p parameter) schema() *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	switch p.kind {
	case flag:
		s.Type = huma.TypeBoolean
	case word:
		for _, allowed := range p.words {
			s.Enum = append(s.Enum, allowed)
		}
	case moment:
		s.Format = "date-time"
	case count:
		least, most := float64(1), float64(maxLimit)
		s.Type, s.Minimum, s.Maximum, s.Default = huma.TypeInteger, &least, &most, defaultLimit
	}
	return s
}
