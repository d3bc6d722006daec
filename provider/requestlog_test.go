package provider_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"signet/storage/storagetest"
)

// requestLines are the lines of the log that tell of requests, since the log was this long.
func (b *testbed) requestLines(t *testing.T, since int) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.Log.String()[since:]) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("a line of the log is not JSON: %v: %q", err, line)
		}
		if members["msg"] == "request" {
			if n := strings.Count(line, `,"address":`); n != 1 {
				t.Errorf("the line has %d addresses: %s", n, line)
			}
			lines = append(lines, members)
		}
	}
	return lines
}

// TestRequestLog_OneLineForEachAct: who asked for what and how it went, and nothing of
// a query.
func TestRequestLog_OneLineForEachAct(t *testing.T) {
	s := newScene(t, storagetest.SQLite(t), nil)
	for _, a := range acts {
		t.Run(a.name, func(t *testing.T) {
			s.newPerson(t)
			send := a.ready(t, s)
			since := len(s.Log.String())
			got := send()
			lines := s.requestLines(t, since)
			if len(lines) != 1 {
				t.Fatalf("%d lines, want 1: %v", len(lines), lines)
			}
			line := lines[0]
			if line["method"] != got.Request.Method || line["path"] != got.Request.URL.Path || line["status"] != float64(got.StatusCode) {
				t.Errorf("%v tells of another request than %s %s: %d", line, got.Request.Method, got.Request.URL, got.StatusCode)
			}
			want := strings.NewReplacer("/login/google/", "/login/{connector}/").Replace(line["path"].(string) + "/")
			if line["route"] != strings.TrimSuffix(strings.ReplaceAll(want, "/login/google/", "/login/{connector}/"), "/") {
				t.Errorf("route %v of path %v", line["route"], line["path"])
			}
			for _, key := range []string{"took", "address", "request_id"} {
				if line[key] == nil || line[key] == "" {
					t.Errorf("no %s in %v", key, line)
				}
			}
			if known := line["sub"] != nil || line["client_id"] != nil; !known {
				t.Errorf("the line names neither user nor client: %v", line)
			}
			for name, values := range got.Request.URL.Query() {
				if len(values[0]) >= window && strings.Contains(s.Log.String()[since:], values[0]) && name != "client_id" {
					t.Errorf("the log has the value of %s", name)
				}
			}
		})
	}
}

// TestAD21_RequestLogIsOneLineEach: whatever a stranger sends, it forges no line.
func TestAD21_RequestLogIsOneLineEach(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		page := v.get(t, b.authorizeURL())
		since := len(b.Log.String())
		const forged = "x\u0085{\"msg\":\"request\"}\t\u202e"
		r := v.formRequest(t, page.formTo(t, "/login", "", ""))
		r.Header.Set("User-Agent", forged)
		do(t, v.client, r)
		v.submit(t, page.formTo(t, "/login", "", ""), "username", "x\r\n{\"msg\":\"request\"}", "password", "p")
		v.fetch(t, b.Issuer+"/x%0d%0a%7b%22msg%22:%22request%22%7d%1b%5b2J%e2%80%ae")
		if a := b.tokenRequest(t, b.codeForm("c"), func(r *http.Request) { r.SetBasicAuth("app%0d%0a", "s") }); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("a client id with a line break: %d", a.StatusCode)
		}
		if lines := b.requestLines(t, since); len(lines) != 4 {
			t.Errorf("%d lines of four requests", len(lines))
		}
		for _, raw := range []string{"\x1b", "\u0085", "\u202e", "\r"} {
			if strings.Contains(b.Log.String()[since:], raw) {
				t.Errorf("the log has %q", raw)
			}
		}
	})
}
