package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// adminRoutes returns the paths for operators, from the list of routes.
func adminRoutes(t *testing.T) []string {
	t.Helper()
	list := slices.DeleteFunc(providertest.Routes(t), func(path string) bool {
		return !strings.HasPrefix(path, "/admin") || strings.HasPrefix(path, "/admin/api") // the API has its own tests
	})
	if len(list) < 6 {
		t.Fatalf("too few admin routes were found: %v", list)
	}
	return list
}

// The pages accept only sessions. No token of an application opens them, not even a token
// of an administrator.
// AD-02: Tokens do not open pages for administrators.
func TestAdmin_TokensAreNotAccepted(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Administrator(t, "/admin")
		tokens := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL("scope", "openid offline_access"))).Code(t))
		claims := providertest.ClaimsOf(t, tokens["access_token"])
		for name, token := range map[string]string{
			"access token": tokens["access_token"].(string), "ID token": tokens["id_token"].(string), "refresh token": tokens["refresh_token"].(string),
			"sid": claims["sid"].(string), "gid": claims["gid"].(string), "client secret": b.Secret,
		} {
			for _, path := range adminRoutes(t) {
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					r, err := http.NewRequest(method, b.Issuer+path+"?access_token="+token, strings.NewReader(""))
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Authorization", "Bearer "+token)
					r.Header.Set("Content-Type", providertest.FormType)
					r.Header.Set("Sec-Fetch-Site", "same-origin")
					for _, cookie := range []string{"signet", "access_token", "refresh_token"} {
						r.AddCookie(&http.Cookie{Name: cookie, Value: token})
					}
					if a := b.Visitor(t).Walk(t, r); a.At.Path != "/login" && a.StatusCode != http.StatusMethodNotAllowed {
						t.Errorf("%s %s by %s: status %d at %s", method, path, name, a.StatusCode, a.At.Path)
					}
				}
			}
		}
		v.Get(t, b.Issuer+"/admin").WantAt(t, "/admin") // the session does open it
	})
}

// The test of a connector calls only the hosts in the settings, even if the form contains
// others. It sends the client secret only to the endpoint that gets it at a sign-in.
// AD-08: A connection test never sends a stored secret to a new host.
// AD-09: A connection test cannot reach private networks on behalf of a stranger.
func TestAdmin_ConnectorTestUsesOnlyConfiguredHosts(t *testing.T) {
	up, connectors := providertest.WithUpstreams(t)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		called := 0
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
		defer elsewhere.Close()
		v, page := b.Administrator(t, "/admin/connectors")
		f := page.FormTo(t, "/admin/connectors/test#test-result", "connector", "google")
		for _, name := range []string{"issuer", "base_url", "url", "host", "redirect_uri", "client_id", "type"} {
			f.Values.Set(name, elsewhere.URL)
		}
		v.Submit(t, f).WantText(t, "The upstream responds", "<dd>"+up.Google.URL+"</dd>")
		for _, path := range up.Google.Requests() {
			if !strings.HasPrefix(path, "GET ") && path != "POST /token" {
				t.Errorf("the test sent %s", path)
			}
		}
		if called != 0 {
			t.Errorf("the form made the test call another host %d times", called)
		}
		for _, id := range []string{"", elsewhere.URL, "GOOGLE", "google ", "../google"} {
			v.Submit(t, f, "connector", id).WantPage(t, http.StatusConflict, "stale_form")
		}
	}, connectors)
}

