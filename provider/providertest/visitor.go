package providertest

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

// Visitor is a person's browser: it keeps cookies, follows redirects and
// Refresh within the issuer, and stops where it would leave for another origin.
type Visitor struct {
	Bed    *Testbed
	Client *http.Client
}

// Visitor opens a browser in which nobody is signed in.
func (b *Testbed) Visitor(t *testing.T) *Visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Visitor{b, &http.Client{Jar: jar, Transport: Direct.Transport, CheckRedirect: Direct.CheckRedirect}}
}

// Stop is where a walk ended: at a page, or on the way to another origin.
type Stop struct {
	Answer
	At     *url.URL // of the page
	LeftTo *url.URL // where it left to; nil if it stayed
}

// Get walks from a URL on.
func (v *Visitor) Get(t *testing.T, target string) Stop {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return v.Walk(t, r)
}

// Fetch takes one step and follows nothing.
func (v *Visitor) Fetch(t *testing.T, target string) Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return Do(t, v.Client, r)
}

// Walk sends a request and follows what it is answered.
func (v *Visitor) Walk(t *testing.T, r *http.Request) Stop {
	t.Helper()
	for range 10 {
		a := Do(t, v.Client, r)
		next := a.Header.Get("Location")
		if refresh := a.Header.Get("Refresh"); refresh != "" {
			next = strings.TrimPrefix(refresh, "0;url=")
		}
		if next == "" {
			return Stop{Answer: a, At: r.URL}
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
			return Stop{Answer: a, At: r.URL, LeftTo: target}
		}
		if r, err = http.NewRequest(http.MethodGet, target.String(), nil); err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
	}
	t.Fatal("more than ten redirects")
	return Stop{}
}

// Form is a form of a page with its hidden fields.
type Form struct {
	Action string
	Values url.Values
}

// Form finds the page's only form.
func (s Stop) Form(t *testing.T) Form {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	var found *Form
	for n := range doc.Descendants() {
		switch {
		case n.Type == html.ElementNode && n.Data == "form":
			action, err := s.At.Parse(Attr(n, "action"))
			if err != nil {
				t.Fatal(err)
			}
			found = &Form{action.String(), url.Values{}}
		case n.Type == html.ElementNode && n.Data == "input" && found != nil:
			if Attr(n, "name") != "" && Attr(n, "type") != "checkbox" {
				found.Values.Set(Attr(n, "name"), Attr(n, "value"))
			}
		}
	}
	if found == nil {
		t.Fatalf("no form on %s (status %d, left to %v):\n%s", s.At.Path, s.StatusCode, s.LeftTo, s.Body)
	}
	return *found
}

// Link gives where the page's link of this id leads.
func (s Stop) Link(t *testing.T, id string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" && Attr(n, "id") == id {
			target, err := s.At.Parse(Attr(n, "href"))
			if err != nil {
				t.Fatal(err)
			}
			return target.String()
		}
	}
	t.Fatalf("no link %s on %s:\n%s", id, s.At.Path, s.Body)
	return ""
}

// Attr is the value of an element's attribute.
func Attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Submit posts a form with more values, as a browser on that page would.
func (v *Visitor) Submit(t *testing.T, f Form, pairs ...string) Stop {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		f.Values.Set(pairs[i], pairs[i+1])
	}
	return v.Walk(t, v.FormRequest(t, f))
}

