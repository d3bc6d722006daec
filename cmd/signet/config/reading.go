package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/spelling"
)

// configFile is read when it is there and nothing names another.
const configFile = "signet.yaml"

// sources is where a command's settings come from, besides the defaults. What
// comes later wins: file, environment, flags.
type sources struct {
	file  string            // "" for configFile, if it exists
	env   map[string]string // the whole environment
	flags map[string]string // key → value, of the flags that were given
}

// given is what a source says of a setting.
type given struct {
	place
	text string
}

// reader collects settings and what is wrong with them.
type reader struct {
	config     Config
	given      map[string]given // by key, of the settings that no default speaks for
	connectors []*connectorDraft
	files      contents
	wrong      configErrors
}

// readConfig reads all sources and reports all mistakes at once: a configuration
// is either right as a whole or the program does not start.
func readConfig(from sources) (Config, error) {
	r := readSources(from)
	return r.config, r.err()
}

func readSources(from sources) *reader {
	r := &reader{config: defaults(), given: map[string]given{}, files: contents{}}
	r.readFile(from)
	r.readEnvironment(from.env)
	for _, s := range settings {
		if value, ok := from.flags[s.key]; ok {
			r.set(s, place{source: fromFlag, name: "--" + flagName(s)}, value)
		}
	}
	r.compare()
	r.compareFirstParty()
	r.compareTLS()
	r.comparePKCS11()
	r.settleConnectors()
	return r
}

// err is nil, or all that is wrong.
func (r *reader) err() error {
	if len(r.wrong) == 0 {
		return nil
	}
	return exit.New(exit.Config, r.wrong, "correct what is listed, then start again")
}

// flagName is the flag of a setting that has one.
func flagName(s setting) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(s.key)
}

func (r *reader) complain(where place, key, format string, args ...any) {
	r.wrong = append(r.wrong, mistake{where, key, fmt.Sprintf(format, args...)})
}

// set takes one value from where it stood.
func (r *reader) set(s setting, where place, value string) {
	r.given[s.key] = given{where, value}
	if err := s.set(&r.config, value); err != nil {
		r.complain(where, s.key, "%s (%s; example: %s)", err, s.unit, s.example)
	}
}

// compare checks the settings against each other.
func (r *reader) compare() {
	l := r.config.Lifetimes
	for _, pair := range []struct {
		idle, whole string
		tooLong     bool
	}{
		{"refresh", "refresh_max", l.Refresh > l.RefreshMax},
		{"offline", "offline_max", l.Offline > l.OfflineMax},
		{"session", "session_max", l.Session > l.SessionMax},
		{"session_kept", "session_max", l.SessionKept > l.SessionMax},
	} {
		if pair.tooLong {
			r.complain(r.given["lifetimes."+pair.idle].place, "lifetimes."+pair.idle, "is longer than lifetimes.%s, which would never let it end; raise that one or lower this one", pair.whole)
		}
	}
	k := r.config.Keys
	if k.PublishBefore > k.RotateEvery {
		r.complain(r.given["keys.publish_before"].place, "keys.publish_before", "is longer than keys.rotate_every: a key would be due before it may sign; raise that one or lower this one")
	}
	// OIDC Core, section 10.1.1: who has the JWKS cached must know the key that signs.
	if k.MaxAge > k.PublishBefore {
		r.complain(r.given["keys.jwks_max_age"].place, "keys.jwks_max_age", "is longer than keys.publish_before: relying parties would meet a key that is not in their copy; raise that one or lower this one")
	}
}

// readFile reads the YAML file through its nodes, so that every mistake has a line.
func (r *reader) readFile(from sources) {
	name := from.file
	if name == "" {
		name = from.env["SIGNET_CONFIG"]
	}
	asked := name != ""
	if !asked {
		name = configFile
	}
	content, err := r.files.read(name)
	if errors.Is(err, os.ErrNotExist) && !asked {
		return
	}
	if err != nil {
		r.complain(place{source: fromFile, name: name}, "", "cannot be read (%s): name a file that can be, or leave --config away", plainCause(err))
		return
	}
	r.readDocument(name, content)
}

func (r *reader) readDocument(name string, content []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return // an empty file sets nothing
	case err != nil:
		r.complain(place{source: fromFile, name: name}, "", "is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.complain(place{source: fromFile, name: name}, "", "must hold one document: remove what follows ---")
	}
	r.readMapping(name, "", document.Content[0])
}

// readMapping walks one level; path is "" or ends with a dot.
func (r *reader) readMapping(name, path string, node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return // a section, or a file, of comments alone
	}
	if node.Kind != yaml.MappingNode {
		r.complain(at(name, node), section(path), "must hold settings, one to a line (example: %s)", firstBelow(path))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		full := path + key.Value
		if seen[full] {
			r.complain(at(name, key), full, "stands twice, remove one")
			continue
		}
		seen[full] = true
		r.readKey(name, full, key, value)
	}
}

