package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestSBOM_IsValidAndListsTheModulesOfEachProgram(t *testing.T) {
	r := built(t, "sbom", "static")
	schema := bomSchema(t)
	for _, target := range allTargets() {
		program, err := r.program(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		content := read(t, filepath.Join(r.out, "signet-"+r.version+"-"+target.String()+".cdx.json"))
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err := errors.Join(err, schema.Validate(document)); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		var bom struct {
			Metadata struct {
				Component struct{ Hashes []struct{ Content string } }
			}
			Components []struct {
				Name, Version, Purl string
			}
		}
		if err := json.Unmarshal(content, &bom); err != nil {
			t.Fatal(err)
		}
		listed := map[string]string{}
		for _, c := range bom.Components {
			listed[c.Name] = c.Version
		}
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		for _, dep := range info.Deps {
			if listed[dep.Path] != dep.Version {
				t.Errorf("%s: %s is listed as %q, want %s", target, dep.Path, listed[dep.Path], dep.Version)
			}
		}
		if got, want := len(bom.Components), len(info.Deps)+2; got != want { // with Go and SQLite
			t.Errorf("%s: got %d parts, want %d", target, got, want)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(read(t, program))); bom.Metadata.Component.Hashes[0].Content != sum {
			t.Errorf("%s: the list has the hash of another program", target)
		}
	}
	debian := string(read(t, filepath.Join(r.out, "signet-"+r.version+"-debian.cdx.json")))
	for _, part := range []string{"pkg:deb/debian/libc6@", "pkg:deb/debian/libssl3", "pkg:golang/github.com/mattn/go-sqlite3@"} {
		if !strings.Contains(debian, part) {
			t.Errorf("the list of the Debian-based image lacks %s", part)
		}
	}
}

// bomSchema is the JSON Schema of CycloneDX 1.6, which the library contains.
func bomSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	folder := filepath.Join(output(t, "", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go"), "schema")
	compiler := jsonschema.NewCompiler()
	for name, file := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json"} {
		content, err := os.ReadFile(filepath.Join(folder, file))
		if errors.Is(err, os.ErrNotExist) {
			content, err = os.ReadFile(filepath.Join(folder, name))
		}
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err := errors.Join(err, compiler.AddResource("http://cyclonedx.org/schema/"+name, document)); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestNotices_HaveTheTermsOfEveryModule(t *testing.T) {
	r := built(t, "notices")
	notices := string(read(t, filepath.Join(r.out, "NOTICES")))
	for _, target := range allTargets() {
		program, err := r.program(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		for _, dep := range info.Deps {
			if heading := "\n" + regexp.QuoteMeta(dep.Path+" "+dep.Version) + "(?i:: (?:license|copying))"; !regexp.MustCompile(heading).MatchString(notices) {
				t.Errorf("NOTICES lacks the terms of %s %s", dep.Path, dep.Version)
			}
		}
	}
	for _, target := range allTargets() {
		folders, err := r.folders(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		for path, f := range folders {
			m, err := f.module(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, terms := range m.texts {
				if !strings.Contains(notices, strings.TrimSpace(terms.content)) {
					t.Errorf("NOTICES lacks the text of %s of %s", terms.name, path)
				}
			}
		}
	}
	if !strings.Contains(notices, "Copyright 2009 The Go Authors") {
		t.Error("NOTICES lacks the terms of Go")
	}
}

func TestNotices_RefuseUnknownTerms(t *testing.T) {
	for terms, want := range map[string]string{
		"Apache License\n                           Version 2.0, January 2004":                                                   "Apache-2.0",
		"Permission is hereby granted, free of charge, to any person obtaining a\ncopy of this software":                         "MIT",
		"Redistribution and use in source and binary forms, with or without modification\n\nNeither the name of Google Inc. nor": "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without modification":                                        "BSD-2-Clause",
		"GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3":                                                                           "",
		"All rights reserved.": "",
	} {
		got, err := licenceOf(module{path: "example.com/m", texts: []text{{"LICENSE", terms}}})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.40q: got %q, %v, want %q", terms, got, err, want)
		}
	}
	if _, err := licenceOf(module{path: "example.com/m", texts: []text{{"NOTICE", "Apache License Version 2.0"}}}); err == nil {
		t.Error("a module without a licence was accepted")
	}
}
