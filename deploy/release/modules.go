package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// module is a Go module in a program.
type module struct {
	path, version, sum string
	licence            string // SPDX identifier
	texts              []text // licences and notices, sorted by name
}

// text is a file whose content must go with the program.
type text struct{ name, content string }

// modules returns the modules that a program contains, sorted by path. The list is the one
// in the program; the go command only says where their files are.
func (r *release) modules(ctx context.Context, t target) ([]module, error) {
	program, err := r.program(ctx, t)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	folders, err := r.folders(ctx, t)
	if err != nil {
		return nil, err
	}
	var list []module
	for _, dep := range info.Deps {
		f, ok := folders[dep.Path]
		if !ok || dep.Replace != nil {
			return nil, fmt.Errorf("the program for %s contains %s %s, which go list does not know under this name", t, dep.Path, dep.Version)
		}
		m, err := f.module(dep.Path)
		if err != nil {
			return nil, err
		}
		m.version, m.sum = dep.Version, dep.Sum
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return list, nil
}

// module reads the terms of the module with this path.
func (f folder) module(path string) (module, error) {
	m := module{path: path, version: f.version}
	var err error
	if m.texts, err = readTexts(f.root, f.packages); err != nil {
		return module{}, err
	}
	m.licence, err = licenceOf(m)
	return m, err
}

// folder says where the files of a module are.
type folder struct {
	root     string
	version  string
	packages []string // the folders of the packages in the program
}

func (r *release) folders(ctx context.Context, t target) (map[string]folder, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found, ok := r.listed[t]; ok {
		return found, nil
	}
	c := r.goCommand(ctx, r.source, t, append([]string{"list", "-deps", "-json=Dir,Module"}, append(t.tags(), "./cmd/signet")...)...)
	c.Stderr = r.talk
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w", t, err)
	}
	found := map[string]folder{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			r.listed[t] = found
			return found, nil
		} else if err != nil {
			return nil, err
		}
		if pkg.Module == nil || pkg.Module.Main {
			continue // of the standard library, or ours
		}
		f := found[pkg.Module.Path]
		f.root, f.version, f.packages = pkg.Module.Dir, pkg.Module.Version, append(f.packages, pkg.Dir)
		found[pkg.Module.Path] = f
	}
}

var hasLegalText = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents|unlicense)`)

// readTexts reads the licences and notices in the root of a module, in the folders of its
// packages, and in the folders between.
func readTexts(root string, packages []string) ([]text, error) {
	folders := map[string]bool{root: true}
	for _, p := range packages {
		for ; len(p) > len(root); p = filepath.Dir(p) {
			folders[p] = true
		}
	}
	var texts []text
	for f := range folders {
		entries, err := os.ReadDir(f)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() || !hasLegalText.MatchString(e.Name()) || filepath.Ext(e.Name()) == ".go" {
				continue
			}
			content, err := os.ReadFile(filepath.Join(f, e.Name()))
			if err != nil {
				return nil, err
			}
			name, err := filepath.Rel(root, filepath.Join(f, e.Name()))
			if err != nil {
				return nil, err
			}
			texts = append(texts, text{filepath.ToSlash(name), strings.ReplaceAll(string(content), "\r\n", "\n")})
		}
	}
	slices.SortFunc(texts, func(a, b text) int { return strings.Compare(a.name, b.name) })
	return texts, nil
}

// licences lists the licences that a module may have, with a phrase that only their text
// contains. The first match counts.
var licences = []struct{ id, phrase string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"Unlicense", "this is free and unencumbered software released into the public domain"},
	{"BSD-3-Clause", "redistribution and use in source and binary forms.* (neither the name|endorse or promote)"},
	{"BSD-2-Clause", "redistribution and use in source and binary forms"},
}

// licenceOf returns the licence of a module. It refuses modules without a known licence, since
// the terms of distribution are unknown then.
func licenceOf(m module) (string, error) {
	for _, t := range m.texts {
		if !regexp.MustCompile(`(?i)^(licen[cs]e|copying)`).MatchString(t.name) {
			continue
		}
		words := strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(t.content, ",", ", ")), " "))
		words = strings.ReplaceAll(words, "apache license, version", "apache license version")
		words = strings.ReplaceAll(words, "mozilla public license, version", "mozilla public license version")
		for _, l := range licences {
			if regexp.MustCompile(l.phrase).MatchString(words) {
				return l.id, nil
			}
		}
	}
	return "", fmt.Errorf("%s has no licence that is known here: read its terms, and add them to licences if they allow the distribution of programs", m.path)
}

// allTargets are the targets of all programs.
func allTargets() []target { return slices.Concat(staticTargets, debTargets) }

// notices returns the licences and notices of everything that the programs contain. Their
// terms require it with each copy of a program.
func (r *release) notices(ctx context.Context) ([]byte, error) {
	all := map[string]module{}
	for _, t := range allTargets() {
		folders, err := r.folders(ctx, t) // which needs no program, unlike modules
		if err != nil {
			return nil, err
		}
		for path, f := range folders {
			m, err := f.module(path)
			if err != nil {
				return nil, err
			}
			m.texts = append(m.texts, all[path].texts...)
			slices.SortFunc(m.texts, func(a, b text) int { return strings.Compare(a.name, b.name) })
			m.texts = slices.Compact(m.texts)
			all[path] = m
		}
	}
	golang, err := r.goModule(ctx)
	if err != nil {
		return nil, err
	}
	list := []module{golang}
	for _, m := range all {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b module) int { return strings.Compare(a.path, b.path) })

	var b bytes.Buffer
	fmt.Fprintf(&b, "The programs of Signet %s contain these works of others, with these terms.\nThe terms of Signet itself are in the file LICENSE. The file NOTICE has those of the works in its source.\n\n", r.version)
	for _, m := range list {
		fmt.Fprintf(&b, "%s %s (%s)\n", m.path, m.version, m.licence)
	}
	b.WriteString("\nThe SQLite in them is in the public domain.\n")
	for _, m := range list {
		for _, t := range m.texts {
			fmt.Fprintf(&b, "\n%s\n%s %s: %s\n%[1]s\n\n%[5]s\n", strings.Repeat("-", 80), m.path, m.version, t.name, strings.TrimSpace(t.content))
		}
	}
	return b.Bytes(), nil
}

// goModule describes the runtime and the standard library of Go.
func (r *release) goModule(ctx context.Context) (module, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return module{}, fmt.Errorf("go env GOROOT: %w", err)
	}
	m := module{path: "Go", version: strings.TrimPrefix(runtime.Version(), "go")}
	root := strings.TrimSpace(string(out))
	if m.texts, err = readTexts(root, nil); err != nil {
		return module{}, err
	}
	m.licence, err = licenceOf(m)
	return m, err
}

// writeNotices writes the notices as an artefact.
func (r *release) writeNotices(ctx context.Context) error {
	content, err := r.notices(ctx)
	if err != nil {
		return err
	}
	return r.create("NOTICES", func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}
