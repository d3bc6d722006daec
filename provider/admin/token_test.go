package admin_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// A person gets a token for the scopes of the role, and for no other one. The token names the person, the
// session and the scopes, works for five minutes, and its issue is an event.
func TestToken_HasAtMostTheScopesOfTheRole(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, role := range storage.AdminRoles() {
			v, u := b.Operating(t, role)
			for _, scopes := range append(storage.AdminScopes(), "signet:read signet:users", "", "openid", "signet:all") {
				page := v.Submit(t, v.TokenForm(t, scopes))
				may := scopes != ""
				for scope := range strings.FieldsSeq(scopes) {
					may = may && slices.Contains(role.Scopes(), scope)
				}
				if !may {
					page.WantPage(t, http.StatusForbidden, "scope_not_allowed")
					continue
				}
				page.WantText(t, `id="token"`, scopes)
				o := v.OperatorToken(t, scopes)
				claims := providertest.ClaimsOf(t, o.Token)
				if claims["sub"] != u.ID || claims["scope"] != scopes || claims["sid"] == nil || claims["gid"] != nil || claims["client_id"] != b.Issuer+"/admin" ||
					providertest.NumberOf(t, claims["exp"])-providertest.NumberOf(t, claims["iat"]) != 300 {
					t.Errorf("%s with %s: claims %v", role, scopes, claims)
				}
				me := o.Call(t, http.MethodGet, "/me", "").JSON(t)
				if me["sub"] != u.ID || me["admin_role"] != string(role) || me["client_id"] != nil {
					t.Errorf("%s with %s: the caller is %v", role, scopes, me)
				}
			}
			b.WantEvent(t, storage.AdminTokenIssued, u.ID)
		}
	})
}

// AD-10: the cookie alone gives no token: the form has the ticket of the page for this session, comes from
// this server, and the sign-in is recent. No other origin may read the answer.
func TestToken_NeedsTheTicketAndARecentSignIn(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, u := b.Operating(t, storage.Administrator)
		w, _ := b.Operating(t, storage.Administrator)
		own := v.TokenForm(t, storage.ScopeAdminRead)
		send := func(f providertest.Form, change ...func(*http.Request)) providertest.Answer {
			r := v.FormRequest(t, f)
			r.Header.Set("Accept", "application/json")
			for _, c := range change {
				c(r)
			}
			return providertest.Do(t, v.Client, r)
		}
		withTicket := func(ticket string) providertest.Form {
			return providertest.Form{Action: own.Action, Values: url.Values{"ticket": {ticket}, "scope": {storage.ScopeAdminRead}}}
		}
		for name, c := range map[string]struct {
			answer providertest.Answer
			want   int
		}{
			"no ticket":         {send(withTicket("")), http.StatusConflict},
			"another session's": {send(withTicket(w.TokenForm(t, "").Values.Get("ticket"))), http.StatusConflict},
			"another form's":    {send(withTicket(v.Get(t, b.Issuer+"/account/profile").FormTo(t, "/account/profile", "", "").Values.Get("ticket"))), http.StatusConflict},
			"another site": {send(own, func(r *http.Request) {
				r.Header.Set("Origin", "https://evil.example")
				r.Header.Set("Sec-Fetch-Site", "cross-site")
			}), http.StatusForbidden},
			"a sibling of this site": {send(own, func(r *http.Request) {
				r.Header.Set("Origin", "https://evil.example.com")
				r.Header.Set("Sec-Fetch-Site", "same-site")
			}), http.StatusForbidden},
			"an unknown field":     {send(providertest.Form{Action: own.Action, Values: url.Values{"ticket": own.Values["ticket"], "scope": {storage.ScopeAdminRead}, "sub": {"usr_other"}}}), http.StatusBadRequest},
			"the form of the page": {send(own), http.StatusOK},
		} {
			if c.answer.StatusCode != c.want || strings.Contains(c.answer.Body, "access_token") != (c.want == http.StatusOK) {
				t.Errorf("%s: status %d, want %d\n%s", name, c.answer.StatusCode, c.want, c.answer.Body)
			}
			for header := range c.answer.Header {
				if strings.HasPrefix(header, "Access-Control-") {
					t.Errorf("%s: the answer has %s", name, header)
				}
			}
			if got := c.answer.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
				t.Errorf("%s: Cache-Control is %q", name, got)
			}
		}
		b.Advance(6 * time.Minute)
		if page := v.Submit(t, own); page.At.Path != "/login" {
			t.Errorf("an old sign-in: at %s, status %d", page.At, page.StatusCode)
		}
		page := v.SignIn(t, v.Get(t, b.Issuer+"/admin/token"), u.Email, providertest.Password)
		page.WantAt(t, "/admin/token")
	})
}

