package config

import (
	"maps"
	"slices"
	"strings"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/spelling"
)

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
		if strings.HasPrefix(name, "SIGNET_") && !slices.Contains(known, name) {
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
		if content, ok := r.readSecret(inVariable(name+"_FILE"), "", file); ok {
			set(inVariable(name+"_FILE"), content)
		}
	case given:
		set(inVariable(name), value)
	}
}

// readSecret reads a file that holds one secret; false if it said what is wrong.
func (r *Reading) readSecret(where Place, key, file string) (string, bool) {
	content, err := r.Files.Read(file)
	if err != nil {
		r.complain(where, key, "names a file that cannot be read (%s)", exit.Reason(err))
		return "", false
	}
	return strings.TrimRight(string(content), "\r\n"), true
}
