package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestFormPost_InTheBrowser signs in with response_mode=form_post, with scripts and without. The
// policy of the page lets the browser post to the client, and follow its redirect to another origin.
//
// P-75: The page posts the response by itself, and with a button where no script runs.
func TestFormPost_InTheBrowser(t *testing.T) {
	end := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<title>An app</title><link rel=icon href=data:,>%s", r.FormValue("said"))
	}))
	t.Cleanup(end.Close)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		said := fmt.Sprintf("%s from %s: %d fields, a code: %v, query %q", r.Method, r.Header.Get("Origin"), len(r.PostForm), r.PostForm.Has("code"), r.URL.RawQuery)
		http.Redirect(w, r, end.URL+"/end?"+url.Values{"said": {said}}.Encode(), http.StatusSeeOther)
	}))
	t.Cleanup(app.Close)
	i := signettest.NewInstance(t)
	client := i.CreateClient(t, "--type", "web", "--redirect-uri", app.URL+"/callback")
	i.Serve(t)
	start := i.Issuer + "/authorize?" + url.Values{
		"client_id": {client.ID}, "redirect_uri": {app.URL + "/callback"}, "response_type": {"code"}, "response_mode": {"form_post"},
		"scope": {"openid"}, "state": {`a "state"`}, "nonce": {"n"}, "prompt": {"consent"},
	}.Encode()
	var report struct {
		Ends map[string]struct {
			Shows      string
			Complaints []string
		}
	}
	cases := map[string]any{
		"with scripts":    map[string]any{"url": start, "options": map[string]any{}},
		"without scripts": map[string]any{"url": start, "options": map[string]any{"javaScriptEnabled": false}},
	}
	signettest.RunInBrowser(t, "formpost.mjs", map[string]any{"email": i.Email, "password": i.Password, "cases": cases}, &report)
	want := fmt.Sprintf("POST from %s: 3 fields, a code: true, query %q", i.Issuer, "")
	for name := range cases {
		if got := report.Ends[name].Shows; got != want {
			t.Errorf("%s: the client got %q, want %q", name, got, want)
		}
		signettest.RefuseComplaints(t, report.Ends[name].Complaints)
	}
}
