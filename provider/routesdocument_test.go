package provider_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"signet/provider"
	"signet/provider/web"
	"signet/storage/storagetest"
)

var update = flag.Bool("update", false, "write the golden files")

// issuerPath is the path of the issuer whose routes the documents list: some routes exist
// only if the issuer has a path.
const issuerPath = "/auth"

func listedRoutes(t *testing.T) []web.Route {
	t.Helper()
	p, err := provider.New(t.Context(), provider.Config{Issuer: "https://id.example.com" + issuerPath, MasterKey: [32]byte{1}}, storagetest.SQLite(t).Open(t))
	if err != nil {
		t.Fatal(err)
	}
	return p.Routes()
}

// TestRoutes_DocumentListsThemAll compares docs/routes.md with the list of routes.
func TestRoutes_DocumentListsThemAll(t *testing.T) {
	list := listedRoutes(t)
	wantDocument(t, "../docs/routes.md", func(string) string { return routesDocument(t, list) })
}

// TestRoutes_PackageCommentListsEndpoints compares the table in doc.go with the list of
// routes.
func TestRoutes_PackageCommentListsEndpoints(t *testing.T) {
	list := listedRoutes(t)
	wantDocument(t, "doc.go", func(now string) string {
		before, rest, found := strings.Cut(now, "//\tendpoint")
		_, after, closed := strings.Cut(rest, "\n//\n")
		if !found || !closed {
			t.Fatal("doc.go has no table that begins with endpoint and ends with an empty line")
		}
		return before + endpointTable(t, list) + "//\n" + after
	})
}

// wantDocument compares a document with the text that make returns for it, and with
// -update writes the text.
func wantDocument(t *testing.T, document string, make func(now string) string) {
	t.Helper()
	now, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	want := make(string(now))
	if want == string(now) {
		return
	}
	if !*update {
		t.Fatalf("%s does not match the list of routes: run go test ./provider -run TestRoutes_ -update", document)
	}
	if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func routesDocument(t *testing.T, list []web.Route) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Routes\n\nThis page lists every path that Signet serves. A test generates it from the list of routes that the server uses (`provider.Routes`).\n\n" +
		"Each path is below the issuer. A path that begins with `host:` is at the root of the issuer's host, and exists only if the issuer has a path. " +
		"The last column is the file of the handler, below [provider](../provider).\n\n" +
		"| methods | path | policy | specification | file |\n|---|---|---|---|---|\n")
	for _, r := range list {
		var files []string
		for _, file := range handlerFiles(t, r, issuerPath) {
			files = append(files, fmt.Sprintf("[%s](../provider/%s)", file, file))
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n",
			strings.ReplaceAll(r.Methods, "|", ", "), shownPath(r), shownPolicy(r), cmp.Or(r.Specification, "–"), strings.Join(files, ", "))
	}
	b.WriteString("\n## Policies\n\n| policy | rule |\n|---|---|\n")
	for _, p := range web.Policies {
		fmt.Fprintf(&b, "| %s | %s |\n", p.Policy, p.Rule)
	}
	return b.String()
}

// shownPolicy is the policy of a route, and the scopes of a page for operators. The OpenAPI document
// lists those of the administration API.
func shownPolicy(r web.Route) string {
	if len(r.Scopes) == 0 || r.Policy == web.AdminAPIPolicy {
		return string(r.Policy)
	}
	return string(r.Policy) + ", for `" + strings.Join(r.Scopes, "` or `") + "`"
}

// endpointTable lists the routes that a specification rules, one line for each path.
func endpointTable(t *testing.T, list []web.Route) string {
	t.Helper()
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "//\tendpoint\tfile\tspecification")
	for _, r := range list {
		if r.Specification != "" {
			fmt.Fprintf(table, "//\t%s\t%s\t%s\n", shownPath(r), strings.Join(handlerFiles(t, r, issuerPath), ", "), r.Specification)
		}
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(strings.Lines(b.String()))
	for i, line := range lines { // a tab begins the block in a Go comment
		lines[i] = "//\t" + strings.TrimSpace(strings.TrimPrefix(line, "//")) + "\n"
	}
	return strings.Join(lines, "")
}

func shownPath(r web.Route) string {
	path := strings.TrimSuffix(r.Path, "{$}")
	if r.AtHostRoot {
		path = "host:" + strings.ReplaceAll(path, issuerPath, "{path of the issuer}")
	}
	return path
}

// TestRoutes_EachPolicyIsDescribed: docs/routes.md describes every policy, and the methods
// of a route fit its policy.
func TestRoutes_EachPolicyIsDescribed(t *testing.T) {
	described := map[web.Policy]bool{}
	for _, p := range web.Policies {
		described[p.Policy] = p.Rule != ""
	}
	for _, r := range listedRoutes(t) {
		if !described[r.Policy] || r.Package == "" || r.Handler == nil {
			t.Errorf("%s %s: got policy %q and package %q, want a described policy, a package and a handler", r.Methods, r.Path, r.Policy, r.Package)
		}
		preflight := strings.Contains(r.Methods, "OPTIONS")
		crossOrigin := r.Policy == web.ClientPolicy || r.Policy == web.ManagementPolicy || r.Policy == web.TokenPolicy || r.Policy == web.FirstPartyPolicy || r.Policy == web.DocumentPolicy && r.Path != "/healthz"
		if preflight != crossOrigin {
			t.Errorf("%s %s: got preflight %v, want %v for the policy %q", r.Methods, r.Path, preflight, crossOrigin, r.Policy)
		}
	}
}
