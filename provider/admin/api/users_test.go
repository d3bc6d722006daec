package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

func ifMatch(tag string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("If-Match", tag) }
}

// TestUsers_LifeOfAUser creates, reads, changes, disables, enables and deletes a user. Each change
// leaves its event with the client as actor.
func TestUsers_LifeOfAUser(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		check := answerCheck(t, b)
		made := o.Call(t, http.MethodPost, "/users", `{"email":"Ada@Example.com","email_verified":true,"password":"`+providertest.Password+`","name":"Ada","roles":["dev"],"address":{"country":"UK"},"phone_number":"+44 20 7946 0000","phone_number_verified":true}`)
		check(t, made)
		id, _ := made.JSON(t)["id"].(string)
		if made.StatusCode != http.StatusCreated || made.Header.Get("Location") != b.Issuer+"/admin/api/v1/users/"+id || made.JSON(t)["phone_number_verified"] != true {
			t.Fatalf("create: got %d, Location %q, %s", made.StatusCode, made.Header.Get("Location"), made.Body)
		}
		at := "/users/" + id
		read := o.Call(t, http.MethodGet, at, "")
		check(t, read)
		if read.Body != made.Body || read.Header.Get("ETag") != made.Header.Get("ETag") || read.Header.Get("ETag") == "" {
			t.Errorf("read: got %s %s, want that of the creation, %s", read.Header.Get("ETag"), read.Body, made.Header.Get("ETag"))
		}
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.Issuer+"/account"), "ada@example.com", providertest.Password).WantAt(t, "/account")

		changed := o.Call(t, http.MethodPatch, at, `{"name":"Ada Lovelace","roles":null,"address":{"country":null,"locality":"London"}}`, ifMatch(read.Header.Get("ETag")))
		check(t, changed)
		got := changed.JSON(t)
		if changed.StatusCode != http.StatusOK || got["name"] != "Ada Lovelace" || got["roles"] != nil || fmt.Sprint(got["address"]) != "map[locality:London]" || got["email"] != "Ada@Example.com" {
			t.Errorf("change: got %d %s", changed.StatusCode, changed.Body)
		}
		o.Call(t, http.MethodPatch, at, `{"name":"Eve"}`, ifMatch(read.Header.Get("ETag"))).WantProblem(t, "stale ETag", http.StatusPreconditionFailed, "precondition_failed", "")
		o.Call(t, http.MethodPatch, at, `{"enabled":false,"name":"Eve"}`, ifMatch(read.Header.Get("ETag"))).WantProblem(t, "stale ETag", http.StatusPreconditionFailed, "precondition_failed", "")
		o.Call(t, http.MethodDelete, at, "", ifMatch(read.Header.Get("ETag"))).WantProblem(t, "stale ETag", http.StatusPreconditionFailed, "precondition_failed", "")
		o.Call(t, http.MethodDelete, at+"/sessions", "", ifMatch(read.Header.Get("ETag"))).WantProblem(t, "stale ETag", http.StatusPreconditionFailed, "precondition_failed", "")

		sessions := o.Call(t, http.MethodGet, at+"/sessions", "")
		check(t, sessions)
		sid := sessions.JSON(t)["items"].([]any)[0].(map[string]any)["sid"].(string)
		if a := o.Call(t, http.MethodDelete, at+"/sessions/"+sid, ""); a.StatusCode != http.StatusNoContent || a.Body != "" {
			t.Errorf("end the session: got %d %s", a.StatusCode, a.Body)
		}
		o.Call(t, http.MethodDelete, at+"/sessions/"+sid, "").WantProblem(t, "an ended session", http.StatusNotFound, "not_found", "")

		for _, enabled := range []bool{false, true} {
			a := o.Call(t, http.MethodPatch, at, fmt.Sprintf(`{"enabled":%v}`, enabled))
			check(t, a)
			if a.JSON(t)["enabled"] != enabled || a.StatusCode != http.StatusOK {
				t.Errorf("enabled %v: got %d %s", enabled, a.StatusCode, a.Body)
			}
		}
		o.Call(t, http.MethodDelete, at+"/sessions", "")
		if a := o.Call(t, http.MethodDelete, at, ""); a.StatusCode != http.StatusNoContent {
			t.Errorf("delete: got %d %s", a.StatusCode, a.Body)
		}
		o.Call(t, http.MethodGet, at, "").WantProblem(t, "a deleted user", http.StatusNotFound, "not_found", "")

		events, err := b.DB.Events(t.Context(), storage.EventFilter{UserID: id}, 100)
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, e := range slices.Backward(events) {
			if e.Type == storage.UserSignedIn {
				continue
			}
			types = append(types, string(e.Type))
			if e.From.Actor != o.Client.ID || e.From.Address == "" || e.From.RequestID == "" {
				t.Errorf("%s: got origin %+v, want the client %s", e.Type, e.From, o.Client.ID)
			}
		}
		want := "user.created user.updated session.ended user.disabled user.enabled session.ended_all user.deleted"
		if strings.Join(types, " ") != want {
			t.Errorf("events: got %v, want %s", types, want)
		}
	})
}

