package node_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"signet/cmd/signet/node"
	"signet/cmd/signet/signettest"
)

const tooMany = "too many requests at once"

// TestOverload_TooManyAtOnceAreTurnedAway holds the database in another process while more
// clients refresh than the server accepts. The others are refused at once, as JSON and as a
// page. Health and the JWKS are still served. Afterwards all requests work again.
// HT-06: Slow and idle connections end; their number is limited.
func TestOverload_TooManyAtOnceAreTurnedAway(t *testing.T) {
	t.Parallel()
	c := signettest.NewCluster(t, "")
	talk, _ := signettest.StartTalking(t, http.DefaultClient, c.Issuer, c.Instance.Env, "serve")
	token := c.MustRedeem(t, c.Issuer, c.Codes(t, 1)[0]).Refresh
	release := holdDatabase(t, c.Instance)
	var over atomic.Bool
	var refused atomic.Int64
	var all sync.WaitGroup
	for range 600 {
		all.Go(func() {
			for !over.Load() {
				status, got, err := c.Refresh(c.Issuer, token)
				switch {
				case err != nil:
					t.Error(err)
					return
				case strings.HasPrefix(got.Description, tooMany):
					refused.Add(1)
					return // refused, with Retry-After
				case status != http.StatusServiceUnavailable && status != http.StatusOK:
					t.Errorf("got %d %s", status, got.Error)
				}
			}
		})
	}
	signettest.Eventually(t, 30*time.Second, "the surplus is turned away", func() bool { return refused.Load() > 0 })
	signettest.Eventually(t, 30*time.Second, "people are told by a page", func() bool { return askedForPatience(t, c.Instance, "text/html", "One moment, please") })
	signettest.Eventually(t, 30*time.Second, "programs are told by JSON", func() bool { return askedForPatience(t, c.Instance, "*/*", tooMany) })
	for _, path := range []string{"/healthz", "/readyz", "/jwks", "/.well-known/openid-configuration"} {
		if status, _ := signettest.Get(t, c.Issuer+path); status != http.StatusOK {
			t.Errorf("%s answers %d", path, status)
		}
	}
	over.Store(true)
	release()
	all.Wait()
	if status, _, err := c.Refresh(c.Issuer, token); err != nil || status != http.StatusOK {
		t.Errorf("afterwards the token is answered with %d, %v", status, err)
	}
	signettest.Eventually(t, 10*time.Second, "the log tells how many", func() bool { return strings.Contains(talk.String(), tooMany+`","refused":`) })
}

// holdDatabase holds the lock of the writers, as a hanging process would.
func holdDatabase(t *testing.T, i *signettest.Instance) (release func()) {
	t.Helper()
	lock, err := os.Open(filepath.Join(strings.TrimPrefix(i.Env[2], "SIGNET_DATA_DIR="), "signet.db-lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := lock.Close(); err != nil {
			t.Error(err)
		}
	}
}

// askedForPatience requests the sign-in page, and reports whether the server refused it.
func askedForPatience(t *testing.T, i *signettest.Instance, accept, says string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.Issuer+"/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		return false
	}
	if h := response.Header; response.StatusCode != http.StatusServiceUnavailable || h.Get("Retry-After") != "2" || h.Get("X-Content-Type-Options") != "nosniff" || !bytes.Contains(body, []byte(says)) {
		t.Errorf("told with %s, %v, %s", response.Status, h, body)
	}
	return true
}

// TestOverload_SlowBodiesTakeNobodysPlace sends more slow bodies than the server works on at
// once. Requests with a complete body are still answered; the slow ones are cut off. Each slow
// body that is cut off is replaced, so that a slow machine reaches the limit too.
// HT-06: Slow and idle connections end; their number is limited.
func TestOverload_SlowBodiesTakeNobodysPlace(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.CreateClient(t, "--type", "spa", "--first-party", "--redirect-uri", signettest.Nowhere)
	i.Env = append(i.Env, "SIGNET_TRUSTED_PROXIES=127.0.0.1,::1")
	i.Serve(t)
	const share = 512 // requests that one network may have at once
	var slow slowSenders
	defer slow.end()
	for n := range share + 88 {
		slow.start(strings.TrimPrefix(i.Issuer, "http://"), fmt.Sprintf("198.51.100.%d", n/share))
	}
	signettest.Eventually(t, time.Minute, "one more from there is refused", func() bool {
		surplus := dial(t, i)
		defer surplus.Close()
		if err := slowBody(surplus, "198.51.100.0"); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(surplus).ReadString('\n')
		return err == nil && strings.HasPrefix(line, "HTTP/1.1 503 ")
	})
	whole, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.Issuer+"/login", strings.NewReader(fmt.Sprintf(`{"username":%q,"password":%q}`, i.Email, i.Password)))
	if err != nil {
		t.Fatal(err)
	}
	whole.Header.Set("Content-Type", "application/json")
	whole.Header.Set("Origin", i.Issuer)
	whole.Header.Set("X-Forwarded-For", "198.51.100.9")
	response, err := http.DefaultClient.Do(whole)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("a request with a complete body gets %s", response.Status)
	}
	signettest.Eventually(t, 4*node.ReadTimeout, "slow bodies are cut off", func() bool { return slow.cut.Load() > 0 })
}

