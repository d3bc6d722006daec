package templates_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signet/templates"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hashes of the static files would change every golden file with each line of CSS.
var hashes = regexp.MustCompile(`(/static/\w+\.)[0-9a-f]{8}\.`)

func TestPages_Golden(t *testing.T) {
	pages, _ := newPages(t)
	for name, page := range samples() {
		t.Run(name, func(t *testing.T) {
			got := hashes.ReplaceAllString(render(t, pages, page), "${1}HASH.")
			path := filepath.Join("testdata", name+".golden.html")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("page differs from %s (go test -update writes it anew); got:\n%s", path, got)
			}
		})
	}
}

// The first page with a frame renders it, and the others use it again.
func TestPages_LaterRenderingsAreTheSame(t *testing.T) {
	first := map[string]string{}
	together, _ := newPages(t)
	for range 2 {
		for name, page := range samples() {
			if _, framed := page.(templates.Continue); !framed {
				continue
			}
			if first[name] == "" {
				alone, _ := newPages(t)
				first[name] = render(t, alone, page)
			}
			if got := render(t, together, page); got != first[name] {
				t.Errorf("%s after other pages differs from %[1]s alone; got:\n%s", name, got)
			}
		}
	}
}

// A golden file that no sample writes any more would be believed for ever.
func TestPages_NoGoldenFileIsLeftOver(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.golden.html")
	if err != nil {
		t.Fatal(err)
	}
	known := samples()
	if len(paths) != len(known) {
		t.Errorf("got %d golden files, want %d", len(paths), len(known))
	}
	for _, path := range paths {
		if _, ok := known[strings.TrimSuffix(filepath.Base(path), ".golden.html")]; !ok {
			t.Errorf("%s belongs to no sample", path)
		}
	}
}
