package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// endpoint is an operation of the OpenAPI document.
type endpoint struct {
	method, path string // with the id of a user, or a word, in place of each parameter
	scopes       []string
	body         string
}

// endpoints lists all operations. A new operation is covered without a change of the tests.
func endpoints(t *testing.T, b *providertest.Testbed) []endpoint {
	t.Helper()
	var list []endpoint
	document := (providertest.Operator{Testbed: b}).Call(t, http.MethodGet, "/openapi.json", "").JSON(t)
	for path, item := range document["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			o := operation.(map[string]any)
			e := endpoint{method: strings.ToUpper(method), path: path}
			for _, requirement := range o["security"].([]any) {
				for _, scopes := range requirement.(map[string]any) {
					e.scopes = append(e.scopes, scopes.([]any)[0].(string))
				}
			}
			for part := range strings.SplitSeq(path, "/") {
				if strings.HasPrefix(part, "{") {
					e.path = strings.ReplaceAll(e.path, part, map[string]string{"{sub}": "usr_nobody"}[part]+strings.Trim(part, "{}"))
				}
			}
			if o["requestBody"] != nil {
				e.body = `{}`
			}
			list = append(list, e)
		}
	}
	if len(list) < 15 {
		t.Fatalf("found only %d operations", len(list))
	}
	return list
}

// TestAccess_EveryOperationNeedsATokenOfAnOperator calls every operation with every kind of token.
//
// AD-01, AD-02: no operation without the right token.
func TestAccess_EveryOperationNeedsATokenOfAnOperator(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		admin := b.Operator(t, storage.ScopeAdminAll)
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.Allow(t, v.SignIn(t, v.Get(t, b.AuthorizeURL("scope", "openid offline_access", "prompt", "consent")), providertest.Alice, providertest.Password)).Code(t))
		service := b.AsClient(b.RegisterWith(t, storage.Service, "orders", func(c *storage.Client) { c.Metadata.Scope = "orders:read" }))
		b.Follow(t)
		foreign := service.TokenRequest(t, url.Values{"grant_type": {storage.GrantClientCredentials}}).JSON(t)["access_token"].(string)
		expired := b.Operator(t, storage.ScopeAdminAll)
		disabled, revoked := b.Operator(t, storage.ScopeAdminAll), b.Operator(t, storage.ScopeAdminAll)
		if err := b.DB.SetClientEnabled(t.Context(), disabled.Client.ID, false, storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		revoked.Revoke(t, revoked.Token)
		before := b.DumpTables(t)
		for _, e := range endpoints(t, b) {
			refuse := func(label, token, challenge string, change ...func(*http.Request)) {
				o := providertest.Operator{Testbed: b, Token: token}
				a := o.Call(t, e.method, e.path, e.body, change...)
				label = label + ": " + e.method + " " + e.path
				if e.method != http.MethodHead {
					a.WantProblem(t, label, http.StatusUnauthorized, "invalid_token", "")
				}
				if got := a.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, challenge) || a.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s: got %d with challenge %q, want 401 with %q", label, a.StatusCode, got, challenge)
				}
			}
			const invalid = `Bearer error="invalid_token"`
			refuse("no token", "", "Bearer")
			refuse("cookies alone", "", "Bearer", func(r *http.Request) { r.AddCookie(v.Cookie(t, "signet")) })
			refuse("Basic", "", "Bearer", func(r *http.Request) {
				r.Header.Set("Authorization", providertest.Basic(admin.Client.ID, admin.Secret))
			})
			refuse("nonsense", "x", invalid)
			refuse("an access token of a person", tokens["access_token"].(string), invalid)
			refuse("an ID token", tokens["id_token"].(string), invalid)
			refuse("a refresh token", tokens["refresh_token"].(string), invalid)
			refuse("a service without admin_api", foreign, invalid)
			refuse("a disabled client", disabled.Token, invalid)
			refuse("a revoked token", revoked.Token, invalid)
		}
		for name, rows := range b.DumpTables(t) {
			if rows != before[name] && name != "events" {
				t.Errorf("a refused call has changed %s", name)
			}
		}
		b.Advance(time.Hour)
		a := expired.Call(t, http.MethodGet, "/me", "")
		a.WantProblem(t, "an expired token", http.StatusUnauthorized, "invalid_token", "")
	})
}

// TestAccess_EveryOperationNeedsOneOfItsScopes calls every operation with a token of each scope.
func TestAccess_EveryOperationNeedsOneOfItsScopes(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		all := endpoints(t, b)
		for _, scope := range storage.AdminScopes() {
			o := b.Operator(t, scope)
			for _, e := range all {
				a := o.Call(t, e.method, e.path, e.body)
				refused := a.StatusCode == http.StatusForbidden
				if may := slices.Contains(e.scopes, scope); may == refused || a.StatusCode == http.StatusUnauthorized || a.StatusCode >= 500 {
					t.Errorf("%s with %s: got %d %s, allowed scopes are %v", e.method+" "+e.path, scope, a.StatusCode, a.Body, e.scopes)
				}
				if refused && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), `Bearer error="insufficient_scope"`) {
					t.Errorf("%s: got challenge %q", e.path, a.Header.Get("WWW-Authenticate"))
				}
			}
		}
	})
}

// TestAccess_RevocationCountsAtOnce: the next call after a revocation is refused, also by a node
// that has not read its clients again.
//
// AD-03: rights are read from the database at each call.
func TestAccess_RevocationCountsAtOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend)
		by := storage.By{From: providertest.TestOrigin, At: b.Now()}
		for name, end := range map[string]func(o providertest.Operator) error{
			"client disabled": func(o providertest.Operator) error { return b.DB.SetClientEnabled(t.Context(), o.Client.ID, false, by) },
			"client deleted":  func(o providertest.Operator) error { return b.DB.DeleteClient(t.Context(), o.Client.ID, by) },
			"admin_api removed": func(o providertest.Operator) error {
				_, err := b.DB.ReviseClient(t.Context(), o.Client.ID, func(c *storage.Client) error { c.AdminAPI = false; return nil }, by)
				return err
			},
			"scope removed": func(o providertest.Operator) error {
				_, err := b.DB.ReviseClient(t.Context(), o.Client.ID, func(c *storage.Client) error { c.Metadata.Scope = storage.ScopeAdminKeys; return nil }, by)
				return err
			},
			"token revoked": func(o providertest.Operator) error { o.Revoke(t, o.Token); return nil },
		} {
			o := b.Operator(t, storage.ScopeAdminRead)
			if a := o.Call(t, http.MethodGet, "/users", ""); a.StatusCode != http.StatusOK {
				t.Fatalf("%s, before: got %d %s", name, a.StatusCode, a.Body)
			}
			if err := end(o); err != nil {
				t.Fatal(err)
			}
			o.Call(t, http.MethodGet, "/users", "").WantProblem(t, name, http.StatusUnauthorized, "invalid_token", "")
		}
	})
}

// TestAccess_NoOriginMayCall: the API has no CORS, so that no page can use a token that it has
// found.
func TestAccess_NoOriginMayCall(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		for _, e := range endpoints(t, b) {
			for _, method := range []string{e.method, http.MethodOptions} {
				a := o.Call(t, method, e.path, e.body, func(r *http.Request) { r.Header.Set("Origin", "https://app.example.com") })
				for name := range a.Header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s %s: got %s", method, e.path, fmt.Sprint(name, a.Header[name]))
					}
				}
			}
		}
	})
}
