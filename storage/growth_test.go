package storage_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// crowdID returns the SQL name of row i. The names spread over the indexes as random ids do.
const crowdID = `CAST((i * 2654435761) % 4294967296 AS TEXT)`

// crowdName returns the same name as crowdID.
func crowdName(i int) string { return strconv.Itoa(i * 2654435761 % 4294967296) }

// fill adds n users. Each user has a password, a session, a grant, a spent id and an
// event, which are all valid at noon.
func (w *world) fill(t testing.TB, n int) {
	t.Helper()
	run := w.Write
	if w.backend.Name == "postgres" {
		run = w.Read // a write has a time limit of seconds
	}
	secret := map[string]string{"sqlite": `CAST('hash' AS BLOB)`, "postgres": `CAST('hash' AS BYTEA)`}[w.backend.Name]
	far, now := storage.At(noon.AddDate(0, 0, 30)), storage.At(noon)
	for _, insert := range []string{
		`INSERT INTO users (id, email, email_canonical, name, created_at, updated_at)
			SELECT 'usr_' || x, x || '@example.com', x || '@example.com', 'User ' || x, @now, @now FROM crowd`,
		`INSERT INTO credentials (id, user_id, kind, secret) SELECT 'crd_' || x, 'usr_' || x, 'password', ` + secret + ` FROM crowd`,
		`INSERT INTO sessions (id, handle_hash, user_id, auth_time, acr, amr, facts, agent, address, idle_for, created_at, seen_at, idle_expires_at, expires_at)
			SELECT 'ses_' || x, 'handle ' || x, 'usr_' || x, @now, 'urn:signet:1fa', '["pwd"]',
				'[{"k":"authenticated","t":1,"r":"` + strings.Repeat("r", 26) + `"}]', '` + strings.Repeat("agent ", 15) + `', '192.0.2.1',
				86400000, @now, @now, @far, @far FROM crowd`,
		`INSERT INTO grants (id, user_id, client_id, session_id, first_party, scopes, resources, auth_time, acr, amr, rotated_at, idle_for, idle_expires_at, expires_at, created_at)
			SELECT 'gid_' || x, 'usr_' || x, @client, 'ses_' || x, CAST(x AS BIGINT) % 2 = 0, '["openid","profile","email"]', '[]', @now, 'urn:signet:1fa', '["pwd"]',
				@now, 86400000, @far, @far, @now FROM crowd`,
		`INSERT INTO spent (kind, id, code_id, grant_id, expires_at) SELECT 'request', 'req_' || x, 'code', 'gid_' || x, @far FROM crowd`,
		`INSERT INTO events (id, at, type, user_id, client_id) SELECT 'evt_' || x, @now, 'user.signed_in', 'usr_' || x, @client FROM crowd`,
	} {
		columns, from, _ := strings.Cut(insert, "SELECT")
		text := columns + `WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < @n),
			crowd AS (SELECT ` + crowdID + ` AS x FROM n) SELECT` + from
		err := run(context.Background(), func(tx *gorm.DB) error {
			return tx.Exec(text, map[string]any{"n": n, "now": now, "far": far, "client": w.client.ID}).Error
		})
		if err != nil {
			t.Fatalf("fill: %v\n%s", err, text)
		}
	}
	if w.backend.Name == "postgres" { // as autovacuum does
		if err := w.Read(context.Background(), func(q *gorm.DB) error { return q.Exec(`VACUUM ANALYZE`).Error }); err != nil {
			t.Fatal(err)
		}
	}
}

// cpu returns the CPU time of this process and of the database server so far.
func (w *world) cpu(t testing.TB) time.Duration {
	t.Helper()
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		t.Fatal(err)
	}
	total := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	if w.backend.Name != "postgres" {
		return total
	}
	var processes []int
	err := w.Read(context.Background(), func(q *gorm.DB) error {
		return q.Raw(`SELECT pid FROM pg_stat_activity WHERE datname = current_database() ORDER BY pid`).Scan(&processes).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range processes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
		if err != nil {
			t.Fatal(err)
		}
		nanos, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total += time.Duration(nanos)
	}
	return total
}

// growing is a database of one size. generations has the generation of each grant.
type growing struct {
	*world
	size        int
	generations []int64
	round       int
}

