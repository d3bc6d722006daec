package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/cmd/signet/exit"
)

// keyRow is a key as `keys list --json` shows it.
type keyRow struct {
	KeyID string `json:"kid"`
	Alg   string `json:"alg"`
	State string `json:"state"`
}

func (i *instance) keys(t *testing.T) []keyRow {
	t.Helper()
	var list struct{ Keys []keyRow }
	i.command(t, "", &list, "keys", "list", "--all", "--json")
	return list.Keys
}

func (i *instance) kid(t *testing.T, alg, state string) string {
	t.Helper()
	for _, k := range i.keys(t) {
		if k.Alg == alg && k.State == state {
			return k.KeyID
		}
	}
	t.Fatalf("there is no %s %s key", state, alg)
	return ""
}

// background starts a command as a process of its own, without waiting for it.
func (c *cluster) background(t *testing.T, args ...string) (*exec.Cmd, *syncBuffer) {
	t.Helper()
	talk := &syncBuffer{}
	command := exec.Command("signet", args...)
	command.Env, command.Stderr = c.env, talk
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, talk
}

// TestKY03_ProcessesToldToRotateAtOnce: one does, and there is one new key.
func TestKY03_ProcessesToldToRotateAtOnce(t *testing.T) {
	overProcesses(t, func(t *testing.T, c *cluster, _ []string) {
		c.instance.env = append(c.instance.env, "SIGNET_KEYS_PUBLISH_BEFORE=2s", "SIGNET_KEYS_JWKS_MAX_AGE=2s")
		c.env = append(c.env, "SIGNET_KEYS_PUBLISH_BEFORE=2s", "SIGNET_KEYS_JWKS_MAX_AGE=2s")
		for round := range soaking(3, 30) {
			before := c.keys(t)
			ripe := time.Now().Add(2 * time.Second)
			eventually(t, 10*time.Second, "the next keys are ripe", func() bool { return time.Now().After(ripe) })
			codes := make([]int, 4)
			var all sync.WaitGroup
			for i := range codes {
				command, talk := c.background(t, "keys", "rotate")
				all.Go(func() {
					_ = command.Wait()
					codes[i] = command.ProcessState.ExitCode()
					if codes[i] != exit.OK && codes[i] != exit.Conflict {
						t.Errorf("exit code %d: %s", codes[i], talk)
					}
				})
			}
			all.Wait()
			slices.Sort(codes)
			if !slices.Equal(codes, []int{exit.OK, exit.Conflict, exit.Conflict, exit.Conflict}) {
				t.Errorf("round %d: exit codes %v, want one 0 and else 5", round, codes)
			}
			if made := len(c.keys(t)) - len(before); made != 2 {
				t.Errorf("round %d: %d new keys, want one of each algorithm", round, made)
			}
		}
	})
}

// TestKeys_KilledInARotationOrARewrap kills commands and the server at any point,
// beside a server that goes on. Each line then has one key that signs and one that is
// next, all of them open, and what was signed before is good.
func TestKeys_KilledInARotationOrARewrap(t *testing.T) {
	overProcesses(t, func(t *testing.T, c *cluster, at []string) {
		_, held, err := c.redeem(at[0], c.codes(t, 1)[0])
		if err != nil {
			t.Fatal(err)
		}
		commands := [][]string{{"keys", "rotate", "--force"}, {"keys", "rewrap"}}
		whole := make([]time.Duration, len(commands)) // how long each takes when it is left alone
		for i, args := range commands {
			began := time.Now()
			command, talk := c.background(t, args...)
			if err := command.Wait(); err != nil {
				t.Fatalf("%v: %v: %s", args, err, talk)
			}
			whole[i] = time.Since(began)
		}
		finished, rounds := 0, soaking(14, 200)
		for i := range rounds {
			args := commands[i%2]
			command, _ := c.background(t, args...)
			timer := time.AfterFunc(time.Duration(rand.Int64N(int64(whole[i%2]))*5/4), func() { _ = command.Process.Kill() })
			_ = command.Wait()
			if timer.Stop() || command.ProcessState.ExitCode() == exit.OK {
				finished++
			}
			c.wantWholeLines(t)
			status, next, err := c.refresh(at[i%2], held.Refresh)
			if err != nil || status != http.StatusOK {
				t.Fatalf("after %v was killed: status %d, %s, %v", args, status, next.Error, err)
			}
			held = next
		}
		// Whatever was left half done, a rewrap finishes, and a fresh process reads it all.
		var done struct {
			Rewrapped int
			Unopened  []string
		}
		c.command(t, "", &done, "keys", "rewrap", "--json")
		if len(done.Unopened) != 0 {
			t.Errorf("no master key opens %v", done.Unopened)
		}
		fresh := c.start(t, false)
		if status, got, err := c.refresh(fresh.address, held.Refresh); err != nil || status != http.StatusOK {
			t.Errorf("a fresh process refuses what was signed before: status %d, %s, %v", status, got.Error, err)
		}
		if said := fresh.talk.String(); strings.Contains(said, "signing key skipped") {
			t.Errorf("a key does not open:\n%s", said)
		}
		t.Logf("of %d commands, which take %s, %d finished before they were killed", rounds, whole, finished)
		if finished == rounds {
			t.Error("none was killed")
		}
	})
}

