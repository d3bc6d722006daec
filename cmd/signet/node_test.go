package main

import (
	"bufio"
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
)

// TestHT06_SlowAndSilentPeersAreCutOff holds one connection that says nothing and
// one whose header never ends. Each is closed by the server; the test waits for
// that, and no longer than it may take.
func TestHT06_SlowAndSilentPeersAreCutOff(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.serve(t)
	for _, said := range []string{"", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
		t.Run(fmt.Sprintf("%q", said), func(t *testing.T) {
			t.Parallel()
			peer := dial(t, i)
			if _, err := io.WriteString(peer, said); err != nil {
				t.Fatal(err)
			}
			if err := peer.SetReadDeadline(time.Now().Add(3 * readHeaderTimeout)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, peer); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
		})
	}
}

// TestHT07_HugeHeadersAreRefused also shows that the server lives on.
func TestHT07_HugeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.serve(t)
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
			continue // cut off in the middle: refused as well
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge && answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %s", name, answer.Status)
		}
	}
	if status, _ := get(t, i.issuer+"/healthz"); status != http.StatusOK {
		t.Errorf("afterwards /healthz answers %d", status)
	}
}

// TestHT22_HealthSaysOnlyOkOrNot: no version, no address, no reason.
func TestHT22_HealthSaysOnlyOkOrNot(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.serve(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		status, body := get(t, i.issuer+path)
		if status != http.StatusOK || strings.TrimSpace(body) != `{"status":"ok"}` {
			t.Errorf("%s answers %d %q", path, status, body)
		}
	}
}

// TestST20_FilesOfThisUserAlone looks at every file a server has made.
func TestST20_FilesOfThisUserAlone(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.serve(t)
	dir := strings.TrimPrefix(i.env[2], "SIGNET_DATA_DIR=")
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
			continue // a journal that SQLite has removed meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		if mode := state.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %04o", filepath.Join(dir, f.Name()), mode)
		}
	}
}

func dial(t *testing.T, i *instance) net.Conn {
	t.Helper()
	peer, err := net.Dial("tcp", strings.TrimPrefix(i.issuer, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	return peer
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(read)
}
