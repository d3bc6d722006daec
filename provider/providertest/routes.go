package providertest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"signet/provider"
	"signet/provider/web"
	"signet/storage/storagetest"
)

// Route is a path of the provider's list, with the methods that it serves.
type Route struct {
	Path    string
	Methods []string
	Page    bool // for people
}

// Routes lists the paths that the provider serves: a route that somebody adds is in
// every table that is made of them.
func Routes(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, r := range RouteTable(t) {
		paths = append(paths, r.Path)
	}
	return paths
}

// Pages lists the pages at the path and below it that can be opened without a query: a
// page that somebody adds is in every table that is made of them.
func Pages(t *testing.T, at string) []string {
	t.Helper()
	var paths []string
	for _, r := range RouteTable(t) {
		below := r.Path == at || strings.HasPrefix(r.Path, at+"/")
		if below && r.Page && slices.Contains(r.Methods, http.MethodGet) && !slices.Contains(needQuery, r.Path) {
			paths = append(paths, r.Path)
		}
	}
	if len(paths) < 4 {
		t.Fatalf("only these pages were found at %s: %v", at, paths)
	}
	return paths
}

// needQuery are pages about one thing, which their query names.
var needQuery = []string{"/account/apps/withdraw", "/account/identities/link", "/account/identities/unlink", "/admin/keys/revoke"}

// RouteTable gives each path of the list once.
func RouteTable(t *testing.T) []*Route {
	t.Helper()
	var table []*Route
	for _, row := range listed(t) {
		path := strings.NewReplacer("{$}", "", "{", "", "}", "").Replace(row.Path)
		i := slices.IndexFunc(table, func(r *Route) bool { return r.Path == path })
		if i < 0 {
			i = len(table)
			table = append(table, &Route{Path: path, Page: row.Policy.IsPage()})
		}
		table[i].Methods = append(table[i].Methods, row.MethodList()...)
	}
	for _, known := range []string{"/", "/token", "/authorize", "/login", "/account", "/jwks", "/healthz", WellKnown} {
		if !slices.ContainsFunc(table, func(r *Route) bool { return r.Path == known }) {
			t.Fatalf("%s is not among the routes", known)
		}
	}
	return table
}

// listed is the list of a provider at the root of its host. Its handlers are dead once
// the first test has ended that has asked for it.
func listed(t *testing.T) []web.Route {
	t.Helper()
	list.once.Do(func() {
		p, err := provider.New(t.Context(), provider.Config{Issuer: "https://id.example.com", MasterKey: [32]byte{1}}, storagetest.SQLite(t).Open(t))
		if err != nil {
			t.Fatal(err)
		}
		list.routes = p.Routes()
	})
	return list.routes
}

var list struct {
	once   sync.Once
	routes []web.Route
}

// CallRoute asks a route for something, without a body that it could like.
func (b *Testbed) CallRoute(t *testing.T, method, path string, headers http.Header) Answer {
	t.Helper()
	r, err := http.NewRequest(method, b.Issuer+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", FormType)
	}
	for name, values := range headers {
		r.Header[name] = values
	}
	return Do(t, Direct, r)
}
