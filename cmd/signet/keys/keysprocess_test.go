package keys_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/signettest"
)

// If two processes rotate at the same time, one succeeds, and there is one new key.
// KY-03: If two nodes rotate at once, one new key signs.
func TestKeys_ConcurrentRotationsMakeOneKey(t *testing.T) {
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, _ []string) {
		c.Instance.Env = append(c.Instance.Env, "SIGNET_KEYS_PUBLISH_BEFORE=2s", "SIGNET_KEYS_JWKS_MAX_AGE=2s")
		c.Env = append(c.Env, "SIGNET_KEYS_PUBLISH_BEFORE=2s", "SIGNET_KEYS_JWKS_MAX_AGE=2s")
		for round := range signettest.Soaking(2, 30) {
			before := c.Keys(t)
			ripe := time.Now().Add(2 * time.Second)
			signettest.Eventually(t, 10*time.Second, "the next keys are ripe", func() bool { return time.Now().After(ripe) })
			codes := make([]int, 4)
			var all sync.WaitGroup
			for i := range codes {
				command, talk := c.Background(t, "keys", "rotate")
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
				t.Errorf("round %d: exit codes %v, want one 0 and otherwise 5", round, codes)
			}
			if made := len(c.Keys(t)) - len(before); made != 2 {
				t.Errorf("round %d: %d new keys, want one of each algorithm", round, made)
			}
		}
	})
}

// The test kills commands at random points while a server runs. Afterwards each line has one
// active key and one next key, all keys can be decrypted, and earlier tokens are valid.
func TestKeys_SurviveAKilledRotationOrRewrap(t *testing.T) {
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		_, held, err := c.Redeem(at[0], c.Codes(t, 1)[0])
		if err != nil {
			t.Fatal(err)
		}
		commands := [][]string{{"keys", "rotate", "--force"}, {"keys", "rewrap"}}
		whole := make([]time.Duration, len(commands)) // how long each command takes if it is not killed
		for i, args := range commands {
			began := time.Now()
			command, talk := c.Background(t, args...)
			if err := command.Wait(); err != nil {
				t.Fatalf("%v: %v: %s", args, err, talk)
			}
			whole[i] = time.Since(began)
		}
		finished, rounds := 0, signettest.Soaking(6, 200)
		for i := range rounds {
			args := commands[i%2]
			command, _ := c.Background(t, args...)
			timer := time.AfterFunc(time.Duration(rand.Int64N(int64(whole[i%2]))*5/4), func() { _ = command.Process.Kill() })
			_ = command.Wait()
			if timer.Stop() || command.ProcessState.ExitCode() == exit.OK {
				finished++
			}
			wantWholeLines(t, c)
			status, next, err := c.Refresh(at[i%2], held.Refresh)
			if err != nil || status != http.StatusOK {
				t.Fatalf("after %v was killed: status %d, %s, %v", args, status, next.Error, err)
			}
			held = next
		}
		// A rewrap finishes any partial work, and a new process reads all keys.
		var done struct {
			Rewrapped int
			Unopened  []string
		}
		c.Command(t, "", &done, "keys", "rewrap", "--json")
		if len(done.Unopened) != 0 {
			t.Errorf("no master key decrypts %v", done.Unopened)
		}
		fresh := c.Start(t, false)
		if status, got, err := c.Refresh(fresh.Address, held.Refresh); err != nil || status != http.StatusOK {
			t.Errorf("a new process refuses an earlier token: status %d, %s, %v", status, got.Error, err)
		}
		if output := fresh.Talk.String(); strings.Contains(output, "signing key skipped") {
			t.Errorf("a key cannot be decrypted:\n%s", output)
		}
		t.Logf("of %d commands, which take %s, %d finished before they were killed", rounds, whole, finished)
		if finished == rounds {
			t.Error("no command was killed")
		}
	})
}

