package provider_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signet/provider/link"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// A mail that waits and one that was sent leave a row with the name of the link, and nothing that
// opens it. The search finds a secret in each place, so it can fail.
func TestMailLinks_SearchFindsASecretInEachPlace(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithMail(mailtest.Start(t)))
		const canary = "canary-of-a-sealed-link"
		b.WantNowhere(t, canary)
		b.Log.Write([]byte(canary))
		if err := b.DB.RecordEvent(t.Context(), storage.Event{Type: storage.UserRefused, Outcome: storage.Refused, Reason: canary, UserID: b.Alice.ID}, b.Now()); err != nil {
			t.Fatal(err)
		}
		places := b.PlacesOf(t, canary)
		for _, place := range []string{"database", "events", "log"} {
			if !slices.Contains(places, place) {
				t.Errorf("the search finds it in %q, want also %s", places, place)
			}
		}
		if backend.Name == "sqlite" && !slices.Contains(places, "backup") {
			t.Errorf("the search finds it in %q, want also backup", places)
		}
	})
}

// The page of each link sends no Referer with the link, loads nothing from other hosts, is stored
// nowhere, and its form takes the link out of the address.
// RC-15: Links do not leak through Referer, files of other hosts or logs (RFC 9700, section 4.2).
func TestMailLinks_LeakThroughNoPage(t *testing.T) {
	s, opened, sent := newScene(t, storagetest.SQLite(t), nil), map[string]bool{}, map[string]bool{}
	foreign := regexp.MustCompile(`(?:src|href|action|content)="(?:https?:)?//[^"]*"`)
	for _, a := range allActs(t) {
		if !strings.Contains(a.name, "link") && !strings.Contains(a.name, "invitation") {
			continue
		}
		s.newUser(t)
		got := a.ready(t, s)()
		path, sealed := got.Request.URL.Path, got.Request.URL.Query().Get(link.Parameter)
		if !strings.HasPrefix(path, "/link/") {
			continue
		}
		if got.Request.Method == http.MethodPost {
			body, err := got.Request.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			form, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			values, err := url.ParseQuery(string(form))
			if err != nil {
				t.Fatal(err)
			}
			sent[path], sealed = true, values.Get(link.Parameter)
			if got.Request.URL.RawQuery != "" || strings.Contains(got.Header.Get("Location"), sealed) {
				t.Errorf("%s: the form goes to %s, and the answer to %s", a.name, got.Request.URL, got.Header.Get("Location"))
			}
		} else {
			opened[path] = true
			if got.StatusCode != http.StatusOK || got.Header.Get("Referrer-Policy") != "strict-origin" || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: status %d, Referrer-Policy %q, Cache-Control %q", a.name, got.StatusCode, got.Header.Get("Referrer-Policy"), got.Header.Get("Cache-Control"))
			}
			if elsewhere := foreign.FindAllString(strings.ReplaceAll(got.Body, `"`+s.Issuer, `"`), -1); len(elsewhere) > 0 {
				t.Errorf("%s: the page leads to %q", a.name, elsewhere)
			}
			if inputs := strings.Count(got.Body, `name="link" value="`+sealed+`"`); inputs == 0 || inputs != strings.Count(got.Body, sealed) { // only in fields of forms
				t.Errorf("%s: the page has the link in %d fields and %d times", a.name, inputs, strings.Count(got.Body, sealed))
			}
		}
		if sealed == "" || strings.Contains(s.Log.String(), sealed) {
			t.Errorf("%s: the link %q is in the log", a.name, sealed)
		}
	}
	for _, route := range providertest.RouteTable(t) {
		if strings.HasPrefix(route.Path, "/link/") && (slices.Contains(route.Methods, http.MethodGet) && !opened[route.Path] || slices.Contains(route.Methods, http.MethodPost) && !sent[route.Path]) {
			t.Errorf("%s: no act whose name contains link or invitation opens and sends it", route.Path)
		}
	}
}
