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

// chain holds the refresh tokens of one client, which rotates one grant again and again. Only
// the goroutine of the client uses it, and only while the process runs.
type chain struct {
	before, current string // refresh tokens; before is "" until the first refresh
}

// answers collects the answers of the process and of those started after it was killed.
type answers struct {
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

// TestKilled_UnderLoadSpentStaysSpent kills the process at any moment while clients
// refresh, redeem and revoke. Afterwards every answer still holds: the current refresh token
// works, and the same token again gives the same successor within the grace. A redeemed
// code stays spent, and its replay ends its grant. A revoked grant stays revoked.
// RT-14: If the server is killed after the commit, the client's retry gets the same
// successor.
func TestKilled_UnderLoadSpentStaysSpent(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := signettest.NewCluster(t, database)
			// The grace and the codes must outlast the time while the process is down.
			c.Env = append(c.Env, "SIGNET_LIFETIMES_REFRESH_GRACE=5m", "SIGNET_LIFETIMES_CODE=10m")
			p := c.Start(t, true)
			chains := make([]chain, 6)
			for i, code := range c.Codes(t, len(chains)) {
				chains[i].current = c.MustRedeem(t, p.Address, code).Refresh
			}
			var m answers
			kills := signettest.Soaking(2, 60)
			for range kills {
				p = killUnderLoad(t, c, p, chains, c.Codes(t, 15), &m)
			}
			wantChainsContinue(t, c, p.Address, chains)
			wantSpent(t, c, p.Address, &m)
			p.Kill()
			if database == "" {
				checkIntegrity(t, c)
			}
			t.Logf("%d kills: %d requests answered, %d not answered; %d codes redeemed, %d grants revoked",
				kills, m.answered, m.noAnswer, len(m.redeemed), len(m.revoked))
		})
	}
}

// killUnderLoad runs the clients, kills the process after some answers, and returns the
// process that replaces it.
func killUnderLoad(t *testing.T, c *signettest.Cluster, p *signettest.Process, chains []chain, codes []string, m *answers) *signettest.Process {
	t.Helper()
	var down atomic.Bool
	var count, spent atomic.Int64
	var all sync.WaitGroup
	for i := range chains {
		all.Go(func() {
			for !down.Load() && refreshOnce(t, c, p.Address, &chains[i], m) {
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
	// Wait until at least one code was redeemed and one grant revoked: the chains are faster.
	enough := rand.Int64N(60) + 20
	signettest.Eventually(t, 30*time.Second, "the clients are at work", func() bool {
		return count.Load() >= enough && spent.Load() >= 2 || t.Failed()
	})
	p.Kill()
	down.Store(true)
	all.Wait()
	log := p.Talk.String()
	for _, never := range []string{"DATA RACE", "panic", "database is locked", `"status":500`} {
		if strings.Contains(log, never) {
			t.Errorf("the log of the process contains %q:\n%s", never, log[max(0, len(log)-4000):])
		}
	}
	return c.Start(t, true)
}

// refreshOnce refreshes once. It returns false if there was no answer, or a wrong one.
func refreshOnce(t *testing.T, c *signettest.Cluster, at string, own *chain, m *answers) bool {
	status, got, err := c.Refresh(at, own.current)
	if !m.count(t, status, got, err) {
		return false
	}
	own.before, own.current = own.current, got.Refresh
	return true
}

// redeemAndRevoke redeems a code, and revokes the new grant every other time. It returns false
// if there was no answer, or a wrong one.
func redeemAndRevoke(t *testing.T, c *signettest.Cluster, at, code string, m *answers) bool {
	status, got, err := c.Redeem(at, code)
	if !m.count(t, status, got, err) {
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
		return m.count(t, 0, got, err)
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

// count counts an answer. A process that is being killed may answer 503 or not at all; this
// counts as no answer. count returns true if the status is 200.
func (m *answers) count(t *testing.T, status int, got signettest.Tokens, err error) bool {
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

// wantChainsContinue checks that the last answer of every chain still holds. A refresh without an
// answer may have succeeded too, so the client first repeats it, like an honest client.
func wantChainsContinue(t *testing.T, c *signettest.Cluster, at string, chains []chain) {
	t.Helper()
	for i, own := range chains {
		status, next, err := c.Refresh(at, own.current)
		if err != nil || status != http.StatusOK {
			t.Fatalf("chain %d: the token of the last answer is refused: status %d, %s, %v", i, status, next.Error, err)
		}
		if _, again, _ := c.Refresh(at, own.current); again.Refresh != next.Refresh {
			t.Errorf("chain %d: the same token again within the grace got the error %q, want the same successor", i, again.Error)
		}
		if status, last, err := c.Refresh(at, next.Refresh); err != nil || status != http.StatusOK {
			t.Errorf("chain %d: the successor is refused: status %d, %s, %v", i, status, last.Error, err)
		}
		if own.before == "" {
			continue
		}
		if status, late, _ := c.Refresh(at, own.before); status != http.StatusBadRequest || late.Error != "invalid_grant" {
			t.Errorf("chain %d: a token from three rotations ago: status %d, %s; want invalid_grant", i, status, late.Error)
		}
	}
}

// wantSpent checks that every revoked grant stays revoked, and that every redeemed code stays
// spent: its replay is refused and ends the grant.
func wantSpent(t *testing.T, c *signettest.Cluster, at string, m *answers) {
	t.Helper()
	for _, one := range m.revoked {
		if status, got, _ := c.Refresh(at, one.Refresh); got.Error != "invalid_grant" {
			t.Errorf("a refresh of a revoked grant: status %d, %s; want invalid_grant", status, got.Error)
		}
	}
	for _, one := range m.redeemed {
		if status, got, _ := c.Redeem(at, one.code); got.Error != "invalid_grant" {
			t.Errorf("the replay of a code: status %d, %s; want invalid_grant", status, got.Error)
		}
		if status, got, _ := c.Refresh(at, one.Refresh); got.Error != "invalid_grant" {
			t.Errorf("a refresh after the replay of the code: status %d, %s; want invalid_grant", status, got.Error)
		}
	}
	if len(m.redeemed) == 0 || len(m.revoked) == 0 {
		t.Errorf("%d codes were redeemed and %d grants revoked: want at least one of each", len(m.redeemed), len(m.revoked))
	}
}
