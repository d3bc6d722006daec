package directory_test

import (
	"signet/provider/directory"
	"strings"
	"testing"
)

// A random client id is an argument of other commands.
func TestNewClientID_NeverLooksLikeAFlag(t *testing.T) {
	for range 2000 {
		if id := directory.NewClientID(); strings.HasPrefix(id, "-") || len(id) != 22 {
			t.Fatalf("got %q", id)
		}
	}
}