// TestUsers_LimitsOfTheUsersScope tries everything that only storage.ScopeAdminAll allows. Nothing
// changes.
//
// AD-06: a lower administrator cannot change a higher one, or give rights.
func TestUsers_LimitsOfTheUsersScope(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		root := b.CreateUser(t, storage.User{Email: providertest.AdminEmail, EmailVerified: true, Admin: true}, providertest.Password)
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.Issuer+"/account"), providertest.AdminEmail, providertest.Password)
		session := b.SessionsOf(t, root.ID)[0]
		identity := addIdentity(t, b, session)
		o := b.Operator(t, storage.ScopeAdminUsers)
		alice, admin := "/users/"+b.Alice.ID, "/users/"+root.ID
		helper := "/users/" + b.CreateUser(t, storage.User{Email: "helper@example.com", EmailVerified: true, LesserRole: storage.Helpdesk}, providertest.Password).ID
		auditor := "/users/" + b.CreateUser(t, storage.User{Email: "auditor@example.com", EmailVerified: true, LesserRole: storage.Auditor}, providertest.Password).ID
		before := b.DumpTables(t)
		for _, c := range []struct{ method, path, body, field string }{
			{"PATCH", helper, `{"name":"x"}`, ""},
			{"POST", helper + "/links", `{"for":"password","reason":"x"}`, ""},
			{"POST", auditor + "/factors/reset", `{"reason":"x"}`, ""},
			{"DELETE", auditor, "", ""},
			{"PATCH", alice, `{"roles":["root"]}`, "roles"},
			{"PATCH", alice, `{"groups":["root"]}`, "groups"},
			{"PATCH", alice, `{"roles":null}`, "roles"},
			{"PATCH", alice, `{"email":"eve@example.com"}`, "email"},
			{"PATCH", alice, `{"email_verified":true}`, "email_verified"},
			{"PATCH", alice, `{"name":"x","email_verified":false}`, "email_verified"},
			{"POST", "/users", `{"email":"new@example.com","email_verified":true}`, "email_verified"},
			{"POST", "/users", `{"email":"new@example.com","groups":[]}`, "groups"},
			{"POST", "/users", `{"email":"new@example.com","sub":"4711"}`, "sub"},
			{"POST", "/users", `{"email":"new@example.com","password":"` + providertest.Password + `"}`, "password"},
			{"PATCH", admin, `{"name":"x"}`, ""},
			{"PATCH", admin, `{"enabled":false}`, ""},
			{"DELETE", admin, "", ""},
			{"DELETE", admin + "/sessions", "", ""},
			{"DELETE", admin + "/sessions/" + session.ID, "", ""},
			{"DELETE", "/sessions/" + session.ID, "", ""},
			{"POST", admin + "/links", `{"for":"password","reason":"x"}`, ""},
			{"POST", admin + "/links", `{"for":"passkey","reason":"x"}`, ""},
			{"POST", alice + "/links?unproven=keep", `{"for":"passkey","reason":"x"}`, "unproven"},
			{"POST", alice + "/links?unproven=evict", `{"for":"password","reason":"x"}`, "unproven"},
			{"POST", admin + "/factors/reset", `{"reason":"x"}`, ""},
			{"DELETE", admin + "/identities/" + identity.Key(), "", ""},
			{"DELETE", alice + "/identities/x?allow_last=true", "", "allow_last"},
			{"DELETE", admin + "/grants/app", "", ""},
		} {
			o.Call(t, c.method, c.path, c.body).WantProblem(t, c.method+" "+c.path+" "+c.body, http.StatusForbidden, "insufficient_scope", c.field)
		}
		for _, table := range []string{"users", "sessions", "identities", "credentials", "mail_links"} {
			if b.DumpTables(t)[table] != before[table] {
				t.Errorf("a refused call has changed %s", table)
			}
		}
		if a := o.Call(t, http.MethodPost, "/users", `{"email":"new@example.com","name":"New"}`); a.StatusCode != http.StatusCreated {
			t.Errorf("a plain user: got %d %s", a.StatusCode, a.Body)
		}
	}, providertest.WithLocalhost)
}

