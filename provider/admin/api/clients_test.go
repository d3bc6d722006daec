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
	"time"

	"signet/provider"
	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

func ifNoneMatch(r *http.Request) { r.Header.Set("If-None-Match", "*") }

// TestClients_LifeOfAClient creates, reads, changes, replaces, disables and deletes a client, and its
// secrets. Each change leaves one event with the caller as actor.
func TestClients_LifeOfAClient(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminClients)
		check := answerCheck(t, b)
		call := func(want int, method, path, body string, change ...func(*http.Request)) providertest.Answer {
			t.Helper()
			a := o.Call(t, method, path, body, change...)
			check(t, a)
			if a.StatusCode != want {
				t.Fatalf("%s %s: got %d %s, want %d", method, path, a.StatusCode, a.Body, want)
			}
			return a
		}
		made := call(201, "POST", "/clients", `{"client_id":"shop","client_name":"Shop","redirect_uris":["https://shop.example.com/cb"]}`, withKey("k"))
		secret, _ := made.JSON(t)["client_secret"].(string)
		if secret == "" || made.Header.Get("Location") != b.Issuer+"/admin/api/v1/clients/shop" {
			t.Fatalf("create: got %s at %q", made.Body, made.Header.Get("Location"))
		}
		again := call(201, "POST", "/clients", `{"client_id":"shop","client_name":"Shop","redirect_uris":["https://shop.example.com/cb"]}`, withKey("k"))
		if got := again.JSON(t); got["client_secret"] != nil || got["secret_omitted"] != true || again.Header.Get("ETag") != made.Header.Get("ETag") {
			t.Errorf("repeated: got %s", again.Body)
		}
		if dump := b.DumpTables(t)["api_calls"]; strings.Contains(fmt.Sprint(dump), secret) {
			t.Error("the table of calls has the secret")
		}
		read := call(200, "GET", "/clients/shop", "")
		if read.Header.Get("ETag") != made.Header.Get("ETag") || strings.Contains(read.Body, "secret\"") {
			t.Errorf("read: got %s %s, want the ETag %s", read.Header.Get("ETag"), read.Body, made.Header.Get("ETag"))
		}
		changed := call(200, "PATCH", "/clients/shop", `{"policy_uri":"https://shop.example.com/p","default_max_age":60,"refresh_grace":"30s","enabled":false}`, ifMatch(read.Header.Get("ETag")))
		if got := changed.JSON(t); got["enabled"] != false || got["policy_uri"] != "https://shop.example.com/p" || fmt.Sprint(got["default_max_age"]) != "60" || got["refresh_grace"] != "30s" {
			t.Errorf("change: got %s", changed.Body)
		}
		for _, c := range []struct{ method, path, body string }{
			{"PATCH", "/clients/shop", `{"client_name":"x"}`}, {"PATCH", "/clients/shop", `{"enabled":true}`},
			{"PUT", "/clients/shop", `{"client_name":"x"}`}, {"DELETE", "/clients/shop", ""},
		} {
			o.Call(t, c.method, c.path, c.body, ifMatch(read.Header.Get("ETag"))).WantProblem(t, "stale "+c.method, 412, "precondition_failed", "")
		}
		call(200, "PATCH", "/clients/shop", `{"policy_uri":null,"default_max_age":null,"refresh_grace":null,"enabled":true}`)
		if now := call(200, "GET", "/clients/shop", ""); now.Body != read.Body {
			t.Errorf("taken back: got %s, want %s", now.Body, read.Body)
		}
		replaced := call(200, "PUT", "/clients/shop", `{"client_name":"Shop 2","redirect_uris":["https://shop.example.com/2"]}`)
		if got := replaced.JSON(t); got["client_name"] != "Shop 2" || got["client_secret"] != nil {
			t.Errorf("replace: got %s", replaced.Body)
		}
		o.Call(t, "PUT", "/clients/shop", `{"client_name":"x"}`, ifNoneMatch).WantProblem(t, "an existing client", 412, "precondition_failed", "")
		o.Call(t, "PUT", "/clients/other", `{"client_name":"x"}`, ifMatch("*")).WantProblem(t, "a client that does not exist", 412, "precondition_failed", "")
		if put := call(201, "PUT", "/clients/other", `{"client_name":"Other","type":"spa","redirect_uris":["https://o.example.com/"]}`, ifNoneMatch); put.JSON(t)["client_secret"] != nil {
			t.Errorf("a public client has a secret: %s", put.Body)
		}
		call(204, "DELETE", "/clients/other", "")

		call(200, "GET", "/clients/shop/secrets", "")
		second := call(201, "POST", "/clients/shop/secrets", `{"overlap":"1h"}`)
		list := call(200, "GET", "/clients/shop/secrets", "").JSON(t)["items"].([]any)
		if len(list) != 2 || list[0].(map[string]any)["id"] != second.JSON(t)["id"] || list[1].(map[string]any)["expires_at"] == nil {
			t.Errorf("secrets: got %v, want the new one first", list)
		}
		b.Follow(t)
		for _, given := range []string{secret, second.JSON(t)["client_secret"].(string)} {
			if a := b.AsClient(storage.Client{ID: "shop", Type: storage.Web}, given).TokenRequest(t, url.Values{"grant_type": {storage.GrantRefresh}, "refresh_token": {"x"}}); a.JSON(t)["error"] != "invalid_grant" {
				t.Errorf("a secret is refused: %s", a.Body)
			}
		}
		call(204, "DELETE", "/clients/shop/secrets/"+second.JSON(t)["id"].(string), "")
		o.Call(t, "DELETE", "/clients/shop/secrets/sec_x", "").WantProblem(t, "an unknown secret", 404, "not_found", "")
		call(204, "DELETE", "/clients/shop", "")
		o.Call(t, "GET", "/clients/shop", "").WantProblem(t, "a deleted client", 404, "not_found", "")

		events, err := b.DB.Events(t.Context(), storage.EventFilter{ClientID: "shop"}, 100)
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, e := range slices.Backward(events) {
			if e.Type == storage.ClientRefused || e.Type == storage.GrantRefused {
				continue
			}
			types = append(types, strings.TrimPrefix(string(e.Type), "client."))
			if e.From.Actor != o.Client.ID || e.From.RequestID == "" || e.From.Address == "" {
				t.Errorf("%s: got origin %+v", e.Type, e.From)
			}
		}
		if want := "created updated disabled updated enabled updated secret_replaced secret_deleted deleted"; strings.Join(types, " ") != want {
			t.Errorf("events: got %v, want %s", types, want)
		}
	})
}

