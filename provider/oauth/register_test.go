package oauth_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/provider/request"
	"signet/storage"
	"signet/storage/storagetest"
)

const webDocument = `{"redirect_uris":["https://rp.example.org:8443/cb"],"client_name":"Photos","client_uri":"https://rp.example.org/",
	"policy_uri":"https://rp.example.org/privacy","tos_uri":"https://lawyers.example.net/terms","contacts":["dev@rp.example.org"],
	"post_logout_redirect_uris":["https://rp.example.org/bye"],"backchannel_logout_uri":"https://rp.example.org/logout",
	"grant_types":["authorization_code","refresh_token"],"software_id":"photos","software_version":"1.2",
	"client_id":"admin","skip_consent":true,"first_party":true,"introspect":true,"resources":["https://api.example.com"],
	"type":"service","allow_origins":["https://evil.example"],"dev_mode":true,"client_name#de":"Fotos"}`

// P-55: a client without scope may use every standard scope.
// P-54: a registration is answered with 201 and the metadata, a secret that does not expire, and
// the registration access token together with its address. P-58: the client reads and deletes
// itself with that token. P-60: the metadata come back unchanged.
// DR-07: privileged members have no effect. DR-12: the secret is shown once, and only the
// owner reads the client.
func TestRegister_ClientOfItsOwnWorksAndIsDeleted(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithRegistration(directory.RegistrationOpen))
		made := b.RegisterItself(t, "", webDocument)
		id, secret, token, address := made["client_id"].(string), made["client_secret"].(string), made["registration_access_token"].(string), made["registration_client_uri"].(string)
		if made["token_endpoint_auth_method"] != "client_secret_basic" || made["client_secret_expires_at"].(interface{ String() string }).String() != "0" || id == "admin" {
			t.Errorf("got %v", made)
		}
		for _, name := range []string{"client_name", "client_uri", "policy_uri", "tos_uri", "backchannel_logout_uri", "software_id", "post_logout_redirect_uris", "contacts"} {
			if made[name] == nil {
				t.Errorf("%s is not in the answer", name)
			}
		}
		stored, err := b.DB.Client(t.Context(), id)
		if err != nil || stored.SkipConsent || stored.FirstParty || stored.Introspects || len(stored.Resources)+len(stored.Origins) > 0 || stored.Type != storage.Web {
			t.Errorf("stored %+v, %v", stored, err)
		}
		b.WantEvent(t, storage.ClientRegistered, id)

		read := b.SendRegistration(t, http.MethodGet, address, token, "")
		if got := read.JSON(t); read.StatusCode != http.StatusOK || got["client_secret"] != nil || got["client_name"] != "Photos" || got["registration_access_token"] != token {
			t.Errorf("read: got %d %s", read.StatusCode, read.Body)
		}
		other := b.RegisterItself(t, "", webDocument)
		for name, wrong := range map[string]string{"none": "", "wrong": "x", "of another client": other["registration_access_token"].(string), "secret": secret} {
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
				a := b.SendRegistration(t, method, address, wrong, webDocument)
				if a.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("%s with token %s: got %d %s", method, name, a.StatusCode, a.Body)
				}
			}
		}

		app := b.AsClient(stored, secret)
		v := app.Visitor(t)
		code := v.SignInForCode(t, "redirect_uri", "https://rp.example.org:8443/cb", "scope", "openid profile email address phone offline_access")
		form := app.CodeForm(code, "redirect_uri", "https://rp.example.org:8443/cb")
		if a := app.TokenRequest(t, form); a.StatusCode != http.StatusOK || !strings.Contains(a.JSON(t)["scope"].(string), "phone") {
			t.Errorf("redeem: got %d %s", a.StatusCode, a.Body)
		}

		if a := b.SendRegistration(t, http.MethodDelete, address, token, ""); a.StatusCode != http.StatusNoContent {
			t.Errorf("delete: got %d %s", a.StatusCode, a.Body)
		}
		if a := b.SendRegistration(t, http.MethodGet, address, token, ""); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("read after deletion: got %d", a.StatusCode)
		}
	})
}

