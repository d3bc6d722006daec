package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clonedChart builds the chart in a clone of its own and returns the archive.
func clonedChart(t *testing.T, version string) ([]byte, error) {
	t.Helper()
	clone := newClone(t)
	if err := os.CopyFS(filepath.Join(clone, "deploy/chart"), os.DirFS("../chart")); err != nil {
		t.Fatal(err)
	}
	setVersion(t, clone, version)
	r := opened(t, clone, false)
	if err := r.chart(t.Context()); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(r.out, "signet-chart-"+version+".tgz"))
}

func TestChart_IsReproducible(t *testing.T) {
	content, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	version := strings.TrimSpace(string(content))
	first, err := clonedChart(t, version)
	if err != nil {
		t.Fatal(err)
	}
	second, err := clonedChart(t, version)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("two builds differ: %v", err)
	}
	compressed, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
	if names[0] != "signet/Chart.yaml" || !slices.Contains(names, "signet/values.schema.json") || !slices.Contains(names, "signet/files/settings.json") || !slices.Contains(names, "signet/templates/_helpers.tpl") {
		t.Errorf("the archive contains %v", names)
	}
	for _, left := range []string{"signet/values.base.schema.json", "signet/.git"} {
		if slices.Contains(names, left) {
			t.Errorf("the archive contains %s", left)
		}
	}
}

func TestChart_RefusesAnotherVersion(t *testing.T) {
	if _, err := clonedChart(t, "99.0.0"); err == nil || !strings.Contains(err.Error(), "99.0.0") {
		t.Errorf("got %v", err)
	}
}
