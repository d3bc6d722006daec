package templates_test

import (
	"cmp"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"signet/templates"
	"signet/templates/words"
)

// catalogValue matches the text of a sentence in the file of a language.
var catalogValue = regexp.MustCompile(`(?m)^([\w-]+) = "((?:[^"\\]|\\.)*)"`)

// Every text that a page shows comes from the catalog or from the model. The test puts each
// sentence into brackets, renders all samples, and looks for letters outside the brackets.
func TestPages_TextsComeFromCatalog(t *testing.T) {
	file, err := os.ReadFile("words/en.toml")
	if err != nil {
		t.Fatal(err)
	}
	bracketed, err := words.Read("en.toml", catalogValue.ReplaceAll(file, []byte(`$1 = "⟦$2⟧"`)))
	if err != nil {
		t.Fatal(err)
	}
	_, files := newPages(t)
	pages, err := templates.NewIn(files, bracketed)
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range samples() {
		var values []string
		collectStrings(reflect.ValueOf(page), &values)
		slices.SortFunc(values, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
		for _, shown := range shownTexts(parse(t, render(t, pages, page))) {
			rest := outsideBrackets(t, name, shown)
			for _, value := range append(values, "Signet") {
				rest = strings.ReplaceAll(rest, strings.Join(strings.Fields(value), " "), "")
			}
			if strings.ContainsFunc(rest, unicode.IsLetter) {
				t.Errorf("%s: %q does not come from the catalog", name, strings.TrimSpace(rest))
			}
		}
	}
}

// shownTexts returns the whole text of the page and each attribute that is shown or read
// aloud. Codes, times and the letter of a person are not sentences.
func shownTexts(d document) []string {
	var text strings.Builder
	var texts []string
	for n := range d.all("html")[0].Descendants() {
		switch n.Type {
		case html.TextNode:
			skipped := n.Parent.Data == "code" || n.Parent.Data == "time" || n.Parent.Data == "mark" || attr(n.Parent, "class") == "initial"
			if !skipped {
				text.WriteString(n.Data + " ")
			}
		case html.ElementNode:
			for _, name := range []string{"aria-label", "alt", "title", "placeholder", "data-text"} {
				if value := attr(n, name); value != "" {
					texts = append(texts, value)
				}
			}
		}
	}
	return append(texts, text.String())
}

// outsideBrackets returns the text outside ⟦ and ⟧, which may be nested.
func outsideBrackets(t *testing.T, name, text string) string {
	t.Helper()
	var out strings.Builder
	depth := 0
	for _, r := range text {
		switch r {
		case '⟦':
			depth++
		case '⟧':
			depth--
		default:
			if depth == 0 {
				out.WriteRune(r)
			}
		}
	}
	if depth != 0 {
		t.Errorf("%s: a sentence is cut", name)
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// collectStrings appends the strings of a model, but not those of its sentences.
func collectStrings(v reflect.Value, list *[]string) {
	if v.Type() == reflect.TypeFor[words.Sentence]() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		if v.String() != "" {
			*list = append(*list, v.String())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			collectStrings(v.Field(i), list)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collectStrings(v.Index(i), list)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			collectStrings(v.Elem(), list)
		}
	}
}