// FormRequest is what a browser posts the form with.
func (v *Visitor) FormRequest(t *testing.T, f Form) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.Action, strings.NewReader(f.Values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	action, _ := url.Parse(f.Action)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Origin", action.Scheme+"://"+action.Host)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// SignIn fills the sign-in page.
func (v *Visitor) SignIn(t *testing.T, page Stop, email, pass string) Stop {
	t.Helper()
	if page.At.Path != v.Bed.Path("/login") {
		t.Fatalf("not at the sign-in page but at %s (left to %v, status %d):\n%s", page.At.Path, page.LeftTo, page.StatusCode, page.Body)
	}
	return v.Submit(t, page.FormTo(t, v.Bed.Path("/login"), "", ""), "username", email, "password", pass)
}

// Allow fills the consent page.
func (v *Visitor) Allow(t *testing.T, page Stop) Stop {
	t.Helper()
	if page.At.Path != v.Bed.Path("/consent") {
		t.Fatalf("not at the consent page but at %s (left to %v, status %d):\n%s", page.At.Path, page.LeftTo, page.StatusCode, page.Body)
	}
	return v.Submit(t, page.Form(t), "decision", "allow")
}

// AnswerPages answers the page of a step, whether for the first time or again, and the pages after
// it, until the browser leaves.
func (v *Visitor) AnswerPages(t *testing.T, page Stop) Stop {
	t.Helper()
	for range 4 {
		switch {
		case page.LeftTo != nil:
			return page
		case page.At.Path == v.Bed.Path("/login"):
			page = v.SignIn(t, page, Alice, Password)
		case page.At.Path == v.Bed.Path("/select"):
			page = v.Submit(t, page.Form(t), "decision", "continue")
		default:
			page = v.Allow(t, page)
		}
	}
	return page
}

// Code is what the client finds at its redirect URI.
func (s Stop) Code(t *testing.T) string {
	t.Helper()
	if s.LeftTo == nil {
		t.Fatalf("no redirect to the client but %s, status %d:\n%s", s.At.Path, s.StatusCode, s.Body)
	}
	code := s.Response(t).Get("code")
	if code == "" {
		t.Fatalf("no code in %s", s.LeftTo)
	}
	return code
}

// Response is what the client is told, in the query or in the fragment. What its
// redirect URI has in the query by itself is left out.
func (s Stop) Response(t *testing.T) url.Values {
	t.Helper()
	if s.LeftTo == nil {
		t.Fatalf("no redirect to the client but %s, status %d:\n%s", s.At.Path, s.StatusCode, s.Body)
	}
	where := s.LeftTo.RawQuery
	if s.LeftTo.Fragment != "" {
		where = s.LeftTo.EscapedFragment()
	}
	values, err := url.ParseQuery(where)
	if err != nil {
		t.Fatalf("response in %s: %v", s.LeftTo, err)
	}
	values.Del("from")
	return values
}

// errorMembers are all that an error response may carry.
var errorMembers = []string{"error", "error_description", "error_uri", "state", "iss", "session_state"}

var plainDescription = regexp.MustCompile(`^[ !#-\[\]-~]*$`) // RFC 6749, section 4.1.2.1

// WantError wants the client to have been told an error, and nothing else.
func (s Stop) WantError(t *testing.T, code string) {
	t.Helper()
	response := s.Response(t)
	if got := response.Get("error"); got != code {
		t.Fatalf("error: got %q, want %q in %s", got, code, s.LeftTo)
	}
	for name, values := range response {
		if !slices.Contains(errorMembers, name) || len(values) != 1 {
			t.Fatalf("an error response carries %s=%q: %s", name, values, s.LeftTo)
		}
	}
	if !plainDescription.MatchString(response.Get("error_description")) {
		t.Fatalf("error_description has characters it may not have: %q", response.Get("error_description"))
	}
	if got, want := response.Get("iss"), s.At.Scheme+"://"+s.At.Host; !strings.HasPrefix(got, want) {
		t.Fatalf("iss: got %q, want %q in %s", got, want, s.LeftTo)
	}
	if len(s.Cookies()) > 0 {
		t.Fatalf("an error response sets cookies: %v", s.Cookies())
	}
}

// WantPage wants an error page of this status and code, and no redirect.
func (s Stop) WantPage(t *testing.T, status int, code string) {
	t.Helper()
	if s.LeftTo != nil {
		t.Fatalf("left to %s, want a page", s.LeftTo)
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

// SignInForCode signs alice in and consents: a first visit from nothing to the code.
func (v *Visitor) SignInForCode(t *testing.T, pairs ...string) string {
	t.Helper()
	page := v.SignIn(t, v.Get(t, v.Bed.AuthorizeURL(pairs...)), Alice, Password)
	return v.Allow(t, page).Code(t)
}

// CodeFromSession asks for a code with the session and consent that are there.
func (v *Visitor) CodeFromSession(t *testing.T, pairs ...string) string {
	t.Helper()
	return v.Get(t, v.Bed.AuthorizeURL(pairs...)).Code(t)
}

// Path is a path below the issuer as it stands in a URL.
func (b *Testbed) Path(p string) string {
	u, _ := url.Parse(b.Issuer)
	return u.Path + p
}

// Cookie finds a cookie of the issuer; nil if the browser has none.
func (v *Visitor) Cookie(t *testing.T, name string) *http.Cookie {
	t.Helper()
	u, _ := url.Parse(v.Bed.Issuer)
	for _, c := range v.Client.Jar.Cookies(u) {
		if c.Name == name {
			return c
		}
	}
	return nil
}