// Every form for operators is posted as from another site, with the right ticket.
// AD-10: Forms from another site are refused.
func TestAdmin_FormsRefuseOtherSites(t *testing.T) {
	_, connectors := providertest.WithUpstreams(t)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Administrator(t, "/admin")
		active, next := b.Kid(t, "ES256", storage.KeyActive), b.Kid(t, "ES256", storage.KeyNext)
		forms := map[string]providertest.Form{
			"/admin/connectors/test": v.Get(t, b.Issuer+"/admin/connectors").FormTo(t, "/admin/connectors/test#test-result", "connector", "google"),
			"/admin/keys/revoke":     v.Get(t, b.Issuer+providertest.RevokePathOf(active)).FormTo(t, "/admin/keys/revoke", "", ""),
			"/admin/keys/rotate":     published(t, v, "/admin/keys/rotate").FormTo(t, "/admin/keys/rotate", "", ""),
			"/admin/token":           v.TokenForm(t, storage.ScopeAdminAll),
		}
		forms["/admin/keys/revoke"].Values.Set("confirm", active)
		for _, path := range adminRoutes(t) {
			f, known := forms[path]
			if !known {
				r := v.FormRequest(t, providertest.Form{Action: b.Issuer + path, Values: url.Values{}})
				if a := providertest.Do(t, v.Client, r); a.StatusCode != http.StatusMethodNotAllowed {
					t.Errorf("POST %s: status %d; add its form to this test", path, a.StatusCode)
				}
				continue
			}
			for name, headers := range map[string][2]string{
				"cross-site": {"cross-site", "https://evil.example"}, "same-site": {"same-site", "https://evil.example.com"},
				"old engine": {"", "https://evil.example"}, "null": {"", "null"},
			} {
				r := v.FormRequest(t, f)
				r.Header.Del("Sec-Fetch-Site")
				if headers[0] != "" {
					r.Header.Set("Sec-Fetch-Site", headers[0])
				}
				r.Header.Set("Origin", headers[1])
				if a := providertest.Do(t, v.Client, r); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s from %s: status %d, want 403", path, name, a.StatusCode)
				}
			}
		}
		if b.Kid(t, "ES256", storage.KeyActive) != active || b.Kid(t, "ES256", storage.KeyNext) != next {
			t.Error("another site has changed the keys")
		}
		v.Submit(t, forms["/admin/keys/rotate"]).WantText(t, "The keys were rotated.") // the ticket is valid
	}, connectors)
}

const hostile = `"'><img src=x onerror=alert(1)><script>alert(1)</script>`

