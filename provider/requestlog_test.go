package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage/storagetest"
)

// TestRequestLog_OneLineForEachAct: each request has one line with the caller, the path and
// the outcome, and without the query.
func TestRequestLog_OneLineForEachAct(t *testing.T) {
	s := newScene(t, storagetest.SQLite(t), nil)
	for _, a := range allActs(t) {
		t.Run(a.name, func(t *testing.T) {
			s.newUser(t)
			send := a.ready(t, s)
			since := len(s.Log.String())
			got := send()
			lines := s.RequestLines(t, since)
			if len(lines) != 1 {
				t.Fatalf("%d lines, want 1: %v", len(lines), lines)
			}
			line := lines[0]
			if line["method"] != got.Request.Method || line["path"] != got.Request.URL.Path || line["status"] != float64(got.StatusCode) {
				t.Errorf("%v describes another request than %s %s: %d", line, got.Request.Method, got.Request.URL, got.StatusCode)
			}
			want := strings.NewReplacer("/login/google/", "/login/{connector}/").Replace(line["path"].(string) + "/")
			if strings.HasPrefix(want, "/register/") && want != "/register/" {
				want = "/register/{client_id}"
			}
			if line["route"] != strings.TrimSuffix(strings.ReplaceAll(want, "/login/google/", "/login/{connector}/"), "/") {
				t.Errorf("route %v of path %v", line["route"], line["path"])
			}
			for _, key := range []string{"took_ms", "address", "request_id"} {
				if line[key] == nil || line[key] == "" {
					t.Errorf("no %s in %v", key, line)
				}
			}
			if known := line["sub"] != nil || line["client_id"] != nil; known == a.nobody {
				t.Errorf("the line has neither a user nor a client: %v", line)
			}
			for name, values := range got.Request.URL.Query() {
				if len(values[0]) >= window && strings.Contains(s.Log.String()[since:], values[0]) && name != "client_id" {
					t.Errorf("the log has the value of %s", name)
				}
			}
		})
	}
}

// TestRequestLog_CannotBeForged sends line breaks and control characters.
//
// AD-21: audit lines cannot be forged.
func TestRequestLog_CannotBeForged(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL())
		since := len(b.Log.String())
		const forged = "x\u0085{\"msg\":\"request\"}\t\u202e"
		r := v.FormRequest(t, page.FormTo(t, "/login", "", ""))
		r.Header.Set("User-Agent", forged)
		providertest.Do(t, v.Client, r)
		v.Submit(t, page.FormTo(t, "/login", "", ""), "username", "x\r\n{\"msg\":\"request\"}", "password", "p")
		v.Fetch(t, b.Issuer+"/x%0d%0a%7b%22msg%22:%22request%22%7d%1b%5b2J%e2%80%ae")
		if a := b.TokenRequest(t, b.CodeForm("c"), func(r *http.Request) { r.SetBasicAuth("app%0d%0a", "s") }); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("a client id with a line break: %d", a.StatusCode)
		}
		if lines := b.RequestLines(t, since); len(lines) != 4 {
			t.Errorf("got %d lines, want one for each of four requests", len(lines))
		}
		for _, raw := range []string{"\x1b", "\u0085", "\u202e", "\r"} {
			if strings.Contains(b.Log.String()[since:], raw) {
				t.Errorf("the log has %q", raw)
			}
		}
	})
}
