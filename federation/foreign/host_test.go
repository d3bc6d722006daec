package foreign_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"signet/federation/foreign"
)

// hosts lists names and addresses that browsers do not rewrite.
var hosts = []string{
	"app.example.com", "localhost", "intranet", "a", "0", "a.b.c.d.e", "xn--bcher-kva.example", "xn--fiqs8s", "r3---sn-x.example.com", "my_app.example.com",
	"_dmarc.example.com", "127.0.0.1", "192.0.2.255", "[::1]", "[2001:db8::1]", "[fe80::1]", "3com.example", "1.2.3.4.example", "xn--mgba3a4f16a.example",
	strings.Repeat("a", 63) + ".example", strings.Repeat(strings.Repeat("a", 49)+".", 5) + "com", "0x.example", "0xg", "1a", "xn--e1afmkfd.xn--p1ai",
}

func TestCheckHost_ValidHosts(t *testing.T) {
	for _, host := range hosts {
		if host == "0" { // browsers read a number as an IPv4 address
			continue
		}
		if err := foreign.CheckHost(host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestCheckHost_InvalidHostsAreRefused(t *testing.T) {
	for host, reason := range map[string]string{
		"": "no host", "-": "hyphen", "-a.example": "hyphen", "a-.example": "hyphen", "a.-": "hyphen", "--": "hyphen", "a..b": "empty label", ".": "dot", ".a": "empty label", "a.": "dot",
		"a.example.": "dot", "a..": "dot", "A.example": "lower-case", "a b": "character", "a/b": "character", "a@b": "character", "a:80": "character", "*.example": "character", "a%2eb": "character",
		"bücher.example": "punycode", "a\x00b": "character", "ａ.example": "character", "a。example": "character", "a,b": "character", "a+b": "character", "[::1": "IPv6", "::1": "character",
		"[::1]x": "IPv6", "[]": "IPv6", "[127.0.0.1]": "IPv6", "[::1%eth0]": "zone", "[::1%25eth0]": "zone", "[0:0::1]": "write [::1]", "[::0001]": "write [::1]", "[2001:DB8::1]": "write [2001:db8::1]",
		"[::ffff:127.0.0.1]": "four decimal numbers", "[v1.a]": "IPv6", "127.1": "four decimal", "0x7f.1": "four decimal", "2130706433": "four decimal", "0": "four decimal", "127.0.0.01": "four decimal",
		"0177.0.0.1": "four decimal", "127.0.0.0x1": "four decimal", "256.1.1.1": "four decimal", "1.2.3.4.5": "four decimal", "example.1": "four decimal", "a.0x": "four decimal", "a.0xff": "four decimal",
		"xn--": "hyphen", "xn--a": "punycode", "xn--a.example": "punycode", "www.xn--0.example": "punycode", "xn--abc-.example": "hyphen", "xn--bcher-kv.example": "punycode", "xn--example-.com": "hyphen",
		"xn--a-.b": "hyphen", "xn--zca-.x": "hyphen", strings.Repeat("a", 64) + ".example": "63", strings.Repeat("a.", 127) + "com": "253", strings.Repeat("a", 254): "253",
	} {
		if err := foreign.CheckHost(host); err == nil {
			t.Errorf("%q is accepted", host)
		} else if !strings.Contains(err.Error(), reason) {
			t.Errorf("%q is refused with %q, want a reason about %q", host, err, reason)
		}
	}
}

func TestCheckAuthority_PortsAsBrowsersWriteThem(t *testing.T) {
	for text, reason := range map[string]string{
		"https://a.example/": "", "https://a.example:8443/": "", "https://a.example:80/": "", "http://localhost:443/": "", "https://[::1]:8443/": "", "http://[::1]/": "", "https://a.example:65535/": "",
		"https://a.example:443/": "leave out", "http://localhost:80/": "leave out", "https://[::1]:443/": "leave out", "https://a.example:0443/": "invalid port", "https://a.example:0/": "invalid port",
		"https://a.example:/": "invalid port", "https://a.example:65536/": "invalid port", "https://:8443/": "no host", "https:///": "no host", "https://-/": "hyphen", "https://[fe80::1%25eth0]:1/": "zone",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		err = foreign.CheckAuthority(u)
		if (err == nil) != (reason == "") || err != nil && !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: got %v, want a reason about %q", text, err, reason)
		}
	}
}

// randomHost returns a valid host: a name of one to six labels, an IP address, or a name in
// punycode.
func randomHost(r *rand.Rand) string {
	switch r.IntN(8) {
	case 0:
		return netip.AddrFrom4([4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}).String()
	case 1:
		raw := [16]byte{0x20, 0x01, 0x0d, 0xb8}
		for i := 4 + r.IntN(12); i < 16; i++ {
			raw[i] = byte(r.Uint32())
		}
		return "[" + netip.AddrFrom16(raw).String() + "]"
	case 2:
		letters := []rune("äöüéèñçøåžščř")
		name := make([]rune, 1+r.IntN(10))
		for i := range name {
			name[i] = letters[r.IntN(len(letters))]
		}
		ascii, err := idna.Lookup.ToASCII(string(name))
		if err != nil {
			panic(err)
		}
		return ascii + ".example"
	}
	labels := make([]string, 1+r.IntN(6))
	for i := range labels {
		labels[i] = randomLabel(r)
	}
	labels[len(labels)-1] = "z" + strings.TrimPrefix(labels[len(labels)-1], "z") // not a number
	return strings.Join(labels, ".")
}

func randomLabel(r *rand.Rand) string {
	const ends, within = "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz0123456789-"
	text := []byte{ends[r.IntN(len(ends))]}
	for range r.IntN(20) {
		text = append(text, within[r.IntN(len(within))])
	}
	text = append(text, ends[r.IntN(len(ends))])
	if strings.HasPrefix(string(text), "xn--") {
		return "a"
	}
	return string(text)
}

// hostFaults lists ways to make a valid host invalid.
var hostFaults = map[string]func(host string) string{
	"a dot behind it":          func(h string) string { return h + "." },
	"a dot before it":          func(h string) string { return "." + h },
	"a label of nothing":       func(h string) string { return h + "..example" },
	"a hyphen before it":       func(h string) string { return "-" + h },
	"a hyphen behind it":       func(h string) string { return h + "-" },
	"a label that is a hyphen": func(h string) string { return "-." + h },
	"a long label":             func(h string) string { return strings.Repeat("a", 64) + "." + h },
	"many labels":              func(h string) string { return strings.Repeat("a.", 130) + h },
	"a port":                   func(h string) string { return h + ":1" },
	"a user":                   func(h string) string { return "u@" + h },
	"an escape":                func(h string) string { return "%61" + h },
	"a space":                  func(h string) string { return h + " " },
	"a capital":                func(h string) string { return "A" + h },
	"a letter beyond ASCII":    func(h string) string { return "é" + h },
	"broken punycode":          func(h string) string { return "xn--a." + h },
	"a number at its end":      func(h string) string { return h + ".7" },
	"a hexadecimal number":     func(h string) string { return h + ".0x7f" },
	"a zone":                   func(h string) string { return "[fe80::1%" + h + "]" },
}

// TestCheckHost_RandomHosts makes random valid hosts, and applies each fault to each of them.
func TestCheckHost_RandomHosts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		host := randomHost(r)
		if err := foreign.CheckHost(host); err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		u, err := url.Parse(fmt.Sprintf("https://%s:8443/cb", host))
		if err != nil || foreign.CheckAuthority(u) != nil {
			t.Fatalf("%s: CheckAuthority refuses it: %v, %v", host, err, foreign.CheckAuthority(u))
		}
		for name, spoil := range hostFaults {
			if foreign.CheckHost(spoil(host)) == nil {
				t.Fatalf("%s with %s is accepted", host, name)
			}
		}
	}
}

