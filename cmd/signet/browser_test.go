package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/demo"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
)

// TestDemo_SignIn is the main job: a person opens /demo of `signet dev` in a real
// browser, signs in, allows, and sees verified, decoded tokens.
func TestDemo_SignIn(t *testing.T) {
	for _, javascript := range []bool{true, false} {
		t.Run(map[bool]string{true: "with JavaScript", false: "without JavaScript"}[javascript], func(t *testing.T) {
			dev := startDev(t)
			var saw demoReport
			dev.browse(t, "signin.mjs", map[string]any{"javascript": javascript}, &saw)
			saw.assertRefusal(t)
			saw.assertTokens(t, dev.issuer)
			saw.assertCookies(t, javascript)
			if !strings.Contains(saw.Consent, "localhost") || !strings.Contains(saw.Consent, demoEmail) {
				t.Errorf("the consent page names neither the client's host nor the account: %q", saw.Consent)
			}
			if saw.Back == "" || strings.HasPrefix(saw.Back, "Error") || saw.Stays != 1 {
				t.Errorf("going back after the sign-in shows %q, and the demo shows its tokens %d times", saw.Back, saw.Stays)
			}
			if strings.Contains(saw.Home, demoEmail) {
				t.Errorf("signed out, and the home page still knows who it was: %q", saw.Home)
			}
			refuseComplaints(t, saw.Complaints)
		})
	}
}

const demoEmail = "demo@example.com"

// demoReport is what signin.mjs saw.
type demoReport struct {
	Titles  []string
	Refused struct {
		Alert, Username, Password string
		Invalid                   int
	}
	Consent    string
	Tokens     []demoToken
	UserInfo   map[string]any
	Cookies    []browserCookie
	Readable   string // document.cookie
	Back       string // title of the page one step back
	Stays      int
	Home       string
	Complaints []string
}

type demoToken struct {
	Name, Checked  string
	Header, Claims map[string]any
}

type browserCookie struct {
	Name, Path, SameSite string
	Expires              float64 // Unix seconds; -1: when the browser closes
	HTTPOnly             bool
}

func (r demoReport) assertRefusal(t *testing.T) {
	t.Helper()
	if r.Refused.Alert == "" || r.Refused.Username != demoEmail || r.Refused.Password != "" || r.Refused.Invalid == 0 {
		t.Errorf("a wrong password is answered by %+v; want an alert, the name kept, the password not, the fields marked", r.Refused)
	}
	if !slices.ContainsFunc(r.Titles, func(title string) bool { return strings.HasPrefix(title, "Error: ") }) {
		t.Errorf("no title says that there was an error: %q", r.Titles)
	}
}

func (r demoReport) assertTokens(t *testing.T, issuer string) {
	t.Helper()
	if len(r.Tokens) != 2 {
		t.Fatalf("the demo shows %d tokens, want an ID token and an access token", len(r.Tokens))
	}
	id, access := r.Tokens[0], r.Tokens[1]
	for _, want := range []struct {
		what      string
		got, want any
	}{
		{"ID token alg", id.Header["alg"], "RS256"}, // OIDC Core, section 15.1: where the client says nothing
		{"access token typ", access.Header["typ"], "at+jwt"},
		{"access token alg", access.Header["alg"], "ES256"},
		{"ID token iss", id.Claims["iss"], issuer},
		{"ID token aud", fmt.Sprint(id.Claims["aud"]), "[demo]"},
		{"ID token acr", id.Claims["acr"], "urn:signet:1fa"},
		{"ID token amr", fmt.Sprint(id.Claims["amr"]), "[pwd]"},
		{"access token iss", access.Claims["iss"], issuer},
		{"access token client_id", access.Claims["client_id"], "demo"},
		{"access token sub", access.Claims["sub"], id.Claims["sub"]},
		{"access token sid", access.Claims["sid"], id.Claims["sid"]},
		{"access token auth_time", access.Claims["auth_time"], id.Claims["auth_time"]},
		{"userinfo sub", r.UserInfo["sub"], id.Claims["sub"]},
		{"userinfo email", r.UserInfo["email"], demoEmail},
		{"an e-mail in the ID token", id.Claims["email"], nil}, // OIDC Core, section 5.4: userinfo has it
	} {
		if want.got != want.want {
			t.Errorf("%s: got %v, want %v", want.what, want.got, want.want)
		}
	}
	if sub, _ := id.Claims["sub"].(string); !strings.HasPrefix(sub, "usr_") {
		t.Errorf("sub: got %q, want usr_…", sub)
	}
	for _, claim := range []string{"nonce", "at_hash", "sid", "exp", "iat"} {
		if id.Claims[claim] == nil {
			t.Errorf("the ID token has no %s", claim)
		}
	}
	for _, claim := range []string{"jti", "gid", "scope", "exp", "iat"} {
		if access.Claims[claim] == nil {
			t.Errorf("the access token has no %s", claim)
		}
	}
}

// assertCookies: no script can read a cookie, and none outlives the browser but
// for "Keep me signed in" and the memory of the device.
func (r demoReport) assertCookies(t *testing.T, kept bool) {
	t.Helper()
	if r.Readable != "" {
		t.Errorf("a script can read %q", r.Readable)
	}
	var session browserCookie
	for _, c := range r.Cookies {
		if !c.HTTPOnly || c.SameSite == "None" {
			t.Errorf("cookie %s: HttpOnly %t, SameSite %s", c.Name, c.HTTPOnly, c.SameSite)
		}
		if c.Name == "signet" {
			session = c
		}
	}
	week := float64(time.Now().Add(6 * 24 * time.Hour).Unix())
	switch {
	case session.Name == "" || session.Path != "/" || session.SameSite != "Lax":
		t.Errorf("the session cookie is %+v among %+v", session, r.Cookies)
	case kept && session.Expires < week:
		t.Errorf("kept, and the session cookie ends at %.0f", session.Expires)
	case !kept && session.Expires != -1:
		t.Errorf("not kept, and the session cookie lives until %.0f", session.Expires)
	}
}

