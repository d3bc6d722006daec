package cluster_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// TestProcesses_WorkBehindPgBouncer runs two processes and the commands behind PgBouncer in
// transaction mode, without a setting for it. A code is redeemed once, tokens work at both
// processes, both follow a key rotation, and no SQL statement fails.
func TestProcesses_WorkBehindPgBouncer(t *testing.T) {
	t.Parallel()
	c := signettest.NewCluster(t, storagetest.Postgres(t).Pooled(t).Config().Database)
	first, second := c.Start(t, true), c.Start(t, false)
	at := []string{first.Address, second.Address}
	for _, code := range c.Codes(t, 4) {
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				status, got, err := c.Redeem(at[i%2], code)
				if err == nil && status == http.StatusOK {
					won.Add(1)
				} else if err != nil || got.Error != "invalid_grant" {
					t.Errorf("status %d, %s, %v", status, got.Error, err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d redemptions of one code succeeded, want 1", won.Load())
		}
	}
	tokens := c.MustRedeem(t, at[0], c.Codes(t, 1)[0])
	for i := range 10 {
		status, got, err := c.Refresh(at[i%2], tokens.Refresh)
		if err != nil || status != http.StatusOK {
			t.Fatalf("refresh %d: status %d, %s, %v", i, status, got.Error, err)
		}
		tokens = got
	}
	before := c.Kid(t, "ES256", "active")
	c.Command(t, "", nil, "keys", "rotate", "--force", "--json")
	next := c.Kid(t, "ES256", "next")
	for _, address := range at {
		signettest.Eventually(t, 10*time.Second, address+" publishes the next key", func() bool {
			_, jwks := signettest.Get(t, address+"/jwks")
			return strings.Contains(jwks, next) && strings.Contains(jwks, before)
		})
	}
	c.Command(t, "", nil, "user", "create", "--email", "late@example.com", "--json")
	c.Command(t, "", nil, "user", "show", "late@example.com", "--json")
	for _, p := range []*signettest.Process{first, second} {
		log := p.Talk.String()
		if !strings.Contains(log, "connection pooler detected") || strings.Contains(log, "statement failed") || strings.Contains(log, `"level":"ERROR"`) {
			t.Errorf("want a log that reports the pooler and no errors, got:\n%s", log)
		}
	}
}
