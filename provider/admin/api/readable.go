package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"signet/provider/web"
	"signet/static"
)

// The readable form of the OpenAPI document. It is made from the same rows, needs no script, and loads
// only the style of all pages.
var (
	//go:embed readable.html
	readableText string

	readableTemplate = template.Must(template.New("readable").Parse(readableText))
)

// serveReadable serves the page for developers. It is public like the document.
func (h *Handler) serveReadable(w http.ResponseWriter, r *http.Request) {
	page, err := h.readable()
	if err != nil {
		web.API.Fail(w, r, err)
		return
	}
	tag := etagOf(page)
	web.SetPageHeaders(w.Header())
	w.Header().Set("ETag", tag)
	if static.Unchanged(r, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page) // if the peer has closed the connection, there is nothing to do
}

// readablePage is the model of the page.
type readablePage struct {
	Style     string // URL of the style
	Issuer    string
	Server    string
	Resources []readableResource
}

type readableResource struct {
	Name       string
	Operations []readableOperation
}

type readableOperation struct {
	ID, Method, Path, Summary string
	Scopes                    []string
	Parameters                []readableMember
	Members                   []readableMember
	Curl                      string
}

type readableMember struct {
	Name, Type, About string
	Required          bool
}

// renderReadable returns the page.
func (h *Handler) renderReadable() ([]byte, error) {
	page := readablePage{Style: h.Style, Issuer: h.Issuer, Server: h.Issuer + root}
	for _, o := range h.list {
		i := slices.IndexFunc(page.Resources, func(r readableResource) bool { return r.Name == o.tag })
		if i < 0 {
			i = len(page.Resources)
			page.Resources = append(page.Resources, readableResource{Name: o.tag})
		}
		described, err := h.readableOf(o)
		if err != nil {
			return nil, err
		}
		page.Resources[i].Operations = append(page.Resources[i].Operations, described)
	}
	var out bytes.Buffer
	err := readableTemplate.Execute(&out, page)
	return out.Bytes(), err
}

func (h *Handler) readableOf(o operation) (readableOperation, error) {
	d := readableOperation{ID: o.id, Method: o.method(), Path: strings.TrimPrefix(o.path, root), Summary: o.summary, Scopes: o.scopes()}
	for _, p := range o.parameters {
		d.Parameters = append(d.Parameters, readableMember{Name: p.name, Type: p.schema().Type, About: p.about})
	}
	if o.body != nil {
		for _, name := range slices.Sorted(maps.Keys(o.body.Properties)) {
			s := o.body.Properties[name]
			d.Members = append(d.Members, readableMember{name, typeText(s), s.Description, slices.Contains(o.body.Required, name)})
		}
	}
	var err error
	d.Curl, err = h.curlOf(o)
	return d, err
}

// typeText names the type of a member for readers.
func typeText(s *huma.Schema) string {
	text := s.Type
	if s.Type == huma.TypeArray && s.Items != nil {
		text = "list of " + s.Items.Type
	}
	if s.Nullable {
		text += " or null"
	}
	return text
}

// curlOf returns a call of the operation with curl. Its body has the members that are required.
func (h *Handler) curlOf(o operation) (string, error) {
	var call strings.Builder
	call.WriteString("curl")
	if o.method() != http.MethodGet {
		call.WriteString(" -X " + o.method())
	}
	call.WriteString(" '" + h.Issuer + o.path + "' \\\n  -H \"Authorization: Bearer $TOKEN\"")
	if o.body != nil {
		example := map[string]any{}
		for _, name := range o.body.Required {
			example[name] = exampleOf(name, o.body.Properties[name])
		}
		body, err := json.Marshal(example)
		if err != nil {
			return "", err
		}
		call.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d '" + string(body) + "'")
	}
	return call.String(), nil
}

// exampleOf returns a value of a member.
func exampleOf(name string, s *huma.Schema) any {
	switch s.Type {
	case huma.TypeBoolean:
		return true
	case huma.TypeInteger, huma.TypeNumber:
		return 1
	case huma.TypeArray:
		return []any{}
	case huma.TypeObject:
		return map[string]any{}
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case name == "email":
		return "ada@example.com"
	}
	return "…"
}
