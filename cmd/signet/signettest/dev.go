package signettest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/demo"
)

// DemoEmail is the email address of the user that dev creates.
const DemoEmail = "demo@example.com"

// BrowserCookie is a cookie as Chromium stores it.
type BrowserCookie struct {
	Name, Path, SameSite string
	Expires              float64 // Unix seconds; -1: the cookie ends with the browser
	HTTPOnly             bool
}

// DemoInstance is a running `signet dev`.
type DemoInstance struct {
	Issuer   string
	Password string
	Dir      string // data directory
}

// Administrator returns the address and password of the administrator that dev creates.
func (d DemoInstance) Administrator(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"email": demo.AdminEmail, "password": d.kept(t, "admin-password")}
}

// kept reads a password that dev stores in a file.
func (d DemoInstance) kept(t *testing.T, name string) string {
	t.Helper()
	password, err := os.ReadFile(filepath.Join(d.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(password))
}

// StartDev starts `signet dev`.
func StartDev(t *testing.T) DemoInstance { return StartDevAt(t, time.Now) }

// StartDevAt starts `signet dev` with the clock of the test.
func StartDevAt(t *testing.T, now func() time.Time) DemoInstance {
	t.Helper()
	listen := fmt.Sprintf("localhost:%d", FreePort(t))
	dir := filepath.Join(t.TempDir(), "data")
	StartSignetAt(t, now, "http://"+listen, nil, "dev", "--listen", listen, "--data-dir", dir)
	dev := DemoInstance{Issuer: "http://" + listen, Dir: dir}
	dev.Password = dev.kept(t, "demo-password")
	return dev
}

// Browse runs one of the browser programs with the demo user's address and password.
func (d DemoInstance) Browse(t *testing.T, program string, job map[string]any, report any) {
	t.Helper()
	job["issuer"], job["email"], job["password"] = d.Issuer, DemoEmail, d.Password
	RunInBrowser(t, program, job, report)
}

// StartDevWithClock starts dev with a clock that a GET request moves: the URL names the
// seconds.
func StartDevWithClock(t *testing.T) (DemoInstance, string) {
	t.Helper()
	now, mover := MovedClock(t)
	return StartDevAt(t, now), mover
}
