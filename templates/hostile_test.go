package templates_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"signet/templates"
	"signet/templates/words"
)

var hostile = map[string]string{
	"script":     `<script>alert(1)</script><img src=x onerror=alert(1)>`,
	"quotes":     `"'><svg onload=alert(1)><form action=//evil.example id=login>`,
	"attribute":  `x" autofocus onfocus="alert(1)" style="color:red`,
	"closing":    `</title></main></code></textarea><h1>owned</h1><main id=username>`,
	"template":   `{{.Ticket}}{{template "main"}}` + "`${alert(1)}`",
	"javascript": `javascript:alert(document.domain)`,
	"data":       `data:text/html,<script>alert(1)</script>`,
	"spaced":     " \t\njava\nscript:alert(1)",
	"host":       `//evil.example/path`,
	"backslash":  `/\evil.example/path`,
	"userinfo":   `https://accounts.example.com@evil.example/`,
	"bidi":       "moc.elpmaxe\u202egnihsihp\u2066\u200b\u2069\u202c\u061c\U000E0041",
	"control":    "a\x00b\x07c\r\nd\u2028e\u2029f\x1b[31m\u0085",
	"invalid":    "a\xff\xfe\xc0\xafb",
	"long":       strings.Repeat("Ж", 3000),
	"long html":  strings.Repeat(`<b onclick="x">`, 200),
	"nothing":    "\u3164\u200b\u2800",
}

// AZ-25: hostile values stay text. The test puts each value into every string and every
// sentence of every page. No part of a value may become an element, an attribute or a link.
func TestPages_HostileValuesStayText(t *testing.T) {
	pages, _ := newPages(t)
	shapes, forms := map[string]bool{}, map[string]int{}
	for sample, page := range samples() {
		plain := parse(t, render(t, pages, page))
		forms[sample] = len(plain.all("form"))
		for _, e := range plain.elements {
			shapes[shape(e)] = true
		}
	}
	for sample, page := range samples() {
		for name, value := range hostile {
			t.Run(sample+"/"+name, func(t *testing.T) {
				rendered := render(t, pages, sow(page, value))
				d := parse(t, rendered)
				mustBeSound(t, d)
				for _, e := range d.elements {
					if !shapes[shape(e)] {
						t.Errorf("no page has such an element by itself: %s", shape(e))
					}
				}
				if got, want := len(d.all("form")), forms[sample]; got > want {
					t.Errorf("got %d forms, want at most %d", got, want)
				}
				mustHideNothing(t, d)
			})
		}
	}
}

// shape describes an element by the names of its attributes, and the values of those that
// no model sets.
func shape(e *html.Node) string {
	attrs := make([]string, 0, len(e.Attr))
	for _, a := range e.Attr {
		if slices.Contains([]string{"id", "class", "name", "type", "method", "rel", "for", "role"}, a.Key) {
			attrs = append(attrs, a.Key+"="+a.Val)
			continue
		}
		attrs = append(attrs, a.Key)
	}
	slices.Sort(attrs)
	return e.Data + " " + strings.Join(attrs, " ")
}

// mustHideNothing checks that no text on the page has a hidden character (DR-06).
func mustHideNothing(t *testing.T, d document) {
	t.Helper()
	for _, e := range d.elements {
		for c := e.FirstChild; c != nil; c = c.NextSibling {
			if c.Type != html.TextNode {
				continue
			}
			if i := strings.IndexFunc(c.Data, func(r rune) bool { return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf) }); i >= 0 {
				t.Errorf("<%s> shows a hidden character: %+q", e.Data, c.Data)
			}
		}
	}
}

// sow returns the page with the value in each of its strings and sentences, except in names of
// hidden fields and in the three
// strings that are targets of forms, Base and the addresses of Continue and FormPost: see
// TestWrite_RefusesForeignTargets.
func sow(page templates.Page, value string) templates.Page {
	out := reflect.New(reflect.TypeOf(page)).Elem()
	out.Set(copyOf(reflect.ValueOf(page), value, ""))
	return out.Interface().(templates.Page)
}

