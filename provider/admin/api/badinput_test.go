package api_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// TestBody_EveryOperationRefusesBadInput sends bodies that two programs could read differently, that have
// unknown members, or another type, to every operation with a body, and the call of a page of another
// site. Each gets a problem with a code, and nothing changes.
//
// AD-04, AD-10.
func TestBody_EveryOperationRefusesBadInput(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		before, walked := b.DumpTables(t), 0
		for _, e := range endpoints(t, b) {
			if e.body == "" {
				continue
			}
			walked++
			for _, body := range []string{
				"[]", "null", "1", `"x"`, "{", `{"nonsense":1}`, `{"__proto__":{}}`, `{"id":"x","id":"y"}`, `{"Id":1,"id":2}`, "{} {}", `{"x":"\ud800"}`, "{\"x\":\"\xff\"}",
				`{"x":[` + strings.Repeat(`"a",`, 9000) + `"a"]}`, strings.Repeat("[", 1000), `{"x":"` + strings.Repeat("a", 70_000) + `"}`,
			} {
				refused(t, o.Call(t, e.method, e.path, body), e.method+" "+e.path+" "+body[:min(len(body), 30)])
			}
			for _, kind := range []string{providertest.FormType, "text/plain", "multipart/form-data"} {
				refused(t, o.Call(t, e.method, e.path, "{}", func(r *http.Request) { r.Header.Set("Content-Type", kind) }), e.method+" "+e.path+" as "+kind)
			}
			stranger := providertest.Operator{Testbed: b}
			refused(t, stranger.Call(t, e.method, e.path, "{}", func(r *http.Request) {
				r.Header.Set("Origin", "https://evil.example")
				r.Header.Set("Sec-Fetch-Site", "cross-site")
				r.AddCookie(&http.Cookie{Name: "signet", Value: o.Token})
			}), e.method+" "+e.path+" from another site")
		}
		if walked < 6 {
			t.Errorf("found only %d operations with a body", walked)
		}
		after := b.DumpTables(t)
		for _, table := range []string{"users", "clients", "credentials", "registration_tokens", "keys", "mail_links", "api_calls"} {
			if !reflect.DeepEqual(before[table], after[table]) {
				t.Errorf("a refused call has changed the table %s", table)
			}
		}
	})
}

// refused fails the test unless the answer is a refusal with a stable code.
func refused(t *testing.T, a providertest.Answer, label string) {
	t.Helper()
	if a.StatusCode < 400 || a.StatusCode >= 500 || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: got %d %s %s, want a problem", label, a.StatusCode, a.Header.Get("Content-Type"), a.Body)
		return
	}
	if code, _ := a.JSON(t)["code"].(string); code == "" || code == "server_error" {
		t.Errorf("%s: got %s, want a stable code", label, a.Body)
	}
}
