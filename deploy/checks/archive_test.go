package checks_test

import (
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// The archive of a release is the chart as Helm reads it from the folder.
func TestChart_ArchiveIsTheFolder(t *testing.T) {
	out := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "run", ".", "-dirty", "-only", "chart", "-out", out)
	build.Dir = "../release"
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the chart: %v\n%s", err, text)
	}
	found, err := filepath.Glob(filepath.Join(out, "signet-chart-*.tgz"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	archive, err := loader.Load(found[0])
	must(t, err)
	folder, err := loader.Load(chartFolder)
	must(t, err)
	if !reflect.DeepEqual(archive.Metadata, folder.Metadata) || !reflect.DeepEqual(archive.Values, folder.Values) || string(archive.Schema) != string(folder.Schema) {
		t.Error("the archive has other metadata, values or schema than the folder")
	}
	contents := func(files []*common.File) map[string]string {
		byName := map[string]string{}
		for _, f := range files {
			byName[f.Name] = string(f.Data)
		}
		return byName
	}
	if !reflect.DeepEqual(contents(archive.Templates), contents(folder.Templates)) || len(archive.Templates) < 10 {
		t.Error("the archive has other templates than the folder")
	}
	if got, want := contents(archive.Files), contents(folder.Files); got["files/settings.json"] == "" || got["files/settings.json"] != want["files/settings.json"] {
		t.Errorf("the archive has the files %v", got)
	}
}
