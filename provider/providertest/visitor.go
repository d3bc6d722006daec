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

// Visitor is the browser of a person. It keeps cookies and follows Location and Refresh
// headers within the issuer's origin. It stops before a redirect to another origin.
type Visitor struct {
	Bed    *Testbed
	Client *http.Client
}

// Visitor opens a new browser, without cookies.
func (b *Testbed) Visitor(t *testing.T) *Visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Visitor{b, &http.Client{Jar: jar, Transport: Direct.Transport, CheckRedirect: Direct.CheckRedirect}}
}

// Stop is the end of a walk: a page, or a redirect to another origin.
type Stop struct {
	Answer
	At     *url.URL   // URL of the page, or of the answer that redirects
	LeftTo *url.URL   // where it left to; nil if it stayed
	Posted url.Values // fields of the form that it posts there (response_mode=form_post)
}

// Get opens a URL and follows redirects.
func (v *Visitor) Get(t *testing.T, target string) Stop {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return v.Walk(t, r)
}

// Fetch opens a URL and follows no redirect.
func (v *Visitor) Fetch(t *testing.T, target string) Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return Do(t, v.Client, r)
}

// Walk sends a request and follows the redirects of the answers. It fails the test if a
// redirect has another status than 303, or if there are more than ten.
//
// AZ-15: After 307 or 308, a browser would post the password again.
func (v *Visitor) Walk(t *testing.T, r *http.Request) Stop {
	t.Helper()
	for range 10 {
		a := Do(t, v.Client, r)
		next := a.Header.Get("Location")
		if refresh := a.Header.Get("Refresh"); refresh != "" {
			_, next, _ = strings.Cut(refresh, ";url=")
		}
		if next == "" {
			return Stop{Answer: a, At: r.URL}.withPostedResponse(t)
		}
		// RFC 9700, section 4.12: 307 and 308 would send the password to the next URL.
		if a.StatusCode != http.StatusSeeOther && (a.StatusCode != http.StatusOK || a.Header.Get("Location") != "") {
			t.Fatalf("%s %s redirects with status %d, want 303", r.Method, r.URL.Path, a.StatusCode)
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

// withPostedResponse reads the page that posts a response to the client. The browser leaves by
// this form. Other pages stay unchanged.
func (s Stop) withPostedResponse(t *testing.T) Stop {
	t.Helper()
	if s.StatusCode != http.StatusOK || !strings.Contains(s.Body, `<form id="response"`) {
		return s
	}
	form := s.Form(t)
	target, err := url.Parse(form.Action)
	if err != nil {
		t.Fatal(err)
	}
	s.LeftTo, s.Posted = target, form.Values
	return s
}

// Form is a form of a page with the values of its fields.
type Form struct {
	Action string
	Values url.Values
}

// Form returns the last form of the page, without its check boxes. It leaves out the form of a
// passkey, which only a script can send. For a page with several forms see FormTo.
func (s Stop) Form(t *testing.T) Form {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	var found *Form
	for n := range doc.Descendants() {
		switch {
		case n.Type == html.ElementNode && n.Data == "form" && Attr(n, "data-passkey") == "":
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

// Link returns the URL of the link with this id.
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

// Frames returns the addresses of the iframes of the page.
func (s Stop) Frames(t *testing.T) []string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	var frames []string
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "iframe" {
			frames = append(frames, Attr(n, "src"))
		}
	}
	return frames
}

// Attr returns the value of an attribute of an element, "" if there is none.
func Attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Submit posts a form as a browser does, and follows redirects. pairs of name and value add
// or change fields.
func (v *Visitor) Submit(t *testing.T, f Form, pairs ...string) Stop {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		f.Values.Set(pairs[i], pairs[i+1])
	}
	return v.Walk(t, v.FormRequest(t, f))
}

// FormRequest returns the request with which a browser posts the form.
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

// SignIn fills in and submits the sign-in page.
func (v *Visitor) SignIn(t *testing.T, page Stop, email, pass string) Stop {
	t.Helper()
	if page.At.Path != v.Bed.Path("/login") {
		t.Fatalf("the page is not the sign-in page but %s (left to %v, status %d):\n%s", page.At.Path, page.LeftTo, page.StatusCode, page.Body)
	}
	return v.Submit(t, page.FormTo(t, v.Bed.Path("/login"), "", ""), "username", email, "password", pass)
}

// Allow allows the request on the consent page.
func (v *Visitor) Allow(t *testing.T, page Stop) Stop {
	t.Helper()
	if page.At.Path != v.Bed.Path("/consent") {
		t.Fatalf("the page is not the consent page but %s (left to %v, status %d):\n%s", page.At.Path, page.LeftTo, page.StatusCode, page.Body)
	}
	return v.Submit(t, page.Form(t), "decision", "allow")
}

// AnswerPages answers the pages of a sign-in from this page on, until the browser is
// redirected to the client: sign-in as Alice, account selection, consent.
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

// Code returns the authorization code in the response to the client.
func (s Stop) Code(t *testing.T) string {
	t.Helper()
	if s.LeftTo == nil {
		t.Fatalf("got the page %s with status %d, want a redirect to the client:\n%s", s.At.Path, s.StatusCode, s.Body)
	}
	code := s.Response(t).Get("code")
	if code == "" {
		t.Fatalf("no code in %s", s.LeftTo)
	}
	return code
}

// Response returns the parameters of the authorization response, from the query, the fragment
// or the posted form. It leaves out the parameter from, which is part of Callback.
func (s Stop) Response(t *testing.T) url.Values {
	t.Helper()
	if s.LeftTo == nil {
		t.Fatalf("got the page %s with status %d, want a redirect to the client:\n%s", s.At.Path, s.StatusCode, s.Body)
	}
	if s.Posted != nil {
		return s.Posted
	}
	encoded := s.LeftTo.RawQuery
	if s.LeftTo.Fragment != "" {
		encoded = s.LeftTo.EscapedFragment()
	}
	values, err := url.ParseQuery(encoded)
	if err != nil {
		t.Fatalf("response in %s: %v", s.LeftTo, err)
	}
	values.Del("from")
	return values
}

// errorMembers are the parameters that an error response may have.
var errorMembers = []string{"error", "error_description", "error_uri", "state", "iss", "session_state"}

var plainDescription = regexp.MustCompile(`^[ !#-\[\]-~]*$`) // RFC 6749, section 4.1.2.1

// WantError fails the test unless the client got an error response with this code. It also
// checks that the response has no other parameters, sets no cookies, and has the iss.
func (s Stop) WantError(t *testing.T, code string) {
	t.Helper()
	response := s.Response(t)
	if got := response.Get("error"); got != code {
		t.Fatalf("error: got %q, want %q in %s", got, code, s.LeftTo)
	}
	for name, values := range response {
		if !slices.Contains(errorMembers, name) || len(values) != 1 {
			t.Fatalf("an error response has the parameter %s=%q: %s", name, values, s.LeftTo)
		}
	}
	if !plainDescription.MatchString(response.Get("error_description")) {
		t.Fatalf("error_description has characters outside RFC 6749, section 4.1.2.1: %q", response.Get("error_description"))
	}
	if got, want := response.Get("iss"), s.At.Scheme+"://"+s.At.Host; !strings.HasPrefix(got, want) {
		t.Fatalf("iss: got %q, want %q in %s", got, want, s.LeftTo)
	}
	if len(s.Cookies()) > 0 {
		t.Fatalf("an error response sets cookies: %v", s.Cookies())
	}
}

// WantPage fails the test unless s is an HTML error page with this status and code, without
// cookies and not a redirect.
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

// SignInForCode sends an authorization request, signs alice in, consents, and returns the
// code. For pairs see Params.
func (v *Visitor) SignInForCode(t *testing.T, pairs ...string) string {
	t.Helper()
	page := v.SignIn(t, v.Get(t, v.Bed.AuthorizeURL(pairs...)), Alice, Password)
	return v.Allow(t, page).Code(t)
}

// CodeFromSession sends an authorization request in a browser that is signed in and has
// consented, and returns the code. For pairs see Params.
func (v *Visitor) CodeFromSession(t *testing.T, pairs ...string) string {
	t.Helper()
	return v.Get(t, v.Bed.AuthorizeURL(pairs...)).Code(t)
}

// Path returns the path of a URL below the issuer: the path of the issuer and p.
func (b *Testbed) Path(p string) string {
	u, _ := url.Parse(b.Issuer)
	return u.Path + p
}

// Cookie returns a cookie of the issuer, nil if the browser does not have it.
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
