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

// Route is a path that the provider serves, with its methods.
type Route struct {
	Path    string
	Methods []string
	Page    bool // an HTML page for people
	API     bool // below the administration API: errors are problem documents
}

// Routes lists the paths that the provider serves. Tests that use it cover new routes
// without a change.
func Routes(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, r := range RouteTable(t) {
		paths = append(paths, r.Path)
	}
	return paths
}

// publicPage is the page that describes the administration API. It needs no session and shows nothing
// of users, unlike the other pages below /admin.
const publicPage = "/admin/api"

// Pages lists the pages at the path and below it that open without a query, without the public one.
// Tests that use it cover new pages without a change.
func Pages(t *testing.T, at string) []string {
	t.Helper()
	var paths []string
	for _, r := range RouteTable(t) {
		below := r.Path == at || strings.HasPrefix(r.Path, at+"/")
		if below && r.Page && r.Path != publicPage && slices.Contains(r.Methods, http.MethodGet) && !slices.Contains(needQuery, r.Path) {
			paths = append(paths, r.Path)
		}
	}
	if len(paths) < 4 {
		t.Fatalf("pages at %s: got %v, want at least 4", at, paths)
	}
	return paths
}

// needQuery are the pages that need a query, which names the thing that they show.
var needQuery = []string{"/account/apps/withdraw", "/account/passkeys/remove", "/account/security/keys/remove", "/account/identities/link", "/account/identities/unlink", "/admin/keys/revoke"}

// RouteTable lists the routes of the provider, each path once.
func RouteTable(t *testing.T) []*Route {
	t.Helper()
	var table []*Route
	for _, row := range registeredRoutes(t) {
		path := strings.NewReplacer("{$}", "", "{", "", "}", "").Replace(row.Path)
		i := slices.IndexFunc(table, func(r *Route) bool { return r.Path == path })
		if i < 0 {
			i = len(table)
			table = append(table, &Route{Path: path, Page: row.Policy.IsPage(), API: strings.HasPrefix(row.Path, web.AdminAPIRoot+"/")})
		}
		table[i].Methods = append(table[i].Methods, row.MethodList()...)
	}
	for _, known := range []string{"/", "/token", "/authorize", "/login", "/account", "/jwks", "/healthz", WellKnown} {
		if !slices.ContainsFunc(table, func(r *Route) bool { return r.Path == known }) {
			t.Fatalf("the routes do not contain %s", known)
		}
	}
	return table
}

// OperatorPages lists the rows of the pages and forms for operators.
func OperatorPages(t *testing.T) []web.Route {
	t.Helper()
	list := slices.DeleteFunc(RoutesOf(t, web.PagePolicy), func(r web.Route) bool {
		return r.Path == publicPage || r.Path != "/admin" && !strings.HasPrefix(r.Path, "/admin/")
	})
	if len(list) < 8 {
		t.Fatalf("found only %d pages for operators", len(list))
	}
	return list
}

// RoutesOf lists the rows with this policy. Do not call their handlers.
func RoutesOf(t *testing.T, policy web.Policy) []web.Route {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(registeredRoutes(t)), func(r web.Route) bool { return r.Policy != policy })
}

// registeredRoutes returns the routes of a provider at the root of its host. Do not call
// their handlers: the database is closed when the first test that called this ends.
func registeredRoutes(t *testing.T) []web.Route {
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

// CallRoute sends a request without a body to a route. A POST has the content type of a form.
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
