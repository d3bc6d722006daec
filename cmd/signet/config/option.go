package config

import (
	"slices"
	"strings"
)

// option is one thing that can be set in a T: the process, or one connector.
type option[T any] struct {
	key     string // path in the YAML file
	byDef   string // default, as one would write it
	unit    string // what the value is
	example string
	about   string
	secret  bool      // also read from a file that …_FILE or …_file names
	live    bool      // a running server takes it over
	flag    bool      // serve has a flag for it
	mapping bool      // a mapping of YAML is as good as name=value, name=value
	folder  bool      // the path is a folder's, which may not be there yet
	paths   withPaths // nil for a value that names no file
	shape   shape
	set     func(into *T, text string) error
}

// into makes the set function of an option from its field and its parser.
func into[T, V any](field func(*T) *V, parse func(string) (V, error)) func(*T, string) error {
	return func(t *T, text string) error {
		v, err := parse(text)
		if err != nil {
			return err
		}
		*field(t) = v
		return nil
	}
}

// variable is the name of the setting in the environment.
func (o option[T]) variable() string {
	return "SIGNET_" + strings.ToUpper(strings.ReplaceAll(o.key, ".", "_"))
}

// variables are all names of the setting in the environment.
func (o option[T]) variables() []string {
	if o.secret {
		return []string{o.variable(), o.variable() + "_FILE"}
	}
	return []string{o.variable()}
}

// flagName is the flag of a setting that has one.
func (o option[T]) flagName() string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(o.key)
}

// optionOf finds an option by its key, or nil.
func optionOf[T any](options []option[T], key string) *option[T] {
	if i := slices.IndexFunc(options, func(o option[T]) bool { return o.key == key }); i >= 0 {
		return &options[i]
	}
	return nil
}

func keysOf[T any](options []option[T]) []string {
	keys := make([]string, len(options))
	for i, o := range options {
		keys[i] = o.key
	}
	return keys
}
