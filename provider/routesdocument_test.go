package provider_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/web"
	"signet/storage/storagetest"
)

var update = flag.Bool("update", false, "write the golden files")

// TestRoutes_DocumentTellsTheList holds docs/routes.md against the list of routes, which
// it is made of.
func TestRoutes_DocumentTellsTheList(t *testing.T) {
	const issuerPath = "/auth"
	p, err := provider.New(t.Context(), provider.Config{Issuer: "https://id.example.com" + issuerPath, MasterKey: [32]byte{1}}, storagetest.SQLite(t).Open(t))
	if err != nil {
		t.Fatal(err)
	}
	got := routesDocument(p.Routes(), issuerPath)
	const document = "../docs/routes.md"
	if *update {
		if err := os.WriteFile(document, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not the list of routes any more: go test ./provider -run DocumentTellsTheList -update", document)
	}
}

func routesDocument(list []web.Route, issuerPath string) string {
	var b strings.Builder
	b.WriteString("# Routes\n\nThe paths that Signet serves, made of the list that serves them (`provider.Routes`). " +
		"They lie below the issuer; a path that begins with `host:` lies at the root of the issuer's host, and stands there only if the issuer has a path.\n\n" +
		"| methods | path | policy | specification | package |\n|---|---|---|---|---|\n")
	for _, r := range list {
		path := r.Path
		if r.AtHostRoot {
			path = "host:" + strings.ReplaceAll(path, issuerPath, "{path of the issuer}")
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n",
			strings.ReplaceAll(r.Methods, "|", ", "), strings.TrimSuffix(path, "{$}"), r.Policy, cmp.Or(r.Specification, "–"), r.Room)
	}
	b.WriteString("\n## Policies\n\n| policy | rule |\n|---|---|\n")
	for _, p := range web.Policies {
		fmt.Fprintf(&b, "| %s | %s |\n", p.Policy, p.Rule)
	}
	return b.String()
}

// TestRoutes_EachHasAPolicyThatIsTold: a row with a policy that nobody has described
// would be served in a way that nobody can look up.
func TestRoutes_EachHasAPolicyThatIsTold(t *testing.T) {
	told := map[web.Policy]bool{}
	for _, p := range web.Policies {
		told[p.Policy] = p.Rule != ""
	}
	p, err := provider.New(t.Context(), provider.Config{Issuer: "https://id.example.com", MasterKey: [32]byte{1}}, storagetest.SQLite(t).Open(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Routes() {
		if !told[r.Policy] || r.Room == "" || r.Handler == nil {
			t.Errorf("%s %s: policy %q, room %q", r.Methods, r.Path, r.Policy, r.Room)
		}
		preflight := strings.Contains(r.Methods, "OPTIONS")
		crossOrigin := r.Policy == web.ClientPolicy || r.Policy == web.TokenPolicy || r.Policy == web.FirstPartyPolicy || r.Policy == web.DocumentPolicy && r.Path != "/healthz"
		if preflight != crossOrigin {
			t.Errorf("%s %s: preflight %v, and the policy %q says otherwise", r.Methods, r.Path, preflight, r.Policy)
		}
	}
}
