package cluster_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// TestEndEverything_RefusesEveryArtefact ends everything while two processes run. Nothing that
// was issued before is accepted at either of them, and everything new is.
func TestEndEverything_RefusesEveryArtefact(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := newIssuing(t, database)
			at := []string{c.Start(t, true).Address, c.Start(t, false).Address}

			before := c.everyArtefact(t, at)
			for _, one := range before {
				for _, process := range at {
					if !one.once && !one.accepted(t, process) {
						t.Fatalf("%s is not accepted before the end", one.name)
					}
				}
			}
			sid := signInAt(t, c.Cluster, signettest.NewGoParty(t, c.Instance, c.rs), signettest.NewFormBrowser(t)).sid
			oldKeys := c.Keys(t)

			c.Command(t, "", nil, "end-everything", "--reason", "a drill", "--yes", "--json")
			ended := time.Now()
			for _, one := range before { // the database decides, without any delay
				if slices.Contains([]string{"session cookie", "offline refresh token", "code"}, one.name) && one.accepted(t, at[1]) {
					t.Errorf("%s is accepted at once after the end", one.name)
				}
			}
			signettest.Eventually(t, 10*time.Second, "both processes follow", func() bool {
				for _, process := range at {
					_, jwks := signettest.Get(t, process+"/jwks")
					if slices.ContainsFunc(oldKeys, func(k signettest.KeyRow) bool { return strings.Contains(jwks, k.KeyID) }) {
						return false
					}
				}
				return true
			})
			t.Logf("both processes followed after %v", time.Since(ended).Round(time.Millisecond))
			for _, one := range before {
				for _, process := range at {
					if one.accepted(t, process) {
						t.Errorf("%s is accepted after the end, at %s", one.name, process)
					}
				}
			}
			signettest.Eventually(t, time.Minute, "the client is notified of its session", func() bool {
				c.receiver.mu.Lock()
				defer c.receiver.mu.Unlock()
				return slices.ContainsFunc(c.receiver.tokens["/rs"], func(token string) bool { return idClaims(t, token)["sid"] == sid })
			})
			c.receiver.sids(t, "/rs", c.Issuer, c.rs) // verifies the tokens with the new keys

			// Everything works anew, also at once.
			for _, one := range c.everyArtefact(t, at) {
				for _, process := range at[:1] {
					if !one.accepted(t, process) {
						t.Errorf("a new %s is not accepted", one.name)
					}
				}
			}
			for _, k := range c.Keys(t) {
				if slices.ContainsFunc(oldKeys, func(o signettest.KeyRow) bool { return o.KeyID == k.KeyID }) && k.State != "revoked" {
					t.Errorf("the old %s key %s is %s, want revoked", k.Alg, k.KeyID, k.State)
				}
			}
		})
	}
}

// TestEndEverything_KilledIsWholeOrNothing kills the command at growing delays. Either every key
// and session has ended or none has, and the command succeeds when it runs again.
func TestEndEverything_KilledIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	c := signettest.NewCluster(t, "")
	p := c.Start(t, true)
	outcomes := map[bool]int{}
	for delay := 20 * time.Millisecond; delay < 5*time.Second && outcomes[true] == 0; delay = delay * 3 / 2 {
		person := signettest.NewFormBrowser(t)
		person.Open(c.Issuer + "/account")
		person.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
		before := c.Keys(t)
		command, output := c.Background(t, "end-everything", "--reason", "a drill", "--yes")
		time.AfterFunc(delay, func() { _ = command.Process.Kill() })
		_ = command.Wait()
		revoked, known := 0, 0
		for _, k := range c.Keys(t) {
			if !slices.ContainsFunc(before, func(o signettest.KeyRow) bool { return o.KeyID == k.KeyID && o.State != "revoked" }) {
				continue
			}
			if known++; k.State == "revoked" {
				revoked++
			}
		}
		person.Open(c.Issuer + "/account")
		ended := person.At.Path != "/account"
		if (revoked != 0 && revoked != known) || ended != (revoked != 0) {
			t.Fatalf("killed after %v: %d of %d keys are revoked, the session has ended: %v\n%s", delay, revoked, known, ended, output)
		}
		outcomes[ended]++
	}
	if outcomes[false] == 0 || outcomes[true] == 0 {
		t.Errorf("outcomes %v: want a kill before the end and one after it", outcomes)
	}
	checkIntegrity(t, c)
	c.Command(t, "", nil, "end-everything", "--reason", "again", "--yes", "--json")
	signettest.Eventually(t, 10*time.Second, "new sign-ins work", func() bool {
		_, jwks := signettest.Get(t, p.Address+"/jwks")
		return strings.Contains(jwks, c.Kid(t, "ES256", "active"))
	})
	c.MustRedeem(t, p.Address, c.Codes(t, 1)[0])
}