// TestUsers_RulesHaveTheCodesOfTheCommandLine: each rule of the directory is answered with its
// stable code and the member.
func TestUsers_RulesHaveTheCodesOfTheCommandLine(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		root := b.CreateUser(t, storage.User{Email: providertest.AdminEmail, EmailVerified: true, Admin: true, PreferredUsername: "root", ChosenSubject: "s-1"}, providertest.Password)
		unproven := b.CreateUser(t, storage.User{Email: "unproven@example.com"}, providertest.Password)
		for _, c := range []struct {
			method, path, body string
			status             int
			code, field        string
		}{
			{"POST", "/users", `{"email":"` + providertest.Alice + `"}`, 409, "conflict", "email"},
			{"POST", "/users", `{"email":"nobody"}`, 422, "invalid_field", "email"},
			{"POST", "/users", `{"email":"n@example.com","password":"123"}`, 422, "weak_password", "password"},
			{"POST", "/users", `{"email":"n@example.com","preferred_username":"Root"}`, 409, "username_taken", "preferred_username"},
			{"POST", "/users", `{"email":"n@example.com","sub":"s-1"}`, 409, "subject_taken", "sub"},
			{"POST", "/users", `{"email":"n@example.com","sub":"usr_1"}`, 422, "invalid_field", "subject"},
			{"PATCH", "/users/" + b.Alice.ID, `{"email":"` + providertest.AdminEmail + `"}`, 409, "conflict", "email"},
			{"PATCH", "/users/" + b.Alice.ID, `{"birthdate":"yesterday"}`, 422, "invalid_field", "birthdate"},
			{"PATCH", "/users/" + b.Alice.ID, `{"phone_number_verified":true}`, 422, "no_phone_number", "phone_number_verified"},
			{"PATCH", "/users/" + b.Alice.ID, `{"roles":[" "]}`, 422, "invalid_field", "roles"},
			{"PATCH", "/users/" + root.ID, `{"enabled":false}`, 409, "last_administrator", ""},
			{"DELETE", "/users/" + root.ID, ``, 409, "last_administrator", ""},
			{"PATCH", "/users/" + unproven.ID, `{"roles":["dev"]}`, 409, "address_unproven", "unproven"},
			{"PATCH", "/users/usr_nobody", `{"name":"x"}`, 404, "not_found", ""},
			{"GET", "/users/%00", ``, 404, "not_found", ""},
		} {
			o.Call(t, c.method, c.path, c.body).WantProblem(t, c.method+" "+c.path+" "+c.body, c.status, c.code, c.field)
		}
		if a := o.Call(t, http.MethodPatch, "/users/"+unproven.ID+"?unproven=keep", `{"roles":["dev"]}`); a.StatusCode != http.StatusOK {
			t.Errorf("keep: got %d %s", a.StatusCode, a.Body)
		}
	})
}

