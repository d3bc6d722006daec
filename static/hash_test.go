package static

import (
	"testing"
	"testing/fstest"
)

func TestLoad_HashFollowsContent(t *testing.T) {
	url := func(content string) string {
		t.Helper()
		files, err := load(fstest.MapFS{"site.css": {Data: []byte(content)}}, "")
		if err != nil {
			t.Fatal(err)
		}
		return files.URL("site.css")
	}
	if url("a{}") == url("b{}") {
		t.Errorf("two contents have one name: %s", url("a{}"))
	}
	if url("a{}") != url("a{}") {
		t.Error("one content has two names")
	}
}

func TestLoad_RefusesUnknownTypes(t *testing.T) {
	if _, err := load(fstest.MapFS{"page.exe": {Data: []byte("x")}}, ""); err == nil {
		t.Error("got a file with no content type")
	}
}
