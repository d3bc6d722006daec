package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// TestRoles_EveryOperationAsksForAScopeOfTheRole calls every operation with the token of a person of each
// role, for all scopes of the role.
//
// AD-01: no operation as a lower administrator.
func TestRoles_EveryOperationAsksForAScopeOfTheRole(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		all := endpoints(t, b)
		for _, role := range storage.AdminRoles() {
			v, _ := b.Operating(t, role)
			o := v.OperatorToken(t, strings.Join(role.Scopes(), " "))
			for _, e := range all {
				a := o.Call(t, e.method, e.path, e.body)
				if may := role.May(e.scopes); may == (a.StatusCode == http.StatusForbidden) || a.StatusCode == http.StatusUnauthorized || a.StatusCode >= 500 {
					t.Errorf("%s as %s: got %d %s, scopes are %v", e.method+" "+e.path, role, a.StatusCode, a.Body, e.scopes)
				}
				if role == storage.Auditor && e.method != http.MethodGet && e.method != http.MethodHead && a.StatusCode != http.StatusForbidden {
					t.Errorf("%s %s as auditor: got %d, want 403", e.method, e.path, a.StatusCode)
				}
			}
		}
	})
}

// changesOfUsers lists the operations that change a user or something of a user, with a valid body. A new
// operation with a body fails the test until it is listed here.
func changesOfUsers(t *testing.T, b *providertest.Testbed) []endpoint {
	t.Helper()
	bodies := map[string][]string{
		"PATCH ":              {`{"name":"Changed"}`, `{"enabled":false}`, `{"email":"mallory@example.com"}`, `{"groups":["admins"]}`, `{"email_verified":true}`},
		"PUT /admin_role":     {`{"admin_role":"admin"}`},
		"POST /links":         {`{"for":"password","reason":"lost"}`, `{"for":"passkey","reason":"lost"}`},
		"POST /factors/reset": {`{"reason":"lost"}`},
	}
	var list []endpoint
	for _, e := range endpoints(t, b) {
		below, of := strings.CutPrefix(e.path, "/users/usr_nobodysub")
		if !of || e.method == http.MethodGet || e.method == http.MethodHead {
			continue
		}
		if e.body == "" {
			list = append(list, e)
			continue
		}
		known := bodies[e.method+" "+below]
		if len(known) == 0 {
			t.Errorf("%s %s: add a valid body to this test", e.method, e.path)
		}
		for _, e.body = range known {
			list = append(list, e)
		}
	}
	if len(list) < 12 {
		t.Fatalf("found only %d changes of users", len(list))
	}
	return list
}

// AD-06: a person of the helpdesk changes nothing of a person with a role of administration, nothing of
// themselves, and gives no rights. Every attempt is refused, and nothing changes.
func TestRoles_HelpdeskGivesAndTakesNoRights(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, self := b.Operating(t, storage.Helpdesk)
		o := v.OperatorToken(t, storage.ScopeAdminUsers)
		targets := map[string]string{"themselves": self.ID}
		for _, role := range storage.AdminRoles() {
			_, u := b.Operating(t, role)
			targets[string(role)] = u.ID
		}
		before := map[string]storage.User{}
		for name, id := range targets {
			before[name] = b.UserByID(t, id)
		}
		for name, id := range targets {
			for _, e := range changesOfUsers(t, b) {
				sessions, err := b.DB.SessionsOf(t.Context(), id, b.Now())
				if err != nil || len(sessions) == 0 {
					t.Fatalf("%s has no session left, %v", name, err)
				}
				path := strings.NewReplacer("usr_nobodysub", id, "/sessions/sid", "/sessions/"+sessions[0].ID).Replace(e.path)
				if a := o.Call(t, e.method, path, e.body); a.StatusCode != http.StatusForbidden && !strings.HasSuffix(path, "/identities/id") { // they have no identity
					t.Errorf("%s %s %s of %s: got %d %s, want 403", e.method, e.path, e.body, name, a.StatusCode, a.Body)
				}
			}
			if now := b.UserByID(t, id); now.UpdatedAt != before[name].UpdatedAt || now.AdminRole() != before[name].AdminRole() || now.NotBefore != before[name].NotBefore {
				t.Errorf("%s changed: %+v", name, now)
			}
		}
		for _, body := range []string{`{"roles":["dev"]}`, `{"groups":["staff"]}`, `{"email_verified":true}`, `{"email":"new@example.com"}`} {
			if a := o.Call(t, http.MethodPatch, "/users/"+b.Alice.ID, body); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s of a user without a role: got %d %s, want 403", body, a.StatusCode, a.Body)
			}
		}
		if a := o.Call(t, http.MethodPut, "/users/"+b.Alice.ID+"/admin_role", `{"admin_role":"auditor"}`); a.StatusCode != http.StatusForbidden {
			t.Errorf("a role for a user without one: got %d %s", a.StatusCode, a.Body)
		}
		if a := o.Call(t, http.MethodPatch, "/users/"+b.Alice.ID, `{"nickname":"Al"}`); a.StatusCode != http.StatusOK {
			t.Errorf("a nickname of a user without a role: got %d %s", a.StatusCode, a.Body)
		}
		if e := b.WantEvent(t, storage.UserUpdated, b.Alice.ID); e.From.Actor != self.ID {
			t.Errorf("the actor of the event is %q, want the person of the helpdesk", e.From.Actor)
		}
		for _, call := range [][3]string{{http.MethodPost, "/clients", `{"client_name":"x","type":"service","admin_api":true}`}, {http.MethodPost, "/keys/rotate", `{}`}} {
			if a := o.Call(t, call[0], call[1], call[2]); a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusNotFound {
				t.Errorf("%s: got %d %s", call[1], a.StatusCode, a.Body)
			}
		}
	}, providertest.WithLocalhost)
}