// FuzzCheckHost: the standard library does not rewrite accepted hosts, and they have no empty
// label and at most 253 characters.
func FuzzCheckHost(f *testing.F) {
	for _, host := range hosts {
		f.Add(host)
	}
	for _, spoil := range hostFaults {
		f.Add(spoil("a.example"))
	}
	f.Fuzz(func(t *testing.T, host string) {
		if foreign.CheckHost(host) != nil {
			return
		}
		u, err := url.Parse("https://" + host + "/")
		if err != nil || u.Host != host || u.Port() != "" || u.User != nil || u.Path != "/" || foreign.CheckAuthority(u) != nil {
			t.Fatalf("%q is accepted, but a URL with it is %v, %v", host, u, err)
		}
		if len(host) > 253 || strings.Contains(host, "..") || strings.ToLower(host) != host {
			t.Fatalf("%q is accepted", host)
		}
	})
}

func TestIsLoopbackAuthority(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8080": true, "LOCALHOST:1": true, "app.localhost:5173": true, "a.b.localhost": true, "127.0.0.1": true, "127.0.0.1:8080": true, "127.8.9.10:1": true, "[::1]": true, "[::1]:8080": true,
		"": false, ":8080": false, "evil.example": false, "evil.example:8080": false, "localhost.evil.example": false, "evillocalhost": false, "127.0.0.1.evil.example": false, "0.0.0.0:8080": false,
		"[::]": false, "[::1": false, "::1": false, "[::1].evil.example": false, "[::1]evil:1": false, "[127.0.0.1]": false, "192.168.1.2:8080": false, "10.0.0.1": false, "127.1": false, "0x7f.0.0.1": false, "2130706433": false,
		"localhost@evil.example": false, "localhost/": false, "evil.example/.localhost": false, "evil.example:1/.localhost": false, "evil\x00.localhost": false, ".localhost": false, "localhost.": false, "[fe80::1%lo]": false, "[::1%lo]:1": true,
	} {
		if got := foreign.IsLoopbackAuthority(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "": false, "localhost.example": false, "0.0.0.0": false, "10.0.0.1": false, "::": false, "example.com": false,
	} {
		if got := foreign.IsLoopback(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}
