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

// usesOIDCAgent lets oidc-agent hold a person's tokens for the programs of a shell: a
// native client in C, which has no secret and sends Basic with an empty one. Its
// refreshes fail in every way that a network knows, and it goes on.
func usesOIDCAgent(t *testing.T) {
	i, behind := newInstanceBehind(t)
	redirect := fmt.Sprintf("http://localhost:%d", signettest.FreePort(t))
	client := i.CreateClient(t, "--type", "native", "--redirect-uri", redirect)
	i.Serve(t)
	agent := startOIDCAgent(t)

	b := signettest.NewFormBrowser(t)
	generated := agent.generate(t, i, client, redirect, func(target string) {
		b.Open(target)
		b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
		b.Send("consent", "allow", nil)
		b.Visit(b.Left.String()) // to the server that the agent runs for this
	})
	if !strings.Contains(generated, "success") {
		t.Fatalf("oidc-gen said %q", generated)
	}

	token := func() (string, error) {
		// No token lives that long, so the agent refreshes each time.
		return agent.command(t, "oidc-token", "--time=100000", "signet")
	}
	last, err := token()
	if err != nil {
		t.Fatalf("oidc-token said %q: %v", last, err)
	}
	for fault := range tokenFaults {
		behind.fail(t, fault, 9, func() {
			if said, err := token(); err == nil {
				t.Errorf("%s: oidc-token gave %q", fault, said)
			}
		})
		next, err := token()
		if err != nil || next == last {
			t.Errorf("after %s: oidc-token gave %q, %v", fault, next, err)
		}
		last = next
	}
	wantNoRefusal(t, i, client)
}

// oidcAgent is an agent of the test's own, with a folder of its own.
type oidcAgent struct{ env []string }

func startOIDCAgent(t *testing.T) oidcAgent {
	t.Helper()
	for _, program := range []string{"oidc-agent", "oidc-gen", "oidc-token"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatal("there is no oidc-agent: make prepare-soak installs it on Debian")
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
	var talk signettest.SyncBuffer
	program.Stdout, program.Stderr = &talk, &talk
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
		if t.Failed() {
			t.Logf("oidc-agent said:\n%s", talk.String())
		}
	})
	signettest.Eventually(t, 10*time.Second, "oidc-agent listens", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	return oidcAgent{env: append(env, "OIDC_SOCK="+socket)}
}

// generate lets oidc-gen make an account. It prints the address that a person must
// open, and waits until the agent has the tokens.
func (a oidcAgent) generate(t *testing.T, i *signettest.Instance, client signettest.CreatedClient, redirect string, visit func(target string)) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	gen := exec.CommandContext(ctx, "oidc-gen", "signet", "--manual", "--issuer="+i.Issuer, "--client-id="+client.ID, "--client-secret=",
		"--redirect-uri="+redirect, "--scope=openid email offline_access", "--flow=code", "--no-url-call", "--pw-env", "--confirm-yes")
	gen.Env = a.env
	var talk signettest.SyncBuffer
	gen.Stdout, gen.Stderr = &talk, &talk
	if err := gen.Start(); err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`http\S+/authorize\?\S+`)
	signettest.Eventually(t, 20*time.Second, "oidc-gen says what to open: "+talk.String(), func() bool { return address.MatchString(talk.String()) })
	visit(address.FindString(talk.String()))
	if err := gen.Wait(); err != nil {
		t.Fatalf("oidc-gen: %v: %s", err, talk.String())
	}
	return talk.String()
}

func (a oidcAgent) command(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Env = a.env
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	err := command.Run()
	return strings.TrimSpace(said.String()), err
}
