package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// sboms writes a list of the parts of each program and of the Debian-based image, in the
// format CycloneDX.
func (r *release) sboms(ctx context.Context) error {
	for _, t := range allTargets() {
		bom, err := r.programParts(ctx, t)
		if err != nil {
			return err
		}
		if err := r.writeSBOM("signet-"+r.version+"-"+t.String(), bom); err != nil {
			return err
		}
	}
	bom, err := r.programParts(ctx, fastTarget)
	if err != nil {
		return err
	}
	base, err := r.debianBase(ctx)
	if err != nil {
		return err
	}
	for _, p := range base.packages {
		add(bom, cdx.Component{
			Type: cdx.ComponentTypeLibrary, Name: p.name, Version: p.version,
			PackageURL: "pkg:deb/debian/" + p.name + "@" + strings.ReplaceAll(p.version, "+", "%2B") + "?arch=" + p.arch,
		})
	}
	return r.writeSBOM("signet-"+r.version+"-debian", bom)
}

// programParts lists the modules of a program, the standard library, and SQLite.
func (r *release) programParts(ctx context.Context, t target) (*cdx.BOM, error) {
	program, err := r.program(ctx, t)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	modules, err := r.modules(ctx, t)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	bom := cdx.NewBOM()
	bom.SpecVersion = cdx.SpecVersion1_6
	bom.Metadata = &cdx.Metadata{
		Timestamp: r.date.Format("2006-01-02T15:04:05Z"),
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: "signet/deploy/release", Version: r.version}}},
		Component: &cdx.Component{
			Type: cdx.ComponentTypeApplication, BOMRef: "signet", Name: "signet", Version: r.version,
			Description: "OpenID Connect provider, built for " + t.String(),
			Licenses:    licenceChoice("Apache-2.0"),
			Hashes:      &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
			Properties:  &[]cdx.Property{{Name: "signet:commit", Value: r.commit}},
		},
	}
	bom.Components = &[]cdx.Component{}
	bom.Dependencies = &[]cdx.Dependency{{Ref: "signet", Dependencies: &[]string{}}}
	add(bom, cdx.Component{
		Type: cdx.ComponentTypeLibrary, Name: "stdlib", Version: strings.TrimPrefix(runtime.Version(), "go"),
		PackageURL: "pkg:golang/stdlib@" + strings.TrimPrefix(runtime.Version(), "go"), Licenses: licenceChoice("BSD-3-Clause"),
		Description: "runtime and standard library of Go",
	})
	sqlite, err := r.sqliteVersion(ctx, t)
	if err != nil {
		return nil, err
	}
	add(bom, cdx.Component{
		Type: cdx.ComponentTypeLibrary, Name: "sqlite", Version: sqlite, PackageURL: "pkg:generic/sqlite@" + sqlite,
		CPE: "cpe:2.3:a:sqlite:sqlite:" + sqlite + ":*:*:*:*:*:*:*", Licenses: licenceChoice("blessing"),
		Description: "SQLite, as a part of " + sqliteModule(t),
	})
	for _, m := range modules {
		add(bom, cdx.Component{
			Type: cdx.ComponentTypeLibrary, Name: m.path, Version: m.version,
			PackageURL: "pkg:golang/" + m.path + "@" + strings.ReplaceAll(m.version, "+", "%2B"), Licenses: licenceChoice(m.licence),
			Properties: &[]cdx.Property{{Name: "go:sum", Value: m.sum}},
		})
	}
	return bom, nil
}

func licenceChoice(id string) *cdx.Licenses {
	return &cdx.Licenses{{License: &cdx.License{ID: id}}}
}

// add adds a component on which the program depends.
func add(bom *cdx.BOM, c cdx.Component) {
	c.BOMRef = cmp.Or(c.PackageURL, c.Name)
	*bom.Components = append(*bom.Components, c)
	of := (*bom.Dependencies)[0].Dependencies
	*of = append(*of, c.BOMRef)
}

// writeSBOM writes a list with a serial number that its content determines, so that the same
// program gives the same bytes.
func (r *release) writeSBOM(name string, bom *cdx.BOM) error {
	hash := sha256.New()
	if err := cdx.NewBOMEncoder(hash, cdx.BOMFileFormatJSON).Encode(bom); err != nil {
		return err
	}
	id := hash.Sum(nil)[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // RFC 9562, section 5.8: version 8, the content is ours
	bom.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	return r.create(name+".cdx.json", func(w io.Writer) error {
		return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	})
}

// sqliteModule returns the module that contains the SQLite of a program.
func sqliteModule(t target) string {
	if t.fast {
		return "github.com/mattn/go-sqlite3"
	}
	return "modernc.org/sqlite"
}

var sqliteVersion = regexp.MustCompile(`SQLITE_VERSION\s+(?:= )?"([0-9.]+)"`)

// sqliteVersion reads the version of SQLite in its source, since a program for another machine
// cannot be asked.
func (r *release) sqliteVersion(ctx context.Context, t target) (string, error) {
	file := "lib/sqlite.go"
	if t.fast {
		file = "sqlite3-binding.h"
	}
	folders, err := r.folders(ctx, t)
	if err != nil {
		return "", err
	}
	root := folders[sqliteModule(t)].root
	candidates, err := filepath.Glob(filepath.Join(root, "lib", "sqlite*.go"))
	if err != nil {
		return "", err
	}
	for _, name := range append([]string{filepath.Join(root, file)}, candidates...) {
		content, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return "", err
		}
		if match := sqliteVersion.FindSubmatch(content); match != nil {
			return string(match[1]), nil
		}
	}
	return "", fmt.Errorf("found no version of SQLite in %s", sqliteModule(t))
}
