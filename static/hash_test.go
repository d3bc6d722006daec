package static

import (
	"testing"
	"testing/fstest"
)

func TestLoad_HashFollowsContent(t *testing.T) {
	url := func(content string) string {
		t.Helper()
		read, err := read(fstest.MapFS{"site.css": {Data: []byte(content)}})
		if err != nil {
			t.Fatal(err)
		}
		return load(read, "").URL("site.css")
	}
	first, same, other := url("a{}"), url("a{}"), url("b{}")
	if first != same {
		t.Errorf("one content has two names: %s and %s", first, same)
	}
	if first == other {
		t.Errorf("two contents have one name: %s", first)
	}
}

func TestLoad_RefusesUnknownTypes(t *testing.T) {
	if _, err := read(fstest.MapFS{"page.exe": {Data: []byte("x")}}); err == nil {
		t.Error("got a file with no content type")
	}
}
