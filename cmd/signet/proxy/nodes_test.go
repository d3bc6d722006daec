package proxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// breaking is a node that counts requests and connections. It ends the connection instead of
// answering a request for /break.
type breaking struct {
	*httptest.Server
	broken, connections atomic.Int64
}

func startBreaking(t *testing.T) *breaking {
	t.Helper()
	n := &breaking{}
	n.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/break" {
			n.broken.Add(1)
			panic(http.ErrAbortHandler)
		}
		if r.Header.Get("User-Agent") == "test" {
			w.Header().Set("X-Connections", fmt.Sprint(n.connections.Load()))
		}
	}))
	n.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.connections.Add(1)
		}
	}
	n.Start()
	t.Cleanup(n.Close)
	return n
}

func (n *breaking) address() string { return strings.TrimPrefix(n.URL, "http://") }

// TestProxies_APostReachesOneNode has nodes that break off. A POST that a node may have
// carried out is never sent again, and a node that cannot be reached costs no request.
func TestProxies_APostReachesOneNode(t *testing.T) {
	eachProxy(t, func(t *testing.T, proxy string) {
		one, other := startBreaking(t), startBreaking(t)
		e := startProxy(t, proxy, one.address(), other.address())
		transport := e.transport(t, visitor{})
		form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
		answer := exchange{method: "POST", target: "/break", header: form, body: "a=b"}.send(t, transport, issuer)
		if got := one.broken.Load() + other.broken.Load(); got != 1 || answer.StatusCode < 500 {
			t.Errorf("a POST reached %d nodes, want 1: %s", got, answer.Status)
		}

		gone, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		gone.Close()
		e = startProxy(t, proxy, gone.Addr().String(), one.address())
		transport = e.transport(t, visitor{})
		before := one.connections.Load()
		for range 40 {
			answer := exchange{method: "POST", target: "/token", header: form, body: "a=b"}.send(t, transport, issuer)
			if answer.StatusCode != http.StatusOK {
				t.Errorf("beside a node that is gone: %s", answer.Status)
			}
			answer.Body.Close()
		}
		if got := one.connections.Load() - before; got > 10 {
			t.Errorf("40 requests took %d connections to the node", got)
		}
	})
}

// pair is an installation with two processes on one database behind a proxy.
type pair struct {
	*signettest.Instance
	env       []string
	client    signettest.CreatedClient
	addresses [2]string
}

// serve runs a process at an address, and returns its messages.
func (p *pair) serve(t *testing.T, address string) (*exec.Cmd, *signettest.SyncBuffer) {
	t.Helper()
	talk := &signettest.SyncBuffer{}
	process := exec.Command("signet", "serve", "--listen", address)
	process.Env, process.Stderr = p.env, talk
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if process.ProcessState == nil {
			_ = process.Process.Kill()
			_ = process.Wait()
		}
	})
	signettest.Eventually(t, 60*time.Second, address+" answers", func() bool {
		answer, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return process, talk
}

// mayFail is how long a proxy may fail requests after a node has begun to stop. The node closes
// its unused connections at once, and a POST may just be on its way into one. Caddy 2.6 cannot send
// the body of a POST again, even if it could not connect to the first node: it fails such requests
// until its check of health has noticed. docs/operation.md says so.
var mayFail = map[string]time.Duration{"nginx": time.Second, "caddy": 5 * time.Second, "traefik": time.Second}

// TestProxies_TwoNodesServeOnePerson signs in through two nodes without sticky sessions. Then
// one of them stops as an upgrade stops it, and requests go on without a lasting failure.
func TestProxies_TwoNodesServeOnePerson(t *testing.T) {
	eachProxy(t, func(t *testing.T, proxy string) {
		p := &pair{Instance: signettest.NewInstance(t)}
		p.Issuer = issuer
		p.Env = append(p.Env, "SIGNET_ISSUER="+issuer, "SIGNET_TRUSTED_PROXIES=127.0.0.1")
		p.env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SIGNET_") }), p.Env...)
		p.client = p.CreateClient(t, "--type", "service", "--scope", "read")
		var processes [2]*exec.Cmd
		var logs [2]*signettest.SyncBuffer
		for i := range processes {
			p.addresses[i] = fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
			processes[i], logs[i] = p.serve(t, p.addresses[i])
		}
		e := startProxy(t, proxy, p.addresses[:]...)
		transport := e.transport(t, visitor{})

		b := signettest.NewFormBrowser(t)
		b.Client.Transport = watched{t, transport}
		b.Open(issuer + "/login?return_to=/account")
		b.Send("login", "", map[string]string{"username": p.Email, "password": p.Password})
		for range 6 {
			b.Open(issuer + "/account")
			if b.At.Path != "/account" {
				t.Fatalf("at %s: %q", b.At, b.Text())
			}
		}
		for i, log := range logs {
			signettest.Eventually(t, 10*time.Second, p.addresses[i]+" has served pages", func() bool { return strings.Contains(log.String(), `"path":"/account"`) })
		}

		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}, "client_id": {p.client.ID}, "client_secret": {p.client.Secret}}.Encode()
		var done, failed, stopped atomic.Int64 // stopped in milliseconds
		var group sync.WaitGroup
		stop := make(chan struct{})
		client := &http.Client{Transport: transport}
		for range 4 {
			group.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					answer, err := client.Post(issuer+"/token", "application/x-www-form-urlencoded", strings.NewReader(form))
					if err == nil {
						answer.Body.Close()
					}
					since := time.Since(time.UnixMilli(stopped.Load()))
					if done.Add(1); (err != nil || answer.StatusCode != http.StatusOK) && since > mayFail[proxy] {
						failed.Add(1)
					}
				}
			})
		}
		further := func(n int64) {
			from := done.Load()
			signettest.Eventually(t, 60*time.Second, "further requests are answered", func() bool { return done.Load() >= from+n })
		}
		further(40)
		stopped.Store(time.Now().UnixMilli())
		if err := processes[0].Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := processes[0].Wait(); err != nil {
			t.Errorf("the node ended with %v", err)
		}
		signettest.Eventually(t, 30*time.Second, "the proxy may fail no more", func() bool { return time.Since(time.UnixMilli(stopped.Load())) > mayFail[proxy] })
		further(40)
		processes[0], logs[0] = p.serve(t, p.addresses[0])
		signettest.Eventually(t, 60*time.Second, "the node is used again", func() bool { return strings.Contains(logs[0].String(), `"path":"/token"`) })
		further(40)
		close(stop)
		group.Wait()
		if failed.Load() > 0 {
			t.Errorf("%d of %d requests failed while a node stopped and came back", failed.Load(), done.Load())
		}
	})
}
