package config

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"signet/cmd/signet/exit"
	"signet/provider"
)

// Sources holds the sources of a command's settings. Flags override the environment, the
// environment overrides the file, and the file overrides the defaults.
type Sources struct {
	File   string            // "" for DefaultFile, if it exists, or else System
	System string            // SystemFile, if it exists; "" for none
	Env    map[string]string // the whole environment
	Flags  map[string]string // key → value of each flag that was passed
}

// Reading is the result of reading the sources. Config is valid only if Err returns nil.
type Reading struct {
	Config   Config
	Mistakes Mistakes
	Files    Files // the files that were read; if one changes, the settings must be read again

	secretFiles   []string         // the files that contain a secret, in the order of reading
	secretFileAt  map[Place]string // the file that the value of a secret at this place names
	process       *values[Config]
	connectors    []*values[provider.Connector]
	brokenIDs     map[string]bool // ids of connectors that have a wrong variable
	mayHaveIssuer bool            // an unreadable file or a misspelt key may have set the issuer
}

// Err returns all mistakes as one error, or nil.
func (r *Reading) Err() error {
	if len(r.Mistakes) == 0 {
		return nil
	}
	return exit.New(exit.Config, r.Mistakes, "fix the settings listed above, then try again")
}

// RequireIssuer adds a mistake if the issuer is missing. It adds none if the file could not be
// read, if the issuer is wrong, or if a misspelt key may be the issuer.
func (r *Reading) RequireIssuer() {
	issuer := optionOf(settings, "issuer")
	wrong := func(m Mistake) bool { return m.Key == issuer.key || m.Name == issuer.variable() }
	if r.Config.Issuer == "" && !r.process.has(issuer.key) && !r.mayHaveIssuer && !slices.ContainsFunc(r.Mistakes, wrong) {
		r.addMistakeAt(Place{}, issuer.key, "is missing: it is the public address of this server (example: %s; to try Signet out: signet dev)", issuer.example)
	}
}

// Place returns the place of the value of a setting. It is the zero Place for a default.
func (r *Reading) Place(key string) Place { return r.process.given[key].Place }

// Text returns the text of a setting that is not secret, with absolute paths; "" for a default.
func (r *Reading) Text(key string) string { return r.process.given[key].text }

// AddMistake adds a mistake about the value of a setting, at its place.
func (r *Reading) AddMistake(key string, err error) {
	r.addMistakeAt(r.Place(key), key, "%s", err)
}

// AddMistakeWithCause adds a mistake with a cause outside the settings, for example in the
// database that the setting names. If it is the only mistake, the process ends with the exit
// code of that cause.
func (r *Reading) AddMistakeWithCause(key string, err error) {
	r.Mistakes = append(r.Mistakes, Mistake{r.Place(key), key, err.Error(), err})
}

func (r *Reading) addMistakeAt(where Place, key, format string, args ...any) {
	r.Mistakes = append(r.Mistakes, Mistake{where, key, fmt.Sprintf(format, args...), nil})
}

// givenValue is the value of an option in a source.
type givenValue struct {
	Place
	written string // as written in the source
	text    string // the same with absolute paths
}

// values holds the options that the sources set of one T: the process or one connector.
// Options that have only their default are not in given.
type values[T any] struct {
	reading *Reading
	table   []option[T]
	prefix  string // prefix of the keys in mistakes: "", or connectors.
	noun    string // name of the T in messages: "", or a connector
	target  *T
	given   map[string]givenValue // by key of the option
	lists   map[string]readList
	place   Place // of the T
	broken  bool  // an option is wrong, so the T cannot be checked as a whole
}

// readList reads a YAML list of items that contain options.
type readList func(file string, list *yaml.Node)

func (v *values[T]) has(key string) bool {
	_, ok := v.given[key]
	return ok
}

// set sets an option to a value from a source. A value that does not parse is a mistake.
func (v *values[T]) set(o option[T], where Place, text string) {
	written := text
	text, ok := v.resolvePaths(o, where, text)
	v.given[o.key] = givenValue{where, written, text}
	if !ok {
		return
	}
	if err := o.set(v.target, text); err != nil {
		v.reading.addMistakeAt(where, v.prefix+o.key, "%s (%s; example: %s)", err, o.unit, o.example)
	}
}

// keys returns all keys that a file may contain: the options in the order of the table, then
// the lists.
func (v *values[T]) keys() []string {
	keys := keysOf(v.table)
	for list := range v.lists {
		keys = append(keys, list)
	}
	slices.Sort(keys[len(v.table):])
	return keys
}
