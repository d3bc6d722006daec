package demo_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signet/cmd/signet/demo"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
)

// told holds the output of one start of dev.
type told struct {
	issuer, all string
	user, admin string // passwords; "" if none was printed
	secret      string // of the demo client
	end         func()
}

// starts runs dev in a folder, waits until it answers, and reads its output.
func starts(t *testing.T, dir string) told {
	t.Helper()
	listen := fmt.Sprintf("localhost:%d", signettest.FreePort(t))
	talk, end := signettest.StartTalking(t, http.DefaultClient, "http://"+listen, nil, "dev", "--listen", listen, "--data-dir", dir)
	now := told{issuer: "http://" + listen, all: talk.String(), end: end}
	passwords := regexp.MustCompile(`(?m)^  Password   (\S+)$`).FindAllStringSubmatch(now.all, -1)
	for _, p := range passwords {
		before, _, _ := strings.Cut(now.all, p[0])
		if strings.Contains(before, demo.AdminEmail) {
			now.admin = p[1]
		} else {
			now.user = p[1]
		}
	}
	if m := regexp.MustCompile(`Secret     (\S+)`).FindStringSubmatch(now.all); m != nil {
		now.secret = m[1]
	}
	return now
}

// signet runs a command on the data of a stopped dev.
func signet(t *testing.T, dir, stdin string, args ...string) {
	t.Helper()
	var talk signettest.SyncBuffer
	args = append(args, "--data-dir", dir)
	if code := program.Run(t.Context(), signettest.Surroundings(nil, stdin, &talk, &talk), args); code != exit.OK {
		t.Fatalf("signet %q: exit code %d: %s", args, code, talk.String())
	}
}

// canSignIn reports whether dev accepts a password.
func canSignIn(t *testing.T, issuer, email, password string) bool {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Open(issuer + "/account")
	b.Send("login", "", map[string]string{"username": email, "password": password})
	return b.At.Path == "/account"
}

// TestDev_PrintsOnlyWhatIsValid changes each value that dev prints, starts dev again, and
// tries the new output.
func TestDev_PrintsOnlyWhatIsValid(t *testing.T) {
	const other = "another good password"
	for name, c := range map[string]struct {
		change      func(t *testing.T, dir string)
		user, admin bool   // a password is printed
		says        string // printed instead of the password
	}{
		"nothing": {func(*testing.T, string) {}, true, true, ""},
		"the user has another password": {func(t *testing.T, dir string) {
			signet(t, dir, other, "user", "set-password", demo.UserEmail, "--password-stdin")
		}, false, true, "signet user set-password " + demo.UserEmail + " --password-stdin --data-dir "},
		"the administrator has another password": {func(t *testing.T, dir string) {
			signet(t, dir, other, "user", "set-password", demo.AdminEmail, "--password-stdin")
		}, true, false, "signet user set-password " + demo.AdminEmail + " --password-stdin --data-dir "},
		"the user is disabled": {func(t *testing.T, dir string) { signet(t, dir, "", "user", "disable", demo.UserEmail) }, false, true, "signet user enable " + demo.UserEmail + " --data-dir "},
		"the user is deleted":  {func(t *testing.T, dir string) { signet(t, dir, "", "user", "delete", demo.UserEmail, "--yes") }, true, true, ""},
		"the user has another address": {func(t *testing.T, dir string) {
			signet(t, dir, "", "user", "update", demo.UserEmail, "--email", "other@example.com", "--email-verified")
		}, true, true, ""},
		"the password file is gone": {func(t *testing.T, dir string) { remove(t, dir, "demo-password") }, true, true, ""},
		"the secret is rotated": {func(t *testing.T, dir string) {
			signet(t, dir, "", "client", "secret", "rotate", demo.ClientID, "--overlap", "0s")
		}, true, true, ""},
		"the secret file is gone": {func(t *testing.T, dir string) { remove(t, dir, "demo-secret") }, true, true, ""},
		"the client is disabled":  {func(t *testing.T, dir string) { signet(t, dir, "", "client", "disable", demo.ClientID) }, true, true, ""},
		"the client is deleted":   {func(t *testing.T, dir string) { signet(t, dir, "", "client", "delete", demo.ClientID, "--yes") }, true, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			starts(t, dir).end()
			c.change(t, dir)
			now := starts(t, dir) // on another port: the redirect URIs change with it
			if (now.user != "") != c.user || (now.admin != "") != c.admin || !strings.Contains(now.all, c.says) {
				t.Fatalf("it prints:\n%s", now.all)
			}
			if c.user && !canSignIn(t, now.issuer, demo.UserEmail, now.user) {
				t.Errorf("the user's password that it prints is not valid:\n%s", now.all)
			}
			if c.admin && !canSignIn(t, now.issuer, demo.AdminEmail, now.admin) {
				t.Errorf("the administrator's password that it prints is not valid:\n%s", now.all)
			}
			if status := asClient(t, now); status != http.StatusOK {
				t.Errorf("the client with the secret that it prints gets %d:\n%s", status, now.all)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// asClient introspects a token as the demo client, and returns the status.
func asClient(t *testing.T, now told) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, now.issuer+"/introspect", strings.NewReader("token=none"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(demo.ClientID, now.secret)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	return a.StatusCode
}
