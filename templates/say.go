package templates

import (
	"errors"
	"html/template"
	"text/template/parse"

	"signet/static"
	"signet/templates/words"
)

var errForeignLink = errors.New("the link of a sentence is neither a path of ours nor an https address, nor the secret of an authenticator app")

// sayIn makes the function that prints a sentence as plain text: in an element, a title or
// an attribute. Its first argument is a key of the catalog, or a Sentence that Go code has
// chosen. The others are pairs as words.Say takes them.
func sayIn(language *words.Language) func(first any, pairs ...any) (string, error) {
	return func(first any, pairs ...any) (string, error) { return language.Text(sentenceOf(first, pairs)) }
}

// sayHTMLIn makes the function that prints a sentence with markup as the content of an
// element. Only the result of this function is not escaped by html/template: package words
// escapes every value, and allows only a few elements in the sentence itself.
func sayHTMLIn(language *words.Language) func(first any, pairs ...any) (template.HTML, error) {
	return func(first any, pairs ...any) (template.HTML, error) {
		for _, value := range pairs {
			if link, ok := value.(words.Link); ok && ownPath(link.Href) == "" && httpsLink(link.Href) == "" && !isAppLink(link.Href) {
				return "", errForeignLink
			}
		}
		text, err := language.HTML(sentenceOf(first, pairs))
		return template.HTML(text), err
	}
}

// titleIn makes the function that prints the title of the browser's tab. A page that reports
// an error says so first.
func titleIn(language *words.Language) func(failed any, page string, c Common) (string, error) {
	return func(failed any, page string, c Common) (string, error) {
		if is, _ := template.IsTrue(failed); is {
			return language.Text(words.Say("page.error-title", "Page", page, "App", application(c)))
		}
		return language.Text(words.Say("page.title", "Page", page, "App", application(c)))
	}
}

// linkTo is the value for the placeholder "a" of a sentence.
func linkTo(id, href string) words.Link { return words.Link{ID: id, Href: href} }

func sentenceOf(first any, pairs []any) words.Sentence {
	if s, ok := first.(words.Sentence); ok {
		return s
	}
	key, _ := first.(string)
	return words.Say(key, pairs...)
}

// constants are the values that are the same each time a page is rendered.
type constants struct {
	files    *static.Files
	language *words.Language
}

// fillIn puts the constants into a parsed page, so that they cost nothing when it is rendered.
func fillIn(page *template.Template, c constants) {
	for _, t := range page.Templates() {
		if t.Tree != nil {
			c.fillInList(t.Tree.Root)
		}
	}
}

func (c constants) fillInList(list *parse.ListNode) {
	if list == nil {
		return
	}
	for i, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.ActionNode:
			if text, ok := c.textOf(node.Pipe); ok {
				list.Nodes[i] = &parse.TextNode{NodeType: parse.NodeText, Pos: node.Pos, Text: []byte(template.HTMLEscapeString(text))}
			}
		case *parse.IfNode:
			c.fillInList(node.List)
			c.fillInList(node.ElseList)
		case *parse.RangeNode:
			c.fillInList(node.List)
			c.fillInList(node.ElseList)
		case *parse.WithNode:
			c.fillInList(node.List)
			c.fillInList(node.ElseList)
		}
	}
}

// textOf returns the text of {{say "key"}} without further arguments, {{asset "name"}}, {{lang}} and {{dir}}.
func (c constants) textOf(pipe *parse.PipeNode) (string, bool) {
	if len(pipe.Decl) > 0 || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) > 2 {
		return "", false
	}
	function, _ := pipe.Cmds[0].Args[0].(*parse.IdentifierNode)
	if function == nil {
		return "", false
	}
	if len(pipe.Cmds[0].Args) == 1 {
		switch function.Ident {
		case "lang":
			return c.language.Tag, true
		case "dir":
			return c.language.Direction, true
		}
		return "", false
	}
	name, _ := pipe.Cmds[0].Args[1].(*parse.StringNode)
	switch {
	case name == nil:
		return "", false
	case function.Ident == "say":
		text, err := c.language.Text(words.Say(name.Text))
		return text, err == nil
	case function.Ident == "asset":
		return c.files.URL(name.Text), true
	}
	return "", false
}
