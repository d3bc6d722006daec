package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/provider/web"
	"signet/storage"
)

// operatorStates are the states of a person with a role when a request comes. lost is the code of the
// page that refuses every request in this state; "" if the role decides. gone is whether the person is
// asked to sign in.
var operatorStates = map[string]struct {
	before func(t *testing.T, b *providertest.Testbed, u storage.User)
	lost   string
	gone   bool
	factor bool // a second factor is required, and the person has none
}{
	"signed in":                 {},
	"without a second factor":   {factor: true},
	"signed in ten minutes ago": {before: func(_ *testing.T, b *providertest.Testbed, _ storage.User) { b.Advance(10 * time.Minute) }},
	"role revoked meanwhile": {lost: "admin_required", before: func(t *testing.T, b *providertest.Testbed, u storage.User) {
		if err := b.DB.RevokeAdmin(t.Context(), u.ID, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
	}},
	"disabled": {gone: true, before: func(t *testing.T, b *providertest.Testbed, u storage.User) {
		if err := b.DB.SetUserEnabled(t.Context(), u.ID, false, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
	}},
	"signed out everywhere": {gone: true, before: func(t *testing.T, b *providertest.Testbed, u storage.User) {
		if err := b.DB.SignOutEverywhere(t.Context(), u.ID, "asked", storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
	}},
}

// TestRoles_EveryPageAsksForItsScopes opens every page for operators, and sends every form without its
// fields, as a person of each role and of none, in each state. The list of routes says what each needs.
//
// AD-01: no page as a lower administrator. AD-03: the role is read at each request.
func TestRoles_EveryPageAsksForItsScopes(t *testing.T) {
	routes := providertest.OperatorPages(t)
	for name, state := range operatorStates {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				b.CreateUser(t, storage.User{Email: "last@example.com", Admin: true}, providertest.Password) // the last administrator keeps the role
				kid := b.Kid(t, "ES256", storage.KeyActive)
				for _, role := range append(storage.AdminRoles(), storage.NoAdminRole) {
					v, u := b.Operating(t, role)
					if state.before != nil {
						state.before(t, b, u)
					}
					for _, route := range routes {
						for _, method := range route.MethodList() {
							checkAnswer(t, call(t, b, v, method, route.Path), expectation{
								label: fmt.Sprintf("%q: %s %s", role, method, route.Path), may: role.May(route.Scopes), role: role, method: method,
								lost: state.lost, gone: state.gone, factor: state.factor,
							})
						}
					}
				}
				if b.Kid(t, "ES256", storage.KeyActive) != kid {
					t.Error("a form without its fields has rotated the keys")
				}
			}, func(c *provider.Config) { c.AdminFactor = state.factor })
		})
	}
}

func call(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, method, path string) providertest.Stop {
	t.Helper()
	r, err := http.NewRequest(method, b.Issuer+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", providertest.FormType)
	}
	return v.Walk(t, r)
}

// expectation is the wanted answer to a request of a person.
type expectation struct {
	label, method string
	role          storage.AdminRole
	may           bool // the role suffices
	lost          string
	gone, factor  bool
}

func checkAnswer(t *testing.T, a providertest.Stop, want expectation) {
	t.Helper()
	code := "" // of the refusal
	switch {
	case want.gone:
		if a.At.Path != "/login" {
			t.Errorf("%s: at %s, status %d, want the sign-in", want.label, a.At, a.StatusCode)
		}
		return
	case want.lost != "":
		code = want.lost
	case !want.role.IsAny():
		code = "admin_required"
	case !want.may:
		code = "role_insufficient"
	case want.factor && want.method == http.MethodPost:
		code = "second_factor_needed"
	}
	switch {
	case code == "" && (a.StatusCode == http.StatusForbidden || a.StatusCode >= 500 || want.method == http.MethodPost && a.StatusCode == http.StatusOK && a.At.Path != "/login"):
		t.Errorf("%s: at %s, status %d\n%s", want.label, a.At, a.StatusCode, a.Body)
	case code != "" && a.StatusCode != http.StatusForbidden, code != "" && want.method != http.MethodHead && !strings.Contains(a.Body, code):
		t.Errorf("%s: at %s, status %d, want 403 with %s\n%s", want.label, a.At, a.StatusCode, code, a.Body)
	}
}

// Every page and every form for operators names the scopes that it needs, so that a new one is not open
// to everybody by mistake, and no form is open to a role that only reads.
func TestRoles_EveryRouteNamesItsScopes(t *testing.T) {
	for _, r := range providertest.OperatorPages(t) {
		if len(r.Scopes) == 0 {
			t.Errorf("%s %s names no scope", r.Methods, r.Path)
		}
		if r.Methods == http.MethodPost && storage.Auditor.May(r.Scopes) && r.Path != "/admin/token" { // a token changes nothing
			t.Errorf("%s is open to auditors", r.Path)
		}
		if strings.HasPrefix(r.Path, "/admin/mail") && storage.Auditor.May(r.Scopes) {
			t.Errorf("%s shows mails to auditors", r.Path)
		}
	}
	for _, r := range providertest.RoutesOf(t, web.AdminAPIPolicy) {
		if len(r.Scopes) == 0 {
			t.Errorf("%s %s names no scope", r.Methods, r.Path)
		}
	}
}

// The pages show an auditor no form and no link to an act, and people of each role only the pages that
// they may open.
func TestRoles_PagesShowWhatTheRoleMayDo(t *testing.T) {
	_, connectors := providertest.WithUpstreams(t)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for role, wants := range map[storage.AdminRole]struct{ links, acts int }{
			storage.Administrator: {2, 1}, storage.Helpdesk: {0, 0}, storage.Auditor: {2, 0},
		} {
			v, _ := b.Operating(t, role)
			overview := v.Get(t, b.Issuer+"/admin")
			overview.WantText(t, "Your role is "+string(role))
			links := 0
			for _, path := range []string{"/admin/connectors", "/admin/keys"} {
				if !strings.Contains(overview.Body, `href="`+path+`"`) {
					continue
				}
				links++
				page := v.Get(t, b.Issuer+path)
				acts := strings.Contains(page.Body, `action="/admin`) || strings.Contains(page.Body, "/admin/keys/revoke") || strings.Contains(page.Body, `id="rotate"`)
				if page.StatusCode != http.StatusOK || acts != (wants.acts > 0) {
					t.Errorf("%s at %s: status %d, acts %v", role, path, page.StatusCode, acts)
				}
			}
			if links != wants.links {
				t.Errorf("%s: the first page leads to %d pages, want %d", role, links, wants.links)
			}
			v.Get(t, b.Issuer+"/account").WantText(t, "Administration")
		}
	}, connectors)
}