func (c *cluster) wantWholeLines(t *testing.T) {
	t.Helper()
	states := map[string]int{}
	public := 0
	for _, k := range c.keys(t) {
		states[k.Alg+" "+k.State]++
		if k.Alg != "internal" && k.State != "gone" && k.State != "revoked" {
			public++
		}
	}
	for _, line := range []string{"ES256", "RS256", "internal"} {
		if states[line+" active"] != 1 || states[line+" next"] != 1 {
			t.Errorf("line %s: %v, want one active and one next key", line, states)
		}
	}
	var jwks struct{ Keys []struct{ Kid string } }
	c.command(t, "", &jwks, "keys", "export-public", "--json")
	if len(jwks.Keys) != public {
		t.Errorf("%d of %d keys open", len(jwks.Keys), public)
	}
}

// TestKeys_ServerKilledWhileItRotates: the schedule rotates every second, and the
// process dies at any point of it.
func TestKeys_ServerKilledWhileItRotates(t *testing.T) {
	c := newCluster(t, "")
	c.env = append(c.env, "SIGNET_KEYS_ROTATE_EVERY=1s", "SIGNET_KEYS_PUBLISH_BEFORE=1s", "SIGNET_KEYS_JWKS_MAX_AGE=1s")
	p := c.start(t, true)
	_, held, err := c.redeem(p.address, c.codes(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	for range soaking(6, 60) {
		before := c.kid(t, "ES256", "active")
		// The process that was killed may have held the lease, of ten seconds.
		eventually(t, 90*time.Second, "it rotates", func() bool { return c.kid(t, "ES256", "active") != before })
		wait := time.Now().Add(time.Duration(rand.Int64N(int64(time.Second))))
		eventually(t, 10*time.Second, "some moment", func() bool { return time.Now().After(wait) })
		p.kill()
		c.wantWholeLines(t)
		p = c.start(t, true)
		status, next, err := c.refresh(p.address, held.Refresh)
		if err != nil || status != http.StatusOK {
			t.Fatalf("status %d, %s, %v", status, next.Error, err)
		}
		held = next
	}
}

// TestKeys_Emergency revokes the signing key beside two servers. Within a second
// both refuse what it signed; the next token is signed by the key that had been
// published as next, which relying parties know already.
func TestKeys_Emergency(t *testing.T) {
	overProcesses(t, func(t *testing.T, c *cluster, at []string) {
		relyingParty := oidc.NewRemoteKeySet(t.Context(), c.issuer+"/jwks")
		_, held, err := c.redeem(at[0], c.codes(t, 1)[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := relyingParty.VerifySignature(t.Context(), held.Access); err != nil {
			t.Fatal(err)
		}
		for _, address := range at {
			if !c.active(t, address, held.Access) {
				t.Fatal("the token is not active at first")
			}
		}
		active, next := c.kid(t, "ES256", "active"), c.kid(t, "ES256", "next")
		if kidOf(held.Access) != active {
			t.Fatalf("signed by %s, not by the active %s", kidOf(held.Access), active)
		}
		c.command(t, "", nil, "keys", "revoke", active, "--reason", "leaked", "--yes", "--json")
		revoked := time.Now()
		for _, address := range at {
			eventually(t, 10*time.Second, address+" refuses it", func() bool { return !c.active(t, address, held.Access) })
		}
		t.Logf("both servers refused the revoked key's token after %s", time.Since(revoked))
		for _, address := range at {
			status, fresh, err := c.refresh(address, held.Refresh)
			if err != nil || status != http.StatusOK {
				t.Fatalf("refresh: status %d, %s, %v", status, fresh.Error, err)
			}
			if got := kidOf(fresh.Access); got != next {
				t.Errorf("signed by %s, want %s, which was published as next", got, next)
			}
			if _, err := relyingParty.VerifySignature(t.Context(), fresh.Access); err != nil {
				t.Errorf("a relying party that has not read the JWKS since: %v", err)
			}
			if !c.active(t, address, fresh.Access) {
				t.Error("the new token is not active")
			}
			held = fresh
		}
		if jwks := c.jwks(t); strings.Contains(jwks, active) || !strings.Contains(jwks, c.kid(t, "ES256", "next")) {
			t.Errorf("published: %s", jwks)
		}

		// The secret: refresh tokens and codes under it end.
		code := c.codes(t, 1)[0]
		c.command(t, "", nil, "keys", "revoke", c.kid(t, "internal", "active"), "--yes", "--json")
		for _, address := range at {
			eventually(t, 10*time.Second, address+" refuses its refresh token", func() bool {
				status, got, err := c.refresh(address, held.Refresh)
				return err == nil && status == http.StatusBadRequest && got.Error == "invalid_grant"
			})
			if status, got, _ := c.redeem(address, code); status != http.StatusBadRequest || got.Error != "invalid_grant" {
				t.Errorf("its code: status %d, %s", status, got.Error)
			}
		}
		if _, got, err := c.redeem(at[1], c.codes(t, 1)[0]); err != nil || got.Refresh == "" {
			t.Errorf("sign-ins work no more: %s, %v", got.Error, err)
		}
	})
}

func (c *cluster) active(t *testing.T, at, token string) bool {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, at+"/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(c.client.ID, c.client.Secret)
	response, err := crowd.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Active bool }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("introspect: %s, %v", response.Status, err)
	}
	return answer.Active
}
