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

// fileVariable is the variable that names the settings file.
const fileVariable = "SIGNET_CONFIG"

// ourVariables returns the variables that begin with SIGNET_, without those of service links.
//
// It omits empty variables: templates leave a variable empty if they have no value for it. A
// variable with only white space is a mistake, and is omitted too.
func (r *Reading) ourVariables(env map[string]string) map[string]string {
	ours := map[string]string{}
	for name, value := range withoutServiceLinks(env) {
		if strings.HasPrefix(name, "SIGNET_") && value != "" {
			ours[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if strings.TrimSpace(ours[name]) == "" {
			r.addMistakeAt(inVariable(name), "", "contains only white space: set a value, or leave it empty or unset")
			delete(ours, name)
		}
	}
	return ours
}

// readVariables reads the variables of all settings, and returns the names of all such
// variables.
func (r *Reading) readVariables(env map[string]string) (names []string) {
	for _, s := range settings {
		names = append(names, s.variables()...)
		r.readVariable(s.secret, s.variable(), env, func(where Place, value string) { r.process.set(s, where, value) })
	}
	return names
}

// refuseUnknown adds a mistake for each variable of env that is not among the known names. A
// misspelt variable would otherwise leave the default in force without a message.
func (r *Reading) refuseUnknown(env map[string]string, known []string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !slices.Contains(known, name) {
			r.mayHaveIssuer = r.mayHaveIssuer || spelling.Nearest(name, known) == optionOf(settings, "issuer").variable()
			r.addMistakeAt(inVariable(name), "", "is not a setting%s (fix the name or unset it)", spelling.DidYouMean(name, known))
		}
	}
}

// readVariable passes the value of a variable to set. For a secret, it also reads the file
// that NAME_FILE names and passes its content.
func (r *Reading) readVariable(secret bool, name string, env map[string]string, set func(where Place, value string)) {
	value, given := env[name]
	file, inFile := env[name+"_FILE"]
	switch {
	case secret && given && inFile:
		r.addMistakeAt(inVariable(name), "", "is set, but %s_FILE is set too: unset one of them", name)
	case secret && inFile:
		if content, ok := r.readSecret(inVariable(name+"_FILE"), "", secretFile{file, absolutePath("", file)}); ok {
			set(inVariable(name+"_FILE"), content)
		}
	case given:
		set(inVariable(name), value)
	}
}

// secretFile is a file that contains one secret.
type secretFile struct {
	written string // as written in the settings
	path    string // absolute
}

// describe describes an unreadable file for an error message, which may be logged. It names
// the path only if the text is clearly a path, because an operator may have written the secret
// itself instead.
func (f secretFile) describe() string {
	folder := filepath.Dir(f.path)
	_, err := os.Stat(folder)
	begins := func(prefix string) bool { return strings.HasPrefix(f.written, prefix) }
	switch {
	case begins("/"), begins("./"), begins("../"), strings.Contains(f.written, "/") && err == nil:
		return "names " + f.path
	case err == nil:
		return "names a file in " + folder + " (its name is hidden, because it may be the secret itself)"
	}
	return "names a file (its name is hidden, because it may be the secret itself)"
}

// readSecret reads a file that contains one secret. It returns false after it has added a
// mistake. An empty file is a mistake too: the program that should write it has failed.
func (r *Reading) readSecret(where Place, key string, file secretFile) (string, bool) {
	content, err := r.Files.Read(file.path)
	if err != nil {
		r.addMistakeAt(where, key, "%s, which cannot be read (%s)", file.describe(), exit.WithoutPath(err))
		return "", false
	}
	if strings.TrimSpace(string(content)) == "" {
		r.addMistakeAt(where, key, "names %s, which is empty", file.path)
		return "", false
	}
	r.addSecretFile(file.path)
	if r.secretFileAt == nil {
		r.secretFileAt = map[Place]string{}
	}
	r.secretFileAt[where] = file.path
	return strings.TrimRight(string(content), "\r\n"), true
}
