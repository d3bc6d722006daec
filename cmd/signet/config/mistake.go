package main

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

// place is where a value stood.
type place struct {
	source string
	name   string // of the file, the variable or the flag; "" for a default
	line   int    // in the file; 0 for all of it
}

func (p place) String() string {
	if p.line > 0 {
		return fmt.Sprintf("%s:%d", p.name, p.line)
	}
	return p.name
}

// at is where a node of the file stands.
func at(file string, node *yaml.Node) place { return place{fromFile, file, node.Line} }

func inVariable(name string) place { return place{source: fromEnvironment, name: name} }

// mistake is one thing that is wrong with the configuration.
type mistake struct {
	place
	key  string // "" if it is about no single setting
	text string
}

// String leaves the key out where the name of a variable or flag says it.
func (m mistake) String() string {
	parts := []string{m.place.String(), m.key, m.text}
	if m.key == "" || m.source == fromEnvironment || m.source == fromFlag {
		parts = []string{m.place.String(), m.text}
	} else if m.name == "" {
		parts = parts[1:]
	}
	return strings.Join(parts, ": ")
}

func (m mistake) Error() string { return m.String() }

// configErrors is everything that is wrong with the configuration.
type configErrors []mistake

func (e configErrors) Error() string {
	lines := make([]string, len(e))
	for i, m := range e {
		lines[i] = m.String()
	}
	if len(e) == 1 {
		return "the configuration has a mistake:\n  " + lines[0]
	}
	return fmt.Sprintf("the configuration has %d mistakes:\n  %s", len(e), strings.Join(lines, "\n  "))
}
