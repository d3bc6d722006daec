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

// DemoEmail is the address of the user that dev makes.
const DemoEmail = "demo@example.com"

// BrowserCookie is a cookie as Chromium keeps it.
type BrowserCookie struct {
	Name, Path, SameSite string
	Expires              float64 // Unix seconds; -1: when the browser closes
	HTTPOnly             bool
}

// DemoInstance is `signet dev`, running.
type DemoInstance struct {
	Issuer   string
	Password string
	Dir      string // its data
}

// Administrator is the one that dev makes.
func (d DemoInstance) Administrator(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"email": demo.AdminEmail, "password": d.kept(t, "admin-password")}
}

// kept reads a password that dev keeps.
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

// StartDevAt starts it under a clock of the test's.
func StartDevAt(t *testing.T, now func() time.Time) DemoInstance {
	t.Helper()
	listen := fmt.Sprintf("localhost:%d", FreePort(t))
	dir := filepath.Join(t.TempDir(), "data")
	StartSignetAt(t, now, "http://"+listen, nil, "dev", "--listen", listen, "--data-dir", dir)
	dev := DemoInstance{Issuer: "http://" + listen, Dir: dir}
	dev.Password = dev.kept(t, "demo-password")
	return dev
}

// Browse runs one of the browser programs as the demo user.
func (d DemoInstance) Browse(t *testing.T, program string, job map[string]any, report any) {
	t.Helper()
	job["issuer"], job["email"], job["password"] = d.Issuer, DemoEmail, d.Password
	RunInBrowser(t, program, job, report)
}

// StartDevWithClock starts dev with a clock that a GET of the URL moves by the
// seconds it names.
func StartDevWithClock(t *testing.T) (DemoInstance, string) {
	t.Helper()
	now, mover := MovedClock(t)
	return StartDevAt(t, now), mover
}