// demoInstance is `signet dev`, running.
type demoInstance struct {
	issuer   string
	password string
	dir      string // its data
}

// administrator is the one that dev makes.
func (d demoInstance) administrator(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"email": demo.AdminEmail, "password": d.kept(t, "admin-password")}
}

// kept reads a password that dev keeps.
func (d demoInstance) kept(t *testing.T, name string) string {
	t.Helper()
	password, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(password))
}

func startDev(t *testing.T) demoInstance { return startDevAt(t, time.Now) }

// startDevAt starts it under a clock of the test's.
func startDevAt(t *testing.T, now func() time.Time) demoInstance {
	t.Helper()
	listen := fmt.Sprintf("localhost:%d", freePort(t))
	dir := filepath.Join(t.TempDir(), "data")
	startSignetAt(t, now, "http://"+listen, nil, "dev", "--listen", listen, "--data-dir", dir)
	dev := demoInstance{issuer: "http://" + listen, dir: dir}
	dev.password = dev.kept(t, "demo-password")
	return dev
}

// browse runs one of the browser programs as the demo user.
func (d demoInstance) browse(t *testing.T, program string, job map[string]any, report any) {
	t.Helper()
	job["issuer"], job["email"], job["password"] = d.issuer, demoEmail, d.password
	runInBrowser(t, program, job, report)
}

// startSignet runs the program as main does and waits until it answers. At the
// end of the test it is asked to stop, and must do so with exit code 0.
func startSignet(t *testing.T, issuer string, env []string, args ...string) {
	t.Helper()
	startSignetAt(t, time.Now, issuer, env, args...)
}

// startSignetAt does so under a clock of the test's. What it gives ends the program
// before the test does.
func startSignetAt(t *testing.T, now func() time.Time, issuer string, env []string, args ...string) (end func()) {
	t.Helper()
	_, end = startTalking(t, now, http.DefaultClient, issuer, env, args...)
	return end
}

// startTalking gives also what the program says. It is asked by that client whether
// it answers.
func startTalking(t *testing.T, now func() time.Time, client *http.Client, issuer string, env []string, args ...string) (talk *syncBuffer, end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	talk = &syncBuffer{}
	ended := make(chan int, 1)
	go func() {
		ended <- program.Run(ctx, &cli.Program{Env: cli.Environment(env), Stdin: strings.NewReader(""), Stdout: talk, Stderr: talk, Now: now}, args)
	}()
	t.Cleanup(func() {
		stop()
		select {
		case code := <-ended:
			if code != exit.OK {
				t.Errorf("signet %s ended with exit code %d", args[0], code)
			}
		case <-time.After(15 * time.Second):
			t.Errorf("signet %s does not stop", args[0])
		}
		if t.Failed() {
			t.Logf("signet %s said:\n%s", args[0], talk.String())
		}
	})
	eventually(t, 30*time.Second, "signet "+args[0]+" answers", func() bool {
		select {
		case code := <-ended:
			ended <- code
			t.Fatalf("signet %s ended with exit code %d before it answered", args[0], code)
		default:
		}
		response, err := client.Get(issuer + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return talk, func() {
		stop()
		ended <- <-ended
	}
}

// eventually asks again and again, since another goroutine or process is at work,
// and fails when the answer is still no after the longest time.
func eventually(t *testing.T, longest time.Duration, what string, yes func() bool) {
	t.Helper()
	deadline := time.After(longest)
	for !yes() {
		select {
		case <-deadline:
			t.Fatalf("after %s still not so: %s", longest, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// syncBuffer is written by the program while the test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// freePort gives a port of loopback on which nobody listens. An issuer holds its
// port in its name, so it must be known before the program starts. No port is given
// twice: the first to ask may not listen yet.
func freePort(t testing.TB) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if _, given := givenPorts.LoadOrStore(port, true); !given {
			return port
		}
	}
}

var givenPorts sync.Map

// runInBrowser runs a program of testdata/browser: the job goes in and the report
// comes out as JSON.
func runInBrowser(t *testing.T, program string, job map[string]any, report any) {
	t.Helper()
	if _, err := os.Stat("testdata/browser/node_modules"); err != nil {
		t.Fatal("the npm packages of testdata/browser are missing: make test installs them")
	}
	job["chromium"] = chromium(t)
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", program)
	node.Dir = "testdata/browser"
	node.Stdin = bytes.NewReader(in)
	var talk bytes.Buffer
	node.Stderr = &talk
	node.Cancel = func() error { return node.Process.Signal(syscall.SIGTERM) } // it takes the browser with it
	node.WaitDelay = 10 * time.Second
	out, err := node.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, talk.String())
	}
	if err := json.Unmarshal(out, report); err != nil {
		t.Fatalf("%s reported %q: %v", program, out, err)
	}
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium: make test installs it on Debian")
	return ""
}

// notedAnswer is how a browser notes an answer of 400 and more, which some pages
// rightly are.
var notedAnswer = regexp.MustCompile(`^console: Failed to load resource: the server responded with a status of 4\d\d`)

// refuseComplaints fails on what the browser complained about: a breach of the
// content security policy, a script that failed, a foreign host.
func refuseComplaints(t *testing.T, complaints []string) {
	t.Helper()
	for _, c := range complaints {
		if !notedAnswer.MatchString(c) {
			t.Error(c)
		}
	}
}