// P-57: the setting decides who may register. DR-01: by default nobody may, and the discovery
// document names no registration endpoint then.
func TestRegister_SettingDecides(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, address := range []string{b.Issuer + "/register", b.Issuer + "/register/app"} {
			a := b.SendRegistration(t, map[bool]string{true: http.MethodPost, false: http.MethodGet}[strings.HasSuffix(address, "/register")], address, "", webDocument)
			providertest.WantOAuthError(t, a, http.StatusForbidden, "access_denied")
		}
		if b.Discovery(t)["registration_endpoint"] != nil {
			t.Error("the discovery document names a registration endpoint although registration is off")
		}
	})
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		if b.Discovery(t)["registration_endpoint"] != b.Issuer+"/register" {
			t.Error("the discovery document has no registration_endpoint")
		}
		limited := b.InitialToken(t, 2, "rp.example.org")
		for _, wrong := range []string{"", "unknown"} {
			if a := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", wrong, webDocument); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("token %q: got %d %s", wrong, a.StatusCode, a.Body)
			}
		}
		elsewhere := strings.ReplaceAll(webDocument, "rp.example.org:8443", "other.example.org")
		providertest.WantOAuthError(t, b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", limited, elsewhere), http.StatusBadRequest, "invalid_redirect_uri")
		for range 2 { // the refused document used nothing up
			made := b.RegisterItself(t, limited, webDocument)
			if c, err := b.DB.Client(t.Context(), made["client_id"].(string)); err != nil || c.IsUnapproved() {
				t.Errorf("%+v, %v: a client with an initial access token is not approved", c, err)
			}
		}
		if a := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", limited, webDocument); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("third use of a token for two: got %d", a.StatusCode)
		}
		old := b.InitialToken(t, 5)
		b.Advance(25 * time.Hour)
		if a := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", old, webDocument); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("expired token: got %d", a.StatusCode)
		}
	}, providertest.WithRegistration(directory.RegistrationToken))
}

