package parties_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// testOIDCAgent tests oidc-agent, a native client in C that holds a person's tokens for
// shell programs. It has no secret and sends Basic authentication with an empty one. Its
// refreshes fail with each of tokenFaults, and the next refresh succeeds.
func testOIDCAgent(t *testing.T) {
	i, front := newInstanceBehindFront(t)
	redirect := fmt.Sprintf("http://localhost:%d", signettest.FreePort(t))
	client := i.CreateClient(t, "--library", "oidc-agent", "--redirect-uri", redirect)
	i.Serve(t)
	agent := startOIDCAgent(t)

	b := signettest.NewFormBrowser(t)
	generated := agent.generate(t, i, client, redirect, func(target string) {
		b.Open(target)
		b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
		b.Send("consent", "allow", nil)
		b.Visit(b.Left.String()) // the server that the agent starts for the redirect
	})
	if !strings.Contains(generated, "success") {
		t.Fatalf("oidc-gen printed %q", generated)
	}

	token := func() (string, error) {
		// No token is valid for so long, so the agent refreshes each time.
		return agent.command(t, "oidc-token", "--time=100000", "signet")
	}
	last, err := token()
	if err != nil {
		t.Fatalf("oidc-token printed %q: %v", last, err)
	}
	for fault := range tokenFaults {
		front.fail(t, fault, 9, func() {
			if got, err := token(); err == nil {
				t.Errorf("%s: oidc-token printed %q, want an error", fault, got)
			}
		})
		next, err := token()
		if err != nil || next == last {
			t.Errorf("after %s: oidc-token printed %q, %v; want a new token", fault, next, err)
		}
		last = next
	}
	wantNoRefusal(t, i, client)
}

// oidcAgent is an agent that runs only for one test, with a separate folder.
type oidcAgent struct{ env []string }

func startOIDCAgent(t *testing.T) oidcAgent {
	t.Helper()
	for _, program := range []string{"oidc-agent", "oidc-gen", "oidc-token"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatal("oidc-agent is not installed: run make prepare-soak (on Debian)")
		}
	}
	// The socket's path must be short, so this is not t.TempDir.
	home, err := os.MkdirTemp("", "agent-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	folder := filepath.Join(home, ".oidc-agent")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "HOME="+home, "TMPDIR="+home, "OIDC_CONFIG_DIR="+folder, "OIDC_ENCRYPTION_PW=for this test alone")
	socket := filepath.Join(home, "socket")
	program := exec.Command("oidc-agent", "--console", "--socket-path="+socket)
	program.Env = env
	program.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var output signettest.SyncBuffer
	program.Stdout, program.Stderr = &output, &output
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
		if t.Failed() {
			t.Logf("output of oidc-agent:\n%s", output.String())
		}
	})
	signettest.Eventually(t, 10*time.Second, "oidc-agent listens", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	return oidcAgent{env: append(env, "OIDC_SOCK="+socket)}
}

// generate creates an account with oidc-gen and returns the output of oidc-gen, which
// prints the address that a person must open. generate passes this address to visit and
// waits until the agent has the tokens.
func (a oidcAgent) generate(t *testing.T, i *signettest.Instance, client signettest.CreatedClient, redirect string, visit func(target string)) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	gen := exec.CommandContext(ctx, "oidc-gen", "signet", "--manual", "--issuer="+i.Issuer, "--client-id="+client.ID, "--client-secret=",
		"--redirect-uri="+redirect, "--scope=openid email offline_access", "--flow=code", "--no-url-call", "--pw-env", "--confirm-yes")
	gen.Env = a.env
	var output signettest.SyncBuffer
	gen.Stdout, gen.Stderr = &output, &output
	if err := gen.Start(); err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`http\S+/authorize\?\S+`)
	signettest.Eventually(t, 20*time.Second, "oidc-gen prints the address to open: "+output.String(), func() bool { return address.MatchString(output.String()) })
	visit(address.FindString(output.String()))
	if err := gen.Wait(); err != nil {
		t.Fatalf("oidc-gen: %v: %s", err, output.String())
	}
	return output.String()
}

func (a oidcAgent) command(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Env = a.env
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	err := command.Run()
	return strings.TrimSpace(printed.String()), err
}
