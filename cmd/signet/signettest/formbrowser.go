package signettest

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Visit opens a URL and follows all redirects, also from one server to another, as a real
// browser does.
func (b *FormBrowser) Visit(target string) {
	b.T.Helper()
	for range 10 {
		b.Left = nil
		b.Open(target)
		if b.Left == nil {
			return
		}
		target = b.Left.String()
	}
	b.T.Fatalf("sent to and fro, at last to %s", target)
}

// Text returns all text that the page shows.
func (b *FormBrowser) Text() string {
	var text strings.Builder
	for node := range b.Page.Descendants() {
		if node.Type == html.TextNode {
			text.WriteString(node.Data)
		}
	}
	return strings.TrimSpace(text.String())
}

// FormBrowser is a browser without scripts. It follows redirects and Refresh headers, stores
// cookies and submits forms.
type FormBrowser struct {
	T      testing.TB
	Client *http.Client
	At     *url.URL // URL of the current page
	Page   *html.Node
	Left   *url.URL // URL outside the provider to which it was redirected; it did not open it
}

// NewFormBrowser creates a browser without cookies. It ends the test if a step fails.
func NewFormBrowser(t testing.TB) *FormBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &FormBrowser{T: t}
	b.Client = &http.Client{Jar: jar, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if next.URL.Host != via[0].URL.Host {
			b.Left = next.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return b
}

// Open opens a URL.
func (b *FormBrowser) Open(target string) {
	b.T.Helper()
	request, err := http.NewRequestWithContext(b.T.Context(), http.MethodGet, target, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	b.Do(request)
}

// Send fills the form with the first id and presses the button with the second id; "" means
// the only button.
func (b *FormBrowser) Send(form, button string, typed map[string]string) {
	b.T.Helper()
	node := FindByID(b.Page, form)
	if node == nil {
		b.T.Fatalf("%s shows no form %q but %q", b.At, form, b.Text())
	}
	b.submit(node, button, typed)
}

// Click presses the button with the id, in the form that contains it.
func (b *FormBrowser) Click(button string) {
	b.T.Helper()
	node := FindByID(b.Page, button)
	for node != nil && node.Data != "form" {
		node = node.Parent
	}
	if node == nil {
		b.T.Fatalf("%s shows no button %q", b.At, button)
	}
	b.submit(node, button, nil)
}

func (b *FormBrowser) submit(form *html.Node, button string, typed map[string]string) {
	b.T.Helper()
	fields := url.Values{}
	for input := range form.Descendants() {
		name, value := Attribute(input, "name"), Attribute(input, "value")
		switch {
		case name == "" || Attribute(input, "type") == "checkbox":
		case input.Data == "button" && Attribute(input, "id") != button:
		case typed[name] != "":
			fields.Set(name, typed[name])
		default:
			fields.Set(name, value)
		}
	}
	action, err := b.At.Parse(Attribute(form, "action"))
	if err != nil {
		b.T.Fatal(err)
	}
	request, err := http.NewRequestWithContext(b.T.Context(), http.MethodPost, action.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		b.T.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", b.At.Scheme+"://"+b.At.Host)
	b.Do(request)
}

// Do sends a request, shows the answer and follows its Refresh header.
func (b *FormBrowser) Do(request *http.Request) {
	b.T.Helper()
	request.Header.Set("Accept", "text/html")
	response, err := b.Client.Do(request)
	if err != nil {
		b.T.Fatal(err)
	}
	defer response.Body.Close()
	b.At = response.Request.URL
	if b.Page, err = html.Parse(response.Body); err != nil {
		b.T.Fatal(err)
	}
	if _, target, ok := strings.Cut(response.Header.Get("Refresh"), "url="); ok {
		next, err := b.At.Parse(target)
		if err != nil {
			b.T.Fatal(err)
		}
		b.Open(next.String())
	}
}

// FindByID returns the element with the id, or nil if there is none.
func FindByID(page *html.Node, id string) *html.Node {
	for node := range page.Descendants() {
		if Attribute(node, "id") == id {
			return node
		}
	}
	return nil
}

// Attribute returns an attribute of an element, or "" if the element does not have it.
func Attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