// P-59, DR-02, DR-05, DR-06, RU-01 to RU-12: the rules of registered metadata. P-56: what registrations
// often contain beside the necessary is accepted.
func TestRegister_Rules(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		refused := map[string][]string{
			"invalid_redirect_uri": {
				`"redirect_uris":["https://a.example/cb#x"]`, `"redirect_uris":["http://a.example/cb"]`, `"redirect_uris":["https://127.0.0.1/cb"]`,
				`"redirect_uris":["https://10.0.0.1/cb"]`, `"redirect_uris":["https://localhost/cb"]`, `"redirect_uris":["https://x.localhost/cb"]`,
				`"redirect_uris":["http://127.0.0.1/cb"],"application_type":"web"`, `"redirect_uris":["https://a.example/cb?code=1"]`,
				`"redirect_uris":["https://a.example@evil.example/cb"]`, `"redirect_uris":["https://a.example/x/../cb"]`, `"redirect_uris":["https://A.example/cb"]`,
				`"redirect_uris":["javascript:alert(1)"],"application_type":"native"`, `"redirect_uris":["myapp:/cb"],"application_type":"native"`,
				`"redirect_uris":["http://127.9.9.9/cb"],"application_type":"native"`, `"redirect_uris":["http://192.168.1.5/cb"],"application_type":"native"`,
				`"redirect_uris":[]`, `"redirect_uris":"https://a.example/cb"`, `"redirect_uris":[1]`, `"redirect_uris":["https://[::ffff:127.0.0.1]/cb"]`,
				`"redirect_uris":["https://2130706433/cb"]`, `"redirect_uris":["https://0177.0.0.1/cb"]`, `"redirect_uris":null`,
			},
			"invalid_client_metadata": {
				`"initiate_login_uri":"http://a.example/login"`, `"policy_uri":"javascript:alert(1)"`, `"tos_uri":"http://a.example/"`, `"client_uri":"https://localhost/"`,
				`"backchannel_logout_uri":"https://169.254.169.254/x"`, `"backchannel_logout_uri":"https://db.internal/x"`, `"backchannel_logout_uri":"https://[::1]/x"`,
				`"post_logout_redirect_uris":["https://192.168.0.1/"]`, `"token_endpoint_auth_method":"client_secret_jwt"`, `"grant_types":["client_credentials"]`,
				`"grant_types":["authorization_code","urn:ietf:params:oauth:grant-type:device_code"]`,
				`"grant_types":["password"]`, `"response_types":["token"]`, `"application_type":"tablet"`, `"client_name":7`, `"scope":"openid admin"`,
				`"default_max_age":"1"`, `"default_max_age":-1`, `"require_auth_time":"yes"`, `"id_token_signed_response_alg":"none"`,
				`"id_token_signed_response_alg":"EdDSA"`, `"userinfo_signed_response_alg":"EdDSA"`, // there is no key
				`"application_type":"native","token_endpoint_auth_method":"client_secret_basic"`, `"client_name":"a","client_name":"b"`, `"CLIENT_NAME":"a","client_name":"b"`,
				`"subject_type":"secret"`,
			},
		}
		for code, rows := range refused {
			for _, row := range rows {
				document := "{" + row + "}"
				if !strings.Contains(row, "redirect_uris\":") || strings.HasPrefix(row, `"post`) {
					document = `{"redirect_uris":["https://a.example/cb"],` + row + "}"
				}
				a := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", "", document)
				if got, _ := a.JSON(t)["error"].(string); a.StatusCode != http.StatusBadRequest || got != code && !(strings.Contains(row, "application_type") && got == "invalid_redirect_uri") {
					t.Errorf("%s: got %d %s, want %s", row, a.StatusCode, a.Body, code)
				}
			}
		}
		for _, body := range []string{"", "[]", "{", `{"redirect_uris":["https://a.example/cb"]}x`, strings.Repeat("[", 100000)} {
			a := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", "", body)
			if a.StatusCode/100 != 4 || a.JSON(t)["error"] == nil {
				t.Errorf("body %.20q: got %d %s", body, a.StatusCode, a.Body)
			}
		}
		accepted := map[string]storage.ClientType{
			`{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"}`:                          storage.Native,
			`{"redirect_uris":["com.example.app:/cb","http://localhost:7/cb"],"application_type":"native"}`:          storage.Native,
			`{"redirect_uris":["https://spa.example/cb"],"token_endpoint_auth_method":"none"}`:                       storage.SPA,
			`{"redirect_uris":["https://suite.internal:8443/cb"],"grant_types":null,"jwks":{"keys":[]},"unknown":1}`: storage.Web,
			`{"redirect_uris":["https://suite.test:8443/cb"],"grant_types":["authorization_code","implicit","refresh_token"],"response_types":["token id_token code"],
				"client_name":"suite","contacts":["certification@example.org"],"token_endpoint_auth_method":"client_secret_post","jwks":` + providertest.JWKS(providertest.NewClientKey("RS256", "")) + `}`: storage.Web,
		}
		for document, want := range accepted {
			made := b.RegisterItself(t, "", document)
			c, err := b.DB.Client(t.Context(), made["client_id"].(string))
			if err != nil || c.Type != want || c.Name == "" {
				t.Errorf("%s: got %+v, %v", document, c, err)
			}
		}
		long := b.RegisterItself(t, "", `{"redirect_uris":["https://a.example/cb"],"client_name":"Goo\u202egle\u200b `+strings.Repeat("x", 10000)+`"}`)
		if name := []rune(long["client_name"].(string)); len(name) > 200 || !strings.HasPrefix(string(name), "Google x") {
			t.Errorf("client_name is %q", string(name))
		}
	}, providertest.WithRegistration(directory.RegistrationOpen), func(c *provider.Config) { c.ResponseTypes = []string{"code", "code id_token token"} })
}