// TestClients_LimitsOfTheClientsScope: a caller that may not do everything makes, changes and deletes
// no client that may use the API. It would otherwise get more rights.
//
// AD-06: no stronger key by a lower administrator.
func TestClients_LimitsOfTheClientsScope(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		admin, o := b.Operator(t, storage.ScopeAdminAll), b.Operator(t, storage.ScopeAdminClients)
		b.RegisterWith(t, storage.Service, "robot", func(*storage.Client) {})
		at, before := "/clients/"+admin.Client.ID, b.DumpTables(t)["clients"]
		for _, c := range []struct{ method, path, body string }{
			{"POST", "/clients", `{"client_name":"x","type":"service","admin_api":true,"scope":"signet:admin"}`},
			{"PUT", "/clients/mine", `{"client_name":"x","type":"service","admin_api":true,"scope":"signet:read"}`},
			{"PATCH", "/clients/robot", `{"admin_api":true,"scope":"signet:admin"}`},
			{"PUT", "/clients/robot", `{"client_name":"x","type":"service","admin_api":true,"scope":"signet:admin"}`},
			{"PATCH", at, `{"client_name":"x"}`},
			{"PATCH", at, `{"enabled":false}`},
			{"PATCH", at, `{"admin_api":false,"scope":null}`},
			{"PATCH", "/clients/" + o.Client.ID, `{"scope":"signet:admin"}`},
			{"PUT", at, `{"client_name":"x","type":"service"}`},
			{"DELETE", at, ""},
			{"POST", at + "/secrets", `{}`},
			{"POST", at + "/approve", ""},
			{"DELETE", at + "/secrets/" + admin.Client.Secrets[0].ID(), ""},
		} {
			o.Call(t, c.method, c.path, c.body).WantProblem(t, c.method+" "+c.path+" "+c.body, http.StatusForbidden, "insufficient_scope", "admin_api")
		}
		if b.DumpTables(t)["clients"] != before {
			t.Error("a refused call has changed a client")
		}
		if a := admin.Call(t, "PATCH", "/clients/robot", `{"admin_api":true,"scope":"signet:read"}`); a.StatusCode != http.StatusOK {
			t.Errorf("with all rights: got %d %s", a.StatusCode, a.Body)
		}
	})
}

