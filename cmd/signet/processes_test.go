package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"signet/storage"
	"signet/storage/storagetest"
)

const nowhere = "http://127.0.0.1:9/callback" // nobody goes there

// cluster is an installation that several processes serve. All of them have the
// issuer of the first.
type cluster struct {
	*instance
	client createdClient
	env    []string
}

func newCluster(t *testing.T, database string) *cluster {
	t.Helper()
	c := &cluster{instance: newInstance(t)}
	if database != "" {
		c.instance.env = append(c.instance.env, "SIGNET_DATABASE="+database)
		c.command(t, c.password, nil, "user", "create", "--email", c.email, "--email-verified", "--password-stdin", "--json")
	}
	others := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SIGNET_") }) // of the tests, no settings
	c.env = append(others, c.instance.env...)
	// RS256 would be most of the work.
	c.client = c.createClient(t, "--type", "web", "--redirect-uri", nowhere, "--skip-consent", "--id-token-signed-response-alg", "ES256")
	return c
}

// process is one `signet serve` of the operating system's.
type process struct {
	command *exec.Cmd
	address string // http://host:port
	talk    *syncBuffer
}

// start runs a process and waits until it answers. The first listens where the
// issuer says.
func (c *cluster) start(t *testing.T, first bool) *process {
	t.Helper()
	p := &process{address: c.issuer, talk: &syncBuffer{}}
	if !first {
		p.address = fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
	}
	p.command = exec.Command("signet", "serve", "--listen", strings.TrimPrefix(p.address, "http://"))
	p.command.Env, p.command.Stderr = c.env, p.talk
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			said := p.talk.String()
			t.Logf("%s said at last:\n%s", p.address, said[max(0, len(said)-4000):])
		}
	})
	eventually(t, 30*time.Second, p.address+" answers", func() bool {
		response, err := http.Get(p.address + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return p
}

// kill ends the process as a power cut would end it.
func (p *process) kill() {
	if p.command.ProcessState == nil {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
	}
}

// tokens are what one sign-in goes on with.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`

	Description string `json:"error_description"`
}

// codes signs in once and gives that many codes of that session.
func (c *cluster) codes(t *testing.T, n int) []string {
	t.Helper()
	b := newFormBrowser(t)
	var list []string
	for len(list) < n {
		b.left = nil
		b.open(c.issuer + "/authorize?" + url.Values{
			"client_id": {c.client.ID}, "redirect_uri": {nowhere}, "response_type": {"code"}, "scope": {"openid offline_access"},
			"code_challenge": {oauth2.S256ChallengeFromVerifier(codeVerifier)}, "code_challenge_method": {"S256"},
		}.Encode())
		if b.left == nil {
			b.send("login", "", map[string]string{"username": c.email, "password": c.password})
		}
		list = append(list, b.left.Query().Get("code"))
	}
	return list
}

const codeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func (c *cluster) redeem(at, code string) (int, tokens, error) {
	return c.token(at, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {nowhere}, "code_verifier": {codeVerifier}})
}

func (c *cluster) refresh(at, token string) (int, tokens, error) {
	return c.token(at, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

var crowd = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 200}}

// token posts to a process. An error means that no answer came.
func (c *cluster) token(at string, form url.Values) (status int, got tokens, err error) {
	request, err := http.NewRequest(http.MethodPost, at+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, got, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(c.client.ID, c.client.Secret)
	response, err := crowd.Do(request)
	if err != nil {
		return 0, got, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(body)).Decode(&got)
	}
	return response.StatusCode, got, err
}

// soaking asks for more rounds of the same kind.
func soaking(rounds, soak int) int {
	if os.Getenv("SIGNET_SOAK") != "" {
		return soak
	}
	return rounds
}

// overProcesses runs f with two processes on one SQLite file and on one PostgreSQL.
func overProcesses(t *testing.T, f func(t *testing.T, c *cluster, at []string)) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := newCluster(t, database)
			f(t, c, []string{c.start(t, true).address, c.start(t, false).address})
		})
	}
}

