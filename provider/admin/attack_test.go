package provider_test

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
	"signet/storage"
)

// adminRoutes are the operators' paths, as they stand in the source.
func adminRoutes(t *testing.T) []string {
	t.Helper()
	list := slices.DeleteFunc(routes(t), func(path string) bool { return !strings.HasPrefix(path, "/admin") })
	if len(list) < 6 {
		t.Fatalf("only these admin routes were found: %v", list)
	}
	return list
}

// The pages know sessions alone: no token that an application may hold opens one,
// be it an administrator's own.
func TestAD02_TokensOpenNoAdminPage(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v, _ := b.administrator(t, "/admin")
		tokens := b.redeem(t, v.allow(t, v.get(t, b.authorizeURL("scope", "openid offline_access"))).code(t))
		claims := claimsOf(t, tokens["access_token"])
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
					r.Header.Set("Content-Type", formType)
					r.Header.Set("Sec-Fetch-Site", "same-origin")
					for _, cookie := range []string{"signet", "access_token", "refresh_token"} {
						r.AddCookie(&http.Cookie{Name: cookie, Value: token})
					}
					if a := b.visitor(t).walk(t, r); a.At.Path != "/login" && a.StatusCode != http.StatusMethodNotAllowed {
						t.Errorf("%s %s by %s: status %d at %s", method, path, name, a.StatusCode, a.At.Path)
					}
				}
			}
		}
		v.get(t, b.Issuer+"/admin").wantAt(t, "/admin") // and the session itself does
	})
}

// The test of a connector goes where the settings say, whatever the form adds, and
// takes no secret along.
func TestAD08_TestAD09_ConnectorTestGoesWhereTheSettingsSay(t *testing.T) {
	up, connectors := withUpstreams(t)
	onSQLite(t, func(t *testing.T, b *testbed) {
		called := 0
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
		defer elsewhere.Close()
		v, page := b.administrator(t, "/admin/connectors")
		f := page.formTo(t, "/admin/connectors/test#test-result", "connector", "google")
		for _, name := range []string{"issuer", "base_url", "url", "host", "redirect_uri", "client_id", "type"} {
			f.values.Set(name, elsewhere.URL)
		}
		v.submit(t, f).wantText(t, "It answers", "<dd>"+up.google.URL+"</dd>")
		for _, path := range up.google.Requests() {
			if !strings.HasPrefix(path, "GET ") {
				t.Errorf("the test sent %s", path)
			}
		}
		if called != 0 {
			t.Errorf("the form led the test to another host %d times", called)
		}
		for _, id := range []string{"", elsewhere.URL, "GOOGLE", "google ", "../google"} {
			v.submit(t, f, "connector", id).wantPage(t, http.StatusConflict, "stale_form")
		}
	}, connectors)
}

// Every form of the operators, as another site would make the administrator's
// browser send it, with the right ticket.
func TestAD10_AdminFormsRefuseOtherSites(t *testing.T) {
	_, connectors := withUpstreams(t)
	onSQLite(t, func(t *testing.T, b *testbed) {
		v, _ := b.administrator(t, "/admin")
		active, next := b.kid(t, "ES256", storage.KeyActive), b.kid(t, "ES256", storage.KeyNext)
		forms := map[string]form{
			"/admin/connectors/test": v.get(t, b.Issuer+"/admin/connectors").formTo(t, "/admin/connectors/test#test-result", "connector", "google"),
			"/admin/keys/revoke":     v.get(t, b.Issuer+revokePathOf(active)).formTo(t, "/admin/keys/revoke", "", ""),
			"/admin/keys/rotate":     v.published(t, "/admin/keys/rotate").formTo(t, "/admin/keys/rotate", "", ""),
		}
		forms["/admin/keys/revoke"].values.Set("confirm", active)
		for _, path := range adminRoutes(t) {
			f, known := forms[path]
			if !known {
				r := v.formRequest(t, form{b.Issuer + path, url.Values{}})
				if a := do(t, v.client, r); a.StatusCode != http.StatusMethodNotAllowed {
					t.Errorf("POST %s: status %d; its form belongs into this test", path, a.StatusCode)
				}
				continue
			}
			for name, headers := range map[string][2]string{
				"cross-site": {"cross-site", "https://evil.example"}, "same-site": {"same-site", "https://evil.example.com"},
				"old engine": {"", "https://evil.example"}, "null": {"", "null"},
			} {
				r := v.formRequest(t, f)
				r.Header.Del("Sec-Fetch-Site")
				if headers[0] != "" {
					r.Header.Set("Sec-Fetch-Site", headers[0])
				}
				r.Header.Set("Origin", headers[1])
				if a := do(t, v.client, r); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s from %s: status %d, want 403", path, name, a.StatusCode)
				}
			}
		}
		if b.kid(t, "ES256", storage.KeyActive) != active || b.kid(t, "ES256", storage.KeyNext) != next {
			t.Error("another site has changed the keys")
		}
		v.submit(t, forms["/admin/keys/rotate"]).wantText(t, "The keys were rotated.") // the ticket was right
	}, connectors)
}

