package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// places are all places that name the version, each with the number of times. The version is
// the first group of the pattern. TestVersion_IsTheSameEverywhere in cmd/signet/program
// compares them.
var places = []struct {
	file    string
	pattern *regexp.Regexp
	times   int
}{
	{"VERSION", regexp.MustCompile(`^([0-9.]+)\n$`), 1},
	{"cmd/signet/program/version.go", regexp.MustCompile(`(?m)^const version = "([0-9.]+)"$`), 1},
	{"sdk/react/package.json", regexp.MustCompile(`(?m)^  "version": "([0-9.]+)"`), 1},
	{"sdk/react/package-lock.json", regexp.MustCompile(`"name": "@signet/react",\s+"version": "([0-9.]+)"`), 2},
	{"deploy/chart/Chart.yaml", regexp.MustCompile(`(?m)^(?:version|appVersion): "?([0-9.]+)"?$`), 2},
}

const unreleased = "## Unreleased\n"

// setVersionOf writes a new version to all places below root, and puts the changes that are not
// released under its heading in CHANGELOG.md. It changes either all files or none, unless
// writing fails.
func setVersionOf(root, version string, day time.Time) error {
	if !isVersion.MatchString(version) {
		return fmt.Errorf("the version %q has another form: write three numbers like 0.2.0", version)
	}
	changed := map[string]string{}
	for _, p := range places {
		content, err := os.ReadFile(filepath.Join(root, p.file))
		if err != nil {
			return err
		}
		found := p.pattern.FindAllSubmatchIndex(content, -1)
		if len(found) != p.times {
			return fmt.Errorf("%s names the version %d times, want %d: correct the list of places in deploy/release/setversion.go", p.file, len(found), p.times)
		}
		var b strings.Builder
		from := 0
		for _, at := range found {
			b.Write(content[from:at[2]])
			b.WriteString(version)
			from = at[3]
		}
		b.Write(content[from:])
		changed[p.file] = b.String()
	}
	const log = "CHANGELOG.md"
	content, err := os.ReadFile(filepath.Join(root, log))
	if err != nil {
		return err
	}
	before, after, ok := strings.Cut(string(content), unreleased)
	if !ok {
		return fmt.Errorf("%s has no heading %q", log, strings.TrimSpace(unreleased))
	}
	if strings.Contains(after, "## "+version+" (") {
		return fmt.Errorf("%s already has the version %s", log, version)
	}
	changed[log] = before + unreleased + "\n## " + version + " (" + day.Format(time.DateOnly) + ")\n" + after

	var problems []error
	for name, text := range changed {
		problems = append(problems, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	return errors.Join(problems...)
}
