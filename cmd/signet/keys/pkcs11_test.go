//go:build cgo && pkcs11

package keys_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

const tokenPIN = "a PIN that is found nowhere"

// softHSM creates a token, and returns the settings that use it.
func softHSM(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	settings, pin := filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "pin")
	if err := os.WriteFile(settings, fmt.Appendf(nil, "directories.tokendir = %s\nlog.level = ERROR\n", dir), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pin, []byte(tokenPIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", settings)
	made := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "signet", "--pin", tokenPIN, "--so-pin", "87654321")
	if out, err := made.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return []string{"SIGNET_KEYS_PKCS11_MODULE=/usr/lib/softhsm/libsofthsm2.so", "SIGNET_KEYS_PKCS11_TOKEN=signet", "SIGNET_KEYS_PKCS11_PIN_FILE=" + pin}
}

// Two servers and the command line share a token through a sign-in, a rotation, a restart and a
// revocation. Then the test checks the errors of starts that cannot use the token.
func TestPKCS11_ProcessesSignInTheToken(t *testing.T) {
	token := softHSM(t)
	for backend, algorithms := range map[string]string{"sqlite": "all", "postgres": "ES256"} {
		t.Run(backend, func(t *testing.T) {
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := signettest.NewCluster(t, database)
			settings := append([]string{"SIGNET_KEYS_PKCS11_ALGORITHMS=" + algorithms}, token...)
			c.Env, c.Instance.Env = append(c.Env, settings...), append(c.Instance.Env, settings...)
			first, second := c.Start(t, true), c.Start(t, false)
			wantPrivateKeys(t, c, map[string]string{"ES256": "pkcs11", "RS256": map[string]string{"all": "pkcs11", "ES256": "database"}[algorithms], "internal": "database"})

			relyingParty := oidc.NewRemoteKeySet(t.Context(), c.Issuer+"/jwks")
			_, held, err := c.Redeem(first.Address, c.Codes(t, 1)[0])
			if err != nil {
				t.Fatal(err)
			}
			wantSignedBy := func(p *signettest.Process, kid string) {
				t.Helper()
				signettest.Eventually(t, 10*time.Second, p.Address+" signs with "+kid, func() bool {
					status, got, err := c.Refresh(p.Address, held.Refresh)
					if err != nil || status != http.StatusOK {
						t.Fatalf("refresh: status %d, %s, %v", status, got.Error, err)
					}
					held = got
					return kidOf(got.Access) == kid
				})
				if _, err := relyingParty.VerifySignature(t.Context(), held.Access); err != nil {
					t.Errorf("a client: %v", err)
				}
			}
			before := held.Access
			wantSignedBy(first, c.Kid(t, "ES256", "active"))
			wantSignedBy(second, kidOf(before))

			c.Command(t, "", nil, "keys", "rotate", "--alg", "ES256", "--force", "--json")
			active, next := c.Kid(t, "ES256", "active"), c.Kid(t, "ES256", "next")
			wantSignedBy(first, active)
			wantSignedBy(second, active)
			if !c.Active(t, first.Address, before) || active == kidOf(before) {
				t.Error("a rotation made earlier tokens invalid")
			}
			second.Kill()
			second = c.Start(t, false)
			wantSignedBy(second, active)

			c.Command(t, "", nil, "keys", "revoke", active, "--yes", "--json")
			wantSignedBy(first, next)
			wantSignedBy(second, next)
			if c.Active(t, first.Address, before) != true {
				t.Error("the retired key's token is refused")
			}
			c.Command(t, "", nil, "keys", "rewrap", "--json")
			c.Command(t, "", nil, "keys", "rotate", "--alg", "ES256", "--force", "--json")
			wantSignedBy(first, c.Kid(t, "ES256", "active"))

			before = held.Access
			c.Command(t, "", nil, "end-everything", "--reason", "a drill", "--yes", "--json")
			for _, p := range []*signettest.Process{first, second} {
				signettest.Eventually(t, 10*time.Second, p.Address+" follows the end of everything", func() bool {
					_, jwks := signettest.Get(t, p.Address+"/jwks")
					return strings.Contains(jwks, c.Kid(t, "ES256", "active")) && !strings.Contains(jwks, kidOf(before))
				})
				if c.Active(t, p.Address, before) {
					t.Errorf("%s accepts a token from before the end of everything", p.Address)
				}
			}
			relyingParty = oidc.NewRemoteKeySet(t.Context(), c.Issuer+"/jwks")
			held = c.MustRedeem(t, first.Address, c.Codes(t, 1)[0])
			wantSignedBy(first, c.Kid(t, "ES256", "active"))
			wantSignedBy(second, c.Kid(t, "ES256", "active"))

			// A command is killed at a random point: each line stays complete, and the servers sign.
			began := time.Now()
			c.Command(t, "", nil, "keys", "rotate", "--alg", "ES256", "--force", "--json")
			whole := time.Since(began)
			for range signettest.Soaking(4, 60) {
				command, _ := c.Background(t, "keys", "rotate", "--alg", "ES256", "--force")
				timer := time.AfterFunc(time.Duration(rand.Int64N(int64(whole))), func() { _ = command.Process.Kill() })
				_ = command.Wait()
				timer.Stop()
				wantWholeLines(t, c)
				wantSignedBy(first, c.Kid(t, "ES256", "active"))
			}

			for _, p := range []*signettest.Process{first, second} {
				if output := p.Talk.String(); strings.Contains(output, tokenPIN) || strings.Contains(output, "signing key skipped") || strings.Contains(output, "cannot be looked after") {
					t.Errorf("%s printed %s", p.Address, output)
				}
				p.Kill()
			}
			keys := len(c.Keys(t))
			wantRefused(t, c, "has no token with this label", "SIGNET_KEYS_PKCS11_TOKEN=another")
			wantRefused(t, c, "refuses the PIN", "SIGNET_KEYS_PKCS11_PIN=4321", "SIGNET_KEYS_PKCS11_PIN_FILE=")
			wantRefused(t, c, "none is configured", "SIGNET_KEYS_PKCS11_MODULE=", "SIGNET_KEYS_PKCS11_TOKEN=", "SIGNET_KEYS_PKCS11_PIN_FILE=", "SIGNET_KEYS_PKCS11_ALGORITHMS=")
			if now := len(c.Keys(t)); now != keys {
				t.Errorf("refused starts made %d keys", now-keys)
			}
		})
	}
}

