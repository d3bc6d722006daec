package words_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"signet/templates/words"
)

// call is a place that prints or chooses a sentence.
type call struct {
	place  string
	key    string
	names  []string // of the placeholders that have a value
	markup bool     // the place prints markup
	goCode bool     // the place chooses the sentence; another place prints it
}

// TestCatalog_CallsAndSentencesAgree reads every page and all Go code: each key that is used
// is in the catalog, each sentence of the catalog is used, and each placeholder has a value.
func TestCatalog_CallsAndSentencesAgree(t *testing.T) {
	calls := append(callsOfPages(t), callsOfCode(t)...)
	catalog := words.Catalog(words.English())
	used := map[string]bool{}
	for _, c := range calls {
		sentence, known := catalog[c.key]
		if !known {
			t.Errorf("%s: the catalog has no sentence %q", c.place, c.key)
			continue
		}
		used[c.key] = true
		if slices.Sort(c.names); !slices.Equal(c.names, sentence.Placeholders) {
			t.Errorf("%s: %s has values for %q, the catalog has placeholders %q", c.place, c.key, c.names, sentence.Placeholders)
		}
		if sentence.Markup && !c.markup && !c.goCode {
			t.Errorf("%s: %s has markup: print it with sayHTML", c.place, c.key)
		}
	}
	for key := range catalog {
		if !used[key] {
			t.Errorf("nothing uses the sentence %q", key)
		}
	}
	if len(calls) < 20 {
		t.Errorf("only %d calls were found", len(calls))
	}
}

// callsOfPages finds {{say "key" …}} and {{sayHTML "key" …}} in the pages and mails.
func callsOfPages(t *testing.T) (calls []call) {
	t.Helper()
	paths, err := filepath.Glob("../*.html")
	mails, err2 := filepath.Glob("../mails/*.html")
	if err := errors.Join(err, err2); err != nil || len(paths) == 0 || len(mails) == 0 {
		t.Fatalf("no pages or no mails: %v", err)
	}
	paths = append(paths, mails...)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		trees := map[string]*parse.Tree{}
		tree := parse.New(path)
		tree.Mode = parse.SkipFuncCheck
		if _, err := tree.Parse(string(content), "", "", trees); err != nil {
			t.Fatal(err)
		}
		for _, tree := range trees {
			eachCommand(tree.Root, func(command *parse.CommandNode) {
				if c, ok := callOfPage(t, path, command); ok {
					calls = append(calls, c)
				}
			})
		}
	}
	return calls
}

func callOfPage(t *testing.T, path string, command *parse.CommandNode) (call, bool) {
	t.Helper()
	function, ok := command.Args[0].(*parse.IdentifierNode)
	if !ok || function.Ident != "say" && function.Ident != "sayHTML" || len(command.Args) < 2 {
		return call{}, false
	}
	c := call{place: path + ": " + command.String(), markup: function.Ident == "sayHTML"}
	key, ok := command.Args[1].(*parse.StringNode)
	if !ok {
		return c, false // a Sentence that Go code has chosen
	}
	c.key = key.Text
	for i := 2; i < len(command.Args); i += 2 {
		name, ok := command.Args[i].(*parse.StringNode)
		if !ok {
			t.Errorf("%s: the name of a placeholder is not a literal", c.place)
			continue
		}
		c.names = append(c.names, name.Text)
	}
	return c, true
}

// eachCommand walks a page, the parentheses in its pipelines included.
func eachCommand(node parse.Node, visit func(*parse.CommandNode)) {
	branch := func(b parse.BranchNode) {
		eachCommand(b.Pipe, visit)
		eachCommand(b.List, visit)
		if b.ElseList != nil {
			eachCommand(b.ElseList, visit)
		}
	}
	switch node := node.(type) {
	case *parse.ListNode:
		for _, n := range node.Nodes {
			eachCommand(n, visit)
		}
	case *parse.ActionNode:
		eachCommand(node.Pipe, visit)
	case *parse.TemplateNode:
		if node.Pipe != nil {
			eachCommand(node.Pipe, visit)
		}
	case *parse.IfNode:
		branch(node.BranchNode)
	case *parse.RangeNode:
		branch(node.BranchNode)
	case *parse.WithNode:
		branch(node.BranchNode)
	case *parse.PipeNode:
		for _, command := range node.Cmds {
			visit(command)
			for _, argument := range command.Args {
				eachCommand(argument, visit)
			}
		}
	}
}

// callsOfCode finds words.Say("key", …) in all Go code that is not a test.
func callsOfCode(t *testing.T) (calls []call) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "node_modules", "testdata"}, entry.Name()) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == filepath.Join("..", "..", "templates", "words") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(content), "signet/templates/words") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, content, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			expression, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if c, ok := callOfCode(t, set.Position(n.Pos()).String(), expression); ok {
				calls = append(calls, c)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

// sayOfPages is the one file that may take the key from a variable: a page names it, and
// callsOfPages has read it there.
const sayOfPages = "../../templates/say.go"

func callOfCode(t *testing.T, place string, expression *ast.CallExpr) (call, bool) {
	t.Helper()
	selector, ok := expression.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Say" {
		return call{}, false
	}
	if room, ok := selector.X.(*ast.Ident); !ok || room.Name != "words" {
		return call{}, false
	}
	c := call{place: place, goCode: true}
	for i, argument := range expression.Args {
		if i > 0 && i%2 == 0 {
			continue
		}
		literal, ok := argument.(*ast.BasicLit)
		if !ok && i == 0 && strings.HasPrefix(place, sayOfPages) {
			return c, false
		}
		if !ok || literal.Kind != token.STRING {
			t.Errorf("%s: a key and the name of a placeholder must be literals", place)
			return c, false
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			c.key = text
			continue
		}
		c.names = append(c.names, text)
	}
	return c, true
}