// TestBody_AmbiguousOrUnknownInputIsRefused sends bodies and queries that two programs could read
// differently, or with unknown members and parameters. Nothing changes.
//
// AD-04: mass assignment. AD-12: crafted parameters.
func TestBody_AmbiguousOrUnknownInputIsRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		check := answerCheck(t, b)
		alice := "/users/" + b.Alice.ID
		before := b.DumpTables(t)["users"]
		for _, c := range []struct {
			method, path, body string
			status             int
			code, field        string
		}{
			{"PATCH", alice, `{"admin":true}`, 422, "unknown_member", "admin"},
			{"PATCH", alice, `{"id":"usr_x"}`, 422, "unknown_member", "id"},
			{"PATCH", alice, `{"sub":"x"}`, 422, "unknown_member", "sub"},
			{"PATCH", alice, `{"created_at":"2020-01-01T00:00:00Z"}`, 422, "unknown_member", "created_at"},
			{"PATCH", alice, `{"password":"` + providertest.Password + `"}`, 422, "unknown_member", "password"},
			{"PATCH", alice, `{"password_hash":"x"}`, 422, "unknown_member", "password_hash"},
			{"PATCH", alice, `{"upstream_groups":["x"]}`, 422, "unknown_member", "upstream_groups"},
			{"PATCH", alice, `{"custom":{"x":1}}`, 422, "unknown_member", "custom"},
			{"PATCH", alice, `{"Name":"x"}`, 422, "unknown_member", "Name"},
			{"PATCH", alice, `{"address":{"planet":"x"}}`, 422, "unknown_member", "address.planet"},
			{"PATCH", alice, `{"name":1}`, 422, "wrong_type", "name"},
			{"PATCH", alice, `{"name":["x"]}`, 422, "wrong_type", "name"},
			{"PATCH", alice, `{"enabled":"false"}`, 422, "wrong_type", "enabled"},
			{"PATCH", alice, `{"enabled":null}`, 422, "wrong_type", "enabled"},
			{"PATCH", alice, `{"email":null}`, 422, "wrong_type", "email"},
			{"PATCH", alice, `{"roles":"dev"}`, 422, "wrong_type", "roles"},
			{"PATCH", alice, `{"roles":[1]}`, 422, "wrong_type", "roles.0"},
			{"PATCH", alice, `{"address":"London"}`, 422, "wrong_type", "address"},
			{"PATCH", alice, `{"name":"a","name":"b"}`, 400, "invalid_request", ""},
			{"PATCH", alice, `{"name":"a","NAME":"b"}`, 400, "invalid_request", ""},
			{"PATCH", alice, `{"name":"a"} {}`, 400, "invalid_request", ""},
			{"PATCH", alice, `[]`, 400, "invalid_request", ""},
			{"PATCH", alice, `{"name":"\ud800"}`, 400, "invalid_request", ""},
			{"PATCH", alice, "{\"name\":\"\xff\"}", 400, "invalid_request", ""},
			{"PATCH", alice, strings.Repeat("[", 100), 400, "invalid_request", ""},
			{"PATCH", alice, `{"name":"` + strings.Repeat("a", 70_000) + `"}`, 413, "invalid_request", ""},
			{"PATCH", alice, `{"roles":["` + strings.Repeat("a", 60_000) + `"]}`, 422, "invalid_field", "roles"},
			{"PATCH", alice + "?unproven=perhaps", `{"name":"x"}`, 422, "invalid_value", "unproven"},
			{"POST", "/users", `{}`, 422, "missing_member", "email"},
			{"POST", "/users", `{"email":"n@example.com","enabled":false}`, 422, "unknown_member", "enabled"},
			{"GET", "/users?page=2", "", 422, "unknown_parameter", "page"},
			{"GET", "/users?Limit=2", "", 422, "unknown_parameter", "Limit"},
			{"GET", "/users?limit=0", "", 422, "invalid_limit", "limit"},
			{"GET", "/users?limit=201", "", 422, "invalid_limit", "limit"},
			{"GET", "/users?limit=-1", "", 422, "invalid_limit", "limit"},
			{"GET", "/users?limit=1e9", "", 422, "invalid_limit", "limit"},
			{"GET", "/users?limit=9999999999999999999999", "", 422, "invalid_limit", "limit"},
			{"GET", "/users?admin=1", "", 422, "invalid_value", "admin"},
			{"GET", "/users?limit=1&limit=2", "", 400, "invalid_request", ""},
			{"GET", "/users?email=%ff", "", 400, "invalid_request", ""},
			{"GET", "/users?email=%00", "", 400, "invalid_request", ""},
			{"GET", "/users?a;b", "", 400, "invalid_request", ""},
			{"GET", "/users?after=x", "", 422, "invalid_cursor", "after"},
			{"GET", "/users?after=alice@example.com", "", 422, "invalid_cursor", "after"},
		} {
			label := c.method + " " + c.path + " " + c.body[:min(len(c.body), 60)]
			a := o.Call(t, c.method, c.path, c.body)
			a.WantProblem(t, label, c.status, c.code, c.field)
			if !strings.Contains(c.path, ";") {
				check(t, a)
			}
		}
		for name, change := range map[string]func(*http.Request){
			"a form":           func(r *http.Request) { r.Header.Set("Content-Type", providertest.FormType) },
			"text":             func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
			"no type":          func(r *http.Request) { r.Header.Del("Content-Type") },
			"two types":        func(r *http.Request) { r.Header.Add("Content-Type", "application/json") },
			"another encoding": func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-16") },
		} {
			o.Call(t, http.MethodPatch, alice, `{"name":"x"}`, change).WantProblem(t, name, http.StatusUnsupportedMediaType, "unsupported_media_type", "")
		}
		if b.DumpTables(t)["users"] != before {
			t.Error("a refused call has changed a user")
		}
		merge := func(r *http.Request) { r.Header.Set("Content-Type", "application/merge-patch+json") }
		if a := o.Call(t, http.MethodPatch, alice, `{"name":"x"}`, merge); a.StatusCode != http.StatusOK {
			t.Errorf("a merge patch: got %d %s", a.StatusCode, a.Body)
		}
	})
}