// wantPrivateKeys checks the place of the private keys of each line.
func wantPrivateKeys(t *testing.T, c *signettest.Cluster, want map[string]string) {
	t.Helper()
	var list struct {
		Keys []struct {
			Alg        string `json:"alg"`
			PrivateKey string `json:"private_key"`
		}
	}
	c.Command(t, "", &list, "keys", "list", "--json")
	for _, k := range list.Keys {
		if k.PrivateKey != want[k.Alg] {
			t.Errorf("the private half of an %s key is in %q, want %q", k.Alg, k.PrivateKey, want[k.Alg])
		}
	}
	var table, talk bytes.Buffer
	if code := program.Run(t.Context(), signettest.Surroundings(c.Instance.Env, "", &table, &talk), []string{"keys", "list"}); code != exit.OK {
		t.Fatalf("keys list: exit code %d: %s", code, &talk)
	}
	if got := regexp.MustCompile(`(?m)PRIVATE KEY$|^\S+ +ES256 .* pkcs11$|^\S+ +internal .* database$`).FindAllString(table.String(), -1); len(got) != 5 {
		t.Errorf("keys list:\n%s", &table)
	}
}

// wantRefused checks that a start with other settings fails; NAME= unsets a variable.
func wantRefused(t *testing.T, c *signettest.Cluster, want string, change ...string) {
	t.Helper()
	command := exec.Command("signet", "serve")
	command.Env = append([]string{}, c.Env...)
	for _, setting := range change {
		name, value, _ := strings.Cut(setting, "=")
		command.Env = without(command.Env, name)
		if value != "" {
			command.Env = append(command.Env, setting)
		}
	}
	output, _ := command.CombinedOutput()
	if code := command.ProcessState.ExitCode(); code != exit.Config || !strings.Contains(string(output), want) || strings.Contains(string(output), tokenPIN) {
		t.Errorf("exit code %d, want %d and %q:\n%s", code, exit.Config, want, output)
	}
}

// without returns an environment without a variable.
func without(env []string, name string) []string {
	return slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
}
