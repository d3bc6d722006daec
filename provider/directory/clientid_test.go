package directory_test

import (
	"signet/provider/directory"
	"strings"
	"testing"
)

// A client id is an argument of other commands, which must not parse it as a flag.
func TestNewClientID_NeverLooksLikeAFlag(t *testing.T) {
	for range 2000 {
		if id := directory.NewClientID(); strings.HasPrefix(id, "-") || len(id) != 22 {
			t.Fatalf("client id: got %q, want 22 characters without a leading hyphen", id)
		}
	}
}
