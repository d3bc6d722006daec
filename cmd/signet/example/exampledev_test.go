package example_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/node"
	"signet/cmd/signet/signettest"
)

// TestExample_UnderDevelopment runs the three commands of the example's README on free ports,
// and signs in with the address and password that they print.
func TestExample_UnderDevelopment(t *testing.T) {
	t.Parallel()
	port := signettest.FreePort(t)
	origin, listen := fmt.Sprintf("http://localhost:%d", port), fmt.Sprintf("localhost:%d", signettest.FreePort(t))
	dir := filepath.Join(t.TempDir(), "data")
	signettest.StartSignet(t, "http://"+listen+"/auth", nil, "dev", "--listen", listen, "--data-dir", dir, "--app", origin)
	behind := newFront()
	startVite(t, port, "SIGNET="+behind.start(t, "http://"+listen), "API="+behind.start(t, startAPI(t, origin+"/auth", "go")))
	password, err := node.ReadPrivate(filepath.Join(dir, "demo-password"))
	if err != nil {
		t.Fatal(err)
	}
	var saw struct {
		Public, Refused, Here string
		Visits                map[string]struct {
			Who, Profile string
			Found        []string
		}
		Shared, Everywhere   []string
		Sessions             int
		Readable, Complaints []string
	}
	signettest.RunInBrowser(t, "devapp.mjs", map[string]any{"origin": origin, "email": signettest.DemoEmail, "password": password}, &saw)
	for name, want := range map[string]struct{ who, profile string }{
		"google":   {"ada.example@gmail.com", "Ada Example"},
		"github":   {"octo@octo.example", "Octo Cat"},
		"password": {signettest.DemoEmail, "by pwd"},
	} {
		got := saw.Visits[name]
		if got.Who != want.who || !strings.Contains(got.Profile, want.who) || !strings.Contains(got.Profile, want.profile) || len(got.Found) > 0 {
			t.Errorf("signed in by %s: got %+v, want %+v and no notes of others", name, got, want)
		}
	}
	for _, want := range []struct {
		what      string
		got, want any
	}{
		{"the public page shows", saw.Public, "Sign in"},
		{"a wrong password", strings.Contains(saw.Refused, "password"), true},
		{"notes in the second browser", fmt.Sprint(saw.Shared), "[by password]"},
		{"sessions of two browsers", saw.Sessions, 2},
		{"signed out in the other browser, this one shows", saw.Here, signettest.DemoEmail},
		{"signed out everywhere, they show", fmt.Sprint(saw.Everywhere), "[Sign in Sign in]"},
		{"what scripts can read", len(saw.Readable), 0},
		{"answers with a secret in their body", len(behind.leaked), 0},
	} {
		if want.got != want.want {
			t.Errorf("%s: got %v, want %v", want.what, want.got, want.want)
		}
	}
	signettest.RefuseComplaints(t, saw.Complaints)
	if t.Failed() {
		t.Logf("%+v, leaked %v", saw, behind.leaked)
	}
}

// start starts a front before one server, and returns its URL.
func (f *front) start(t *testing.T, to string) string {
	t.Helper()
	server := httptest.NewServer(f.pass(to))
	t.Cleanup(server.Close)
	return server.URL
}

// startVite runs `npm run dev` in the example.
func startVite(t *testing.T, port int, env ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "npm", "run", "dev", "--", "--port", fmt.Sprint(port))
	command.Dir, command.Env = example, append(os.Environ(), env...)
	var talk signettest.SyncBuffer
	command.Stdout, command.Stderr = &talk, &talk
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // npm starts other processes
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Wait() // the command ends with the test's context
		if t.Failed() {
			t.Logf("npm run dev said:\n%s", talk.String())
		}
	})
	signettest.Eventually(t, 60*time.Second, "the app is served", func() bool {
		answer, err := http.Get(fmt.Sprintf("http://localhost:%d/", port))
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}
