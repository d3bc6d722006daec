package main

import (
	"net/http"
	"testing"
	"time"
)

// TestRefreshGrace_IsFollowedByRunningProcesses changes a client's grace while two
// processes serve: each follows within seconds, with no restart. A new grant is
// rotated for every look; the token before is answered again, or it is a replay.
func TestRefreshGrace_IsFollowedByRunningProcesses(t *testing.T) {
	overProcesses(t, func(t *testing.T, c *cluster, at []string) {
		for _, change := range []struct {
			grace string
			want  int // of the token before
		}{
			{"0s", http.StatusBadRequest}, {"5m", http.StatusOK}, {"0s", http.StatusBadRequest},
		} {
			codes := c.codes(t, 150)
			c.command(t, "", nil, "client", "update", c.client.ID, "--refresh-grace", change.grace)
			changed := time.Now()
			look := func(address string) int {
				if len(codes) == 0 {
					t.Fatalf("--refresh-grace %q: not followed within %s", change.grace, time.Since(changed))
				}
				first := c.mustRedeem(t, address, codes[0]).Refresh
				codes = codes[1:]
				if status, got, err := c.refresh(address, first); status != http.StatusOK {
					t.Fatalf("refresh: status %d, %s, %v", status, got.Error, err)
				}
				status, _, err := c.refresh(address, first)
				if err != nil {
					t.Fatal(err)
				}
				return status
			}
			for _, address := range at {
				eventually(t, 3*time.Second, address+" follows --refresh-grace "+change.grace, func() bool { return look(address) == change.want })
			}
			t.Logf("--refresh-grace %q is followed by both after %s", change.grace, time.Since(changed).Round(10*time.Millisecond))
			for _, address := range at {
				if got := look(address); got != change.want {
					t.Errorf("--refresh-grace %q at %s: the token before got %d, want %d", change.grace, address, got, change.want)
				}
			}
		}
	})
}
