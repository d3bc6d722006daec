package socket_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"signet/cmd/signet/socket"
)

// crowded is a server with a small limit. Addresses of loopback are its networks; 127.0.0.9 is
// a proxy. 127.0.1.N stands for an address in the Nth network of one IPv6 /48.
type crowded struct {
	crowd   *socket.Crowd
	address string
	began   chan struct{} // one for each request of /slow
	release chan struct{} // ends the requests of /slow
}

func startCrowded(t *testing.T, most, share int, secure bool) *crowded {
	t.Helper()
	c := &crowded{began: make(chan struct{}, 100), release: make(chan struct{})}
	c.crowd = socket.NewCrowd(most, share, func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.9") })
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			c.began <- struct{}{}
			<-c.release
		}
		io.WriteString(w, "ok")
	}))
	server.Config.ConnState = c.crowd.Follow
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	plain := server.Listener
	server.Listener = c.crowd.Limit(ipv6Listener{plain})
	c.address = plain.Addr().String()
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() {
		select {
		case <-c.release:
		default:
			close(c.release)
		}
		server.Config.Close()
		plain.Close()
	})
	return c
}

// ipv6Listener gives the connections from 127.0.1.0/24 an IPv6 address.
type ipv6Listener struct{ net.Listener }

func (l ipv6Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if n, is := strings.CutPrefix(conn.RemoteAddr().(*net.TCPAddr).IP.String(), "127.0.1."); is {
		return ipv6Conn{conn, &net.TCPAddr{IP: net.ParseIP("2001:db8:1:" + n + "::1"), Port: 1}}, nil
	}
	return conn, nil
}

type ipv6Conn struct {
	net.Conn
	remote net.Addr
}

func (c ipv6Conn) RemoteAddr() net.Addr { return c.remote }

func (c *crowded) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 20 * time.Second}
	peer, err := dialer.DialContext(t.Context(), "tcp", c.address)
	must(t, err)
	t.Cleanup(func() { peer.Close() })
	return peer
}

// waitFor waits until so many connections of 127.0.0.2 wait.
func (c *crowded) waitFor(t *testing.T, n int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for c.crowd.Waiting("127.0.0.2") != n {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections wait, want %d", c.crowd.Waiting("127.0.0.2"), n)
		}
		runtime.Gosched()
	}
}

