package provider_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"signet/provider/providertest"
)

// These are Accept headers of browsers that open an address, and of programs. Java's library
// names text/html although no person reads the answer.
var (
	ofPeople = map[string]string{
		"Chromium": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
		"Firefox":  "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"plain":    "text/html",
		"a choice": "application/json;q=0.5, TEXT/HTML; q=0.9",
	}
	ofPrograms = map[string]string{
		"curl": "*/*", "fetch": "application/json", "axios": "application/json, text/plain, */*", "refuses": "text/html;q=0, */*",
		"rather": "text/html;q=0.5, application/json", "prefers": "application/json, text/html", "any text": "text/*", "broken": "text/html;q=x",
	}
	java = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
)

// TestPeople_ReadPagesWhereProgramsReadJSON opens every path, known, unknown and odd, as a
// person in a browser and as a program.
func TestPeople_ReadPagesWhereProgramsReadJSON(t *testing.T) {
	for _, at := range []string{"", "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			table := providertest.RouteTable(t)
			for _, unknown := range []string{"/nowhere", "/token/x", "/doubled//path", "/admin/api/v2/users", "/%2e", "/static/", "/static/nowhere", "/static/site.css"} {
				table = append(table, &providertest.Route{Path: unknown})
			}
			for _, r := range table {
				path := r.Path
				plain := b.CallRoute(t, http.MethodGet, path, nil)
				for who, accept := range ofPrograms {
					got := b.CallRoute(t, http.MethodGet, path, http.Header{"Accept": {accept}})
					if got.StatusCode != plain.StatusCode || !bytes.Equal(comparable(got), comparable(plain)) {
						t.Errorf("GET %s of %s: got %d %s, without Accept %d %s", path, who, got.StatusCode, got.Body, plain.StatusCode, plain.Body)
					}
				}
				for who, accept := range ofPeople {
					got := b.CallRoute(t, http.MethodGet, path, http.Header{"Accept": {accept}})
					if got.StatusCode != plain.StatusCode || got.Header.Get("Allow") != plain.Header.Get("Allow") || got.Header.Get("WWW-Authenticate") != plain.Header.Get("WWW-Authenticate") {
						t.Errorf("GET %s of %s: got %d %v, want %d %v", path, who, got.StatusCode, got.Header, plain.StatusCode, plain.Header)
					}
					if got.StatusCode >= 400 && (got.Header.Get("Content-Type") != "text/html; charset=utf-8" || !r.Page && !strings.Contains(got.Body, `id="start"`)) {
						t.Errorf("GET %s of %s: %d as %s without a link to go on:\n%s", path, who, got.StatusCode, got.Header.Get("Content-Type"), got.Body)
					}
				}
			}
		}, providertest.WithIssuerPath(at))
	}
}

// comparable returns the body without the reference of the request, which differs each time.
func comparable(a providertest.Answer) []byte {
	before, _, _ := strings.Cut(a.Body, "<dt>Reference")
	before, _, _ = strings.Cut(before, `"request_id"`) // the last member of a problem document
	return []byte(before)
}

// TestPeople_ProgramsThatAcceptHTMLGetJSON: credentials, JSON or an OAuth form also show that
// the caller is a program.
func TestPeople_ProgramsThatAcceptHTMLGetJSON(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, path := range []string{"/token", "/revoke", "/introspect", "/userinfo"} {
			posted := b.CallRoute(t, http.MethodPost, path, http.Header{"Accept": {java}})
			asked := b.CallRoute(t, http.MethodGet, path, http.Header{"Accept": {java}, "Authorization": {"Bearer x"}})
			for _, a := range []providertest.Answer{posted, asked} {
				if a.StatusCode < 400 || a.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s %s: got %d %s", a.Request.Method, path, a.StatusCode, a.Header.Get("Content-Type"))
				}
			}
		}
		for _, path := range []string{"/refresh", "/login", "/nowhere"} {
			a := b.CallRoute(t, http.MethodPost, path, http.Header{"Accept": {java}, "Content-Type": {"application/json"}})
			if a.StatusCode < 400 || a.Header.Get("Content-Type") != "application/json" {
				t.Errorf("POST %s: got %d %s", path, a.StatusCode, a.Header.Get("Content-Type"))
			}
		}
	})
}

// TestPeople_FindTheirPageForWhatAppsDo: a person that opens the path for sign-out by apps
// gets a link to the page for sign-out.
func TestPeople_FindTheirPageForWhatAppsDo(t *testing.T) {
	for _, at := range []string{"", "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			v.SignInAndRedeem(t, providertest.Alice)
			page := v.Get(t, b.Issuer+"/logout")
			page.WantPage(t, http.StatusMethodNotAllowed, "method_not_allowed")
			v.WantSignedIn(t)
			asked := v.Get(t, page.Link(t, "start"))
			if done := v.Submit(t, asked.Form(t), "decision", "allow"); !strings.Contains(done.Body, "You’re signed out") {
				t.Errorf("got %d:\n%s", done.StatusCode, done.Body)
			}
		}, providertest.WithIssuerPath(at))
	}
}

// TestIcon_IsBelowTheIssuerAndAtTheRootOfTheHost: browsers request it at the root of the host;
// some proxies forward only paths below the issuer.
func TestIcon_IsBelowTheIssuerAndAtTheRootOfTheHost(t *testing.T) {
	for _, at := range []string{"", "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			for _, url := range []string{b.Issuer + "/favicon.ico", strings.TrimSuffix(b.Issuer, at) + "/favicon.ico"} {
				a := b.Visitor(t).Fetch(t, url)
				if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "image/vnd.microsoft.icon" || !strings.HasPrefix(a.Body, "\x00\x00\x01\x00") {
					t.Errorf("%s: got %d %s", url, a.StatusCode, a.Header.Get("Content-Type"))
				}
				if got := a.Header.Get("Cache-Control"); got != "public, max-age=86400" {
					t.Errorf("%s: Cache-Control %q", url, got)
				}
				r, _ := http.NewRequest(http.MethodGet, url, nil)
				r.Header.Set("If-None-Match", a.Header.Get("ETag"))
				if again := providertest.Do(t, providertest.Direct, r); again.StatusCode != http.StatusNotModified {
					t.Errorf("%s with its ETag: got %d", url, again.StatusCode)
				}
			}
		}, providertest.WithIssuerPath(at))
	}
}

// TestRefusedForms_ShowTheReferenceOfTheRequest: a refused form shows a reference, with which
// the operator finds the line in the log.
func TestRefusedForms_ShowTheReferenceOfTheRequest(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		pages := []providertest.Stop{v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, "wrong")}
		v.SignInAndRedeem(t, providertest.Alice)
		pages = append(pages,
			v.Submit(t, v.Get(t, b.Issuer+"/account/password").Form(t), "current-password", "wrong", "new-password", "another password"),
			v.Submit(t, v.Get(t, b.Issuer+"/account/profile").Form(t), "zoneinfo", "Nowhere/At all"))
		for _, page := range pages {
			if page.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page.Body, "<dt>Reference</dt>") {
				t.Errorf("%s: got %d:\n%s", page.At.Path, page.StatusCode, page.Body)
			}
		}
	})
}
