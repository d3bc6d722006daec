package templates

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"sync"

	"signet/static"
	"signet/templates/words"
)

//go:embed *.html
var embedded embed.FS

// Page is one of the models of this package.
type Page interface{ page() string }

// Pages renders models. It never changes after New and may be used by many
// goroutines.
type Pages struct {
	byName map[string]*template.Template
	frames sync.Map // frame by the value of framed.frame
}

// framed is a page whose part outside the template "main" depends only on the value of frame. The value
// is comparable, and there are few.
type framed interface{ frame() any }

// frame is the part of a page before and after the template "main".
type frame struct{ before, after []byte }

var errNotOurs = errors.New("not a path of ours")

// New returns the embedded pages in English, which link to the given static files.
func New(files *static.Files) (*Pages, error) { return newIn(files, words.English()) }

func newIn(files *static.Files, language *words.Language) (*Pages, error) {
	pages, err := parsed()
	if err != nil {
		return nil, err
	}
	p := &Pages{byName: make(map[string]*template.Template, len(pages))}
	for name, page := range pages {
		own, err := page.Clone()
		if err != nil {
			return nil, fmt.Errorf("copy page %s: %w", name, err)
		}
		p.byName[name] = own.Funcs(functions(files, language))
		fillIn(own, constants{files, language})
	}
	return p, nil
}

// parsed are the pages as they are written, parsed once a process. They are only
// copied: a page that was rendered once has its escaping, and its functions, for good.
var parsed = sync.OnceValues(func() (map[string]*template.Template, error) {
	names, err := fs.Glob(embedded, "*.html")
	if err != nil {
		return nil, fmt.Errorf("list pages: %w", err)
	}
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		if name == "layout.html" {
			continue
		}
		// Each page is a set of its own with the layout, so that "title" and "main"
		// mean this page's.
		pages[name], err = template.New(name).Funcs(functions(nil, words.English())).ParseFS(embedded, "layout.html", name)
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
	}
	return pages, nil
})

// functions are all a page can do beyond printing: it chooses and cleans text. Only sayHTML
// returns a type that html/template does not escape.
func functions(files *static.Files, language *words.Language) template.FuncMap {
	return template.FuncMap{
		"say":     sayIn(language),
		"sayHTML": sayHTMLIn(language),
		"title":   titleIn(language),
		"link":    linkTo,
		"lang":    func() string { return language.Tag },
		"dir":     func() string { return language.Direction },

		"asset":         files.URL,
		"action":        action,
		"target":        target,
		"claims":        claims,
		"compare":       compare,
		"application":   application,
		"clientName":    clientName,
		"logo":          logo,
		"toContinue":    toContinue,
		"wantsTo":       wantsTo,
		"asksToSignOut": asksToSignOut,
		"initial":       initial,
		"name":          name,
		"line":          line,
		"text":          text,
		"escaped":       escaped,
		"ownPath":       ownPath,
		"httpsLink":     httpsLink,
		"webLink":       webLink,
		"webAddress":    webAddress,
		"wrong":         wrong,
		"fieldOf":       fieldOf,
		"refusal":       refusal,
		"trouble":       trouble,
		"why":           why,
		"help":          help,
		"unable":        unable,
		"tried":         tried,
		"confirmable":   confirmable,
		"provable":      provable,

		"connect":       func(base, id string) (string, error) { return action(base, "/login/"+id) },
		"connectorMark": connectorMark,
		"usable":        usable,

		"accountPages": accountPages,
		"adminPages":   adminPages,
	}
}

// action is the address of a form or a link that the page cannot go without. It
// stops the page where that is not a path of ours: a form that posts a password
// elsewhere is worse than no page.
func action(base, path string) (string, error) {
	own := ownPath(base + path)
	if own == "" {
		return "", errNotOurs
	}
	return own, nil
}

// Write renders a page as a whole, or writes nothing and says why.
func (p *Pages) Write(w io.Writer, page Page) error {
	name := page.page()
	own, ok := p.byName[name]
	if !ok {
		return fmt.Errorf("render page: no template %s", name)
	}
	out := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(out)
	out.Reset()
	if err := p.render(out, own, page); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// render renders a page into an empty buffer. The frame of a framed page is rendered once.
func (p *Pages) render(out *bytes.Buffer, own *template.Template, page Page) error {
	f, ok := page.(framed)
	if !ok {
		return own.ExecuteTemplate(out, "layout.html", page)
	}
	if known, ok := p.frames.Load(f.frame()); ok {
		out.Write(known.(frame).before)
		err := own.ExecuteTemplate(out, "main", page)
		out.Write(known.(frame).after)
		return err
	}
	var main bytes.Buffer
	if err := errors.Join(own.ExecuteTemplate(out, "layout.html", page), own.ExecuteTemplate(&main, "main", page)); err != nil {
		return err
	}
	if before, after, found := bytes.Cut(out.Bytes(), main.Bytes()); found {
		p.frames.Store(f.frame(), frame{bytes.Clone(before), bytes.Clone(after)})
	}
	return nil
}

// buffers are reused, because a page is long and a new buffer grows to it in many steps.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
