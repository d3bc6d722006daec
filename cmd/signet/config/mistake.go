package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Where values come from. What comes later wins.
const (
	fromDefault     = "default"
	fromFile        = "file"
	fromEnvironment = "environment"
	fromFlag        = "flag"
)

// Place is where a value stood. Its zero value is no place at all.
type Place struct {
	Source string // default, file, environment or flag
	Name   string // of the file, the variable or the flag; "" for a default
	Line   int    // in the file; 0 for all of it
}

// String is the name, and the line in a file.
func (p Place) String() string {
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d", p.Name, p.Line)
	}
	return p.Name
}

// at is where a node of the file stands.
func at(file string, node *yaml.Node) Place { return Place{fromFile, file, node.Line} }

func inVariable(name string) Place { return Place{Source: fromEnvironment, Name: name} }

// Mistake is one thing that is wrong with the configuration.
type Mistake struct {
	Place
	Key  string // "" if it is about no single setting
	Text string

	cause error // nil, or what the table of exit codes may know
}

// AboutSettings marks an error for the table of exit codes.
func (m Mistake) AboutSettings() {}

// String leaves the key out where the name of a variable or flag says it.
func (m Mistake) String() string {
	parts := []string{m.Place.String(), m.Key, m.Text}
	if m.Key == "" || m.Source == fromEnvironment || m.Source == fromFlag {
		parts = []string{m.Place.String(), m.Text}
	} else if m.Name == "" {
		parts = parts[1:]
	}
	return strings.Join(parts, ": ")
}

// Error is String.
func (m Mistake) Error() string { return m.String() }

// Mistakes is everything that is wrong with the configuration.
type Mistakes []Mistake

// AboutSettings marks an error for the table of exit codes.
func (e Mistakes) AboutSettings() {}

// Unwrap is the cause of a mistake that stands alone; nil if nothing but a setting is wrong.
func (e Mistakes) Unwrap() error {
	if len(e) != 1 {
		return nil
	}
	return e[0].cause
}

// Error lists them, one to a line.
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