// slowSenders hold connections that announce a body and send nothing of it.
type slowSenders struct {
	over atomic.Bool
	all  sync.WaitGroup
	cut  atomic.Int64 // bodies that the server has ended after it began to wait for them
	mu   sync.Mutex
	open map[net.Conn]bool
}

// start sends slow bodies from an address, one after the other.
func (s *slowSenders) start(server, from string) {
	s.all.Go(func() {
		for !s.over.Load() {
			peer, err := net.Dial("tcp", server)
			if err != nil {
				continue
			}
			s.mu.Lock()
			if s.open == nil {
				s.open = map[net.Conn]bool{}
			}
			s.open[peer] = true
			s.mu.Unlock()
			if slowBody(peer, from) == nil {
				reader := bufio.NewReader(peer)
				line, err := reader.ReadString('\n')
				_, ended := io.Copy(io.Discard, reader)
				if err == nil && strings.HasPrefix(line, "HTTP/1.1 100 ") && ended == nil && !s.over.Load() {
					s.cut.Add(1)
				}
			}
			s.mu.Lock()
			delete(s.open, peer)
			s.mu.Unlock()
			peer.Close()
		}
	})
}

// end closes all connections.
func (s *slowSenders) end() {
	s.over.Store(true)
	ended := make(chan struct{})
	go func() {
		s.all.Wait()
		close(ended)
	}()
	for {
		s.mu.Lock()
		for peer := range s.open {
			peer.Close()
		}
		s.mu.Unlock()
		select {
		case <-ended:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// slowBody announces a body from an address, and sends nothing of it.
func slowBody(peer net.Conn, from string) error {
	_, err := io.WriteString(peer, "POST /login HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: "+from+"\r\n"+
		"Content-Type: application/json\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
	return err
}

// TestOverload_IdleConnectionsAreHarmless holds a thousand connections after one request each,
// in the soak more than the server accepts, and logs their cost in memory.
// HT-06: Slow and idle connections end; their number is limited.
func TestOverload_IdleConnectionsAreHarmless(t *testing.T) {
	c := signettest.NewCluster(t, "")
	p := c.Start(t, true)
	before := residentMemory(t, p)
	n := signettest.Soaking(1000, node.MaxConnections+500)
	for range n {
		peer := dial(t, c.Instance)
		if _, err := io.WriteString(peer, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	signettest.Eventually(t, 3*node.IdleTimeout, "another is answered", func() bool {
		response, err := http.Get(c.Issuer + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	t.Logf("%d idle connections: %d KiB each", n, (residentMemory(t, p)-before)/n)
}

// residentMemory returns the memory of a process in KiB.
func residentMemory(t *testing.T, p *signettest.Process) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var kib int
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(after, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}

// TestOverload_FloodsOfHTTP2DoNoHarm sends streams that are reset at once, and a header without
// an end. The server may close the connection, and it still answers others.
// HT-08: Floods of HTTP/2 resets do no harm.
func TestOverload_FloodsOfHTTP2DoNoHarm(t *testing.T) {
	t.Parallel()
	i := startTLS(t, "localhost")
	var block bytes.Buffer
	encode := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/login"}, {Name: ":authority", Value: "localhost"}} {
		if err := encode.WriteField(f); err != nil {
			t.Fatal(err)
		}
	}
	for name, flood := range map[string]func(*http2.Framer, uint32) error{
		"rapid reset": func(f *http2.Framer, stream uint32) error {
			return errors.Join(
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}),
				f.WriteRSTStream(stream, http2.ErrCodeCancel))
		},
		"header without end": func(f *http2.Framer, stream uint32) error {
			if stream == 1 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes()})
			}
			var more bytes.Buffer
			_ = hpack.NewEncoder(&more).WriteField(hpack.HeaderField{Name: fmt.Sprintf("x-%d", stream), Value: strings.Repeat("a", 8000)})
			return f.WriteContinuation(1, false, more.Bytes())
		},
	} {
		t.Run(name, func(t *testing.T) {
			peer, err := tls.Dial("tcp", strings.TrimPrefix(i.issuer, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			go io.Copy(io.Discard, peer) // receives the answers and drops them
			if err := peer.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(peer, http2.ClientPreface); err != nil {
				t.Fatal(err)
			}
			framer := http2.NewFramer(peer, nil)
			if err := framer.WriteSettings(); err != nil {
				t.Fatal(err)
			}
			sent := 0
			for stream := uint32(1); stream < 20_000 && err == nil; stream += 2 {
				err = flood(framer, stream)
				sent++
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after %d frames the server neither reads on nor ends the connection", sent)
			}
			if name == "header without end" && err == nil {
				t.Errorf("%d frames of one header were taken", sent)
			}
			response, err := i.ca.client(nil).Get(i.issuer + "/login")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("others get %s", response.Status)
			}
		})
	}
}

// TestOverload_SlowReadersTakeNobodysPlace sends more requests than a node works on at once,
// from peers that never read the answers. All other requests are answered.
// HT-06: Slow and idle connections end; their number is limited.
func TestOverload_SlowReadersTakeNobodysPlace(t *testing.T) {
	t.Parallel()
	i := startTLS(t, "localhost")
	for path, connections := range map[string]int{"/login": 7, i.stylesheet(t): 7} {
		for range connections {
			i.askWithoutReading(t, path, 100)
		}
	}
	for range 3 {
		response, err := i.ca.client(nil).Get(i.issuer + "/login")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("others get %s", response.Status)
		}
	}
}

// stylesheet returns the path of the stylesheet of the sign-in page.
func (i *tlsInstance) stylesheet(t *testing.T) string {
	t.Helper()
	response, err := i.ca.client(nil).Get(i.issuer + "/login")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile(`/static/site\.[0-9a-f]+\.css`).FindString(string(page))
	if path == "" {
		t.Fatalf("no stylesheet in\n%s", page)
	}
	return path
}

// askWithoutReading sends count requests on one HTTP/2 connection that accepts no byte of a
// body, and waits for the headers of all answers.
func (i *tlsInstance) askWithoutReading(t *testing.T, path string, streams int) {
	t.Helper()
	peer, err := tls.Dial("tcp", strings.TrimPrefix(i.issuer, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if _, err := io.WriteString(peer, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(peer, peer)
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize}); err != nil {
		t.Fatal(err)
	}
	for n := range streams {
		var block bytes.Buffer
		encode := hpack.NewEncoder(&block)
		for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: path}, {Name: ":authority", Value: "localhost"}} {
			if err := encode.WriteField(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 1), BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
			t.Fatal(err)
		}
	}
	for begun := 0; begun < streams; {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := frame.(*http2.HeadersFrame); ok {
			begun++
		}
	}
}

// TestOverload_AnUpstreamThatHangsStopsOnlyItsVisitors sends more people to a hanging upstream
// than may wait for it at once. All other requests are answered.
// HT-06: Slow and idle connections end; their number is limited.
// ST-15: No hashing and no network call happens inside a transaction.
func TestOverload_AnUpstreamThatHangsStopsOnlyItsVisitors(t *testing.T) {
	t.Parallel()
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and sends nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	f := &followed{Instance: signettest.NewInstance(t), file: filepath.Join(t.TempDir(), "signet.yaml")}
	f.client = f.CreateClient(t, "--redirect-uri", signettest.Nowhere, "--skip-consent")
	f.write(t, fmt.Sprintf("connectors: [{id: corp, type: oidc, issuer: \"http://%s\", client_id: a, client_secret: b}]\n", hanging.Addr()))
	signettest.StartSignet(t, f.Issuer, f.Env, "serve", "--config", f.file)
	b := f.arrive(t)
	start := wayTo(t, b, "corp")

	var refused atomic.Int64
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			request, err := http.NewRequest(http.MethodGet, start, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for _, c := range b.Client.Jar.Cookies(request.URL) {
				request.AddCookie(c)
			}
			response, err := signettest.Crowd.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			if body, _ := io.ReadAll(response.Body); bytes.Contains(body, []byte(tooMany)) {
				refused.Add(1)
			}
		})
	}
	signettest.Eventually(t, 20*time.Second, "the surplus is turned away", func() bool { return refused.Load() > 0 })
	for range 20 {
		if signettest.FindByID(f.arrive(t).Page, "login") == nil {
			t.Error("somebody else gets no sign-in page")
		}
	}
	all.Wait()
}

// wayTo presses a connector's button and returns the address, without opening it.
func wayTo(t *testing.T, b *signettest.FormBrowser, id string) string {
	t.Helper()
	form := signettest.FindByID(b.Page, "connector-"+id)
	for form.Data != "form" {
		form = form.Parent
	}
	action, err := b.At.Parse(signettest.Attribute(form, "action"))
	if err != nil {
		t.Fatal(err)
	}
	fields := url.Values{}
	for input := range form.Descendants() {
		if name := signettest.Attribute(input, "name"); name != "" {
			fields.Set(name, signettest.Attribute(input, "value"))
		}
	}
	response, err := b.Client.PostForm(action.String(), fields)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	_, target, _ := strings.Cut(response.Header.Get("Refresh"), "url=")
	way, err := b.At.Parse(target)
	if err != nil || !strings.HasSuffix(way.Path, "/start") {
		t.Fatalf("the button leads to %q (%s), %v", target, response.Status, err)
	}
	return way.String()
}
