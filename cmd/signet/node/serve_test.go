package node_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// TestServe_SlowAndSilentPeersAreCutOff holds one connection that sends nothing and one with a
// header that never ends. The server must close each within its time limit.
// HT-06: Slow and idle connections end; their number is limited.
func TestServe_SlowAndSilentPeersAreCutOff(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.Serve(t)
	for _, said := range []string{"", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
		t.Run(fmt.Sprintf("%q", said), func(t *testing.T) {
			t.Parallel()
			peer := dial(t, i)
			if _, err := io.WriteString(peer, said); err != nil {
				t.Fatal(err)
			}
			if err := peer.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, peer); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
		})
	}
}

// TestServe_HugeHeadersAreRefused also checks that the server still works afterwards.
// HT-07: Huge headers, many cookies and huge bodies are refused.
func TestServe_HugeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.Serve(t)
	for name, header := range map[string]string{
		"1 MB header":      "X-Big: " + strings.Repeat("a", 1<<20) + "\r\n",
		"large cookie":     "Cookie: a=" + strings.Repeat("a", 64<<10) + "\r\n",
		"10,000 of them":   strings.Repeat("X-Many: a\r\n", 10_000),
		"500 cookies":      "Cookie: " + strings.Repeat("a="+strings.Repeat("b", 100)+"; ", 500) + "\r\n",
		"a long path line": "",
	} {
		path := "/healthz"
		if header == "" {
			path += "?" + strings.Repeat("a", 1<<20)
		}
		peer := dial(t, i)
		go func() { // the server stops reading before all is sent
			_, err := fmt.Fprintf(peer, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, header)
			if err != nil {
				return
			}
		}()
		answer, err := http.ReadResponse(bufio.NewReader(peer), nil)
		if err != nil {
			continue // cut off in the middle, which is a refusal too
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge && answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %s", name, answer.Status)
		}
	}
	if status, _ := signettest.Get(t, i.Issuer+"/healthz"); status != http.StatusOK {
		t.Errorf("afterwards /healthz answers %d", status)
	}
}

// TestServe_HealthSaysOnlyOkOrNot checks that the answer has no version, address or reason.
// HT-22: Health answers only whether the node is well.
func TestServe_HealthSaysOnlyOkOrNot(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.Serve(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		status, body := signettest.Get(t, i.Issuer+path)
		if status != http.StatusOK || strings.TrimSpace(body) != `{"status":"ok"}` {
			t.Errorf("%s answers %d %q", path, status, body)
		}
	}
}

// TestServe_FilesOfThisUserAlone checks every file that a server created.
// ST-20: The database and its backups are readable only by their owner.
func TestServe_FilesOfThisUserAlone(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.Serve(t)
	dir := strings.TrimPrefix(i.Env[2], "SIGNET_DATA_DIR=")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 3 {
		t.Fatalf("found only %v", files)
	}
	for _, f := range files {
		state, err := f.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // SQLite has removed this journal meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		if mode := state.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %04o", filepath.Join(dir, f.Name()), mode)
		}
	}
}

// TestServe_TwoNodesOnPostgreSQL checks that the second node needs the master key of the first,
// and then publishes the same keys.
func TestServe_TwoNodesOnPostgreSQL(t *testing.T) {
	t.Parallel()
	database := storagetest.Postgres(t).Config().Database
	first := onPostgres(t, database)
	first.Serve(t)

	second := onPostgres(t, database)
	var talk bytes.Buffer
	if code := program.Run(t.Context(), signettest.Surroundings(second.Env, "", &talk, &talk), []string{"serve"}); code != exit.Config {
		t.Errorf("a second node without the master key: exit code %d, want %d\n%s", code, exit.Config, talk.String())
	}
	key, err := os.ReadFile(filepath.Join(first.dir, node.MasterKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	second.Env = append(second.Env, "SIGNET_MASTER_KEY="+strings.TrimSpace(string(key)))
	second.Serve(t)
	_, one := signettest.Get(t, first.Issuer+"/jwks")
	_, two := signettest.Get(t, second.Issuer+"/jwks")
	if one != two || !strings.Contains(one, `"kid"`) {
		t.Errorf("the nodes publish\n%s\nand\n%s", one, two)
	}
}

// postgresNode returns a node with its own data directory on a shared database.
type postgresNode struct {
	signettest.Instance
	dir string
}

func onPostgres(t *testing.T, database string) *postgresNode {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
	n := &postgresNode{dir: filepath.Join(t.TempDir(), "data")}
	n.Issuer = "http://" + listen
	n.Env = []string{"SIGNET_ISSUER=" + n.Issuer, "SIGNET_LISTEN=" + listen, "SIGNET_DATA_DIR=" + n.dir, "SIGNET_DATABASE=" + database}
	return n
}

func dial(t *testing.T, i *signettest.Instance) net.Conn {
	t.Helper()
	peer, err := net.Dial("tcp", strings.TrimPrefix(i.Issuer, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	return peer
}

// A proxy that keeps an unused connection longer than Signet may send a POST into a connection
// that Signet is closing. The visitor gets 502, because the proxy cannot send it again.
func TestServe_ProxiesCloseIdleConnectionsFirst(t *testing.T) {
	for proxy, keeps := range map[string]time.Duration{"nginx": 60 * time.Second, "Traefik": 90 * time.Second, "Caddy": 2 * time.Minute} {
		if node.IdleTimeout <= keeps {
			t.Errorf("Signet closes an unused connection after %s, and %s keeps it for %s", node.IdleTimeout, proxy, keeps)
		}
	}
}