// TestCO03_TwoProcessesRedeemACodeOnce: of 50 redemptions at once over two
// processes one gets tokens, and the replays end them.
func TestCO03_TwoProcessesRedeemACodeOnce(t *testing.T) {
	overProcesses(t, func(t *testing.T, c *cluster, at []string) {
		codes := c.codes(t, soaking(10, 200))
		t.Logf("%d codes, each redeemed 50 times at once", len(codes))
		for _, code := range codes {
			var won atomic.Int64
			var winner tokens
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					status, got, err := c.redeem(at[i%2], code)
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
				t.Fatalf("%d redemptions of one code, want 1", won.Load())
			}
			for _, address := range at {
				if status, got, err := c.refresh(address, winner.Refresh); status != http.StatusBadRequest {
					t.Errorf("the replayed code's tokens live on: status %d, %s, %v", status, got.Error, err)
				}
			}
		}
	})
}

// TestRT04_TwoProcessesRotateOnce: of 100 refreshes at once over two processes all
// get the same successor, which works, once it was used the old one ends all.
func TestRT04_TwoProcessesRotateOnce(t *testing.T) {
	overProcesses(t, func(t *testing.T, c *cluster, at []string) {
		_, first, err := c.redeem(at[0], c.codes(t, 1)[0])
		if err != nil {
			t.Fatal(err)
		}
		current := first.Refresh
		before := ""
		t.Logf("%d rounds of 100 refreshes at once", soaking(20, 200))
		for round := range soaking(20, 200) {
			var mu sync.Mutex
			successors := map[string]int{}
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					status, got, err := c.refresh(at[i%2], current)
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
				t.Fatalf("round %d: %d successors of one token, want 1", round, len(successors))
			}
			for successor := range successors {
				before, current = current, successor
			}
		}
		if _, got, err := c.refresh(at[1], current); err != nil || got.Refresh == "" {
			t.Fatalf("the successor does not work: %s, %v", got.Error, err)
		}
		for i, stale := range []string{before, current} {
			if status, got, _ := c.refresh(at[i], stale); status != http.StatusBadRequest || got.Error != "invalid_grant" {
				t.Errorf("after the replay: status %d, %s; want invalid_grant", status, got.Error)
			}
		}
	})
}

// TestST10_KilledUnderLoadNothingAnsweredIsLost kills the process at any moment,
// again and again, while clients refresh. Every refresh token that was answered
// works afterwards, no code is unspent, and the file is whole.
func TestST10_KilledUnderLoadNothingAnsweredIsLost(t *testing.T) {
	c := newCluster(t, "")
	p := c.start(t, true)
	const chains = 8
	held := make([]string, chains)
	codes := c.codes(t, chains)
	for i, code := range codes {
		_, got, err := c.redeem(p.address, code)
		if err != nil || got.Refresh == "" {
			t.Fatalf("redeem: %s, %v", got.Error, err)
		}
		held[i] = got.Refresh
	}
	answered, kills := 0, soaking(8, 60)
	for range kills {
		var down atomic.Bool
		var count atomic.Int64
		var all sync.WaitGroup
		for i := range held {
			all.Go(func() {
				for !down.Load() {
					status, got, err := c.refresh(p.address, held[i])
					if err != nil || status == http.StatusServiceUnavailable {
						continue // no answer: the token that is held stays
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
		eventually(t, 20*time.Second, "the clients are at work", func() bool { return count.Load() > at })
		p.kill()
		down.Store(true)
		all.Wait()
		answered += int(count.Load())
		p = c.start(t, true)
		for i, token := range held {
			status, got, err := c.refresh(p.address, token)
			if err != nil || status != http.StatusOK {
				t.Fatalf("after the kill an answered token is refused: status %d, %s, %v", status, got.Error, err)
			}
			held[i] = got.Refresh
		}
	}
	for i, code := range codes {
		if status, got, err := c.redeem(p.address, code); status != http.StatusBadRequest {
			t.Errorf("a spent code works again: status %d, %v", status, err)
		} else if status, _, _ := c.refresh(p.address, held[i]); status != http.StatusBadRequest {
			t.Errorf("the replay of a code (%s) left its grant alive", got.Error)
		}
	}
	p.kill()
	checkIntegrity(t, c)
	t.Logf("%d refreshes answered around %d kills", answered, kills)
}

func checkIntegrity(t *testing.T, c *cluster) {
	t.Helper()
	db, err := sql.Open(sqliteDriver(), filepath.Join(c.dataDir(t), "signet.db"))
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