func copyOf(from reflect.Value, value, field string) reflect.Value {
	to := reflect.New(from.Type()).Elem()
	if s, ok := from.Interface().(words.Sentence); ok {
		if !s.IsZero() {
			to.Set(reflect.ValueOf(words.Say("form.with-connector", "Connector", value)))
		}
		return to
	}
	switch from.Kind() {
	case reflect.String:
		to.SetString(value)
		if field == "Base" || field == "URL" || field == "Parameter" {
			to.Set(from)
		}
	case reflect.Struct:
		for i := range from.NumField() {
			to.Field(i).Set(copyOf(from.Field(i), value, from.Type().Field(i).Name))
		}
	case reflect.Slice:
		for i := range from.Len() {
			to = reflect.Append(to, copyOf(from.Index(i), value, ""))
		}
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			to.Elem().Set(copyOf(from.Elem(), value, ""))
		}
	default:
		to.Set(from)
	}
	return to
}

// A page that would send a password or a person elsewhere is not written at all.
func TestWrite_RefusesForeignTargets(t *testing.T) {
	pages, _ := newPages(t)
	for _, target := range []string{"//evil.example", "https://evil.example", "javascript:alert(1)", `/\evil.example`, "evil"} {
		common := templates.Common{Base: target}
		for _, page := range []templates.Page{
			templates.SignIn{Common: common},
			templates.Consent{Common: common},
			templates.ChooseAccount{Common: common},
			templates.SignOut{Common: common},
			templates.Continue{URL: target},
			templates.Continue{},
			templates.FormPost{URL: strings.TrimPrefix(target, "https:")},
		} {
			var out bytes.Buffer
			if err := pages.Write(&out, page); err == nil || out.Len() > 0 {
				t.Errorf("%T to %q: got %d bytes and error %v, want none and an error", page, target, out.Len(), err)
			}
		}
	}
}

func TestClientName_IsCutAndShownWithHost(t *testing.T) {
	pages, _ := newPages(t)
	page := templates.SignIn{Common: templates.Common{Client: templates.Client{Name: "\u202eelgooG " + strings.Repeat("x", 10000), Host: "evil.example"}}}
	d := parse(t, render(t, pages, page))
	lede := textOf(d.all("p")[0])
	shown, ok := strings.CutPrefix(lede, "to continue to elgooG ")
	if !ok || !strings.HasSuffix(lede, "… (evil.example)") {
		t.Errorf("got %q, want the cleaned name and its host", lede)
	}
	if runes := len([]rune(shown)); runes > 60+len(" (evil.example)") {
		t.Errorf("got %d runes of name and host", runes)
	}
	page.Client.Name = "\u200b\u3164"
	if got := textOf(parse(t, render(t, pages, page)).all("p")[0]); got != "to continue to evil.example" {
		t.Errorf("got %q for an empty name, want the host alone", got)
	}
}

func TestPages_ClientLinksAreHTTPSAndPicturesOurs(t *testing.T) {
	pages, _ := newPages(t)
	for _, address := range []string{"javascript:alert(1)", "http://photos.example.com/", "//photos.example.com/", "data:image/svg+xml,<svg/>", "https:evil", "https://a@b.example/", " https://b.example/"} {
		c := templates.Common{Issuer: "auth.example.com", Client: templates.Client{Name: "Photos", HomeURL: address, PolicyURL: address, TermsURL: address}}
		d := parse(t, render(t, pages, templates.SignIn{Common: c}))
		if links := d.all("a"); len(links) != 0 {
			t.Errorf("%q is shown as a link", address)
		}
		if src := attr(d.all("img")[0], "src"); !strings.HasPrefix(src, "/auth/static/favicon.") {
			t.Errorf("%q: got image %q, want our mark", address, src)
		}
	}
}
