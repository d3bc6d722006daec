package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// chain is one client's way through the generations of a grant. Only its own
// goroutine touches it, and nobody while the process is down.
type chain struct {
	before, current string // refresh tokens; before is "" until the first refresh
}

// memory is what was answered, however often the process died meanwhile.
type memory struct {
	mu       sync.Mutex
	redeemed []redeemed
	revoked  []signettest.Tokens
	answered int
	noAnswer int
}

type redeemed struct {
	code string
	signettest.Tokens
}

// TestKilled_UnderLoadNothingSpentIsUnspent kills the process at any moment
// while clients refresh, redeem and revoke. Then what was answered is true: the
// current refresh token works, the one before it gives the same successor again,
// a redeemed code is known (its replay ends its grant), a revoked grant stays so.
// RT-14: kill -9 after commit, before the response; client retries with the old token.
func TestKilled_UnderLoadNothingSpentIsUnspent(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := signettest.NewCluster(t, database)
			// Honest clients find the process down for a while.
			c.Env = append(c.Env, "SIGNET_LIFETIMES_REFRESH_GRACE=5m", "SIGNET_LIFETIMES_CODE=10m")
			p := c.Start(t, true)
			chains := make([]chain, 6)
			for i, code := range c.Codes(t, len(chains)) {
				chains[i].current = c.MustRedeem(t, p.Address, code).Refresh
			}
			var m memory
			kills := signettest.Soaking(2, 60)
			for range kills {
				p = killUnderLoad(t, c, p, chains, c.Codes(t, 15), &m)
			}
			wantChainsWhole(t, c, p.Address, chains)
			wantSpent(t, c, p.Address, &m)
			p.Kill()
			if database == "" {
				checkIntegrity(t, c)
			}
			t.Logf("%d kills: %d requests answered, %d not; %d codes redeemed, %d grants revoked",
				kills, m.answered, m.noAnswer, len(m.redeemed), len(m.revoked))
		})
	}
}

// killUnderLoad lets the clients work, kills the process after some answers, and
// gives one that was started in its place.
func killUnderLoad(t *testing.T, c *signettest.Cluster, p *signettest.Process, chains []chain, codes []string, m *memory) *signettest.Process {
	t.Helper()
	var down atomic.Bool
	var count, spent atomic.Int64
	var all sync.WaitGroup
	for i := range chains {
		all.Go(func() {
			for !down.Load() && step(t, c, p.Address, &chains[i], m) {
				count.Add(1)
			}
		})
	}
	all.Go(func() {
		for _, code := range codes {
			if down.Load() || !redeemAndRevoke(t, c, p.Address, code, m) {
				return
			}
			count.Add(1)
			spent.Add(1)
		}
	})
	// At least one code was redeemed and one grant revoked, however fast the chains are.
	enough := rand.Int64N(60) + 20
	signettest.Eventually(t, 30*time.Second, "the clients are at work", func() bool {
		return count.Load() >= enough && spent.Load() >= 2 || t.Failed()
	})
	p.Kill()
	down.Store(true)
	all.Wait()
	said := p.Talk.String()
	for _, never := range []string{"DATA RACE", "panic", "database is locked", `"status":500`} {
		if strings.Contains(said, never) {
			t.Errorf("the process said %s:\n%s", never, said[max(0, len(said)-4000):])
		}
	}
	return c.Start(t, true)
}

// step refreshes once. False: no answer came, or a wrong one.
func step(t *testing.T, c *signettest.Cluster, at string, own *chain, m *memory) bool {
	status, got, err := c.Refresh(at, own.current)
	if !m.note(t, status, got, err) {
		return false
	}
	own.before, own.current = own.current, got.Refresh
	return true
}

// redeemAndRevoke redeems a code, and revokes what it got every other time.
func redeemAndRevoke(t *testing.T, c *signettest.Cluster, at, code string, m *memory) bool {
	status, got, err := c.Redeem(at, code)
	if !m.note(t, status, got, err) {
		return false
	}
	m.mu.Lock()
	odd := (len(m.redeemed)+len(m.revoked))%2 == 1
	if !odd {
		m.redeemed = append(m.redeemed, redeemed{code, got})
	}
	m.mu.Unlock()
	if !odd {
		return true
	}
	if err := revoke(c, at, got.Refresh); err != nil {
		return m.note(t, 0, got, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revoked = append(m.revoked, got)
	return true
}

func revoke(c *signettest.Cluster, at, token string) error {
	r, err := http.NewRequest(http.MethodPost, at+"/revoke", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.Client.ID, c.Client.Secret)
	response, err := signettest.Crowd.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("revoke: %s", response.Status)
	}
	return nil
}

// note counts an answer. No answer and 503 are what a dying process may give.
func (m *memory) note(t *testing.T, status int, got signettest.Tokens, err error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil || status == http.StatusServiceUnavailable {
		m.noAnswer++
		return false
	}
	m.answered++
	if status != http.StatusOK {
		t.Errorf("status %d, %s", status, got.Error)
		return false
	}
	return true
}

// wantChainsWhole wants the last answer of every chain to be the truth. What was
// asked and not answered may have happened too: it is asked again first, as an
// honest client does.
func wantChainsWhole(t *testing.T, c *signettest.Cluster, at string, chains []chain) {
	t.Helper()
	for i, own := range chains {
		status, next, err := c.Refresh(at, own.current)
		if err != nil || status != http.StatusOK {
			t.Fatalf("chain %d: an answered token is refused: status %d, %s, %v", i, status, next.Error, err)
		}
		if _, again, _ := c.Refresh(at, own.current); again.Refresh != next.Refresh {
			t.Errorf("chain %d: inside the grace the token before got %q, want the same successor", i, again.Error)
		}
		if status, last, err := c.Refresh(at, next.Refresh); err != nil || status != http.StatusOK {
			t.Errorf("chain %d: the successor is refused: status %d, %s, %v", i, status, last.Error, err)
		}
		if own.before == "" {
			continue
		}
		if status, late, _ := c.Refresh(at, own.before); status != http.StatusBadRequest || late.Error != "invalid_grant" {
			t.Errorf("chain %d: a token of three generations ago: status %d, %s; want invalid_grant", i, status, late.Error)
		}
	}
}

// wantSpent wants every redeemed code to be known as such and every revoked grant
// to be dead.
func wantSpent(t *testing.T, c *signettest.Cluster, at string, m *memory) {
	t.Helper()
	for _, one := range m.revoked {
		if status, got, _ := c.Refresh(at, one.Refresh); got.Error != "invalid_grant" {
			t.Errorf("a revoked grant lives: status %d, %s", status, got.Error)
		}
	}
	for _, one := range m.redeemed {
		if status, got, _ := c.Redeem(at, one.code); got.Error != "invalid_grant" {
			t.Errorf("a redeemed code again: status %d, %s; want invalid_grant", status, got.Error)
		}
		if status, got, _ := c.Refresh(at, one.Refresh); got.Error != "invalid_grant" {
			t.Errorf("the replay of its code left a grant alive: status %d, %s", status, got.Error)
		}
	}
	if len(m.redeemed) == 0 || len(m.revoked) == 0 {
		t.Errorf("%d codes were redeemed and %d grants revoked: too few to tell", len(m.redeemed), len(m.revoked))
	}
}
