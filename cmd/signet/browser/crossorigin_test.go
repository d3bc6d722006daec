package browser_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestCrossOrigin_InTheBrowser lets pages of a client, of the first-party app and of a
// stranger fetch every address that is open to them, with the headers of a tracing library.
func TestCrossOrigin_InTheBrowser(t *testing.T) {
	pages := map[string]string{}
	for _, name := range []string{"client", "app", "stranger"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<title>A page</title><link rel=icon href=data:,>")
		}))
		t.Cleanup(server.Close)
		pages[name] = server.URL
	}
	i := signettest.NewInstance(t)
	spa := i.CreateClient(t, "--type", "spa", "--redirect-uri", pages["client"]+"/callback")
	i.CreateClient(t, "--type", "spa", "--redirect-uri", pages["app"]+"/", "--first-party")
	i.Env = append(i.Env, "SIGNET_FIRST_PARTY_ORIGINS="+pages["app"])
	i.Serve(t)

	traced := map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b", "baggage": "a=b", "b3": "0", "sentry-trace": "x"}
	with := func(name, value string) map[string]string {
		more := map[string]string{name: value}
		for name, value := range traced {
			more[name] = value
		}
		return more
	}
	form := with("content-type", "application/x-www-form-urlencoded")
	var report struct{ Saw map[string]map[string]string }
	signettest.RunInBrowser(t, "crossorigin.mjs", map[string]any{
		"pages": pages,
		"calls": map[string]any{
			"discovery": map[string]any{"url": i.Issuer + "/.well-known/openid-configuration", "headers": with("x-b3-traceid", "1")},
			"keys":      map[string]any{"url": i.Issuer + "/jwks", "headers": with("authorization", "Bearer x")},
			"token":     map[string]any{"url": i.Issuer + "/token", "method": "POST", "headers": form, "body": "grant_type=authorization_code&code=x&client_id=" + spa.ID},
			"session":   map[string]any{"url": i.Issuer + "/session", "credentials": "include", "headers": with("x-csrf", "1")},
			"other":     map[string]any{"url": i.Issuer + "/session", "credentials": "include", "headers": map[string]string{"x-other": "1"}},
		},
	}, &report)
	const refused = "TypeError"
	for page, want := range map[string]map[string]string{
		"client":   {"discovery": "200 acr_values_supported,authorization_endpoint", "keys": "200 keys", "token": "400 error,error_description", "session": refused, "other": refused},
		"app":      {"discovery": "200 acr_values_supported,authorization_endpoint", "keys": "200 keys", "session": "200 authenticated", "other": refused},
		"stranger": {"discovery": "200 acr_values_supported,authorization_endpoint", "keys": "200 keys", "session": refused, "other": refused, "token": refused},
	} {
		for what, outcome := range want {
			if got := report.Saw[page][what]; got != outcome {
				t.Errorf("a page of the %s reads of %s: %q, want %q", page, what, got, outcome)
			}
		}
	}
}
