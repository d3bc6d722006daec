package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestReact_PackageHasTheVersionAndNothingElse(t *testing.T) {
	r := built(t, "react")
	compressed, err := gzip.NewReader(bytes.NewReader(read(t, filepath.Join(r.out, "signet-react-"+r.version+".tgz"))))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if header.Mode&0o777 != 0o644 {
			t.Errorf("%s has mode %o", header.Name, header.Mode)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
	var described struct{ Name, Version string }
	if err := json.Unmarshal(files["package/package.json"], &described); err != nil || described.Name != "@signet/react" || described.Version != r.version {
		t.Errorf("got %+v, %v", described, err)
	}
	for _, name := range []string{"package/dist/index.js", "package/dist/index.d.ts", "package/dist/server.js", "package/LICENSE", "package/README.md"} {
		if len(files[name]) == 0 {
			t.Errorf("the package lacks %s", name)
		}
	}
	for name := range files {
		if strings.HasPrefix(name, "package/test") || strings.HasPrefix(name, "package/src") || strings.Contains(name, "node_modules") {
			t.Errorf("the package contains %s", name)
		}
	}
}
