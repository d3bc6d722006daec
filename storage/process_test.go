package storage_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// A test that needs another process runs its own binary again with -child. The child reads
// one order in each line of stdin and writes one report in each line of stdout.
var (
	childWork   = flag.String("child", "", "work of this process for the test of another process")
	childConfig = flag.String("child.config", "", "the database of that test, as JSON")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *childWork == "" {
		os.Exit(m.Run())
	}
	if err := serveAsChild(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveAsChild() error {
	var c storage.Config
	if err := json.Unmarshal([]byte(*childConfig), &c); err != nil {
		return err
	}
	work := map[string]func(storage.Config, *bufio.Scanner) error{"redeem": childRedeems, "open": childOpens}
	fmt.Println("ready")
	return work[*childWork](c, bufio.NewScanner(os.Stdin))
}

// child is another process that works for a test.
type child struct {
	orders  *json.Encoder
	reports *bufio.Scanner
}

func startChild(t *testing.T, work string, c storage.Config) *child {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(storage.Config{DataDir: c.DataDir, Database: c.Database})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-child="+work, "-child.config="+string(config))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("child: %v", err)
		}
	})
	process := &child{json.NewEncoder(in), bufio.NewScanner(out)}
	if !process.reports.Scan() || process.reports.Text() != "ready" {
		t.Fatalf("child wrote %q, want \"ready\"", process.reports.Text())
	}
	return process
}

func (c *child) order(t *testing.T, order any) {
	t.Helper()
	if err := c.orders.Encode(order); err != nil {
		t.Fatal(err)
	}
}

func (c *child) report(t *testing.T, into any) {
	t.Helper()
	if !c.reports.Scan() {
		t.Fatalf("child has exited: %v", c.reports.Err())
	}
	if err := json.Unmarshal(c.reports.Bytes(), into); err != nil {
		t.Fatalf("child wrote %q: %v", c.reports.Text(), err)
	}
}

// rivals is the number of parallel redemptions of one code, over all processes.
const rivals = 50

func childRedeems(c storage.Config, orders *bufio.Scanner) error {
	db, err := storage.Open(context.Background(), c)
	if err != nil {
		return err
	}
	defer db.Close()
	for orders.Scan() {
		var r storage.CodeRedemption
		if err := json.Unmarshal(orders.Bytes(), &r); err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(tally(race(db, r, rivals/2))); err != nil {
			return err
		}
	}
	return orders.Err()
}

// race redeems one code n times at once.
func race(db *storage.DB, r storage.CodeRedemption, n int) []error {
	return together(n, func(i int) error {
		mine := r
		mine.Grant.ID = storage.NewID("gid")
		_, err := db.RedeemCode(context.Background(), mine, noon)
		return err
	})
}

func wantOneWinner(t *testing.T, counts map[string]int) {
	t.Helper()
	if counts["ok"] != 1 || counts["replayed"] != rivals-1 {
		t.Fatalf("outcomes %v, want one winner and %d replays", counts, rivals-1)
	}
}

// countOpenGrants counts the grants that are not revoked.
func (w *world) countOpenGrants(t *testing.T) int {
	t.Helper()
	var n int
	if err := w.Read(t.Context(), func(q *gorm.DB) error {
		return q.Raw(`SELECT COUNT(*) FROM grants WHERE revoked_at = 0`).Scan(&n).Error
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// CO-02: of 50 parallel redemptions on one node, exactly one succeeds.
func TestRedeemCode_OneOfFiftyWins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for round := range 5 {
			wantOneWinner(t, tally(race(w.DB, w.redemption(fmt.Sprint(round), "code", noon), rivals)))
		}
		if n := w.countOpenGrants(t); n != 0 {
			t.Errorf("%d grants are valid after the replay of their code, want 0", n)
		}
	})
}

// CO-03: the same holds for two nodes on one database.
func TestRedeemCode_OneOfFiftyWinsOverTwoHandles(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		second := w.backend.Open(t)
		for round := range 5 {
			r := w.redemption(fmt.Sprint(round), "code", noon)
			other := make(chan []error)
			go func() { other <- race(second, r, rivals/2) }()
			wantOneWinner(t, tally(append(race(w.DB, r, rivals/2), <-other...)))
		}
		if n := w.countOpenGrants(t); n != 0 {
			t.Errorf("%d grants are valid after the replay of their code, want 0", n)
		}
	})
}

// MN-01, MN-02: the same holds for two processes on one PostgreSQL database and on one
// SQLite file.
func TestRedeemCode_OneOfFiftyWinsOverTwoProcesses(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		children := []*child{startChild(t, "redeem", w.backend.Config()), startChild(t, "redeem", w.backend.Config())}
		for round := range inSoak(100, 8) {
			r := w.redemption(fmt.Sprint(round), "code", noon)
			for _, c := range children {
				c.order(t, r)
			}
			counts := map[string]int{}
			for _, c := range children {
				var outcomes map[string]int
				c.report(t, &outcomes)
				for outcome, n := range outcomes {
					counts[outcome] += n
				}
			}
			wantOneWinner(t, counts)
		}
		if n := w.countOpenGrants(t); n != 0 {
			t.Errorf("%d grants are valid after the replay of their code, want 0", n)
		}
	})
}

func childOpens(c storage.Config, orders *bufio.Scanner) error {
	orders.Scan()
	db, err := storage.Open(context.Background(), c)
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := db.StartKeyLines(context.Background(), firstKeys("ES256", "RS256"), storage.By{At: noon})
	if err != nil {
		return err
	}
	_, err = fmt.Println(n)
	return err
}

func TestOpen_TwoProcessesOpenAFreshDatabaseTogether(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		if b.Name == "postgres" {
			emptySchema(t, b.Config().Database)
		} else if err := os.Remove(storage.DatabaseFile(b.Config().DataDir)); err != nil {
			t.Fatal(err)
		}
		children := []*child{startChild(t, "open", b.Config()), startChild(t, "open", b.Config())}
		for _, c := range children {
			c.order(t, "go")
		}
		started := 0
		for _, c := range children {
			var n int
			c.report(t, &n)
			if n != 0 && n != 2 && n != 4 {
				t.Errorf("a process started %d keys, want whole lines of 2 keys", n)
			}
			started += n
		}
		keys, err := b.Open(t).Keys(t.Context())
		if err != nil || started != 4 || len(keys) != 4 {
			t.Errorf("%d keys started, %d stored, %v; want 4", started, len(keys), err)
		}
	})
}

// emptySchema deletes the tables that the template database has created.
func emptySchema(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `DROP SCHEMA public CASCADE; CREATE SCHEMA public`); err != nil {
		t.Fatal(err)
	}
}

// ST-13: rules about time do not depend on the time zone of the process. The test runs
// other tests again in two zones.
func TestUseCases_DoNotDependOnTheTimeZone(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range []string{"Asia/Tokyo", "America/Los_Angeles"} {
		t.Run(zone, func(t *testing.T) {
			cmd := exec.Command(binary, "-test.v", "-test.run=^(TestZone|TestRedeemCode_S|TestSession|TestLiveGrant_E|TestConsent_E|TestReserve_C)", "-zone="+zone)
			cmd.Env = append(cmd.Environ(), "TZ="+zone)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, ran := range []string{"TestZone", "TestSessionByHandle_Expiry/sqlite", "TestSessionByHandle_Expiry/postgres", "TestLiveGrant_Expiry/postgres"} {
				if !strings.Contains(string(out), "--- PASS: "+ran) {
					t.Errorf("%s did not run:\n%s", ran, out)
				}
			}
		})
	}
}
