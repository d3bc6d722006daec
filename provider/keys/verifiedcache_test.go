package keys

import (
	"strconv"
	"testing"
)

func TestVerifiedCache_IsBoundedAndKeepsUsedTokens(t *testing.T) {
	var c verifiedCache
	for i := range 5 * verifiedCacheSize {
		c.add(strconv.Itoa(i))
		if i%1000 == 0 && i > 0 && !c.has("0") {
			t.Fatalf("forgot a token in use after %d others", i)
		}
	}
	if n := len(c.young) + len(c.old); n > 2*verifiedCacheSize {
		t.Errorf("%d tokens remembered, want at most %d", n, 2*verifiedCacheSize)
	}
	if c.has("1") {
		t.Error("remembers a token that was not used again")
	}
}
