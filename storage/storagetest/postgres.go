package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"signet/storage"
)

// cluster is the PostgreSQL server of this test binary.
type cluster struct {
	folder string    // data, socket and log
	copies string    // the fastest way for CREATE DATABASE to copy the template
	alive  io.Closer // the server stops when this is closed, see supervise
}

// errMissing is the error on a machine without PostgreSQL.
var errMissing = errors.New("PostgreSQL is not installed: apt-get install postgresql")

var theCluster = sync.OnceValues(startCluster)

var databases atomic.Int64

// template is the name of a database that is migrated once. The database of each test is a copy
// of it.
const template = "signet_template"

// withPassword is the role whose members need a password. All other users need none.
const withPassword = "signet_with_password"

// newDatabase creates a database from the template and drops it after the test.
func newDatabase(t testing.TB) string {
	t.Helper()
	return newDatabaseOf(t, template)
}

// newDatabaseOf creates a database as a copy of the given one.
func newDatabaseOf(t testing.TB, template string) string {
	t.Helper()
	c, err := theCluster()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("signet_%d", databases.Add(1))
	if err := c.exec(`CREATE DATABASE ` + name + ` TEMPLATE ` + template + c.copies); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() {
		if err := c.exec(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	return c.url(name)
}

func startCluster() (*cluster, error) {
	binaries, err := findBinaries()
	if err != nil {
		return nil, err
	}
	// t.TempDir is unsuitable: the cluster outlives the test that starts it, and the path of a
	// socket may have at most 107 characters.
	folder, err := os.MkdirTemp(memory(), "signet-postgres-")
	if err != nil {
		return nil, err
	}
	c := &cluster{folder: folder}
	attributes, err := c.unprivileged()
	if err != nil {
		return nil, err
	}
	if err := c.initialise(binaries, attributes); err != nil {
		return nil, err
	}
	if err := c.serve(binaries, attributes); err != nil {
		return nil, err
	}
	if err := c.await(); err != nil {
		return nil, err
	}
	return c, c.prepareTemplate()
}

// memory returns a folder in memory, where copying a database is several times faster. It
// returns "" for the usual folder if there is not enough memory: in a container it may be 64 MB.
func memory() string {
	const folder, enough = "/dev/shm", 1 << 30
	var fs unix.Statfs_t
	if unix.Statfs(folder, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < enough {
		return ""
	}
	return folder
}

// findBinaries returns the folder of the newest installed version.
func findBinaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", errMissing
	}
	return filepath.Dir(initdb), nil
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// unprivileged returns the attributes of child processes. PostgreSQL refuses to run as root. If
// the test runs as root, the user postgres becomes the owner of the folder, and children run as
// that user.
func (c *cluster) unprivileged() (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	owner, err := user.Lookup("postgres")
	if err != nil {
		return nil, errMissing
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(owner.Gid)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(c.folder, uid, gid); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func (c *cluster) initialise(binaries string, attributes *syscall.SysProcAttr) error {
	initdb := exec.Command(filepath.Join(binaries, "initdb"), "-D", filepath.Join(c.folder, "data"),
		"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = c.folder, attributes
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	rules, err := os.OpenFile(filepath.Join(c.folder, "data", "pg_hba.conf"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer rules.Close()
	trusting, err := io.ReadAll(rules)
	if err == nil {
		_, err = rules.WriteAt(append([]byte("local all +"+withPassword+" scram-sha-256\n"), trusting...), 0)
	}
	return err
}

// supervise runs the server until standard input ends, and then deletes the files. Standard
// input ends with the test binary, even if that is killed. A server that has only just started
// ignores its first signal.
const supervise = `"$1/postgres" -D "$2/data" -k "$2" -h "" -c fsync=off -c full_page_writes=off -c max_connections=400 &
server=$!
read -r never
for again in 1 2 3; do kill -QUIT $server; sleep 0.2; done
wait $server
cd / && rm -rf "$2/data" "$2"`

func (c *cluster) serve(binaries string, attributes *syscall.SysProcAttr) error {
	log, err := os.Create(filepath.Join(c.folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	server := exec.Command("/bin/sh", "-c", supervise, "sh", binaries, c.folder)
	server.Dir, server.SysProcAttr = c.folder, attributes
	server.Stdout, server.Stderr = log, log
	if c.alive, err = server.StdinPipe(); err != nil {
		return err
	}
	return server.Start()
}

// await polls until the server answers.
func (c *cluster) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(c.folder, "log"))
			return fmt.Errorf("PostgreSQL does not start: %w\n%s", err, log)
		}
	}
}

func (c *cluster) prepareTemplate() error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var number int
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&number); err != nil {
		return err
	}
	if number >= 150000 {
		c.copies = " STRATEGY file_copy"
	}
	if _, err := conn.Exec(ctx, `CREATE ROLE `+withPassword); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+template); err != nil {
		return err
	}
	db, err := storage.Open(ctx, storage.Config{Database: c.url(template)})
	if err != nil {
		return err
	}
	return db.Close()
}

func (c *cluster) exec(sql string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// url returns the URL of a database of the cluster, over its Unix socket.
func (c *cluster) url(database string) string {
	return "postgres://postgres@/" + strings.ToLower(database) + "?host=" + url.QueryEscape(c.folder)
}