// TestList_PagesHaveEachUserOnce reads all users in pages of several sizes and with filters.
func TestList_PagesHaveEachUserOnce(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminRead)
		want := map[string]bool{b.Alice.ID: true}
		for i := range 11 {
			u := b.CreateUser(t, storage.User{Email: fmt.Sprintf("user-%02d@example.com", i), EmailVerified: true}, providertest.Password)
			want[u.ID] = true
		}
		for _, limit := range []int{1, 5, 6, 12, 200} {
			if got := idsOf(t, o, "/users?limit="+fmt.Sprint(limit)); !maps.Equal(got, want) {
				t.Errorf("limit %d: got %d users, want %d", limit, len(got), len(want))
			}
		}
		if got := idsOf(t, o, "/users?limit=4&email=user-"); len(got) != 11 {
			t.Errorf("by prefix: got %d users, want 11", len(got))
		}
		first := o.Call(t, http.MethodGet, "/users?limit=1&email=user-", "").JSON(t)["next"].(string)
		for _, other := range []string{"/users?limit=1&email=a", "/users?limit=1", "/users?limit=1&email=user-&admin=true"} {
			o.Call(t, http.MethodGet, other+"&after="+url.QueryEscape(first), "").WantProblem(t, "the cursor of other filters at "+other, http.StatusUnprocessableEntity, "invalid_cursor", "after")
		}
		if strings.Contains(first, "user-") {
			t.Errorf("the cursor shows an address: %s", first)
		}
		b.Advance(25 * 60 * 60 * 1e9)
		later := b.AsClient(o.Client, o.Secret)
		token := later.TokenRequest(t, url.Values{"grant_type": {storage.GrantClientCredentials}}).JSON(t)["access_token"].(string)
		(providertest.Operator{Testbed: later, Token: token}).Call(t, http.MethodGet, "/users?limit=1&email=user-&after="+first, "").
			WantProblem(t, "an old cursor", http.StatusUnprocessableEntity, "invalid_cursor", "after")
	})
}

// idsOf reads all pages of a list and returns the ids of its objects. An object that comes twice
// fails the test.
func idsOf(t *testing.T, o providertest.Operator, path string) map[string]bool {
	t.Helper()
	ids, next := map[string]bool{}, ""
	for {
		a := o.Call(t, http.MethodGet, path+next, "")
		var p struct {
			Items []struct{ ID string }
			Next  string
		}
		if err := json.Unmarshal([]byte(a.Body), &p); err != nil || a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", path+next, a.StatusCode, a.Body)
		}
		for _, item := range p.Items {
			if ids[item.ID] {
				t.Errorf("%s comes twice", item.ID)
			}
			ids[item.ID] = true
		}
		if p.Next == "" {
			return ids
		}
		next = "&after=" + url.QueryEscape(p.Next)
	}
}

// TestChangeUser_OfTwoWritersOneLoses: two calls with the same ETag at once, on two nodes. One
// changes the user, the other gets 412.
//
// AD-14: stale edits.
func TestChangeUser_OfTwoWritersOneLoses(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend)
		one := b.Operator(t, storage.ScopeAdminAll)
		two := providertest.Operator{Testbed: b.Node(t), Token: one.Token}
		for round := range 5 {
			tag := one.Call(t, http.MethodGet, "/users/"+b.Alice.ID, "").Header.Get("ETag")
			statuses := make(chan int, 2)
			for i, o := range []providertest.Operator{one, two} {
				go func() {
					statuses <- o.Call(t, http.MethodPatch, "/users/"+b.Alice.ID, fmt.Sprintf(`{"nickname":"%d of round %d"}`, i, round), ifMatch(tag)).StatusCode
				}()
			}
			got := []int{<-statuses, <-statuses}
			slices.Sort(got)
			if !slices.Equal(got, []int{http.StatusOK, http.StatusPreconditionFailed}) {
				t.Errorf("round %d: got %v, want 200 and 412", round, got)
			}
		}
	})
}