// operations are the use cases whose cost must not grow with the database. i is the number
// of a user.
var operations = []struct {
	name string
	run  func(g *growing, i int) error
}{
	{"session read", func(g *growing, i int) error {
		_, _, err := g.SessionByHandle(context.Background(), "handle "+crowdName(i), noon)
		return err
	}},
	{"introspect or userinfo read", func(g *growing, i int) error {
		_, _, err := g.LiveGrant(context.Background(), "gid_"+crowdName(i), "jti", noon)
		return err
	}},
	{"sign-in write", func(g *growing, i int) error {
		_, err := g.SignIn(context.Background(), storage.SignIn{
			UserID: "usr_" + crowdName(i), HandleHash: storage.NewID("h"), Request: storage.NewID("r"),
			ACR: "urn:signet:1fa", AMR: []string{"pwd"}, IdleFor: time.Hour, AbsoluteFor: time.Hour,
		}, noon)
		return err
	}},
	{"redeem", func(g *growing, i int) error {
		r := g.redemption(storage.NewTimedID(noon), "code", noon)
		r.Grant.ID, r.Grant.UserID, r.Grant.SessionID = storage.NewTimedID(noon), "usr_"+crowdName(i), "ses_"+crowdName(i)
		_, err := g.RedeemCode(context.Background(), r, noon)
		return err
	}},
	{"rotate", func(g *growing, i int) error {
		grant, err := g.RotateGrant(context.Background(), storage.GrantRotation{
			GrantID: "gid_" + crowdName(i), Generation: g.generations[i], ClientID: g.client.ID,
		}, func(storage.Grant) error { return nil }, noon)
		g.generations[i] = grant.Generation
		return err
	}},
}

// grow fills a database with users.
func grow(t testing.TB, backend storagetest.Backend, size int) *growing {
	t.Helper()
	g := &growing{world: newWorld(t, backend), size: size, generations: make([]int64, size+1)}
	for i := range g.generations {
		g.generations[i] = 1
	}
	start := time.Now()
	g.fill(t, size)
	t.Logf("%d users, sessions and grants made in %s", size, time.Since(start).Round(time.Second))
	return g
}

// cost returns the CPU time per operation. It runs the operation many times from 16
// parallel callers, each with its own users.
func (g *growing) cost(t testing.TB, run func(*growing, int) error) time.Duration {
	t.Helper()
	const callers, each = 16, 250
	before := g.cpu(t)
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for k := range each {
				// 7919 is prime: each round takes other users, whose rows are far apart.
				i := (g.round*each+k)*7919*callers%(g.size/callers*callers) + caller + 1
				if err := run(g, i); err != nil {
					t.Errorf("user %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	g.round++
	return (g.cpu(t) - before) / (callers * each)
}

// maxGrowth is far above the cost of deeper indexes and uncached pages, and far below the
// cost of scanning or sorting a table.
const maxGrowth = 4

// BenchmarkGrowth_ThousandAndMillion compares the cost of the use cases, without HTTP, in a
// database with a thousand and in one with a million users, sessions and grants. The
// fastest round counts, because other work of the machine only adds time. The benchmark
// needs minutes and gigabytes, and runs once for any -benchtime: make soak.
func BenchmarkGrowth_ThousandAndMillion(t *testing.B) {
	for name, backend := range map[string]func(testing.TB) storagetest.Backend{
		"sqlite": storagetest.SQLite, "postgres": storagetest.Postgres,
	} {
		t.Run(name, func(t *testing.B) {
			few, many := grow(t, backend(t), 1000), grow(t, backend(t), 1_000_000)
			for _, o := range operations {
				var fastest [2]time.Duration
				for range 9 {
					for i, g := range []*growing{few, many} {
						if cost := g.cost(t, o.run); fastest[i] == 0 || cost < fastest[i] {
							fastest[i] = cost
						}
					}
				}
				ratio := float64(fastest[1]) / float64(fastest[0])
				t.Logf("%-28s %8s with 1,000, %8s with 1,000,000: %.2f, %8s more", o.name, fastest[0], fastest[1], ratio, fastest[1]-fastest[0])
				if ratio > maxGrowth {
					t.Errorf("%s: costs %.1f times as much with a million users as with a thousand, want at most %d times", o.name, ratio, maxGrowth)
				}
			}
		})
	}
}
