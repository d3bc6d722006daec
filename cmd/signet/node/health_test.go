package node_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// A server without its database is alive but not ready: a liveness check of a container must
// not restart it.
func TestHealth_TellsADatabaseThatIsAway(t *testing.T) {
	database := storagetest.Postgres(t).Config().Database
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	operator, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Close(t.Context())
	do := func(sql string) {
		t.Helper()
		if _, err := operator.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	n := onPostgres(t, database)
	n.Serve(t)
	var said node.Health
	n.Command(t, "", &said, "health", "--json")
	if said.Status != "ok" || said.URL != n.Issuer+"/readyz" {
		t.Errorf("%+v", said)
	}

	do(`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS false`)
	do(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '` + name + `'`)
	if told := n.CommandFails(t, exit.Unreachable, "health"); !strings.Contains(told, "/readyz answers 503: it is unavailable") {
		t.Errorf("it says %q", told)
	}
	n.Command(t, "", &said, "health", "--live", "--json")
	if said.Status != "ok" {
		t.Errorf("%+v", said)
	}

	do(`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS true`)
	signettest.Eventually(t, 30*time.Second, "it is well again", func() bool {
		return program.Run(t.Context(), signettest.Surroundings(n.Env, "", &signettest.SyncBuffer{}, &signettest.SyncBuffer{}), []string{"health"}) == exit.OK
	})
}