// Texts of strangers, users, applications, upstreams and other administrators are escaped on
// every page.
// AD-11: Names, addresses and user agents are escaped wherever they are shown.
func TestAdmin_HostileTextIsEscapedOnEveryPage(t *testing.T) {
	up, connectors := providertest.WithUpstreams(t, providertest.ChangeConnector("liar", func(c *provider.Connector) { c.Name = hostile }))
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Client.Name = hostile
		b.Client.Metadata.ClientURI, b.Client.Metadata.LogoURI = "javascript:alert(1)//", "data:image/svg+xml,<svg onload=alert(1)>"
		b.Client.Metadata.PolicyURI, b.Client.Metadata.TosURI = "javascript:alert(1)", "https://evil.example/"+hostile
		if err := storagetest.ReplaceClient(t.Context(), b.DB, b.Client, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		b.CreateUser(t, storage.User{
			Email: providertest.AdminEmail, EmailVerified: true, Admin: true, Name: hostile, Nickname: hostile, PreferredUsername: hostile, Picture: "javascript:alert(1)", Website: hostile,
		}, providertest.Password)
		up.Liar.SetFaults(providertest.ChangeClaims("name", hostile, "email", `"<b>alert(1)"@evil.example`, "preferred_username", hostile))
		v := b.Visitor(t).SetUserAgent(`Mozilla/5.0 ` + hostile)
		read := providertest.NewGetRequest(t, b.Issuer+"/jwks")
		read.Header.Set("User-Agent", hostile)
		providertest.Do(t, providertest.Direct, read)
		if err := b.NoteReadersOnce(t.Context(), b.Now()); err != nil {
			t.Fatal(err)
		}

		request := []string{"scope", "openid offline_access <script>alert(1)</script>", "state", hostile, "login_hint", hostile}
		pages := map[string]providertest.Stop{"sign in": v.Get(t, b.AuthorizeURL(request...))}
		pages["consent"] = v.SignIn(t, pages["sign in"], providertest.AdminEmail, providertest.Password)
		b.Redeem(t, v.Allow(t, pages["consent"]).Code(t))
		w := b.Visitor(t)
		pages["refused"] = w.SignIn(t, w.Get(t, b.AuthorizeURL("prompt", "login")), hostile, "wrong")
		pages["choose"] = v.Get(t, b.AuthorizeURL("prompt", "select_account"))
		link := v.Get(t, b.Issuer+"/account/identities").FormTo(t, "/account/identities/link", "connector", "liar")
		pages["connected"] = v.Get(t, v.ChooseAccount(t, v.Submit(t, link).LeftTo, "victim"))
		kid := b.Kid(t, "RS256", storage.KeyNext)
		pages["revoke"] = v.Get(t, b.Issuer+providertest.RevokePathOf(kid))
		pages["mistyped"] = v.Submit(t, pages["revoke"].FormTo(t, "/admin/keys/revoke", "", ""), "confirm", hostile, "reason", hostile)
		pages["revoked"] = v.Submit(t, pages["revoke"].FormTo(t, "/admin/keys/revoke", "", ""), "confirm", kid, "reason", hostile)
		tested := v.Get(t, b.Issuer+"/admin/connectors").FormTo(t, "/admin/connectors/test#test-result", "connector", "liar")
		pages["tested"] = v.Submit(t, tested)
		query := url.Values{"client_id": {"app"}, "kid": {hostile}, "done": {hostile}, "request": {hostile}, "error": {hostile}, "return_to": {hostile}}.Encode()
		for _, path := range append(providertest.Routes(t), "/nowhere/"+url.PathEscape(hostile), "/login/"+url.PathEscape(hostile)+"/callback") {
			pages[path] = v.Get(t, b.Issuer+path)
			pages[path+"?"] = v.Get(t, b.Issuer+path+"?"+query)
		}
		pages["unknown client"] = v.Get(t, b.AuthorizeURL("client_id", hostile))
		pages["unknown redirect"] = v.Get(t, b.AuthorizeURL("redirect_uri", "https://app.example.com/"+hostile))

		shown := 0
		for name, page := range pages {
			if page.Header.Get("Content-Type") == "text/html; charset=utf-8" {
				shown++
				refuseMarkup(t, name, page.Body)
			}
		}
		if shown < 40 {
			t.Errorf("only %d pages were checked, want all", shown)
		}
		want := []string{"sign in", "consent", "refused", "choose", "connected", "mistyped", "revoked", "tested", "/", "/account/apps/withdraw?", "/end_session"}
		want = slices.Concat(want, providertest.Pages(t, "/account"), providertest.Pages(t, "/admin"))
		for _, name := range want {
			if shows := strings.Contains(pages[name].Body, "alert(1)"); shows == slices.Contains(ofOursAlone, name) {
				t.Errorf("%s shows hostile text: %v, status %d\n%s", name, shows, pages[name].StatusCode, pages[name].Body)
			}
		}
	}, connectors)
}

// ofOursAlone are the pages that show no text of others.
var ofOursAlone = []string{"/account/email/change", "/account/passkeys", "/account/passkeys/add", "/account/security", "/account/security/proof", "/account/security/keys/add", "/account/security/always-ask", "/account/security/totp", "/account/security/totp/remove", "/account/security/codes", "/account/password", "/account/sessions/end-all", "/admin", "/admin/token", "/admin/keys/rotate"}

// refuseMarkup fails if a page contains a script, a resource or a link that is not ours.
func refuseMarkup(t *testing.T, name, page string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" && (n.FirstChild != nil || !strings.HasPrefix(providertest.Attr(n, "src"), "/static/")) || slices.Contains([]string{"iframe", "object", "embed", "base", "style", "b"}, n.Data) {
			t.Errorf("%s has a foreign <%s>", name, n.Data)
		}
		for _, a := range n.Attr {
			address := slices.Contains([]string{"href", "src", "action", "formaction"}, a.Key)
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || address && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "http") && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "otpauth://totp/127.0.0.1:") {
				t.Errorf("%s has <%s %s=%q>", name, n.Data, a.Key, a.Val)
			}
		}
	}
}