// RFC 7592, section 2.2: a PUT replaces the whole metadata. Fields that an administrator set
// stay, and the approval of an administrator ends.
func TestRegister_ReplacesMetadata(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithRegistration(directory.RegistrationOpen))
		made := b.RegisterItself(t, "", webDocument)
		id, token, address := made["client_id"].(string), made["registration_access_token"].(string), made["registration_client_uri"].(string)
		by := storage.By{At: b.Now()}
		if err := b.DB.ApproveClient(t.Context(), id, by); err != nil {
			t.Fatal(err)
		}
		_, err := b.DB.ReviseClient(t.Context(), id, func(c *storage.Client) error { c.SkipConsent = true; return nil }, by)
		if err != nil {
			t.Fatal(err)
		}
		for name, document := range map[string]string{
			"no client_id": `{"redirect_uris":["https://b.example/cb"]}`, "foreign client_id": `{"client_id":"app","redirect_uris":["https://b.example/cb"]}`,
			"wrong secret": `{"client_id":"` + id + `","client_secret":"x","redirect_uris":["https://b.example/cb"]}`,
			"public now":   `{"client_id":"` + id + `","redirect_uris":["https://b.example/cb"],"token_endpoint_auth_method":"none"}`,
		} {
			a := b.SendRegistration(t, http.MethodPut, address, token, document)
			if a.StatusCode != http.StatusBadRequest || a.JSON(t)["error"] != "invalid_client_metadata" {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		a := b.SendRegistration(t, http.MethodPut, address, token, `{"client_id":"`+id+`","client_secret":"`+made["client_secret"].(string)+`","redirect_uris":["https://b.example/cb"]}`)
		got := a.JSON(t)
		if a.StatusCode != http.StatusOK || got["client_uri"] != nil || got["client_name"] != "b.example" || got["registration_access_token"] != token {
			t.Errorf("got %d %s", a.StatusCode, a.Body)
		}
		c, err := b.DB.Client(t.Context(), id)
		if err != nil || !c.SkipConsent || !c.IsUnapproved() || len(c.Metadata.GrantTypes) != 1 || c.Secrets[0].Hash == "" {
			t.Errorf("stored %+v, %v", c, err)
		}
	})
}

// Programs that register the same metadata again share one public client. None of them gets a
// token to change it, and nobody else's secret is given away.
func TestRegister_EqualPublicClientsShareOne(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		document := `{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none","client_name":"CLI","software_id":"cli"}`
		first := b.RegisterItself(t, "", document)
		second := b.RegisterItself(t, "", document)
		if second["client_id"] != first["client_id"] || second["registration_access_token"] != nil || second["registration_client_uri"] != nil {
			t.Errorf("first %v\nsecond %v", first, second)
		}
		address, token := first["registration_client_uri"].(string), first["registration_access_token"].(string)
		for method, body := range map[string]string{http.MethodPut: `{"client_id":"` + first["client_id"].(string) + `","redirect_uris":["http://127.0.0.1/evil"],"token_endpoint_auth_method":"none"}`, http.MethodDelete: ""} {
			providertest.WantOAuthError(t, b.SendRegistration(t, method, address, token, body), http.StatusForbidden, "access_denied")
		}
		if a := b.SendRegistration(t, http.MethodGet, address, token, ""); a.StatusCode != http.StatusOK {
			t.Errorf("read: got %d %s", a.StatusCode, a.Body)
		}
		for name, other := range map[string]string{
			"other version": strings.Replace(document, `"software_id":"cli"`, `"software_id":"cli","software_version":"2"`, 1),
			"other name":    strings.Replace(document, "CLI", "Cli", 1),
		} {
			if b.RegisterItself(t, "", other)["client_id"] == first["client_id"] {
				t.Errorf("%s: got the same client", name)
			}
		}
		if b.RegisterItself(t, b.InitialToken(t, 1), document)["client_id"] == first["client_id"] {
			t.Error("with an initial access token: got the client of open registration")
		}
		if b.RegisterItself(t, "", webDocument)["client_id"] == b.RegisterItself(t, "", webDocument)["client_id"] {
			t.Error("two web clients got one client")
		}
		_, err := b.DB.ReviseClient(t.Context(), first["client_id"].(string), func(c *storage.Client) error { c.Name, c.MetadataDigest = "other", ""; return nil }, storage.By{At: b.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if b.RegisterItself(t, "", document)["client_id"] == first["client_id"] {
			t.Error("got a client that an administrator has changed")
		}
	}, providertest.WithRegistration(directory.RegistrationOpen))
}

