package config

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"signet/cmd/signet/exit"
	"signet/provider"
)

// Sources is where a command's settings come from, besides the defaults. What
// comes later wins: file, environment, flags.
type Sources struct {
	File  string            // "" for DefaultFile, if it exists
	Env   map[string]string // the whole environment
	Flags map[string]string // key → value, of the flags that were given
}

// Reading is what the sources hold and all that is wrong with it. Config is good only
// where Err is nil.
type Reading struct {
	Config   Config
	Mistakes Mistakes
	Files    Files // that were read: a change of one of them is a reason to read again

	process    *values[Config]
	connectors []*values[provider.Connector]
	unread     map[string]bool // ids of connectors with a variable that is wrong
	unsure     bool            // a file that could not be read, or a misspelt key, may set the issuer
}

// Err is nil, or all that is wrong.
func (r *Reading) Err() error {
	if len(r.Mistakes) == 0 {
		return nil
	}
	return exit.New(exit.Config, r.Mistakes, "correct what is listed, then start again")
}

// RequireIssuer makes it a mistake that the issuer is missing. It is not known to be missing
// where the file could not be read, where it is wrong as written, or where a misspelt
// key stands for it.
func (r *Reading) RequireIssuer() {
	issuer := optionOf(settings, "issuer")
	wrong := func(m Mistake) bool { return m.Key == issuer.key || m.Name == issuer.variable() }
	if r.Config.Issuer == "" && !r.process.has(issuer.key) && !r.unsure && !slices.ContainsFunc(r.Mistakes, wrong) {
		r.complain(Place{}, issuer.key, "is missing: it is the address people reach this server at (example: %s; to try Signet out: signet dev)", issuer.example)
	}
}

// Place is where the value of a setting stands; the zero Place for a default.
func (r *Reading) Place(key string) Place { return r.process.given[key].Place }

// AddMistake adds a mistake in the value of a setting, at its place.
func (r *Reading) AddMistake(key string, err error) {
	r.complain(r.Place(key), key, "%s", err)
}

// AddMistakeWithCause is AddMistake, of something that is wrong elsewhere, as in the database that the
// setting names: if it alone is wrong, the process ends with the code of that cause.
func (r *Reading) AddMistakeWithCause(key string, err error) {
	r.Mistakes = append(r.Mistakes, Mistake{r.Place(key), key, err.Error(), err})
}

func (r *Reading) complain(where Place, key, format string, args ...any) {
	r.Mistakes = append(r.Mistakes, Mistake{where, key, fmt.Sprintf(format, args...), nil})
}

// given is what a source says of an option.
type given struct {
	Place
	written string // as it stood
	text    string // with absolute paths
}

// values are what the sources say of one T, the process or one connector. The options
// that only the default speaks for are not among the given.
type values[T any] struct {
	in     *Reading
	table  []option[T]
	prefix string // of the keys in mistakes: "", or connectors.
	whole  string // what an option belongs to: "", or a connector
	into   *T
	given  map[string]given // by the key of the option
	lists  map[string]readList
	place  Place // of the whole
	broken bool  // an option is wrong, so that the whole cannot be judged
}

// readList reads a list of YAML that is no option but holds some.
type readList func(file string, list *yaml.Node)

func (v *values[T]) has(key string) bool {
	_, ok := v.given[key]
	return ok
}

// set takes one value from where it stood.
func (v *values[T]) set(o option[T], where Place, text string) {
	written := text
	text, ok := v.located(o, where, text)
	v.given[o.key] = given{where, written, text}
	if !ok {
		return
	}
	if err := o.set(v.into, text); err != nil {
		v.in.complain(where, v.prefix+o.key, "%s (%s; example: %s)", err, o.unit, o.example)
	}
}

// keys are all that can be written, sorted as the table is.
func (v *values[T]) keys() []string {
	keys := keysOf(v.table)
	for list := range v.lists {
		keys = append(keys, list)
	}
	slices.Sort(keys[len(v.table):])
	return keys
}