// TestClients_RulesHaveTheCodesOfTheCommandLine: each rule of the directory is answered with its
// stable code and the member. Nothing changes.
//
// AD-04: mass assignment.
func TestClients_RulesHaveTheCodesOfTheCommandLine(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		check := answerCheck(t, b)
		person := b.CreateUser(t, storage.User{Email: "s@example.com", ChosenSubject: "s-1"}, providertest.Password)
		b.RegisterWith(t, storage.SPA, "page", func(*storage.Client) {})
		app := "/clients/" + b.Client.ID
		before := b.DumpTables(t)["clients"]
		for _, c := range []struct {
			method, path, body string
			status             int
			code, field        string
		}{
			{"POST", "/clients", `{}`, 422, "missing_member", "client_name"},
			{"POST", "/clients", `{"client_name":""}`, 422, "invalid_client", "client_name"},
			{"POST", "/clients", `{"client_name":"x","type":"robot"}`, 422, "invalid_client", "type"},
			{"POST", "/clients", `{"client_name":"x","redirect_uris":["http://x.example.com/"]}`, 422, "invalid_client", "redirect_uris"},
			{"POST", "/clients", `{"client_name":"x","client_id":"` + b.Client.ID + `","redirect_uris":["https://x.example.com/"]}`, 409, "conflict", "client_id"},
			{"POST", "/clients", `{"client_name":"x","client_id":"s-1","redirect_uris":["https://x.example.com/"]}`, 409, "subject_taken", "client_id"},
			{"PUT", "/clients/s-1", `{"client_name":"x","redirect_uris":["https://x.example.com/"]}`, 409, "subject_taken", "client_id"},
			{"PUT", "/clients/" + person.ID, `{"client_name":"x","redirect_uris":["https://x.example.com/"]}`, 422, "invalid_client", "client_id"},
			{"PUT", "/clients/usr_x", `{"client_name":"x","redirect_uris":["https://x.example.com/"]}`, 422, "invalid_client", "client_id"},
			{"PUT", "/clients/x:y", `{"client_name":"x","redirect_uris":["https://x.example.com/"]}`, 422, "invalid_client", "client_id"},
			{"PATCH", app, `{"id_token_signed_response_alg":"none"}`, 422, "invalid_client", "id_token_signed_response_alg"},
			{"PATCH", app, `{"jwks":"{}"}`, 422, "wrong_type", "jwks"},
			{"PATCH", app, `{"jwks":{"keys":[]}}`, 422, "invalid_client", "jwks"},
			{"PATCH", app, `{"refresh_grace":"soon"}`, 422, "invalid_value", "refresh_grace"},
			{"PATCH", app, `{"refresh_grace":30}`, 422, "wrong_type", "refresh_grace"},
			{"PATCH", app, `{"default_max_age":1.5}`, 422, "wrong_type", "default_max_age"},
			{"PATCH", app, `{"default_max_age":1e400}`, 422, "invalid_value", "default_max_age"},
			{"PATCH", app, `{"default_max_age":99999999999999999999}`, 422, "invalid_value", "default_max_age"},
			{"PATCH", app, `{"client_name":null}`, 422, "wrong_type", "client_name"},
			{"PATCH", app, `{"type":null}`, 422, "wrong_type", "type"},
			{"PATCH", app, `{"enabled":null}`, 422, "wrong_type", "enabled"},
			{"PATCH", app, `{"client_id":"x"}`, 422, "unknown_member", "client_id"},
			{"PATCH", app, `{"client_secret":"x"}`, 422, "unknown_member", "client_secret"},
			{"PATCH", app, `{"secrets":[]}`, 422, "unknown_member", "secrets"},
			{"PATCH", app, `{"approved":true}`, 422, "unknown_member", "approved"},
			{"PATCH", app, `{"client_id_issued_at":1}`, 422, "unknown_member", "client_id_issued_at"},
			{"PATCH", app, `{"federations":[]}`, 422, "unknown_member", "federations"},
			{"PATCH", app, `{"sector":"x"}`, 422, "unknown_member", "sector"},
			{"PUT", "/clients/new", `{"client_name":"x","client_id":"y"}`, 422, "unknown_member", "client_id"},
			{"PATCH", app, `{"contacts":[` + manyTexts(200) + `]}`, 422, "invalid_client", "contacts"},
			{"PATCH", "/clients/nothing", `{"client_name":"x"}`, 404, "not_found", ""},
			{"POST", "/clients/page/secrets", `{}`, 409, "public_client", ""},
			{"POST", app + "/secrets", `{"overlap":"1y"}`, 422, "invalid_value", "overlap"},
			{"POST", app + "/secrets", `{"overlap":"91d"}`, 422, "invalid_value", "overlap"},
			{"POST", "/clients/nothing/secrets", `{}`, 404, "not_found", ""},
			{"GET", "/clients/nothing/secrets", ``, 404, "not_found", ""},
			{"GET", "/clients?type=x", ``, 422, "invalid_value", "type"},
			{"GET", "/clients?after=x", ``, 422, "invalid_cursor", "after"},
		} {
			label := c.method + " " + c.path + " " + c.body[:min(len(c.body), 80)]
			a := o.Call(t, c.method, c.path, c.body)
			a.WantProblem(t, label, c.status, c.code, c.field)
			check(t, a)
		}
		if b.DumpTables(t)["clients"] != before {
			t.Error("a refused call has changed a client")
		}
	})
}

