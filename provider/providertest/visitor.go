package provider_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// visitor is a person's browser: it keeps cookies, follows redirects and
// Refresh within the issuer, and stops where it would leave for another origin.
type visitor struct {
	b      *testbed
	client *http.Client
}

func (b *testbed) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{b, &http.Client{Jar: jar, Transport: direct.Transport, CheckRedirect: direct.CheckRedirect}}
}

// stop is where a walk ended: at a page, or on the way to another origin.
type stop struct {
	answer
	At   *url.URL // of the page
	Left *url.URL // where it left to; nil if it stayed
}

// get walks from a URL on.
func (v *visitor) get(t *testing.T, target string) stop {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return v.walk(t, r)
}

// fetch takes one step and follows nothing.
func (v *visitor) fetch(t *testing.T, target string) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return do(t, v.client, r)
}

func (v *visitor) walk(t *testing.T, r *http.Request) stop {
	t.Helper()
	for range 10 {
		a := do(t, v.client, r)
		next := a.Header.Get("Location")
		if refresh := a.Header.Get("Refresh"); refresh != "" {
			next = strings.TrimPrefix(refresh, "0;url=")
		}
		if next == "" {
			return stop{answer: a, At: r.URL}
		}
		// RFC 9700, section 4.12: 307 and 308 would post the password on.
		if a.StatusCode != http.StatusSeeOther && (a.StatusCode != http.StatusOK || a.Header.Get("Location") != "") {
			t.Fatalf("%s %s goes on with status %d, want 303", r.Method, r.URL.Path, a.StatusCode)
		}
		target, err := r.URL.Parse(next)
		if err != nil {
			t.Fatalf("location %q: %v", next, err)
		}
		if target.Scheme+"://"+target.Host != r.URL.Scheme+"://"+r.URL.Host {
			return stop{answer: a, At: r.URL, Left: target}
		}
		if r, err = http.NewRequest(http.MethodGet, target.String(), nil); err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
	}
	t.Fatal("more than ten redirects")
	return stop{}
}

// form is a form of a page with its hidden fields.
type form struct {
	action string
	values url.Values
}

// form finds the page's only form.
func (s stop) form(t *testing.T) form {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	var found *form
	for n := range doc.Descendants() {
		switch {
		case n.Type == html.ElementNode && n.Data == "form":
			action, err := s.At.Parse(attr(n, "action"))
			if err != nil {
				t.Fatal(err)
			}
			found = &form{action.String(), url.Values{}}
		case n.Type == html.ElementNode && n.Data == "input" && found != nil:
			if attr(n, "name") != "" && attr(n, "type") != "checkbox" {
				found.values.Set(attr(n, "name"), attr(n, "value"))
			}
		}
	}
	if found == nil {
		t.Fatalf("no form on %s (status %d, left to %v):\n%s", s.At.Path, s.StatusCode, s.Left, s.Body)
	}
	return *found
}

// link gives where the page's link of this id leads.
func (s stop) link(t *testing.T, id string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" && attr(n, "id") == id {
			target, err := s.At.Parse(attr(n, "href"))
			if err != nil {
				t.Fatal(err)
			}
			return target.String()
		}
	}
	t.Fatalf("no link %s on %s:\n%s", id, s.At.Path, s.Body)
	return ""
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// submit posts a form with more values, as a browser on that page would.
func (v *visitor) submit(t *testing.T, f form, pairs ...string) stop {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		f.values.Set(pairs[i], pairs[i+1])
	}
	return v.walk(t, v.formRequest(t, f))
}

