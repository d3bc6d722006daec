package config

import (
	"slices"
	"strings"
)

// option is one setting of a T: of the process, or of one connector.
type option[T any] struct {
	key     string // path in the YAML file
	byDef   string // default, as written in a settings file
	unit    string // unit or form of the value
	example string
	about   string
	secret  bool      // can also be read from a file that NAME_FILE or key_file names
	live    bool      // a running server applies a change
	flag    bool      // serve has a flag for the option
	mapping bool      // a YAML mapping is allowed, besides name=value, name=value
	folder  bool      // the path names a folder or a socket, which may not exist yet
	paths   withPaths // nil if the value contains no path
	shape   shape
	set     func(into *T, text string) error
}

// into returns the set function of an option, made from its field and its parser.
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

// variable returns the environment variable of the setting.
func (o option[T]) variable() string {
	return "SIGNET_" + strings.ToUpper(strings.ReplaceAll(o.key, ".", "_"))
}

// variables returns all environment variables of the setting.
func (o option[T]) variables() []string {
	if o.secret {
		return []string{o.variable(), o.variable() + "_FILE"}
	}
	return []string{o.variable()}
}

// flagName returns the flag of the setting, without the dashes.
func (o option[T]) flagName() string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(o.key)
}

// optionOf returns the option with that key, or nil.
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
