package guides_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// session is one page's folder, with the variables that its commands have exported.
type session struct {
	page     string
	folder   string
	ports    *strings.Replacer // of the page to free ones
	database string            // PostgreSQL, made when the page first needs it
	stops    []func(t *testing.T)
}

func newSession(t *testing.T, page string) *session {
	t.Helper()
	s := &session{page: page, folder: t.TempDir()}
	s.ports = strings.NewReplacer(
		"8443", fmt.Sprint(signettest.FreePort(t)),
		"127.0.0.1:8080", fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t)),
		"/run/secrets/", s.folder+"/run/secrets/",
	)
	if err := os.MkdirAll(filepath.Join(s.folder, "run/secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

// secretFile finds the files of secrets. The pages do not show their content.
var secretFile = regexp.MustCompile(`/run/secrets/([a-z.-]+)`)

// localized replaces ports and the folder of secrets, and makes the files that are named there.
func (s *session) localized(t *testing.T, text string) string {
	t.Helper()
	for _, found := range secretFile.FindAllStringSubmatch(text, -1) {
		command := "openssl rand -base64 32"
		if strings.HasSuffix(found[1], ".pem") {
			command = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
		}
		content, err := exec.Command("sh", "-c", command).Output()
		if err == nil {
			err = os.WriteFile(filepath.Join(s.folder, "run/secrets", found[1]), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s.ports.Replace(text)
}

// settings has signet config check judge a file of settings in a folder.
func (s *session) settings(t *testing.T, b part) {
	t.Helper()
	folder := s.folder
	if b.file == "" {
		folder = t.TempDir()
	}
	if err := os.WriteFile(filepath.Join(folder, "signet.yaml"), []byte(s.localized(t, b.text)), 0o600); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.text, "tls:") {
		return // the commands below make the certificate, and check the settings then
	}
	if _, stderr, err := s.bash(t, folder, "signet config check"); err != nil {
		t.Errorf("%s:%d: signet config check: %v\n%s", s.page, b.line, err, stderr)
	}
}

// console runs the commands of a block and compares their output.
func (s *session) console(t *testing.T, b part) {
	t.Helper()
	if b.with == "postgresql" && s.database == "" {
		s.database = storagetest.Postgres(t).Config().Database
	}
	shown := strings.Split("\n"+s.localized(t, b.text), "\n$ ")
	if strings.TrimSpace(shown[0]) != "" || len(shown) < 2 {
		t.Errorf("%s:%d: the block does not begin with a command", s.page, b.line)
	}
	for _, lines := range shown[1:] {
		command, want, _ := strings.Cut(lines, "\n")
		if is, reason := onlyExists(t, command); is {
			if reason != "" {
				t.Errorf("%s:%d: %s: %s", s.page, b.line, command, reason)
			}
			continue
		}
		if b.with == "postgresql" {
			command = "export SIGNET_DATABASE='" + s.database + "'; " + command
		}
		if line, background := strings.CutSuffix(command, " &"); background {
			s.serve(t, line)
			continue
		}
		stdout, stderr, err := s.bash(t, s.folder, command)
		if err != nil {
			t.Errorf("%s:%d: %s: %v\n%s%s", s.page, b.line, command, err, stdout, stderr)
			break
		}
		if want = strings.TrimSpace(want); want != "" && !matches(want, strings.TrimSpace(stdout)) {
			t.Errorf("%s:%d: %s printed\n%s\nwant\n%s", s.page, b.line, command, stdout, want)
		}
	}
	if b.with == "postgresql" {
		if _, stderr, err := s.bash(t, s.folder, "unset SIGNET_DATABASE"); err != nil {
			t.Fatal(stderr, err)
		}
	}
}

// matches compares an output with the text of a page, in which … stands for any text.
func matches(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(oneSpace(want)), "…", "(?s:.*)")
	return regexp.MustCompile(`\A` + pattern + `\z`).MatchString(oneSpace(got))
}

// oneSpace makes one space of several within a line, since the width of a column depends on
// rows that the page may leave out.
func oneSpace(text string) string {
	return trailing.ReplaceAllString(spaces.ReplaceAllString(text, " "), "\n")
}

var spaces, trailing = regexp.MustCompile(`[ \t]+`), regexp.MustCompile(` \n`)

// bash runs a line. The variables that it exports are those of the next line.
func (s *session) bash(t *testing.T, folder, line string) (stdout, stderr string, err error) {
	t.Helper()
	if strings.Contains(line, "--follow") {
		line = "timeout -s INT 2 " + line + " || [[ $? == 124 ]]" // it ends when somebody ends it
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	variables := filepath.Join(s.folder, ".variables")
	shell := exec.CommandContext(ctx, "bash", "-c", fmt.Sprintf("[[ ! -e %[1]q ]] || source %[1]q\n%[2]s\ncode=$?\nexport -p > %[1]q\nexit $code", variables, line))
	var out, talk bytes.Buffer
	shell.Dir, shell.Env, shell.Stdout, shell.Stderr = folder, clean(), &out, &talk
	err = shell.Run()
	return out.String(), talk.String(), err
}

// clean is the environment without the settings of Signet that the tests may have.
func clean() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SIGNET_") })
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin"); len(found) > 0 { // pg_dump of the server's version
		env = append(env, "PATH="+os.Getenv("PATH")+":"+found[len(found)-1])
	}
	return env
}

// serve starts a server and waits until it listens.
func (s *session) serve(t *testing.T, line string) {
	t.Helper()
	shell := exec.Command("bash", "-c", "exec "+line)
	talk := &signettest.SyncBuffer{}
	shell.Dir, shell.Env, shell.Stderr = s.folder, clean(), talk
	shell.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	s.stops = append(s.stops, func(t *testing.T) {
		_ = shell.Process.Signal(syscall.SIGTERM)
		if err := shell.Wait(); err != nil {
			t.Errorf("%s: %s ended with %v\n%s", s.page, line, err, talk.String())
		}
	})
	signettest.Eventually(t, time.Minute, line+" listens", func() bool { return strings.Contains(talk.String(), `"msg":"listening"`) })
}

// stop ends the servers of the page.
func (s *session) stop(t *testing.T) {
	t.Helper()
	for _, stop := range s.stops {
		stop(t)
	}
	s.stops = nil
}

// setUp runs the commands of a comment, which readers do not see.
func (s *session) setUp(t *testing.T, b part) {
	t.Helper()
	for line := range strings.Lines(s.localized(t, b.text)) {
		if line = strings.TrimSpace(line); line == "stop" {
			s.stop(t)
		} else if server, background := strings.CutSuffix(line, " &"); background {
			s.serve(t, server)
		} else if stdout, stderr, err := s.bash(t, s.folder, line); err != nil {
			t.Fatalf("%s:%d: %s: %v\n%s%s", s.page, b.line, line, err, stdout, stderr)
		}
	}
}

// keepsSecrets checks that the commands of the page left no secret that others may read.
func (s *session) keepsSecrets(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(s.folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		state, err := entry.Info()
		name := entry.Name()
		secret := strings.HasPrefix(name, "master.key") || strings.Contains(name, "signet.db") || name == "tls.key" || name == "password.txt"
		if err == nil && secret && state.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %s has the mode %v", s.page, name, state.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