// AD-03: the token of a person ends with the session, the role and the account, at once and on every node.
func TestToken_EndsWithSessionRoleAndAccount(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend)
		by := storage.By{From: providertest.TestOrigin, At: b.Now()}
		b.CreateUser(t, storage.User{Email: "last@example.com", Admin: true}, providertest.Password)
		other := b.Node(t)
		for name, end := range map[string]func(v *providertest.Visitor, u storage.User) error{
			"signed out": func(v *providertest.Visitor, _ storage.User) error {
				page := v.Get(t, b.Issuer+"/end_session")
				v.Submit(t, page.FormTo(t, "/end_session", "", ""), "decision", "allow")
				return nil
			},
			"signed out everywhere": func(_ *providertest.Visitor, u storage.User) error {
				return b.DB.SignOutEverywhere(t.Context(), u.ID, "asked", by)
			},
			"role revoked": func(_ *providertest.Visitor, u storage.User) error { return b.DB.RevokeAdmin(t.Context(), u.ID, by) },
			"lesser role": func(_ *providertest.Visitor, u storage.User) error {
				_, err := b.DB.GrantAdmin(t.Context(), u.ID, storage.Auditor, storage.KeepAttached, by)
				return err
			},
			"disabled": func(_ *providertest.Visitor, u storage.User) error {
				return b.DB.SetUserEnabled(t.Context(), u.ID, false, by)
			},
			"deleted": func(_ *providertest.Visitor, u storage.User) error { return b.DB.DeleteUser(t.Context(), u.ID, by) },
		} {
			v, u := b.Operating(t, storage.Administrator)
			o := v.OperatorToken(t, storage.ScopeAdminAll)
			there := providertest.Operator{Testbed: other, Token: o.Token}
			for _, node := range []providertest.Operator{o, there} {
				if a := node.Call(t, http.MethodGet, "/users", ""); a.StatusCode != http.StatusOK {
					t.Fatalf("%s, before: status %d %s", name, a.StatusCode, a.Body)
				}
			}
			if err := end(v, u); err != nil {
				t.Fatal(err)
			}
			for _, node := range []providertest.Operator{o, there} {
				node.Call(t, http.MethodGet, "/users", "").WantProblem(t, name, http.StatusUnauthorized, "invalid_token", "")
			}
		}
		v, _ := b.Operating(t, storage.Administrator)
		o := v.OperatorToken(t, storage.ScopeAdminAll)
		b.Advance(5 * time.Minute)
		o.Call(t, http.MethodGet, "/users", "").WantProblem(t, "after five minutes", http.StatusUnauthorized, "invalid_token", "")
	})
}

// AD-02: the token of an operator opens the administration API and nothing else.
func TestToken_OpensNothingElse(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Operating(t, storage.Administrator)
		o := v.OperatorToken(t, storage.ScopeAdminAll)
		b.WantUserinfo(t, o.Token, http.StatusUnauthorized)
		api := b.AsClient(b.RegisterWith(t, storage.Web, "introspects", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Introspects = []string{providertest.Callback}, true
		}))
		b.Follow(t)
		if got := api.Introspect(t, o.Token); got["active"] != false {
			t.Errorf("introspection: %v", got)
		}
		for _, path := range []string{"/admin", "/account", "/session"} {
			a := b.CallRoute(t, http.MethodGet, path, http.Header{"Authorization": {"Bearer " + o.Token}, "Accept": {"text/html"}})
			if strings.Contains(a.Body, `"authenticated":true`) || a.StatusCode == http.StatusOK && path != "/session" {
				t.Errorf("%s: status %d", path, a.StatusCode)
			}
		}
	})
}

// If a second factor is required, a person without one gets no token, and a token of a session with one
// factor does not work.
func TestToken_NeedsTheSecondFactor(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, u := b.Operating(t, storage.Helpdesk)
		v.Submit(t, v.TokenForm(t, storage.ScopeAdminUsers)).WantPage(t, http.StatusForbidden, "second_factor_needed")
		without := b.Node(t, func(c *provider.Config) { c.AdminFactor = false })
		w := without.Visitor(t)
		w.SignIn(t, w.Get(t, without.Issuer+"/account"), u.Email, providertest.Password)
		o := w.OperatorToken(t, storage.ScopeAdminUsers)
		strict := providertest.Operator{Testbed: b, Token: o.Token}
		strict.Call(t, http.MethodGet, "/users", "").WantProblem(t, "one factor", http.StatusUnauthorized, "insufficient_user_authentication", "")
		v.AddAuthenticator(t)
		v.OperatorToken(t, storage.ScopeAdminUsers).Call(t, http.MethodGet, "/me", "").JSON(t)
	}, func(c *provider.Config) { c.AdminFactor = true })
}
