package cluster_test

import (
	"bytes"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// TestProcesses_ShareOneDatabase runs clients that refresh at two processes as fast as they
// can. Neither process starves, no refresh is refused, and no process reports that the
// database is locked.
// MN-02: The same holds for two processes on one SQLite file, without "database is locked".
func TestProcesses_ShareOneDatabase(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := signettest.NewCluster(t, database)
			processes := []*signettest.Process{c.Start(t, true), c.Start(t, false)}
			commits, slowest := refreshEverywhere(t, c, processes, time.Duration(signettest.Soaking(2, 60))*time.Second)
			if least, most := min(commits[0], commits[1]), max(commits[0], commits[1]); least*10 < most {
				t.Errorf("one process committed %d times, the other only %d times: it starved", most, least)
			}
			for _, p := range processes {
				for _, never := range []string{"database is locked", "40P01", "DATA RACE", "panic"} {
					if strings.Contains(p.Talk.String(), never) {
						t.Errorf("the log of %s contains %q", p.Address, never)
					}
				}
			}
			t.Logf("%d and %d refreshes, the slowest took %v", commits[0], commits[1], slowest)
		})
	}
}

// refreshEverywhere runs eight clients that refresh at each process until the time span is
// over. It returns the number of refreshes of each process, and the time of the slowest.
func refreshEverywhere(t *testing.T, c *signettest.Cluster, processes []*signettest.Process, span time.Duration) (commits [2]int64, slowest time.Duration) {
	t.Helper()
	const clients = 8
	held := make([]string, clients*len(processes))
	for i, code := range c.Codes(t, len(held)) {
		held[i] = c.MustRedeem(t, c.Issuer, code).Refresh
	}
	var done [2]atomic.Int64
	var longest atomic.Int64
	var all sync.WaitGroup
	ends := time.Now().Add(span)
	for i, token := range held {
		all.Go(func() {
			for time.Now().Before(ends) {
				start := time.Now()
				status, got, err := c.Refresh(processes[i%2].Address, token)
				if err != nil || status != http.StatusOK {
					t.Errorf("status %d, %s, %v", status, got.Error, err)
					return
				}
				token = got.Refresh
				done[i%2].Add(1)
				for took, was := int64(time.Since(start)), longest.Load(); took > was && !longest.CompareAndSwap(was, took); was = longest.Load() {
				}
			}
		})
	}
	all.Wait()
	return [2]int64{done[0].Load(), done[1].Load()}, time.Duration(longest.Load())
}

// TestProcesses_OneOfManyCommandsCreatesAClient runs the same client create command six times
// at once while a server runs. One command creates the client, the others report a conflict.
// MN-01: With two processes on one PostgreSQL, 50 parallel uses of each single-use value give
// one success.
func TestProcesses_OneOfManyCommandsCreatesAClient(t *testing.T) {
	c := signettest.NewCluster(t, "")
	c.Start(t, true)
	codes := make([]int, 6)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() {
			command := exec.Command("signet", "client", "create", "--id", "wanted", "--name", "Wanted", "--redirect-uri", signettest.Nowhere)
			var talk bytes.Buffer
			command.Env, command.Stderr = c.Env, &talk
			if err := command.Run(); command.ProcessState == nil {
				t.Error(err)
				return
			}
			codes[i] = command.ProcessState.ExitCode()
			if codes[i] != exit.OK && codes[i] != exit.Conflict {
				t.Errorf("exit code %d: %s", codes[i], talk.String())
			}
		})
	}
	all.Wait()
	created := 0
	for _, code := range codes {
		if code == exit.OK {
			created++
		}
	}
	if created != 1 {
		t.Errorf("exit codes %v: want 0 once, and %d for all others", codes, exit.Conflict)
	}
}