const hostile = `"'><img src=x onerror=alert(1)><script>alert(1)</script>`

// Whatever a stranger, a user, an application, an upstream or another administrator
// has named stays text on every page that shows it.
func TestAD11_HostileTextStaysTextOnEveryPage(t *testing.T) {
	up, connectors := withUpstreams(t, alter("liar", func(c *provider.Connector) { c.Name = hostile }))
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.Client.Name = hostile
		b.Client.Metadata.ClientURI, b.Client.Metadata.LogoURI = "javascript:alert(1)//", "data:image/svg+xml,<svg onload=alert(1)>"
		b.Client.Metadata.PolicyURI, b.Client.Metadata.TosURI = "javascript:alert(1)", "https://evil.example/"+hostile
		if err := b.DB.UpdateClient(t.Context(), b.Client, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
		b.local(t, storage.User{
			Email: root, EmailVerified: true, Admin: true, Name: hostile, Nickname: hostile, PreferredUsername: hostile, Picture: "javascript:alert(1)", Website: hostile,
		}, password)
		up.liar.Tell(lieOf("name", hostile, "email", `"<b>alert(1)"@evil.example`, "preferred_username", hostile))
		v := b.visitor(t).agent(`Mozilla/5.0 ` + hostile)
		read := mustGet(t, b.Issuer+"/jwks")
		read.Header.Set("User-Agent", hostile)
		do(t, direct, read)
		if err := b.NoteReadersOnce(t.Context(), b.now()); err != nil {
			t.Fatal(err)
		}

		request := []string{"scope", "openid offline_access <script>alert(1)</script>", "state", hostile, "login_hint", hostile}
		pages := map[string]stop{"sign in": v.get(t, b.authorizeURL(request...))}
		pages["consent"] = v.signIn(t, pages["sign in"], root, password)
		b.redeem(t, v.allow(t, pages["consent"]).code(t))
		pages["refused"] = b.visitor(t).signIn(t, v.get(t, b.authorizeURL("prompt", "login")), hostile, "wrong")
		pages["choose"] = v.get(t, b.authorizeURL("prompt", "select_account"))
		link := v.get(t, b.Issuer+"/account/identities").formTo(t, "/account/identities/link", "connector", "liar")
		pages["connected"] = v.get(t, v.choose(t, v.submit(t, link).Left, "victim"))
		kid := b.kid(t, "RS256", storage.KeyNext)
		pages["revoke"] = v.get(t, b.Issuer+revokePathOf(kid))
		pages["mistyped"] = v.submit(t, pages["revoke"].formTo(t, "/admin/keys/revoke", "", ""), "confirm", hostile, "reason", hostile)
		pages["revoked"] = v.submit(t, pages["revoke"].formTo(t, "/admin/keys/revoke", "", ""), "confirm", kid, "reason", hostile)
		tested := v.get(t, b.Issuer+"/admin/connectors").formTo(t, "/admin/connectors/test#test-result", "connector", "liar")
		pages["tested"] = v.submit(t, tested)
		query := url.Values{"client_id": {"app"}, "kid": {hostile}, "done": {hostile}, "request": {hostile}, "error": {hostile}, "return_to": {hostile}}.Encode()
		for _, path := range append(routes(t), "/nowhere/"+url.PathEscape(hostile), "/login/"+url.PathEscape(hostile)+"/callback") {
			pages[path] = v.get(t, b.Issuer+path)
			pages[path+"?"] = v.get(t, b.Issuer+path+"?"+query)
		}
		pages["unknown client"] = v.get(t, b.authorizeURL("client_id", hostile))
		pages["unknown redirect"] = v.get(t, b.authorizeURL("redirect_uri", "https://app.example.com/"+hostile))

		shown := 0
		for name, page := range pages {
			if page.Header.Get("Content-Type") == "text/html; charset=utf-8" {
				shown++
				refuseMarkup(t, name, page.Body)
			}
		}
		if shown < 40 {
			t.Errorf("%d pages were seen, want all", shown)
		}
		for _, name := range []string{
			"sign in", "consent", "refused", "choose", "connected", "mistyped", "revoked", "tested", "/", "/account", "/account/profile",
			"/account/apps", "/account/apps/withdraw?", "/account/sessions", "/account/identities", "/admin/keys", "/admin/connectors", "/end_session",
		} {
			if !strings.Contains(pages[name].Body, "alert(1)") {
				t.Errorf("%s shows nothing that is hostile: status %d\n%s", name, pages[name].StatusCode, pages[name].Body)
			}
		}
	}, connectors)
}

