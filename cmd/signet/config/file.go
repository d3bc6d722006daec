package config

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
	"signet/provider/spelling"
)

// readFile reads the YAML settings file. It reads the nodes, so that every mistake has a line
// number. The file is that of the flag, or that of the variable, or DefaultFile if it exists, or
// that of the machine if it exists.
func (r *Reading) readFile(byFlag, byVariable, ofMachine string) {
	name, namedBy := byFlag, "--config"
	if name == "" {
		name, namedBy = byVariable, fileVariable
	}
	isNamed := name != ""
	if !isNamed {
		name = DefaultFile
	}
	content, err := r.Files.Read(name)
	if errors.Is(err, os.ErrNotExist) && !isNamed && ofMachine != "" {
		name = ofMachine
		content, err = r.Files.Read(name)
	}
	switch {
	case errors.Is(err, os.ErrNotExist) && !isNamed:
		return
	case errors.Is(err, os.ErrPermission) && !isNamed && name == ofMachine:
		r.addFileMistake(name, "cannot be read (%s): run the command as root or as the user of the service, or name another file with --config", exit.WithoutPath(err))
		return
	case err != nil && isNamed:
		r.addFileMistake(name, "cannot be read (%s): name another file with %s, or omit it", exit.WithoutPath(err), namedBy)
		return
	case err != nil:
		r.addFileMistake(name, "cannot be read (%s): make it readable for this user, or name another file with --config", exit.WithoutPath(err))
		return
	}
	r.readDocument(name, content)
}

// addFileMistake adds a mistake about the whole file. Its settings stay unknown.
func (r *Reading) addFileMistake(name, format string, args ...any) {
	r.mayHaveIssuer = true
	r.addMistakeAt(Place{Source: fromFile, Name: name}, "", format, args...)
}

func (r *Reading) readDocument(name string, content []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return // an empty file sets nothing
	case err != nil:
		r.addFileMistake(name, "is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.addMistakeAt(Place{Source: fromFile, Name: name}, "", "must contain one document: remove the line --- and everything after it")
	}
	r.process.readSection(name, "", document.Content[0])
}

// readSection reads a section of the file. path is "" for the whole file, and otherwise ends
// with a dot. A section that contains only comments is null in YAML.
func (v *values[T]) readSection(file, path string, node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return
	}
	if node.Kind != yaml.MappingNode {
		v.reading.mayHaveIssuer = v.reading.mayHaveIssuer || path == "" && v.noun == ""
		v.reading.addMistakeAt(placeOf(file, node), sectionName(path), "must contain settings, one per line (example: %s)", v.exampleIn(path))
		return
	}
	v.readMapping(file, path, node)
}

// readMapping reads the keys of a mapping. A key that occurs twice is a mistake.
func (v *values[T]) readMapping(file, path string, node *yaml.Node) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if seen[key.Value] {
			v.reading.addMistakeAt(placeOf(file, key), v.prefix+path+key.Value, "occurs twice: remove one of them")
			continue
		}
		seen[key.Value] = true
		v.readKey(file, path+key.Value, key, value)
	}
}

func (v *values[T]) readKey(file, full string, key, value *yaml.Node) {
	if list := v.lists[full]; list != nil {
		list(file, value)
		return
	}
	o, inFile := v.option(full)
	switch {
	case o != nil:
		v.readValue(file, full, *o, inFile, value)
	case slices.ContainsFunc(v.table, func(o option[T]) bool { return strings.HasPrefix(o.key, full+".") }):
		v.readSection(file, full+".", value)
	default:
		v.reading.mayHaveIssuer = v.reading.mayHaveIssuer || v.noun == "" && spelling.Nearest(full, v.keys()) == "issuer"
		v.reading.addMistakeAt(placeOf(file, key), v.prefix+full, "%s", v.unknownKeyMessage(full))
	}
}

// option returns the option with that key, or nil. The secrets of a connector have no
// variables, so it also accepts their key with the suffix _file. Then inFile is true, and the
// value names the file.
func (v *values[T]) option(key string) (found *option[T], inFile bool) {
	if named, ok := strings.CutSuffix(key, "_file"); ok && v.noun != "" {
		if o := optionOf(v.table, named); o != nil && o.secret {
			return o, true
		}
	}
	return optionOf(v.table, key), false
}

func (v *values[T]) readValue(file, full string, o option[T], inFile bool, value *yaml.Node) {
	where := placeOf(file, value)
	text, err := scalarOrList(value)
	if o.mapping && value.Kind == yaml.MappingNode {
		text, err = pairsOf(value)
	}
	if err != nil {
		v.reading.addMistakeAt(where, v.prefix+full, "%s (%s; example: %s)", err, o.unit, o.example)
		return
	}
	if inFile {
		name, ok := v.reading.resolvePathsOf(where, v.prefix+full, text, wholePath, false)
		if !ok {
			return
		}
		content, ok := v.reading.readSecret(where, v.prefix+full, secretFile{text, name})
		if !ok {
			return
		}
		text = content
	}
	v.set(o, where, text)
}

// unknownKeyMessage returns the message for an unknown key, with the most similar option.
func (v *values[T]) unknownKeyMessage(key string) string {
	if v.noun != "" {
		return "is not a setting of " + v.noun + spelling.DidYouMean(key, v.keys())
	}
	example := ""
	if near := optionOf(v.table, spelling.Nearest(key, v.keys())); near != nil {
		example = fmt.Sprintf(" (example: %s: %s)", near.key, near.example)
	}
	return "is not a setting" + spelling.DidYouMean(key, v.keys()) + example
}

// sectionName returns the name of a section for messages.
func sectionName(path string) string {
	if path == "" {
		return "the file"
	}
	return strings.TrimSuffix(path, ".")
}

// exampleIn returns the first option of a section with its example, as written in that
// section.
func (v *values[T]) exampleIn(path string) string {
	i := slices.IndexFunc(v.table, func(o option[T]) bool { return strings.HasPrefix(o.key, path) })
	return strings.TrimPrefix(v.table[i].key, path) + ": " + v.table[i].example
}

// scalarOrList returns a value as text. It joins the items of a list with commas. It refuses
// YAML aliases: settings need none, and a node that contains itself has no end.
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

// pairsOf returns a mapping of scalars as text: name=value,name=value.
func pairsOf(node *yaml.Node) (string, error) {
	var pairs []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.Kind != yaml.ScalarNode || strings.ContainsAny(key.Value+value.Value, ",=") {
			return "", errors.New("must map each claim to one claim")
		}
		pairs = append(pairs, key.Value+"="+value.Value)
	}
	return strings.Join(pairs, ","), nil
}
