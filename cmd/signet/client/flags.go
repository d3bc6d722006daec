package client

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/federation/foreign"
	"signet/provider/directory"
	"signet/storage"
)

// clientFlags holds a flag for every field of a client. The flags have the names of RFC 7591 in
// kebab-case; the flag of a list is in the singular and can be repeated.
//
// Without its flag, a field keeps its value, or the default of the type in a new client. An
// empty value clears the field.
type clientFlags struct {
	set     *pflag.FlagSet
	names   []string
	setters []func(*storage.Client) error
}

// helpOf returns the help text of the flag of a field. The value of --jwks is a file.
func helpOf(f directory.ClientField) string {
	if f.Name == "jwks" {
		return "file with the " + f.Help()
	}
	return f.Help()
}

// flagOf returns the name of the flag of a field.
func flagOf(f directory.ClientField) string {
	name := strings.ReplaceAll(f.Name, "_", "-")
	if _, list := f.At(new(storage.Client)).(*[]string); list {
		name = strings.TrimSuffix(name, "s")
	}
	if f.Name == "client_name" {
		name = "name"
	}
	return name
}

func addClientFlags(c *cobra.Command) *clientFlags {
	f := &clientFlags{set: c.Flags()}
	for _, field := range directory.ClientFields() {
		f.add(flagOf(field), helpOf(field), field)
	}
	return f
}

// add adds the flag of a field. The type of the field decides the type of the flag.
func (f *clientFlags) add(name, help string, field directory.ClientField) {
	switch field.At(new(storage.Client)).(type) {
	case *[]string:
		values := f.set.StringArray(name, nil, help+" (repeat for more)")
		addSetter(f, name, field, func() ([]string, error) { return cli.DropEmpty(*values), nil })
	case *directory.Words:
		values := f.set.StringArray(name, nil, help+" (repeat for more)")
		addSetter(f, name, field, func() (directory.Words, error) {
			return directory.Words(strings.Join(strings.Fields(strings.Join(*values, " ")), " ")), nil
		})
	case *bool:
		value := f.set.Bool(name, false, help)
		addSetter(f, name, field, func() (bool, error) { return *value, nil })
	case *time.Duration:
		value := f.set.String(name, "", help)
		addSetter(f, name, field, func() (time.Duration, error) { return parseGrace(name, *value) })
	case **int64:
		value := f.set.String(name, "", help)
		addSetter(f, name, field, func() (*int64, error) { return parseSeconds(name, *value) })
	case *storage.ClientType:
		value := f.set.String(name, "", help)
		addSetter(f, name, field, func() (storage.ClientType, error) { return storage.ClientType(*value), nil })
	case *string:
		value := f.set.String(name, "", help)
		addSetter(f, name, field, textOf(name, value, field))
	}
}

// addSetter adds a function that sets the field to the result of read if the flag was passed.
func addSetter[V any](f *clientFlags, name string, field directory.ClientField, read func() (V, error)) {
	f.names = append(f.names, name)
	f.setters = append(f.setters, func(c *storage.Client) error {
		if !f.set.Changed(name) {
			return nil
		}
		value, err := read()
		if err == nil {
			*field.At(c).(*V) = value
		}
		return err
	})
}

// apply sets the fields of c for all passed flags.
func (f *clientFlags) apply(c *storage.Client) error {
	for _, set := range f.setters {
		if err := set(c); err != nil {
			return err
		}
	}
	return nil
}

// check returns an error if the value of a flag cannot be parsed.
func (f *clientFlags) check() error { return f.apply(new(storage.Client)) }

// kind returns the value of --type. Without the flag, it returns the type that the library needs, or
// web.
func (f *clientFlags) kind(library directory.Library) storage.ClientType {
	if flag := f.set.Lookup("type"); flag.Changed {
		return storage.ClientType(flag.Value.String())
	}
	return cmp.Or(library.Type, storage.Web)
}

// anyPassed reports whether one of the flags was passed.
func (f *clientFlags) anyPassed() bool { return slices.ContainsFunc(f.names, f.set.Changed) }

func parseSeconds(name, text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("--%s %q is not a number of seconds", name, text)
	}
	return &n, nil
}

// parseGrace parses --refresh-grace. It returns -1 for an empty text: the setting counts.
func parseGrace(name, text string) (time.Duration, error) {
	if text == "" {
		return -1, nil
	}
	d, err := foreign.ParseDuration(text, 0, math.MaxInt64)
	if err != nil {
		return 0, fmt.Errorf("--%s %w", name, err)
	}
	return d, nil
}

// textOf returns a function that reads the value of a text flag. The value of --jwks is a file,
// which is read only once even if the flags are applied more than once.
func textOf(name string, value *string, field directory.ClientField) func() (string, error) {
	if field.Name == "jwks" {
		return sync.OnceValues(func() (string, error) { return readFile(name, *value) })
	}
	return func() (string, error) {
		if *value == field.Default {
			return "", nil
		}
		return *value, nil
	}
}

func readFile(name, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("--%s %s: %s", name, path, exit.WithoutPath(err))
	}
	return strings.TrimSpace(string(content)), nil
}