// refuseMarkup fails on what a page would run, load or lead to beyond its own.
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
		if n.Data == "script" && (n.FirstChild != nil || !strings.HasPrefix(attr(n, "src"), "/static/")) || slices.Contains([]string{"iframe", "object", "embed", "base", "style", "b"}, n.Data) {
			t.Errorf("%s has a foreign <%s>", name, n.Data)
		}
		for _, a := range n.Attr {
			address := slices.Contains([]string{"href", "src", "action", "formaction"}, a.Key)
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || address && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "http") && !strings.HasPrefix(a.Val, "#") {
				t.Errorf("%s has <%s %s=%q>", name, n.Data, a.Key, a.Val)
			}
		}
	}
}

// What an address says decides neither what a page claims nor what it looks for.
func TestAD12_CraftedAddressesFindNothing(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v, _ := b.administrator(t, "/admin")
		for _, kid := range []string{
			"", "%", "_", "' OR 1=1 --", "active", "../" + b.kid(t, "ES256", storage.KeyActive), "\x00", "\xff\xfe", strings.Repeat("k", 5000),
			b.kid(t, "ES256", storage.KeyActive)[:8], "-1", "0",
		} {
			v.get(t, b.Issuer+revokePathOf(kid)).wantPage(t, http.StatusNotFound, "not_found")
		}
		plain := v.get(t, b.Issuer+"/admin/keys").Body
		for _, query := range []string{
			"done=Call+555+0100", "done=rotated%00", "sort=secret&order=desc", "page=-1&page_size=1000000000", "filter[kid]=x", "limit=0&offset=-1", "kid=x&kid=y", ";", "%",
		} {
			if page := v.get(t, b.Issuer+"/admin/keys?"+query); page.StatusCode != http.StatusOK || page.Body != plain {
				t.Errorf("?%s: status %d, and the page differs", query, page.StatusCode)
			}
		}
	})
}

// Nothing that watches a program from within is served.
func TestAD19_NothingWatchesFromOutside(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v, _ := b.administrator(t, "/admin")
		for _, path := range []string{
			"/metrics", "/debug", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/vars", "/debug/requests", "/-/metrics", "/status", "/info",
			"/health", "/healthz/live", "/readyz/db", "/livez", "/version", "/env", "/actuator", "/server-status", "/config", "/admin/api/v1", "/dev/mail", "/demo",
		} {
			if a := v.get(t, b.Issuer+path); a.StatusCode != http.StatusNotFound {
				t.Errorf("%s: status %d, want 404", path, a.StatusCode)
			}
		}
	})
}

// What people write into fields begins no line of its own: each line of the log is
// one record, and an event holds the text as a value.
func TestAD21_TextOfOthersForgesNoRecord(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		forged := "lost\r\n{\"level\":\"INFO\",\"msg\":\"forged\"}\n\x1b[2J\u2028"
		v, _ := b.administrator(t, "/admin")
		kid := b.kid(t, "RS256", storage.KeyNext)
		revoke := v.get(t, b.Issuer+revokePathOf(kid)).formTo(t, "/admin/keys/revoke", "", "")
		v.submit(t, revoke, "confirm", kid, "reason", forged).wantText(t, "lost")
		other := b.visitor(t)
		other.signIn(t, other.get(t, b.authorizeURL("login_hint", forged, "state", forged)), forged, forged)
		other.signIn(t, other.get(t, b.authorizeURL()), alice, forged)
		for _, path := range []string{"/authorize?client_id=", "/login/", "/nowhere/", "/admin/keys/revoke?kid=", "/account/apps/withdraw?client_id="} {
			v.get(t, b.Issuer+path+url.QueryEscape(forged))
		}
		lines := strings.Split(strings.TrimSpace(b.Log.String()), "\n")
		for _, line := range lines {
			var record struct{ Msg string }
			if err := json.Unmarshal([]byte(line), &record); err != nil || record.Msg == "forged" || strings.ContainsAny(line, "\r\x1b\u2028") {
				t.Errorf("a line of the log: %q, %v", line, err)
			}
		}
		if len(lines) < 10 {
			t.Errorf("only %d lines", len(lines))
		}
		if got := b.keyEvent(t, storage.KeyRevokedEvent).Detail["reason"]; got != forged {
			t.Errorf("the event says %q, want what was typed", got)
		}
	})
}