// ask sends a request on a connection and reads the answer.
func ask(t *testing.T, peer net.Conn, path string) error {
	t.Helper()
	if _, err := fmt.Fprintf(peer, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		return err
	}
	must(t, peer.SetReadDeadline(time.Now().Add(20*time.Second)))
	answer, err := http.ReadResponse(bufio.NewReader(peer), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// ended waits until the server has closed the connection.
func ended(t *testing.T, name string, peer net.Conn) {
	t.Helper()
	must(t, peer.SetReadDeadline(time.Now().Add(20*time.Second)))
	if _, err := io.Copy(io.Discard, peer); err != nil && os.IsTimeout(err) {
		t.Errorf("%s: the connection is still open", name)
	}
}

// waitingKinds are the ways in which a peer holds a connection without a running request.
var waitingKinds = map[string]struct {
	secure bool
	hold   func(t *testing.T, peer net.Conn)
}{
	"silent":          {false, func(*testing.T, net.Conn) {}},
	"half a header":   {false, func(t *testing.T, peer net.Conn) { say(t, peer, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ") }},
	"after a request": {false, func(t *testing.T, peer net.Conn) { must(t, ask(t, peer, "/")) }},
	"half a second header": {false, func(t *testing.T, peer net.Conn) {
		must(t, ask(t, peer, "/"))
		say(t, peer, "GET / HTTP/1.1\r\nX-Slow: ")
	}},
	"no handshake":        {true, func(*testing.T, net.Conn) {}},
	"half a handshake":    {true, func(t *testing.T, peer net.Conn) { say(t, peer, "\x16\x03\x01\x02\x00\x01") }},
	"after the handshake": {true, func(t *testing.T, peer net.Conn) { secured(t, peer, "http/1.1") }},
	"HTTP/2 without a request": {true, func(t *testing.T, peer net.Conn) {
		conn := secured(t, peer, "h2")
		say(t, conn, http2.ClientPreface)
		framer := http2.NewFramer(conn, conn)
		must(t, framer.WriteSettings())
		for {
			frame, err := framer.ReadFrame()
			must(t, err)
			if settings, is := frame.(*http2.SettingsFrame); is && settings.IsAck() {
				return
			}
		}
	}},
}

func say(t *testing.T, peer net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(peer, text)
	must(t, err)
}

func secured(t *testing.T, peer net.Conn, protocol string) *tls.Conn {
	t.Helper()
	conn := tls.Client(peer, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
	must(t, conn.HandshakeContext(t.Context()))
	return conn
}

// TestCrowd_ClosesTheLongestWaitingOfANetwork fills the share of a network with each kind. One
// more connection closes the first of them; the others, other networks and running requests
// stay.
func TestCrowd_ClosesTheLongestWaitingOfANetwork(t *testing.T) {
	t.Parallel()
	const share = 4
	for name, kind := range waitingKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCrowded(t, 100, share, kind.secure)
			other := c.dial(t, "127.0.0.3")
			var busy []net.Conn // more than the share
			if !kind.secure {
				for range share + 2 {
					peer := c.dial(t, "127.0.0.2")
					say(t, peer, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
					<-c.began
					busy = append(busy, peer)
				}
			}
			var held []net.Conn
			for range share + 1 {
				peer := c.dial(t, "127.0.0.2")
				kind.hold(t, peer)
				held = append(held, peer)
				c.waitFor(t, min(len(held), share))
			}
			ended(t, name, held[0])
			if closed := c.crowd.TakeClosed(); closed != 1 {
				t.Errorf("%d connections were closed", closed)
			}
			if !kind.secure && name != "half a header" && name != "half a second header" {
				for n, peer := range held[1:] {
					if err := ask(t, peer, "/"); err != nil {
						t.Errorf("waiting connection %d: %v", n+1, err)
					}
				}
			}
			if !kind.secure {
				must(t, ask(t, other, "/"))
			}
			close(c.release)
			for _, peer := range busy {
				must(t, peer.SetReadDeadline(time.Now().Add(20*time.Second)))
				if line, err := bufio.NewReader(peer).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
					t.Errorf("a running request got %q, %v", line, err)
				}
			}
		})
	}
}

// TestCrowd_RunningRequestsOfHTTP2Stay fills the share with HTTP/2 connections, of which the
// oldest serves a request.
func TestCrowd_RunningRequestsOfHTTP2Stay(t *testing.T) {
	t.Parallel()
	const share = 3
	c := startCrowded(t, 100, share, true)
	first := secured(t, c.dial(t, "127.0.0.2"), "h2")
	transport := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return first, nil }}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+c.address+"/slow", nil)
	must(t, err)
	answered := make(chan error, 1)
	go func() {
		answer, err := transport.RoundTrip(request)
		if err == nil {
			if answer.ProtoMajor != 2 {
				t.Errorf("the answer came over %s, want HTTP/2", answer.Proto)
			}
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		answered <- err
	}()
	select {
	case <-c.began:
	case err := <-answered:
		t.Fatalf("the request ended with %v before the handler ran", err)
	}
	var held []net.Conn
	for range share + 2 {
		peer := c.dial(t, "127.0.0.2")
		waitingKinds["HTTP/2 without a request"].hold(t, peer)
		held = append(held, peer)
		c.waitFor(t, min(len(held), share))
	}
	ended(t, "first", held[0])
	ended(t, "second", held[1])
	close(c.release)
	must(t, <-answered)
}

// TestCrowd_ProxiesAndUnixPeersAreExempt holds more connections than the share.
func TestCrowd_ProxiesAndUnixPeersAreExempt(t *testing.T) {
	t.Parallel()
	c := startCrowded(t, 100, 2, false)
	var held []net.Conn
	for range 10 {
		held = append(held, c.dial(t, "127.0.0.9"))
	}
	for _, peer := range held {
		must(t, ask(t, peer, "/"))
	}
	path := filepath.Join(t.TempDir(), "signet.sock")
	listener := c.crowd.Limit(mustListen(t, path))
	server := &http.Server{Handler: http.NotFoundHandler(), ConnState: c.crowd.Follow}
	go server.Serve(listener)
	defer server.Close()
	held = nil
	for range 10 {
		peer, err := socket.Dial(t.Context(), socket.UnixAddress(path))
		must(t, err)
		defer peer.Close()
		held = append(held, peer)
	}
	for _, peer := range held {
		must(t, ask(t, peer, "/"))
	}
	if closed := c.crowd.TakeClosed(); closed != 0 {
		t.Errorf("%d connections were closed", closed)
	}
}

// TestCrowd_FullServerMakesPlace fills all places. A new connection takes that of the network
// with the most waiting ones; if none waits, it gets the next place.
func TestCrowd_FullServerMakesPlace(t *testing.T) {
	t.Parallel()
	const most = 6
	c := startCrowded(t, most, 100, false)
	small := c.dial(t, "127.0.0.3")
	must(t, ask(t, small, "/"))
	var large []net.Conn
	for range most - 1 {
		peer := c.dial(t, "127.0.0.2")
		must(t, ask(t, peer, "/"))
		large = append(large, peer)
		c.waitFor(t, len(large))
	}
	must(t, ask(t, c.dial(t, "127.0.0.4"), "/"))
	ended(t, "the largest network", large[0])
	must(t, ask(t, small, "/"))

	// The networks of one IPv6 /48 count together, although each has only one connection.
	wide := startCrowded(t, most, 100, false)
	var two []net.Conn
	for range 2 {
		two = append(two, wide.dial(t, "127.0.0.2"))
		must(t, ask(t, two[len(two)-1], "/"))
		wide.waitFor(t, len(two))
	}
	for n := range most - 2 {
		must(t, ask(t, wide.dial(t, fmt.Sprintf("127.0.1.%d", n+1)), "/"))
	}
	for n := range 2 {
		must(t, ask(t, wide.dial(t, fmt.Sprintf("127.0.0.%d", n+3)), "/"))
	}
	for _, peer := range two {
		must(t, ask(t, peer, "/"))
	}

	full := startCrowded(t, 2, 100, false)
	for range 2 {
		say(t, full.dial(t, "127.0.0.2"), "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		<-full.began
	}
	late := full.dial(t, "127.0.0.3") // waits for a place
	close(full.release)
	must(t, ask(t, late, "/"))
}

// BenchmarkCrowd_KeptConnection measures a request on a connection that stays open, with the
// limits and without them.
func BenchmarkCrowd_KeptConnection(b *testing.B) {
	for _, limited := range []bool{false, true} {
		b.Run(fmt.Sprintf("limited=%v", limited), func(b *testing.B) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
			if limited {
				crowd := socket.NewCrowd(100, 10, func(netip.Addr) bool { return false })
				server.Listener, server.Config.ConnState = crowd.Limit(server.Listener), crowd.Follow
			}
			server.Start()
			defer server.Close()
			for b.Loop() {
				answer, err := server.Client().Get(server.URL)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	}
}
