package templates_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// HT-23: no page prints a string unescaped. The test reads every Go file of the module. A
// string converted to one of these types is printed unescaped, and text/template escapes
// nothing. Only sayHTML may convert: package words has escaped the values of its sentence.
func TestPages_NoTrustedStrings(t *testing.T) {
	trusted := []string{"HTML", "HTMLAttr", "JS", "JSStr", "URL", "Srcset", "CSS"}
	files := goFiles(t, "..")
	if len(files) < 10 {
		t.Fatalf("got %d Go files, want those of the whole module", len(files))
	}
	for _, path := range files {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		name := ""
		for _, spec := range file.Imports {
			switch spec.Path.Value {
			case `"text/template"`:
				t.Errorf("%s imports text/template, which escapes nothing", path)
			case `"html/template"`:
				name = "template"
				if spec.Name != nil {
					name = spec.Name.Name
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok || name == "" {
				return true
			}
			if room, ok := selector.X.(*ast.Ident); ok && room.Name == name && slices.Contains(trusted, selector.Sel.Name) && path != filepath.Join("..", "templates", "say.go") {
				t.Errorf("%s: template.%s is printed unescaped", set.Position(n.Pos()), selector.Sel.Name)
			}
			return true
		})
	}
}

func goFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "node_modules", "testdata"}, entry.Name()) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// HT-15: no page has inline code. The test reads the sources of the pages, because no sample
// may take some branches.
func TestPages_NoInlineCode(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"inline script":            regexp.MustCompile(`(?i)<script(\s[^>]*)?>\s*[^<\s]`),
		"script without a file":    regexp.MustCompile(`(?i)<script>`),
		"style element":            regexp.MustCompile(`(?i)<style`),
		"style attribute":          regexp.MustCompile(`(?i)\sstyle\s*=`),
		"event attribute":          regexp.MustCompile(`(?i)\son[a-z]+\s*=`),
		"javascript address":       regexp.MustCompile(`(?i)javascript:`),
		"address of a third party": regexp.MustCompile(`(?i)(src|href|action)="(https?:)?//`),
		"refresh by meta":          regexp.MustCompile(`(?i)http-equiv`),
		"zoom switched off":        regexp.MustCompile(`(?i)maximum-scale|user-scalable`),
		"disabled in the markup":   regexp.MustCompile(`(?i)\sdisabled`),
		"label in a placeholder":   regexp.MustCompile(`(?i)\splaceholder`),
	}
	for path, content := range sources(t, "*.html") {
		for what, pattern := range forbidden {
			if found := pattern.FindString(content); found != "" {
				t.Errorf("%s: %s: %q", path, what, found)
			}
		}
	}
}

// Without rules that name a side, pages in right-to-left languages need no second style sheet.
func TestCSS_NamesNoSide(t *testing.T) {
	sided := regexp.MustCompile(`(?m)(?:^|[{;\s])((?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right|top|bottom)[a-z-]*|border-(?:top|bottom)-(?:left|right)-radius|(?:min-|max-)?(?:width|height)|left|right|top|bottom|float|clear)\s*:`)
	aligned := regexp.MustCompile(`text-align\s*:\s*(?:left|right)`)
	for path, content := range sources(t, "../static/*.css") {
		for _, pattern := range []*regexp.Regexp{sided, aligned} {
			for _, found := range pattern.FindAllString(content, -1) {
				t.Errorf("%s: %q names a side, want the logical property", path, strings.TrimSpace(found))
			}
		}
		if strings.Contains(content, "url(") || strings.Contains(content, "@import") {
			t.Errorf("%s fetches another file", path)
		}
	}
}

// HT-15: the scripts run with script-src 'self'. They send no requests, but that a form for a passkey
// reads its own page again, and that the page of a sign-in sends a passkey that the browser made by itself.
func TestScript_KeepsItsPolicy(t *testing.T) {
	forbidden := regexp.MustCompile(`\b(eval|Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|fetch|XMLHttpRequest|sendBeacon|localStorage|sessionStorage|cookie|disabled)\b\s*[(=.]`)
	for path, content := range sources(t, "../static/*.js") {
		if strings.HasSuffix(path, "/webauthn.js") {
			content = strings.Replace(content, "fetch(address,", "", 1)
			content = strings.Replace(content, "fetch(form.action,", "", 1)
		}
		if found := forbidden.FindString(content); found != "" {
			t.Errorf("%s uses %q", path, found)
		}
	}
}

func sources(t *testing.T, pattern string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no file is named %s", pattern)
	}
	contents := make(map[string]string, len(paths))
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		contents[path] = string(content)
	}
	return contents
}

// HT-23: say.go, which TestPages_NoTrustedStrings leaves out, converts in sayHTMLIn alone.
func TestPages_SayHTMLAloneTrusts(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "say.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok || f.Name.Name == "sayHTMLIn" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok && selector.Sel.Name == "HTML" {
				t.Errorf("%s uses %s", f.Name.Name, selector.Sel.Name)
			}
			return true
		})
	}
}
