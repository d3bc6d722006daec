package cluster_test

import (
	"net/http"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// TestRefreshGrace_ReachesRunningProcesses changes a client's refresh grace while two
// processes serve. Each process applies the change within seconds, without a restart. Each
// check rotates a new grant and sends the previous token again: within the grace it gets
// an answer, otherwise it is refused as a replay.
func TestRefreshGrace_ReachesRunningProcesses(t *testing.T) {
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		for _, change := range []struct {
			grace string
			want  int // status of the previous token
		}{
			{"0s", http.StatusBadRequest}, {"5m", http.StatusOK}, {"0s", http.StatusBadRequest},
		} {
			codes := c.Codes(t, 150)
			c.Command(t, "", nil, "client", "update", c.Client.ID, "--refresh-grace", change.grace)
			changed := time.Now()
			// replayStatus refreshes twice with the same token and returns the status of the second time.
			replayStatus := func(address string) int {
				if len(codes) == 0 {
					t.Fatalf("--refresh-grace %q: not applied within %s", change.grace, time.Since(changed))
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
				signettest.Eventually(t, 3*time.Second, address+" applies --refresh-grace "+change.grace, func() bool { return replayStatus(address) == change.want })
			}
			t.Logf("both processes apply --refresh-grace %q after %s", change.grace, time.Since(changed).Round(10*time.Millisecond))
			for _, address := range at {
				if got := replayStatus(address); got != change.want {
					t.Errorf("--refresh-grace %q at %s: the previous token got status %d, want %d", change.grace, address, got, change.want)
				}
			}
		}
	})
}