// DR-11: one network can register only so many clients, and unused clients are deleted. Approved
// clients and those with a grant stay.
func TestRegister_LimitsAndExpiry(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, func(c *provider.Config) {
			c.Registration = directory.RegistrationPolicy{Mode: directory.RegistrationOpen, PerNetwork: 3}
		})
		var ids []string
		var secrets []string
		for range 3 {
			made := b.RegisterItself(t, "", webDocument)
			ids, secrets = append(ids, made["client_id"].(string)), append(secrets, made["client_secret"].(string))
		}
		a := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", "", webDocument)
		if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
			t.Errorf("fourth: got %d %s", a.StatusCode, a.Body)
		}
		b.RegisterItself(t, b.InitialToken(t, 1), webDocument) // not limited

		used, err := b.DB.Client(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		app := b.AsClient(used, secrets[0])
		code := app.Visitor(t).SignInForCode(t, "redirect_uri", "https://rp.example.org:8443/cb")
		if a := app.TokenRequest(t, app.CodeForm(code, "redirect_uri", "https://rp.example.org:8443/cb")); a.StatusCode != http.StatusOK {
			t.Fatalf("redeem: got %d %s", a.StatusCode, a.Body)
		}
		if err := b.DB.ApproveClient(t.Context(), ids[1], storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		sweep := func(until time.Time, want ...bool) {
			t.Helper()
			if _, err := b.DB.SweepUnusedClients(t.Context(), storage.MaxUnapprovedClients, until, storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
			for i, id := range ids {
				if _, err := b.DB.Client(t.Context(), id); (err == nil) != want[i] {
					t.Errorf("until %s, client %d: %v", until, i, err)
				}
			}
		}
		sweep(b.Now().Add(storage.UnusedClientLife-time.Minute), true, true, true)
		sweep(b.Now().Add(storage.UnusedClientLife+time.Minute), true, true, false)
		if e := b.WantEvent(t, storage.ClientDeleted, ids[2]); e.Reason != "unused" {
			t.Errorf("event %+v", e)
		}
	})
}

// P-63: many clients can register at once, at several nodes, if rate_limits.registrations allows it.
func TestRegister_ManyInParallel(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithRegistration(directory.RegistrationOpen))
		nodes := []*providertest.Testbed{b, b.Node(t, providertest.WithRegistration(directory.RegistrationOpen))}
		made := make([]providertest.Answer, 100)
		providertest.Race(len(made), func(i int) {
			on := nodes[i%2]
			made[i] = on.SendRegistration(t, http.MethodPost, on.Issuer+"/register", "", fmt.Sprintf(`{"redirect_uris":["https://rp%d.example.org/cb"]}`, i))
		})
		ids := map[any]bool{}
		for _, a := range made {
			if a.StatusCode != http.StatusCreated {
				t.Errorf("got %d %s", a.StatusCode, a.Body)
				continue
			}
			ids[a.JSON(t)["client_id"]] = true
		}
		if len(ids) != len(made) {
			t.Errorf("%d clients, want %d", len(ids), len(made))
		}
	})
}

// Fifty registrations with a token for one, at two nodes: one client.
func TestRegister_RaceForOneUse(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithRegistration(directory.RegistrationToken))
		nodes := []*providertest.Testbed{b, b.Node(t, providertest.WithRegistration(directory.RegistrationToken))}
		const n = 50
		race := func(document string) (ids map[any]int, refused int) {
			token := b.InitialToken(t, 1)
			answers := make([]providertest.Answer, n)
			providertest.Race(n, func(i int) {
				node := nodes[i%2]
				answers[i] = node.SendRegistration(t, http.MethodPost, node.Issuer+"/register", token, document)
			})
			ids = map[any]int{}
			for _, a := range answers {
				switch a.StatusCode {
				case http.StatusCreated:
					ids[a.JSON(t)["client_id"]]++
				case http.StatusUnauthorized:
					refused++
				default:
					t.Errorf("got %d %s", a.StatusCode, a.Body)
				}
			}
			return ids, refused
		}
		if ids, refused := race(webDocument); len(ids) != 1 || refused != n-1 {
			t.Errorf("web: clients %v, %d refused", ids, refused)
		}
		// Equal public clients share the one that the token made.
		ids, refused := race(`{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"}`)
		if counts := slicesOf(ids); len(ids) != 1 || counts[0] != n || refused != 0 {
			t.Errorf("native: clients %v, %d refused", ids, refused)
		}
	})
}

