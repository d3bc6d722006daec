package cluster_test

import (
	"net/http"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// TestRefreshGrace_IsFollowedByRunningProcesses changes a client's grace while two
// processes serve: each follows within seconds, with no restart. A new grant is
// rotated for every look; the token before is answered again, or it is a replay.
func TestRefreshGrace_IsFollowedByRunningProcesses(t *testing.T) {
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		for _, change := range []struct {
			grace string
			want  int // of the token before
		}{
			{"0s", http.StatusBadRequest}, {"5m", http.StatusOK}, {"0s", http.StatusBadRequest},
		} {
			codes := c.Codes(t, 150)
			c.Command(t, "", nil, "client", "update", c.Client.ID, "--refresh-grace", change.grace)
			changed := time.Now()
			look := func(address string) int {
				if len(codes) == 0 {
					t.Fatalf("--refresh-grace %q: not followed within %s", change.grace, time.Since(changed))
				}
				first := c.MustRedeem(t, address, codes[0]).Refresh
				codes = codes[1:]
				if status, got, err := c.Refresh(address, first); status != http.StatusOK {
					t.Fatalf("refresh: status %d, %s, %v", status, got.Error, err)
				}
				status, _, err := c.Refresh(address, first)
				if err != nil {
					t.Fatal(err)
				}
				return status
			}
			for _, address := range at {
				signettest.Eventually(t, 3*time.Second, address+" follows --refresh-grace "+change.grace, func() bool { return look(address) == change.want })
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
