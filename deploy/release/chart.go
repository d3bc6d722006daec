package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// chart writes the Helm chart, as helm package does, but with the time of the commit.
func (r *release) chart(context.Context) error {
	folder := filepath.Join(r.source, "deploy", "chart")
	files, err := chartFiles(folder)
	if err != nil {
		return err
	}
	described, err := os.ReadFile(filepath.Join(folder, "Chart.yaml"))
	if err != nil {
		return err
	}
	for _, key := range []string{"version", "appVersion"} {
		if !regexp.MustCompile(`(?m)^` + key + `: "?` + regexp.QuoteMeta(r.version) + `"?$`).Match(described) {
			return fmt.Errorf("deploy/chart/Chart.yaml has another %s than VERSION, which is %s: write the same", key, r.version)
		}
	}
	return r.create("signet-chart-"+r.version+".tgz", func(w io.Writer) error { return writeTarGz(w, files, r.date) })
}

// chartFiles lists the files of the chart for the archive: Chart.yaml first, as Helm writes it, and
// none of those in .helmignore, which names whole files and endings.
func chartFiles(folder string) ([]entry, error) {
	ignored, err := os.ReadFile(filepath.Join(folder, ".helmignore"))
	if err != nil {
		return nil, err
	}
	files := []entry{{name: "signet/Chart.yaml", from: filepath.Join(folder, "Chart.yaml"), mode: 0o644}}
	err = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "Chart.yaml" {
			return err
		}
		for pattern := range strings.FieldsSeq(string(ignored)) {
			if matched, err := filepath.Match(pattern, e.Name()); matched || err != nil {
				return err
			}
		}
		name, err := filepath.Rel(folder, path)
		files = append(files, entry{name: "signet/" + filepath.ToSlash(name), from: path, mode: 0o644})
		return err
	})
	return files, err
}
