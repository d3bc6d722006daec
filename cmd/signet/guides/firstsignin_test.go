package guides_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"signet/cmd/signet/node"
	"signet/cmd/signet/signettest"
)

// TestReadme_FirstSignIn follows the terminal session of README.md: the program prints the
// lines that the page shows, and the demo user signs in at the demo page.
func TestReadme_FirstSignIn(t *testing.T) {
	t.Parallel()
	var shown string
	for _, b := range partsOf(t, "README.md", read(t, "README.md")) {
		if b.run == "first sign-in" {
			shown = b.text
		}
	}
	command, want, _ := strings.Cut(shown, "\n")
	if command != "$ go run ./cmd/signet dev" {
		t.Fatalf("README.md shows the command %q", command)
	}
	listen, dir := fmt.Sprintf("localhost:%d", signettest.FreePort(t)), filepath.Join(t.TempDir(), "data")
	issuer := "http://" + listen
	talk, _ := signettest.StartTalking(t, http.DefaultClient, issuer, nil, "dev", "--listen", listen, "--data-dir", dir)
	want = strings.ReplaceAll(strings.TrimSpace(want), "localhost:8080", listen)
	if !matches("…"+want+"…", talk.String()) {
		t.Errorf("README.md shows\n%s\nthe program prints\n%s", want, talk.String())
	}
	password, err := node.ReadPrivate(filepath.Join(dir, "demo-password"))
	if err != nil {
		t.Fatal(err)
	}
	b := signettest.NewFormBrowser(t)
	b.Open(issuer + "/demo")
	shows(t, b, "Sign in with Signet")
	b.Open(issuer + "/demo/login")
	b.Send("login", "", map[string]string{"username": signettest.DemoEmail, "password": password})
	shows(t, b, "Allow")
	b.Send("consent", "allow", nil)
	if text := b.Text(); b.At.Path != "/demo" || !strings.Contains(text, signettest.DemoEmail) || !strings.Contains(text, "at+jwt") {
		t.Errorf("after the sign-in %s shows %s", b.At, text)
	}
}

// shows checks that README.md quotes a label, and that the page has it.
func shows(t *testing.T, b *signettest.FormBrowser, label string) {
	t.Helper()
	if !strings.Contains(read(t, "README.md"), "“"+label+"”") {
		t.Errorf("README.md does not quote “%s”", label)
	}
	if !strings.Contains(b.Text(), label) {
		t.Errorf("%s does not show “%s”: %s", b.At, label, b.Text())
	}
}
