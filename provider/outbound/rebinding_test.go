package outbound_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"signet/provider/outbound"
)

// nameServer answers each query for an address with the next one of a list, and then repeats the
// last one.
func nameServer(t *testing.T, answers ...[4]byte) (*net.Resolver, *atomic.Int64) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	var asked atomic.Int64
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			if text := reply(buffer[:n], answers, &asked); text != nil {
				socket.WriteTo(text, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}, &asked
}

func reply(question []byte, answers [][4]byte, asked *atomic.Int64) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		i := min(int(asked.Add(1)), len(answers)) - 1
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0},
			Body:   &dnsmessage.AResource{A: answers[i]},
		}}
	}
	text, err := m.Pack()
	if err != nil {
		return nil
	}
	return text
}

// TestOutbound_DNSRebindingIsRefused: the first look-up of a name gives a public address, the second
// an internal one. The check uses the address of the connection.
// DR-03: DNS changes, redirects and downgrades to http do not get around that.
func TestOutbound_DNSRebindingIsRefused(t *testing.T) {
	reached := atomic.Bool{}
	server, c := startHTTPS(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var asked *atomic.Int64
	c.Resolver, asked = nameServer(t, [4]byte{93, 184, 216, 34}, [4]byte{127, 0, 0, 1})
	found, err := c.Resolver.LookupIPAddr(t.Context(), "rebind.example.com")
	if err != nil || !found[0].IP.Equal(net.IPv4(93, 184, 216, 34)) {
		t.Fatalf("the first look-up gave %v, %v", found, err)
	}
	c.Timeout = 3 * time.Second
	_, err = read(outbound.New(c).Foreign(), "https://rebind.example.com:"+port+"/")
	if !errors.Is(err, outbound.ErrNotPublic) || reached.Load() {
		t.Errorf("got %v, reached %v; want ErrNotPublic", err, reached.Load())
	}
	if asked.Load() < 2 {
		t.Errorf("the name was looked up %d times, want 2 or more", asked.Load())
	}
}

// DR-02: Calls to addresses from strangers never reach loopback or private networks; the
// connected address is checked.
func TestOutbound_NameOfInternalAddressIsRefused(t *testing.T) {
	for _, inside := range [][4]byte{{127, 0, 0, 1}, {10, 0, 0, 5}, {169, 254, 169, 254}, {0, 0, 0, 0}, {100, 64, 0, 1}} {
		resolver, _ := nameServer(t, inside)
		client := outbound.New(outbound.Config{Resolver: resolver, Timeout: 3 * time.Second}).Foreign()
		if _, err := read(client, "https://metadata.example.com/"); !errors.Is(err, outbound.ErrNotPublic) {
			t.Errorf("%v: got %v, want ErrNotPublic", inside, err)
		}
	}
}
