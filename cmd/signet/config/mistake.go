package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The sources of values. A later source overrides an earlier one.
const (
	fromDefault     = "default"
	fromFile        = "file"
	fromEnvironment = "environment"
	fromFlag        = "flag"
)

// Place is the place of a value. The zero Place means that the place is unknown.
type Place struct {
	Source string // default, file, environment or flag
	Name   string // the name of the file, variable or flag; "" for a default
	Line   int    // the line in the file; 0 for the whole file
}

// String returns the name, and the line for a file.
func (p Place) String() string {
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d", p.Name, p.Line)
	}
	return p.Name
}

// placeOf returns the place of a node of the file.
func placeOf(file string, node *yaml.Node) Place { return Place{fromFile, file, node.Line} }

func inVariable(name string) Place { return Place{Source: fromEnvironment, Name: name} }

// Mistake is one error in the settings.
type Mistake struct {
	Place
	Key  string // "" if the mistake is not about a single setting
	Text string

	cause error // may be in the table of exit codes; nil if there is none
}

// AboutSettings marks the error for the table of exit codes.
func (m Mistake) AboutSettings() {}

// String returns place, key and text. It omits the key if the place is a variable or a flag,
// because its name contains the key.
func (m Mistake) String() string {
	parts := []string{m.Place.String(), m.Key, m.Text}
	if m.Key == "" || m.Source == fromEnvironment || m.Source == fromFlag {
		parts = []string{m.Place.String(), m.Text}
	} else if m.Name == "" {
		parts = parts[1:]
	}
	return strings.Join(parts, ": ")
}

// Error returns the same text as String.
func (m Mistake) Error() string { return m.String() }

// Mistakes holds all errors in the settings.
type Mistakes []Mistake

// AboutSettings marks the error for the table of exit codes.
func (e Mistakes) AboutSettings() {}

// Unwrap returns the cause if there is exactly one mistake. It is nil if only a setting is
// wrong.
func (e Mistakes) Unwrap() error {
	if len(e) != 1 {
		return nil
	}
	return e[0].cause
}

// Error lists the mistakes, one per line.
func (e Mistakes) Error() string {
	lines := make([]string, len(e))
	for i, m := range e {
		lines[i] = m.String()
	}
	if len(e) == 1 {
		return "the configuration has a mistake:\n  " + lines[0]
	}
	return fmt.Sprintf("the configuration has %d mistakes:\n  %s", len(e), strings.Join(lines, "\n  "))
}
