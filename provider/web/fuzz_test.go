package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"signet/provider/web"
)

// FuzzForwardedFor: behind a trusted proxy, the client's address is one from the header,
// and a proxy's address only if there is no other. From any other peer it is the address
// of the peer. A peer at a unix socket is a trusted proxy without an address.
func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{
		"192.0.2.9", "203.0.113.1, 10.0.0.2", "10.0.0.3", "::1", "::ffff:192.0.2.9", "fe80::1%eth0", "192.0.2.9:80", "[2001:db8::1]", "unknown", ",", " 192.0.2.9 ,x",
	} {
		f.Add(seed)
	}
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, header string) {
		for peer, trusted := range map[string]bool{"10.0.0.1:1": true, "192.0.2.1:1": false, "not an address": false, web.UnixPeer: true} {
			var got string
			handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = web.TraceOf(r.Context()).Address })
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = peer
			r.Header["X-Forwarded-For"] = []string{header}
			web.Traced(slog.New(slog.DiscardHandler), []netip.Prefix{proxies}, time.Now, handler, handler).ServeHTTP(httptest.NewRecorder(), r)
			address, err := netip.ParseAddr(got)
			switch {
			case (peer == "not an address" || peer == web.UnixPeer) && got == "":
			case err != nil || address.Is4In6() || address.Zone() != "" || address.String() != got:
				t.Fatalf("%q gives the address %q", header, got)
			case !trusted && got != "192.0.2.1":
				t.Fatalf("an untrusted peer set the address %q", got)
			}
		}
	})
}
