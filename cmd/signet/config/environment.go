package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"signet/cmd/signet/exit"
	"signet/provider/spelling"
)

// fileVariable names the settings file.
const fileVariable = "SIGNET_CONFIG"

// ourVariables gives the variables that are settings, or were meant to be: not those of
// service links. Every empty variable counts as not set: a template that has no value for
// it leaves it so. One that holds nothing but white space is a
// mistake, and is left out.
func (r *Reading) ourVariables(env map[string]string) map[string]string {
	ours := map[string]string{}
	for name, value := range withoutServiceLinks(env) {
		if strings.HasPrefix(name, "SIGNET_") && value != "" {
			ours[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if strings.TrimSpace(ours[name]) == "" {
			r.complain(inVariable(name), "", "holds nothing but white space: give it a value, or leave it empty or unset")
			delete(ours, name)
		}
	}
	return ours
}

// readVariables reads the settings that are variables, and gives all their names.
func (r *Reading) readVariables(env map[string]string) (names []string) {
	for _, s := range settings {
		names = append(names, s.variables()...)
		r.readVariable(s.secret, s.variable(), env, func(where Place, value string) { r.process.set(s, where, value) })
	}
	return names
}

// refuseOthers refuses variables that begin as ours do and are not among the known
// names: a misspelt one would silently leave a default in force.
func (r *Reading) refuseOthers(env map[string]string, known []string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !slices.Contains(known, name) {
			r.unsure = r.unsure || spelling.Nearest(name, known) == optionOf(settings, "issuer").variable()
			r.complain(inVariable(name), "", "is not a setting%s (correct or unset it)", spelling.DidYouMean(name, known))
		}
	}
}

// readVariable hands on a variable's value, or the content of the file that its
// …_FILE names if it holds a secret.
func (r *Reading) readVariable(secret bool, name string, env map[string]string, set func(where Place, value string)) {
	value, given := env[name]
	file, inFile := env[name+"_FILE"]
	switch {
	case secret && given && inFile:
		r.complain(inVariable(name), "", "is set, and %s_FILE as well: unset one", name)
	case secret && inFile:
		if content, ok := r.readSecret(inVariable(name+"_FILE"), "", secretFile{file, absolutePath("", file)}); ok {
			set(inVariable(name+"_FILE"), content)
		}
	case given:
		set(inVariable(name), value)
	}
}

// secretFile is a file that holds one secret.
type secretFile struct {
	written string // as it stood
	path    string // absolute
}

// shown names a file that cannot be read for a message, which may go to a log. Somebody may
// have written the secret itself in place of its file: what is not plainly a path is left out.
func (f secretFile) shown() string {
	folder := filepath.Dir(f.path)
	_, err := os.Stat(folder)
	from := func(prefix string) bool { return strings.HasPrefix(f.written, prefix) }
	switch {
	case from("/"), from("./"), from("../"), strings.Contains(f.written, "/") && err == nil:
		return "names " + f.path
	case err == nil:
		return "names a file in " + folder + " (not told here: it may be the secret itself)"
	}
	return "names a file (not told here: it may be the secret itself)"
}

// readSecret reads a file that holds one secret; false if it said what is wrong. A file
// without a secret is a mistake: the program that should have written it has failed.
func (r *Reading) readSecret(where Place, key string, file secretFile) (string, bool) {
	content, err := r.Files.Read(file.path)
	if err != nil {
		r.complain(where, key, "%s, which cannot be read (%s)", file.shown(), exit.WithoutPath(err))
		return "", false
	}
	if strings.TrimSpace(string(content)) == "" {
		r.complain(where, key, "names %s, which is empty", file.path)
		return "", false
	}
	return strings.TrimRight(string(content), "\r\n"), true
}