// section is how a path is called: the whole file for "".
func section(path string) string {
	if path == "" {
		return "the file"
	}
	return strings.TrimSuffix(path, ".")
}

// firstBelow shows a setting of a section as one would write it there.
func firstBelow(path string) string {
	i := slices.IndexFunc(settings, func(s setting) bool { return strings.HasPrefix(s.key, path) })
	return strings.TrimPrefix(settings[i].key, path) + ": " + settings[i].example
}

func (r *reader) readKey(name, full string, key, value *yaml.Node) {
	if full == "connectors" {
		r.readConnectors(name, value)
		return
	}
	if i := slices.IndexFunc(settings, func(s setting) bool { return s.key == full }); i >= 0 {
		if text, err := scalarOrList(value); err != nil {
			r.complain(at(name, value), full, "%s (%s; example: %s)", err, settings[i].unit, settings[i].example)
		} else {
			r.set(settings[i], at(name, value), text)
		}
		return
	}
	if slices.ContainsFunc(settings, func(s setting) bool { return strings.HasPrefix(s.key, full+".") }) {
		r.readMapping(name, full+".", value)
		return
	}
	r.complain(at(name, key), full, "is not a setting%s%s", spelling.DidYouMean(full, keysOfSettings()), exampleOf(full))
}

// scalarOrList gives a value as text, the items of a list joined by commas. The
// anchors of YAML are refused: a file of settings needs none, and a node that
// holds itself has no end.
func scalarOrList(value *yaml.Node) (string, error) {
	switch {
	case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		return "", errors.New("has no value")
	case value.Kind == yaml.ScalarNode:
		return value.Value, nil
	case value.Kind != yaml.SequenceNode:
		return "", errors.New("must be a single value")
	}
	var list []string
	for _, item := range value.Content {
		if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, ",") {
			return "", errors.New("must be a list of single values")
		}
		list = append(list, item.Value)
	}
	return strings.Join(list, ","), nil
}

func keysOfSettings() []string { return append(keysOf(settings), "connectors") }

func keysOf[C any](options []option[C]) []string {
	keys := make([]string, len(options))
	for i, o := range options {
		keys[i] = o.key
	}
	return keys
}

// exampleOf shows how the setting nearest to a misspelt key is written.
func exampleOf(key string) string {
	near := spelling.Nearest(key, keysOfSettings())
	for _, s := range settings {
		if s.key == near {
			return fmt.Sprintf(" (example: %s: %s)", s.key, s.example)
		}
	}
	return ""
}

// readEnvironment reads SIGNET_…; a variable that looks like ours and is not is a
// mistake, since a misspelt one would silently leave a default in force.
func (r *reader) readEnvironment(env map[string]string) {
	known := map[string]bool{"SIGNET_CONFIG": true}
	names := []string{"SIGNET_CONFIG"}
	for _, s := range settings {
		variables := []string{s.variable()}
		if s.secret {
			variables = append(variables, s.variable()+"_FILE")
		}
		for _, v := range variables {
			known[v] = true
			names = append(names, v)
		}
		r.readVariable(s.secret, s.variable(), env, func(where place, value string) { r.set(s, where, value) })
	}
	names = append(names, r.readConnectorVariables(env, known)...)
	for _, name := range sortedKeys(env) {
		if strings.HasPrefix(name, "SIGNET_") && !known[name] {
			r.complain(inVariable(name), "", "is not a setting%s (correct or unset it)", spelling.DidYouMean(name, names))
		}
	}
}

// readVariable hands on a variable's value, or the content of the file that its
// …_FILE names if it holds a secret.
func (r *reader) readVariable(secret bool, name string, env map[string]string, set func(where place, value string)) {
	value, given := env[name]
	file, inFile := env[name+"_FILE"]
	switch {
	case secret && given && inFile:
		r.complain(inVariable(name), "", "is set, and %s_FILE as well: unset one", name)
	case secret && inFile:
		if content, ok := r.readSecret(inVariable(name+"_FILE"), "", file); ok {
			set(inVariable(name+"_FILE"), content)
		}
	case given:
		set(inVariable(name), value)
	}
}

// readSecret reads a file that holds one secret; false if it said what is wrong.
func (r *reader) readSecret(where place, key, file string) (string, bool) {
	content, err := r.files.read(file)
	if err != nil {
		r.complain(where, key, "names a file that cannot be read (%s)", plainCause(err))
		return "", false
	}
	return strings.TrimRight(string(content), "\r\n"), true
}

// plainCause gives the reason of a file error without repeating operation and path.
func plainCause(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// environment reads the shape of os.Environ; of a name that comes twice the last
// one counts, as os/exec has it.
func environment(pairs []string) map[string]string {
	env := map[string]string{}
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