func (v *visitor) formRequest(t *testing.T, f form) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.action, strings.NewReader(f.values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	action, _ := url.Parse(f.action)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Origin", action.Scheme+"://"+action.Host)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// signIn fills the sign-in page.
func (v *visitor) signIn(t *testing.T, page stop, email, pass string) stop {
	t.Helper()
	if page.At.Path != v.b.path("/login") {
		t.Fatalf("not at the sign-in page but at %s (left to %v)", page.At.Path, page.Left)
	}
	return v.submit(t, page.formTo(t, v.b.path("/login"), "", ""), "username", email, "password", pass)
}

// allow fills the consent page.
func (v *visitor) allow(t *testing.T, page stop) stop {
	t.Helper()
	if page.At.Path != v.b.path("/consent") {
		t.Fatalf("not at the consent page but at %s (left to %v, status %d):\n%s", page.At.Path, page.Left, page.StatusCode, page.Body)
	}
	return v.submit(t, page.form(t), "decision", "allow")
}

// code is what the client finds at its redirect URI.
func (s stop) code(t *testing.T) string {
	t.Helper()
	if s.Left == nil {
		t.Fatalf("no redirect to the client but %s, status %d:\n%s", s.At.Path, s.StatusCode, s.Body)
	}
	code := s.response(t).Get("code")
	if code == "" {
		t.Fatalf("no code in %s", s.Left)
	}
	return code
}

// response is what the client is told, in the query or in the fragment. What its
// redirect URI has in the query by itself is left out.
func (s stop) response(t *testing.T) url.Values {
	t.Helper()
	if s.Left == nil {
		t.Fatalf("no redirect to the client but %s, status %d:\n%s", s.At.Path, s.StatusCode, s.Body)
	}
	where := s.Left.RawQuery
	if s.Left.Fragment != "" {
		where = s.Left.EscapedFragment()
	}
	values, err := url.ParseQuery(where)
	if err != nil {
		t.Fatalf("response in %s: %v", s.Left, err)
	}
	values.Del("from")
	return values
}

// errorMembers are all that an error response may carry.
var errorMembers = []string{"error", "error_description", "error_uri", "state", "iss", "session_state"}

var plainDescription = regexp.MustCompile(`^[ !#-\[\]-~]*$`) // RFC 6749, section 4.1.2.1

// wantError wants the client to have been told an error, and nothing else.
func (s stop) wantError(t *testing.T, code string) {
	t.Helper()
	response := s.response(t)
	if got := response.Get("error"); got != code {
		t.Fatalf("error: got %q, want %q in %s", got, code, s.Left)
	}
	for name, values := range response {
		if !slices.Contains(errorMembers, name) || len(values) != 1 {
			t.Fatalf("an error response carries %s=%q: %s", name, values, s.Left)
		}
	}
	if !plainDescription.MatchString(response.Get("error_description")) {
		t.Fatalf("error_description has characters it may not have: %q", response.Get("error_description"))
	}
	if got, want := response.Get("iss"), s.At.Scheme+"://"+s.At.Host; !strings.HasPrefix(got, want) {
		t.Fatalf("iss: got %q, want %q in %s", got, want, s.Left)
	}
	if len(s.Cookies()) > 0 {
		t.Fatalf("an error response sets cookies: %v", s.Cookies())
	}
}

// wantPage wants an error page of this status and code, and no redirect.
func (s stop) wantPage(t *testing.T, status int, code string) {
	t.Helper()
	if s.Left != nil {
		t.Fatalf("left to %s, want a page", s.Left)
	}
	if s.StatusCode != status || !strings.Contains(s.Body, code) {
		t.Fatalf("page: got status %d, want %d and the code %s in:\n%s", s.StatusCode, status, code, s.Body)
	}
	if got := s.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("content type: got %q", got)
	}
	if len(s.Cookies()) > 0 {
		t.Fatalf("an error page sets cookies: %v", s.Cookies())
	}
}

// flow signs alice in and consents: a first visit from nothing to the code.
func (v *visitor) flow(t *testing.T, pairs ...string) string {
	t.Helper()
	page := v.signIn(t, v.get(t, v.b.authorizeURL(pairs...)), alice, password)
	return v.allow(t, page).code(t)
}

// again asks for a code with the session and consent that are there.
func (v *visitor) again(t *testing.T, pairs ...string) string {
	t.Helper()
	return v.get(t, v.b.authorizeURL(pairs...)).code(t)
}

// path is a path below the issuer as it stands in a URL.
func (b *testbed) path(p string) string {
	u, _ := url.Parse(b.Issuer)
	return u.Path + p
}

func (v *visitor) cookie(t *testing.T, name string) *http.Cookie {
	t.Helper()
	u, _ := url.Parse(v.b.Issuer)
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == name {
			return c
		}
	}
	return nil
}