// A role is given and taken by the API with signet:admin, as by the command: one role replaces another, an
// unproven account with attached data needs a decision, the last administrator stays, and If-Match is
// checked.
func TestAdminRole_IsGivenAndTaken(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, root := b.Operating(t, storage.Administrator)
		o := v.OperatorToken(t, storage.ScopeAdminAll)
		path := "/users/" + b.CreateUser(t, storage.User{Email: "bob@example.com", EmailVerified: true}, providertest.Password).ID + "/admin_role"
		for _, role := range storage.AdminRoles() {
			a := o.Call(t, http.MethodPut, path, `{"admin_role":"`+string(role)+`"}`)
			if got := a.JSON(t); a.StatusCode != http.StatusOK || got["admin_role"] != string(role) || got["admin"] != (role == storage.Administrator) {
				t.Errorf("%s: got %d %s", role, a.StatusCode, a.Body)
			}
		}
		a := o.Call(t, http.MethodDelete, path, "", func(r *http.Request) { r.Header.Set("If-Match", `"other"`) })
		a.WantProblem(t, "another version", http.StatusPreconditionFailed, "precondition_failed", "")
		if a := o.Call(t, http.MethodDelete, path, ""); a.StatusCode != http.StatusNoContent {
			t.Errorf("removal: got %d %s", a.StatusCode, a.Body)
		}
		for name, call := range map[string][2]string{"demotion": {http.MethodPut, `{"admin_role":"auditor"}`}, "removal": {http.MethodDelete, ""}} {
			o.Call(t, call[0], "/users/"+root.ID+"/admin_role", call[1]).WantProblem(t, name+" of the last administrator", http.StatusConflict, "last_administrator", "")
		}
		unproven := b.CreateUser(t, storage.User{Email: "eve@example.com"}, providertest.Password)
		o.Call(t, http.MethodPut, "/users/"+unproven.ID+"/admin_role", `{"admin_role":"auditor"}`).WantProblem(t, "unproven", http.StatusConflict, "address_unproven", "unproven")
		if a := o.Call(t, http.MethodPut, "/users/"+unproven.ID+"/admin_role?unproven=keep", `{"admin_role":"auditor"}`); a.StatusCode != http.StatusOK {
			t.Errorf("unproven and kept: got %d %s", a.StatusCode, a.Body)
		}
		o.Call(t, http.MethodPut, path, `{"admin_role":"root"}`).WantProblem(t, "an unknown role", http.StatusUnprocessableEntity, "invalid_value", "admin_role")
		events := []storage.EventType{}
		for _, e := range b.Events(t) {
			if e.Type == storage.UserPromoted || e.Type == storage.UserDemoted {
				events = append(events, e.Type)
				if e.From.Actor != root.ID {
					t.Errorf("%s by %q, want the person", e.Type, e.From.Actor)
				}
			}
		}
		if n := len(events); n != 5 || !slices.Contains(events, storage.UserDemoted) {
			t.Errorf("got the events %v", events)
		}
	})
}