// Crafted query parameters change neither the text nor the content of a page.
// AD-12: Filters and pages of lists are checked and limited.
func TestAdmin_CraftedQueriesChangeNothing(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Administrator(t, "/admin")
		for _, kid := range []string{
			"", "%", "_", "' OR 1=1 --", "active", "../" + b.Kid(t, "ES256", storage.KeyActive), "\x00", "\xff\xfe", strings.Repeat("k", 5000),
			b.Kid(t, "ES256", storage.KeyActive)[:8], "-1", "0",
		} {
			v.Get(t, b.Issuer+providertest.RevokePathOf(kid)).WantPage(t, http.StatusNotFound, "not_found")
		}
		plain := v.Get(t, b.Issuer+"/admin/keys").Body
		for _, query := range []string{
			"done=Call+555+0100", "done=rotated%00", "sort=secret&order=desc", "page=-1&page_size=1000000000", "filter[kid]=x", "limit=0&offset=-1", "kid=x&kid=y", ";", "%",
		} {
			if page := v.Get(t, b.Issuer+"/admin/keys?"+query); page.StatusCode != http.StatusOK || page.Body != plain {
				t.Errorf("?%s: status %d, and the page differs", query, page.StatusCode)
			}
		}
	})
}

// Profiles, variables and metrics of the process are not served.
// AD-19: Debugging endpoints do not exist; health shows no details.
func TestAdmin_NoDebugEndpoints(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Administrator(t, "/admin")
		for _, path := range []string{
			"/metrics", "/debug", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/vars", "/debug/requests", "/-/metrics", "/status", "/info",
			"/health", "/healthz/live", "/readyz/db", "/livez", "/version", "/env", "/actuator", "/server-status", "/config", "/admin/api/v1", "/dev/mail", "/demo",
		} {
			if a := v.Get(t, b.Issuer+path); a.StatusCode != http.StatusNotFound {
				t.Errorf("%s: status %d, want 404", path, a.StatusCode)
			}
		}
	})
}

// Text from form fields cannot begin a new line: each line of the log is one record, and an
// event has the text as a value.
// AD-21: Audit lines cannot be forged or deleted.
func TestAdmin_UserTextCannotForgeLogLines(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		forged := "lost\r\n{\"level\":\"INFO\",\"msg\":\"forged\"}\n\x1b[2J\u2028"
		v, _ := b.Administrator(t, "/admin")
		kid := b.Kid(t, "RS256", storage.KeyNext)
		revoke := v.Get(t, b.Issuer+providertest.RevokePathOf(kid)).FormTo(t, "/admin/keys/revoke", "", "")
		v.Submit(t, revoke, "confirm", kid, "reason", forged).WantText(t, "lost")
		other := b.Visitor(t)
		other.SignIn(t, other.Get(t, b.AuthorizeURL("login_hint", forged, "state", forged)), forged, forged)
		other.SignIn(t, other.Get(t, b.AuthorizeURL()), providertest.Alice, forged)
		for _, path := range []string{"/authorize?client_id=", "/login/", "/nowhere/", "/admin/keys/revoke?kid=", "/account/apps/withdraw?client_id="} {
			v.Get(t, b.Issuer+path+url.QueryEscape(forged))
		}
		lines := strings.Split(strings.TrimSpace(b.Log.String()), "\n")
		for _, line := range lines {
			var record struct{ Msg string }
			if err := json.Unmarshal([]byte(line), &record); err != nil || record.Msg == "forged" || strings.ContainsAny(line, "\r\x1b\u2028") {
				t.Errorf("a line of the log: %q, %v", line, err)
			}
		}
		if len(lines) < 10 {
			t.Errorf("the log has only %d lines", len(lines))
		}
		if got := keyEvent(t, b, storage.KeyRevokedEvent).Detail["reason"]; got != forged {
			t.Errorf("text in the event: got %q, want the typed text", got)
		}
	})
}