func slicesOf(counts map[any]int) (list []int) {
	for _, n := range maps.All(counts) {
		list = append(list, n)
	}
	return list
}

// AZ-33: an error of an unapproved client is a page with a link, not a redirect. DR-06: the pages
// of such a client warn once and show its host. An administrator's approval ends both. P-62: the
// links of the client are on the sign-in page.
func TestRegister_UnapprovedClientIsNoRedirector(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		made := b.RegisterItself(t, "", strings.Replace(webDocument, "{", `{"initiate_login_uri":"https://rp.example.org/begin",`, 1))
		client, err := b.DB.Client(t.Context(), made["client_id"].(string))
		if err != nil {
			t.Fatal(err)
		}
		app := b.AsClient(client, made["client_secret"].(string))
		// No page without the warning leads to an address of the client.
		leads := map[string]string{
			"wrong redirect URI": app.AuthorizeURL("redirect_uri", providertest.EvilRedirectURI), "signed out": app.EndSessionURL("client_id", client.ID),
			"unknown request_uri": app.PushedURL(request.PushedPrefix + "x"),
		}
		for name, address := range leads {
			if page := b.Visitor(t).Get(t, address); strings.Contains(page.Body, "https://rp.example.org") || strings.Contains(page.Body, "dev@rp.example.org") {
				t.Errorf("%s: the page leads to the client:\n%s", name, page.Body)
			}
		}
		redirect := []string{"redirect_uri", "https://rp.example.org:8443/cb"}
		params := func(pairs ...string) []string { return append(append([]string{}, redirect...), pairs...) }
		v := app.Visitor(t)
		for code, pairs := range map[string][]string{
			"login_required": {"prompt", "none"}, "invalid_scope": {"scope", "unknown"}, "unsupported_response_type": {"response_type", "x"}, "request_not_supported": {"request", "x"},
		} {
			v.ByBoth(t, app.Params(params(pairs...)...), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				s.WantPage(t, http.StatusBadRequest, code)
				if link := s.Link(t, "start"); !strings.HasPrefix(link, "https://rp.example.org:8443/cb?") || !strings.Contains(link, "error="+code) {
					t.Errorf("%s: the link leads to %q", code, link)
				}
			})
		}
		// A nonce does not replace PKCE for a client that nobody has checked.
		v.Get(t, app.AuthorizeURL(params("code_challenge", "", "code_challenge_method", "", "nonce", "n")...)).WantPage(t, http.StatusBadRequest, "invalid_request")

		signIn := v.Get(t, app.AuthorizeURL(redirect...))
		consent := v.SignIn(t, signIn, providertest.Alice, providertest.Password)
		for name, page := range map[string]providertest.Stop{"sign-in": signIn, "consent": consent} {
			for _, part := range []string{`id="unverified"`, "rp.example.org:8443", "https://rp.example.org/privacy", "https://lawyers.example.net/terms"} {
				if strings.Count(page.Body, part) == 0 {
					t.Errorf("%s page has no %q", name, part)
				}
			}
			if strings.Count(page.Body, `id="unverified"`) != 1 {
				t.Errorf("%s page has %d warnings", name, strings.Count(page.Body, `id="unverified"`))
			}
		}
		denied := v.Submit(t, consent.Form(t), "decision", "deny")
		denied.WantError(t, "access_denied") // the person's own act

		if err := b.DB.ApproveClient(t.Context(), client.ID, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		fresh := app.Visitor(t)
		fresh.Get(t, app.AuthorizeURL(params("prompt", "none")...)).WantError(t, "login_required")
		if page := fresh.Get(t, app.AuthorizeURL(redirect...)); strings.Contains(page.Body, `id="unverified"`) {
			t.Error("the page of an approved client warns")
		}
		for name, address := range leads {
			if page := fresh.Get(t, address); !strings.Contains(page.Body, "https://rp.example.org/begin?iss=") {
				t.Errorf("%s: the page does not lead to the approved client:\n%s", name, page.Body)
			}
		}
	}, providertest.WithRegistration(directory.RegistrationOpen))
}
