package directory

import (
	"testing"
)

// Whatever a document contains, it lists only texts that it really has as entries.
func FuzzSectorDocument(f *testing.F) {
	for _, seed := range []string{`[]`, `["https://a.example/cb"]`, `[""]`, `[1]`, `{}`, `"x"`, `[["x"]]`, `[null]`, `["a","a"]`, `["\u0000"]`, ` [ "a" ] `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		listed, err := readSectorDocument(body)
		if err != nil && listed != nil {
			t.Errorf("an error and a list: %v", listed)
		}
		for _, uri := range listed {
			if uri == "" {
				t.Error("an empty entry")
			}
		}
	})
}
