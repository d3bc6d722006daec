package demo

import (
	"fmt"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

func TestResults_OnlyTheNewestAreKept(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	results := newResults(func() time.Time { return at })
	var keys []string
	for n := range maxResults + 5 {
		at = at.Add(time.Second)
		keys = append(keys, results.keep(result{idToken: fmt.Sprint(n)}))
	}
	if got := results.of(requestWith(t, keys[4])).idToken; got != "" {
		t.Errorf("result 4 is still there: %q", got)
	}
	if got := results.of(requestWith(t, keys[5])).idToken; got != "5" {
		t.Errorf("result 5: got %q", got)
	}
	at = at.Add(resultLife)
	if got := results.of(requestWith(t, keys[5])).idToken; got != "" {
		t.Errorf("after its life result 5 is still there: %q", got)
	}
}

func requestWith(t *testing.T, key string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/demo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: resultCookie, Value: key})
	return r
}

// People copy the commands of the demo into a shell. The name of the folder may be anything.
func TestShellWord_IsOneWordOfAShell(t *testing.T) {
	for _, path := range []string{"signet-dev", "/var/lib/signet", "my data", "it's", `a"b`, "$HOME", "a;b", "*", "ü", "", "a\nb", "~/x", "!x", `back\slash`} {
		got, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s|' "+shellWord(path)).Output()
		if err != nil || string(got) != path+"|" {
			t.Errorf("%q is written %s, which the shell reads as %q, %v", path, shellWord(path), got, err)
		}
	}
	if got := shellWord("signet-dev"); got != "signet-dev" {
		t.Errorf("a plain name is written %s", got)
	}
}