// manyTexts returns n different texts as they stand in a JSON list.
func manyTexts(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"text %d"`, i))
	}
	return strings.Join(list, ",")
}

// fieldValues has two JSON values for each field of a client, the first of which is not the default,
// and the members with which they are valid.
var fieldValues = map[string]struct{ value, with string }{
	"client_name":                           {`"Another"`, ``},
	"type":                                  {`"service"`, `"redirect_uris":null,"response_types":null,"grant_types":["client_credentials"]`},
	"redirect_uris":                         {`["https://app.example.com/other"]`, ``},
	"post_logout_redirect_uris":             {`["https://app.example.com/bye"]`, ``},
	"token_endpoint_auth_method":            {`"client_secret_post"`, ``},
	"token_endpoint_auth_signing_alg":       {`"ES256"`, `"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://app.example.com/keys"`},
	"grant_types":                           {`["authorization_code","client_credentials"]`, ``},
	"response_types":                        {`["code id_token"]`, `"grant_types":["authorization_code","implicit"]`},
	"scope":                                 {`"openid  email"`, ``},
	"client_uri":                            {`"https://app.example.com/home"`, ``},
	"logo_uri":                              {`"https://app.example.com/logo.png"`, ``},
	"policy_uri":                            {`"https://app.example.com/policy"`, ``},
	"tos_uri":                               {`"https://app.example.com/terms"`, ``},
	"contacts":                              {`["ops@example.com"]`, ``},
	"jwks":                                  {`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`, ``},
	"jwks_uri":                              {`"https://app.example.com/keys"`, ``},
	"subject_type":                          {`"pairwise"`, ``},
	"sector_identifier_uri":                 {``, ``}, // a document that is fetched: the tests of package directory set it
	"id_token_signed_response_alg":          {`"ES256"`, ``},
	"userinfo_signed_response_alg":          {`"ES256"`, ``},
	"default_max_age":                       {`600`, ``},
	"require_auth_time":                     {`true`, ``},
	"default_acr_values":                    {`["urn:signet:2fa"]`, ``},
	"initiate_login_uri":                    {`"https://app.example.com/start"`, ``},
	"backchannel_logout_uri":                {`"https://app.example.com/out"`, ``},
	"backchannel_logout_session_required":   {`true`, `"backchannel_logout_uri":"https://app.example.com/out"`},
	"frontchannel_logout_uri":               {`"https://app.example.com/front"`, ``},
	"frontchannel_logout_session_required":  {`true`, `"frontchannel_logout_uri":"https://app.example.com/front"`},
	"require_pushed_authorization_requests": {`true`, ``},
	"request_object_signing_alg":            {`"ES256"`, `"jwks_uri":"https://app.example.com/keys"`},
	"require_signed_request_object":         {`true`, `"jwks_uri":"https://app.example.com/keys"`},
	"software_id":                           {`"shop"`, ``},
	"software_version":                      {`"2"`, ``},
	"first_party":                           {`true`, ``},
	"skip_consent":                          {`true`, ``},
	"introspect":                            {`true`, ``},
	"admin_api":                             {`true`, `"type":"service","redirect_uris":null,"response_types":null,"grant_types":["client_credentials"],"scope":"signet:read"`},
	"pkce_optional":                         {`true`, ``},
	"prompt_login":                          {`"best-effort"`, ``},
	"require_acr":                           {`"urn:signet:2fa"`, ``},
	"unverified_email":                      {`true`, ``},
	"claims_in_id_token":                    {`true`, ``},
	"resources":                             {`["https://api.example.com/"]`, ``},
	"audiences":                             {`["https://api.example.com/"]`, ``},
	"allow_origins":                         {`["https://other.example.com"]`, ``},
	"refresh_grace":                         {`"45s"`, `"grant_types":["authorization_code","refresh_token"]`},
}

// TestClients_EveryFieldIsSetAndTakenAway sets each field of the directory's list, reads it back with
// the same value, and takes it away with null. POST, PATCH and PUT set the same.
func TestClients_EveryFieldIsSetAndTakenAway(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		check := answerCheck(t, b)
		for i, f := range directory.ClientFields() {
			c, known := fieldValues[f.Name]
			if !known {
				t.Errorf("%s has no value in this test", f.Name)
			}
			if c.value == "" {
				continue
			}
			members := `"` + f.Name + `":` + c.value
			if c.with != "" {
				members += "," + c.with
			}
			plain := `"client_name":"App","redirect_uris":["https://app.example.com/cb"]`
			id := fmt.Sprintf("client-%d", i)
			whole := merged(t, "{"+plain+"}", "{"+members+"}")
			set := map[string]string{}
			for _, way := range []struct{ label, method, path, body string }{
				{"POST", "POST", "/clients", merged(t, whole, `{"client_id":"`+id+`-post"}`)},
				{"PUT", "PUT", "/clients/" + id + "-put", whole},
				{"plain", "PUT", "/clients/" + id + "-patch", "{" + plain + "}"},
				{"PATCH", "PATCH", "/clients/" + id + "-patch", "{" + members + "}"},
			} {
				a := o.Call(t, way.method, way.path, way.body)
				check(t, a)
				if a.StatusCode >= 300 {
					t.Errorf("%s by %s: got %d %s", f.Name, way.label, a.StatusCode, a.Body)
					continue
				}
				row, err := b.DB.Client(t.Context(), a.JSON(t)["client_id"].(string))
				if err != nil {
					t.Fatal(err)
				}
				want, _ := json.Marshal(canonical(t, c.value))
				got, _ := json.Marshal(a.JSON(t)[f.Name])
				if way.label != "plain" && string(got) != string(want) {
					t.Errorf("%s by %s: got %s, want %s", f.Name, way.label, got, want)
				}
				row.ID, row.Secrets, row.Sector, row.CreatedAt, row.UpdatedAt = "", [2]storage.ClientSecret{}, "", 0, 0
				text, err := json.Marshal(row)
				if err != nil {
					t.Fatal(err)
				}
				set[way.label] = string(text)
			}
			if set["POST"] != set["PUT"] || set["POST"] != set["PATCH"] {
				t.Errorf("%s: the ways differ:\n%s\n%s\n%s", f.Name, set["POST"], set["PUT"], set["PATCH"])
			}
			if f.Name == "client_name" || f.Name == "type" || f.Name == "redirect_uris" || f.Name == "admin_api" {
				continue
			}
			a := o.Call(t, "PATCH", "/clients/"+id+"-patch", `{"`+f.Name+`":null}`)
			check(t, a)
			if value := a.JSON(t)[f.Name]; a.StatusCode >= 300 && f.Name != "grant_types" && f.Name != "response_types" || value != nil && value != false && value != "strict" {
				t.Errorf("%s taken away: got %d %s", f.Name, a.StatusCode, a.Body)
			}
		}
	}, func(c *provider.Config) { c.FrontchannelLogout = true })
}

// merged returns an object with the members of both.
func merged(t *testing.T, one, two string) string {
	t.Helper()
	all := map[string]any{}
	for _, text := range []string{one, two} {
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
	}
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// canonical returns a value as answers have it.
func canonical(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	if words, is := value.(string); is {
		return strings.Join(strings.Fields(words), " ")
	}
	return value
}

// TestChangeClient_OfTwoWritersOneLoses: two calls with the same ETag at once, on two nodes, on both
// databases. One changes the client, the other gets 412. Two calls with If-None-Match make one client.
//
// AD-14: stale edits.
func TestChangeClient_OfTwoWritersOneLoses(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend)
		one := b.Operator(t, storage.ScopeAdminAll)
		two := providertest.Operator{Testbed: b.Node(t), Token: one.Token}
		race := func(want [2]int, call func(o providertest.Operator, i int) int) {
			t.Helper()
			statuses := make(chan int, 2)
			for i, o := range []providertest.Operator{one, two} {
				go func() { statuses <- call(o, i) }()
			}
			got := [2]int{<-statuses, <-statuses}
			slices.Sort(got[:])
			if got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		for round := range 4 {
			at := fmt.Sprintf("/clients/raced-%d", round)
			race([2]int{201, 412}, func(o providertest.Operator, i int) int {
				return o.Call(t, "PUT", at, fmt.Sprintf(`{"client_name":"Made by %d","redirect_uris":["https://x.example.com/"]}`, i), ifNoneMatch).StatusCode
			})
			for _, method := range []string{"PATCH", "PUT"} {
				tag := one.Call(t, "GET", at, "").Header.Get("ETag")
				race([2]int{200, 412}, func(o providertest.Operator, i int) int {
					return o.Call(t, method, at, fmt.Sprintf(`{"client_name":"%s by %d","redirect_uris":["https://x.example.com/"]}`, method, i), ifMatch(tag)).StatusCode
				})
			}
			race([2]int{200, 200}, func(o providertest.Operator, i int) int {
				return o.Call(t, "PATCH", at, []string{`{"client_uri":"https://x.example.com/"}`, `{"tos_uri":"https://x.example.com/"}`}[i]).StatusCode
			})
			if now := one.Call(t, "GET", at, "").JSON(t); now["client_uri"] == nil || now["tos_uri"] == nil {
				t.Errorf("a change of another field is lost: %v", now)
			}
		}
	})
}

// TestClients_PagesHaveEachClientOnce reads all clients in pages of several sizes and with filters.
func TestClients_PagesHaveEachClientOnce(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminRead)
		want := map[string]bool{b.Client.ID: true, o.Client.ID: true}
		for i := range 9 {
			id := fmt.Sprintf("robot-%d", i)
			b.RegisterWith(t, storage.Service, id, func(*storage.Client) {})
			want[id] = true
		}
		if err := b.DB.SetClientEnabled(t.Context(), "robot-3", false, storage.By{At: b.Now().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		for query, n := range map[string]int{"limit=1": len(want), "limit=4": len(want), "limit=200": len(want), "limit=2&type=service": 10, "disabled=true": 1, "unapproved=true": 0} {
			got := clientIDsOf(t, o, "/clients?"+query)
			if len(got) != n || n == len(want) && !maps.Equal(got, want) {
				t.Errorf("%s: got %v, want %d", query, got, n)
			}
		}
		next := o.Call(t, "GET", "/clients?limit=1", "").JSON(t)["next"].(string)
		o.Call(t, "GET", "/users?limit=1&after="+url.QueryEscape(next), "").WantProblem(t, "the cursor of another list", 422, "invalid_cursor", "after")
	})
}

func clientIDsOf(t *testing.T, o providertest.Operator, path string) map[string]bool {
	t.Helper()
	ids, next := map[string]bool{}, ""
	for {
		p := o.Call(t, "GET", path+next, "").JSON(t)
		for _, item := range p["items"].([]any) {
			id := item.(map[string]any)["client_id"].(string)
			if ids[id] {
				t.Errorf("%s comes twice", id)
			}
			ids[id] = true
		}
		if p["next"] == nil {
			return ids
		}
		next = "&after=" + url.QueryEscape(p["next"].(string))
	}
}
