package cluster_test

import (
	"database/sql"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
	"signet/storage"
)

// TestProcesses_RedeemACodeOnce redeems one code 50 times at once at two processes. One
// redemption gets tokens, and the other 49 revoke these tokens as replays.
// CO-03: The same holds with two nodes on one PostgreSQL database.
func TestProcesses_RedeemACodeOnce(t *testing.T) {
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		codes := c.Codes(t, signettest.Soaking(4, 200))
		t.Logf("%d codes, each redeemed 50 times at once", len(codes))
		for _, code := range codes {
			var won atomic.Int64
			var winner signettest.Tokens
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					status, got, err := c.Redeem(at[i%2], code)
					switch {
					case err == nil && status == http.StatusOK:
						won.Add(1)
						winner = got
					case err != nil || status != http.StatusBadRequest || got.Error != "invalid_grant":
						t.Errorf("status %d, %s, %v; want invalid_grant", status, got.Error, err)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d redemptions of one code succeeded, want 1", won.Load())
			}
			for _, address := range at {
				if status, got, err := c.Refresh(address, winner.Refresh); status != http.StatusBadRequest {
					t.Errorf("a refresh after the replay of the code: status %d, %s, %v; want 400", status, got.Error, err)
				}
			}
		}
	})
}

// TestProcesses_RotateATokenOnce refreshes one token 100 times at once at two processes. All
// get the same successor, and the successor works. After the successor was used, a refresh
// with the old token revokes the grant.
// RT-04: The same holds with two nodes, and with two processes on one SQLite file.
func TestProcesses_RotateATokenOnce(t *testing.T) {
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		_, first, err := c.Redeem(at[0], c.Codes(t, 1)[0])
		if err != nil {
			t.Fatal(err)
		}
		current := first.Refresh
		before := ""
		t.Logf("%d rounds of 100 refreshes at once", signettest.Soaking(6, 200))
		for round := range signettest.Soaking(6, 200) {
			var mu sync.Mutex
			successors := map[string]int{}
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					status, got, err := c.Refresh(at[i%2], current)
					if err != nil || status != http.StatusOK {
						t.Errorf("round %d: status %d, %s, %v", round, status, got.Error, err)
					}
					mu.Lock()
					defer mu.Unlock()
					successors[got.Refresh]++
				})
			}
			all.Wait()
			if len(successors) != 1 {
				t.Fatalf("round %d: one token has %d successors, want 1", round, len(successors))
			}
			for successor := range successors {
				before, current = current, successor
			}
		}
		if _, got, err := c.Refresh(at[1], current); err != nil || got.Refresh == "" {
			t.Fatalf("the successor does not work: %s, %v", got.Error, err)
		}
		for i, stale := range []string{before, current} {
			if status, got, _ := c.Refresh(at[i], stale); status != http.StatusBadRequest || got.Error != "invalid_grant" {
				t.Errorf("a replay, then the current token: status %d, %s; want invalid_grant", status, got.Error)
			}
		}
	})
}

// TestKilled_UnderLoadAnsweredTokensWork kills the process at any moment, several times,
// while clients refresh. Afterwards the last refresh token of every client works, every
// redeemed code stays spent, and the database file is intact.
// ST-10: After kill -9, nothing that was spent is unspent.
func TestKilled_UnderLoadAnsweredTokensWork(t *testing.T) {
	c := signettest.NewCluster(t, "")
	p := c.Start(t, true)
	const chains = 8
	held := make([]string, chains)
	codes := c.Codes(t, chains)
	for i, code := range codes {
		_, got, err := c.Redeem(p.Address, code)
		if err != nil || got.Refresh == "" {
			t.Fatalf("redeem: %s, %v", got.Error, err)
		}
		held[i] = got.Refresh
	}
	answered, kills := 0, signettest.Soaking(3, 60)
	for range kills {
		var down atomic.Bool
		var count atomic.Int64
		var all sync.WaitGroup
		for i := range held {
			all.Go(func() {
				for !down.Load() {
					status, got, err := c.Refresh(p.Address, held[i])
					if err != nil || status == http.StatusServiceUnavailable {
						continue // no answer: the client keeps its token
					}
					if status != http.StatusOK {
						t.Errorf("status %d, %s", status, got.Error)
						return
					}
					held[i] = got.Refresh
					count.Add(1)
				}
			})
		}
		at := rand.Int64N(60) + 20
		signettest.Eventually(t, 20*time.Second, "the clients are at work", func() bool { return count.Load() > at })
		p.Kill()
		down.Store(true)
		all.Wait()
		answered += int(count.Load())
		p = c.Start(t, true)
		for i, token := range held {
			status, got, err := c.Refresh(p.Address, token)
			if err != nil || status != http.StatusOK {
				t.Fatalf("after the kill the token of the last answer is refused: status %d, %s, %v", status, got.Error, err)
			}
			held[i] = got.Refresh
		}
	}
	for i, code := range codes {
		if status, got, err := c.Redeem(p.Address, code); status != http.StatusBadRequest {
			t.Errorf("the replay of a code: status %d, %v; want 400", status, err)
		} else if status, _, _ := c.Refresh(p.Address, held[i]); status != http.StatusBadRequest {
			t.Errorf("a refresh works after the replay of the code (%s)", got.Error)
		}
	}
	p.Kill()
	checkIntegrity(t, c)
	t.Logf("%d refreshes answered, %d kills", answered, kills)
}

func checkIntegrity(t *testing.T, c *signettest.Cluster) {
	t.Helper()
	db, err := sql.Open(sqliteDriver(), filepath.Join(c.DataDir(t), "signet.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: %q, %v", verdict, err)
	}
}

func sqliteDriver() string {
	if storage.PureGo {
		return "sqlite"
	}
	return "sqlite3"
}