// wantWholeLines checks that each line has one active key and one next key, and that all keys can
// be decrypted.
func wantWholeLines(t *testing.T, c *signettest.Cluster) {
	t.Helper()
	states := map[string]int{}
	public := 0
	for _, k := range c.Keys(t) {
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
	c.Command(t, "", &jwks, "keys", "export-public", "--json")
	if len(jwks.Keys) != public {
		t.Errorf("%d of %d keys can be decrypted", len(jwks.Keys), public)
	}
}

// The schedule rotates every second, and the process is killed at a random point.
func TestKeys_SurviveAKilledServer(t *testing.T) {
	c := signettest.NewCluster(t, "")
	c.Env = append(c.Env, "SIGNET_KEYS_ROTATE_EVERY=1s", "SIGNET_KEYS_PUBLISH_BEFORE=1s", "SIGNET_KEYS_JWKS_MAX_AGE=1s")
	p := c.Start(t, true)
	_, held, err := c.Redeem(p.Address, c.Codes(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	for range signettest.Soaking(2, 60) {
		before := c.Kid(t, "ES256", "active")
		// The killed process may have held the lease, which lasts ten seconds.
		signettest.Eventually(t, 90*time.Second, "it rotates", func() bool { return c.Kid(t, "ES256", "active") != before })
		wait := time.Now().Add(time.Duration(rand.Int64N(int64(time.Second))))
		signettest.Eventually(t, 10*time.Second, "some moment", func() bool { return time.Now().After(wait) })
		p.Kill()
		wantWholeLines(t, c)
		p = c.Start(t, true)
		status, next, err := c.Refresh(p.Address, held.Refresh)
		if err != nil || status != http.StatusOK {
			t.Fatalf("status %d, %s, %v", status, next.Error, err)
		}
		held = next
	}
}

// The test revokes the active key while two servers run. Within a second both refuse its tokens.
// The next key signs the next token; it is published already, so clients know it.
func TestKeys_RevocationReachesEveryServer(t *testing.T) {
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		relyingParty := oidc.NewRemoteKeySet(t.Context(), c.Issuer+"/jwks")
		_, held, err := c.Redeem(at[0], c.Codes(t, 1)[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := relyingParty.VerifySignature(t.Context(), held.Access); err != nil {
			t.Fatal(err)
		}
		for _, address := range at {
			if !c.Active(t, address, held.Access) {
				t.Fatal("the token is not active at first")
			}
		}
		active, next := c.Kid(t, "ES256", "active"), c.Kid(t, "ES256", "next")
		if kidOf(held.Access) != active {
			t.Fatalf("signed by %s, want the active key %s", kidOf(held.Access), active)
		}
		c.Command(t, "", nil, "keys", "revoke", active, "--reason", "leaked", "--yes", "--json")
		revoked := time.Now()
		for _, address := range at {
			signettest.Eventually(t, 10*time.Second, address+" refuses it", func() bool { return !c.Active(t, address, held.Access) })
		}
		t.Logf("both servers refused the revoked key's token after %s", time.Since(revoked))
		for _, address := range at {
			status, fresh, err := c.Refresh(address, held.Refresh)
			if err != nil || status != http.StatusOK {
				t.Fatalf("refresh: status %d, %s, %v", status, fresh.Error, err)
			}
			if got := kidOf(fresh.Access); got != next {
				t.Errorf("signed by %s, want %s, which was published as next", got, next)
			}
			if _, err := relyingParty.VerifySignature(t.Context(), fresh.Access); err != nil {
				t.Errorf("a client that has not fetched the JWKS since: %v", err)
			}
			if !c.Active(t, address, fresh.Access) {
				t.Error("the new token is not active")
			}
			held = fresh
		}
		if jwks := jwks(t, c); strings.Contains(jwks, active) || !strings.Contains(jwks, c.Kid(t, "ES256", "next")) {
			t.Errorf("published: %s", jwks)
		}

		// After the revocation of the internal secret, its refresh tokens and codes are invalid.
		code := c.Codes(t, 1)[0]
		c.Command(t, "", nil, "keys", "revoke", c.Kid(t, "internal", "active"), "--yes", "--json")
		for _, address := range at {
			signettest.Eventually(t, 10*time.Second, address+" refuses its refresh token", func() bool {
				status, got, err := c.Refresh(address, held.Refresh)
				return err == nil && status == http.StatusBadRequest && got.Error == "invalid_grant"
			})
			if status, got, _ := c.Redeem(address, code); status != http.StatusBadRequest || got.Error != "invalid_grant" {
				t.Errorf("a code of the revoked secret: status %d, %s", status, got.Error)
			}
		}
		if _, got, err := c.Redeem(at[1], c.Codes(t, 1)[0]); err != nil || got.Refresh == "" {
			t.Errorf("sign-ins fail: %s, %v", got.Error, err)
		}
	})
}
