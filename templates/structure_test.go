package templates_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// document is a parsed page.
type document struct{ elements []*html.Node }

func parse(t *testing.T, page string) document {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var d document
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			d.elements = append(d.elements, n)
		}
	}
	return d
}

func (d document) all(tag string) []*html.Node {
	var found []*html.Node
	for _, e := range d.elements {
		if e.Data == tag {
			found = append(found, e)
		}
	}
	return found
}

func (d document) byID(id string) *html.Node {
	for _, e := range d.elements {
		if attr(e, "id") == id {
			return e
		}
	}
	return nil
}

func attr(e *html.Node, name string) string {
	value, _ := lookup(e, name)
	return value
}

func lookup(e *html.Node, name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func textOf(e *html.Node) string {
	var out strings.Builder
	for n := range e.Descendants() {
		if n.Type == html.TextNode {
			out.WriteString(n.Data)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// P-87: pages are well-formed and accessible, as far as this is visible without a browser.
func TestPages_AreWellFormed(t *testing.T) {
	pages, _ := newPages(t)
	for name, page := range samples() {
		t.Run(name, func(t *testing.T) { mustBeSound(t, parse(t, render(t, pages, page))) })
	}
}

// TestPages_LoadWebAuthnWhereTheyUseIt checks that pages without passkeys load less.
func TestPages_LoadWebAuthnWhereTheyUseIt(t *testing.T) {
	pages, files := newPages(t)
	using := 0
	for name, page := range samples() {
		d := parse(t, render(t, pages, page))
		uses := slices.ContainsFunc(d.elements, func(e *html.Node) bool {
			return slices.ContainsFunc(e.Attr, func(a html.Attribute) bool {
				return slices.Contains([]string{"data-passkey", "data-no-passkeys", "data-known-user", "data-creates", "data-can-create"}, a.Key)
			})
		})
		want := files.URL("site.js")
		if uses {
			using++
			want = files.URL("webauthn.js")
		}
		if got := attr(d.all("script")[0], "src"); got != want {
			t.Errorf("%s: got script %s, want %s", name, got, want)
		}
	}
	if using < 5 {
		t.Errorf("%d pages use passkeys, want at least 5", using)
	}
}

// mustBeSound checks the rules for every page, independent of its model.
func mustBeSound(t *testing.T, d document) {
	t.Helper()
	for _, tag := range []string{"html", "head", "title", "body", "main", "h1", "footer", "script"} {
		if got := len(d.all(tag)); got != 1 {
			t.Errorf("got %d <%s>, want 1", got, tag)
		}
	}
	for _, tag := range []string{"title", "h1", "h2", "a", "button", "label"} {
		for _, e := range d.all(tag) {
			if textOf(e) == "" {
				t.Errorf("<%s id=%q> has no text", tag, attr(e, "id"))
			}
		}
	}
	if e := d.all("html")[0]; attr(e, "lang") != "en" || attr(e, "dir") != "ltr" {
		t.Errorf("got html attributes %v, want lang=en dir=ltr", e.Attr)
	}
	mustReferToItself(t, d)
	mustLabelInputs(t, d)
	mustLeadToItsProblem(t, d)
	mustHaveNoInlineCode(t, d)
}

func mustReferToItself(t *testing.T, d document) {
	t.Helper()
	seen := map[string]bool{}
	for _, e := range d.elements {
		id, ok := lookup(e, "id")
		if !ok {
			continue
		}
		if id == "" || seen[id] {
			t.Errorf("id %q is empty or there twice", id)
		}
		seen[id] = true
	}
	for _, e := range d.elements {
		for _, name := range []string{"aria-describedby", "aria-labelledby", "aria-controls", "for", "data-caps"} {
			list, ok := lookup(e, name)
			ids := strings.Fields(list)
			if ok && (len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return !seen[id] })) {
				t.Errorf("<%s %s=%q> refers to nothing", e.Data, name, list)
			}
		}
		if fragment, ok := strings.CutPrefix(attr(e, "href"), "#"); ok && !seen[fragment] {
			t.Errorf("link to #%s leads nowhere", fragment)
		}
	}
}

func mustLabelInputs(t *testing.T, d document) {
	t.Helper()
	labelled := map[string]bool{}
	for _, label := range d.all("label") {
		labelled[attr(label, "for")] = true
		for n := range label.Descendants() {
			if n.Type == html.ElementNode && n.Data == "input" {
				labelled[attr(n, "id")] = true
			}
		}
	}
	for _, input := range d.all("input") {
		_, hidden := lookup(input, "hidden") // for password managers alone
		if attr(input, "type") != "hidden" && !hidden && !labelled[attr(input, "id")] {
			t.Errorf("input %q has no label", attr(input, "id"))
		}
	}
	for _, img := range d.all("img") {
		if _, ok := lookup(img, "alt"); !ok {
			t.Errorf("image %q has no alt", attr(img, "src"))
		}
	}
}

// mustLeadToItsProblem checks that the focus begins at the reason of a refused form, with and
// without a script, and that each wrong field has a description of its error.
func mustLeadToItsProblem(t *testing.T, d document) {
	t.Helper()
	var first []string
	for _, e := range d.elements {
		if _, ok := lookup(e, "autofocus"); ok {
			first = append(first, attr(e, "id"))
		}
		if attr(e, "aria-invalid") != "" && attr(e, "aria-describedby") == "" {
			t.Errorf("input %q is wrong and does not say why", attr(e, "id"))
		}
	}
	if d.byID("problem") != nil && !slices.Equal(first, []string{"problem"}) || len(first) > 1 {
		t.Errorf("focus begins at %q, want one place, and #problem if there is one", first)
	}
}

var scripts = regexp.MustCompile(`^/auth/static/(site|webauthn)\.[0-9a-f]{8}\.js$`)

// mustHaveNoInlineCode keeps the pages within a Content-Security-Policy of 'self'.
func mustHaveNoInlineCode(t *testing.T, d document) {
	t.Helper()
	for _, e := range d.elements {
		if slices.Contains([]string{"style", "object", "embed", "base", "math", "template"}, e.Data) || e.Data == "svg" && attr(e, "class") != "timeline" && attr(e, "class") != "qr" {
			t.Errorf("<%s> has no place on a page", e.Data)
		}
		if _, hidden := lookup(e, "hidden"); e.Data == "iframe" && (!hidden || attr(e, "sandbox") != "allow-same-origin allow-scripts" || attr(e, "referrerpolicy") != "no-referrer") {
			t.Errorf("a frame of another site is shown, or may do too much: %v", e.Attr)
		}
		if e.Data == "script" && (e.FirstChild != nil || !scripts.MatchString(attr(e, "src"))) {
			t.Errorf("script is none of ours: %v", e.Attr)
		}
		for _, a := range e.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || a.Key == "http-equiv" || a.Key == "srcdoc" || a.Key == "formaction" {
				t.Errorf("<%s> has attribute %s", e.Data, a.Key)
			}
			if strings.Contains(a.Val, "ZgotmplZ") {
				t.Errorf("<%s %s> was filtered by the template: %q", e.Data, a.Key, a.Val)
			}
			if slices.Contains([]string{"href", "src", "action"}, a.Key) && !addressIsSafe(a.Val) {
				t.Errorf("<%s %s=%q> is no address for a page", e.Data, a.Key, a.Val)
			}
		}
	}
}

func addressIsSafe(address string) bool {
	if strings.HasPrefix(address, "//") || strings.HasPrefix(address, `/\`) {
		return false
	}
	for _, begin := range []string{"/", "#", "https://", "http://", "otpauth://totp/"} {
		if strings.HasPrefix(address, begin) {
			return true
		}
	}
	return false
}
