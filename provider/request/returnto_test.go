package request_test

import (
	"net/url"
	"strings"
	"testing"

	"signet/provider/request"
)

// foreignAddresses are addresses that some browser or proxy reads as another host or
// another path, or does not accept as an address.
var foreignAddresses = []string{
	"", " ", "evil", "evil.example", "@evil.example", "https://evil.example", "https://evil.example/", "http:evil", "https:evil.example", "https:/evil.example",
	"https:///evil.example", "//evil.example", "///evil.example", "////evil.example", "//evil.example/..", "//", "//@evil.example", "//user@evil.example/",
	`\\evil.example`, `/\evil.example`, `\/evil.example`, `/\/evil.example`, `/\\evil.example`, `//\evil.example`, `/account\..\..\`,
	"/%09/evil.example", "/\t/evil.example", "\t//evil.example", "/\n/evil.example", "/\r\n/evil.example", "/%0a/evil.example", "/%0d%0aLocation:%20//evil.example", "/\x00/evil", "/\v/evil", " //evil.example", "/ /evil.example",
	"/%2f/evil.example", "/%2fevil.example", "/%2F%2Fevil.example", "%2f%2fevil.example", "/%5cevil.example", "/%5c%5cevil.example", "/%255cevil.example", "/%252fevil.example", "/%25252fevil.example",
	"/../evil", "/..//evil.example", "/./evil", "/.//evil.example", "/account/../../evil", "/account/..", "/account/.", "/%2e%2e/evil", "/%2e%2e//evil.example", "/%252e%252e/evil", "/account/%2e%2e/%2e%2e/evil", "/.%2e/evil",
	"/account//evil", "/account//", "/;@evil.example//",
	"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x", "blob:/x", "file:///etc/passwd", "mailto:a@b",
	"/\u2215evil", "/\u2028evil", "/é", "/\xff", "/\ufeff/evil.example", "\u3002", "//\u3002", "?x", "#x", "?//evil.example", "/%zz", "/%", "/a\x7f",
	"/" + strings.Repeat("a", 2000),
}

// HT-10: return_to and similar parameters never lead to another host.
func TestLocalPath_RefusesForeignAddresses(t *testing.T) {
	for _, base := range []string{"", "/auth", "/tenants/one"} {
		for _, s := range foreignAddresses {
			for _, returnTo := range []string{s, base + s} {
				if base != "" && strings.HasPrefix(s, "?") && returnTo != s {
					continue // the base without its slash is not below it: tested below
				}
				if got, ok := request.LocalPath(returnTo, base); ok || got != "" {
					t.Errorf("base %q: %q is accepted as %q", base, returnTo, got)
				}
			}
		}
	}
	// Only paths below the issuer's path are accepted.
	for _, returnTo := range []string{"/", "/account", "/auth", "/authors", "/auth2/account", "/other/auth/account", "/auth?x", "/auth/../account", "/AUTH/account"} {
		if got, ok := request.LocalPath(returnTo, "/auth"); ok {
			t.Errorf("base /auth: %q is accepted as %q", returnTo, got)
		}
	}
}

// HT-10: return_to and similar parameters never lead to another host.
func TestLocalPath_ReturnsOwnPathsUnchanged(t *testing.T) {
	for _, path := range []string{
		"/", "/account", "/account/", "/account/sessions", "/authorize/next?request=abc_-123", "/account?tab=apps&x=%2F%2Fevil.example", "/account?next=//evil.example",
		"/account?x=a%0d%0ab", "/account#security", "/@me", "/a:b", "/account?q=a+b;c",
	} {
		for _, base := range []string{"", "/auth"} {
			if got, ok := request.LocalPath(base+path, base); !ok || got != base+path {
				t.Errorf("base %q: %q gives %q, %v", base, base+path, got, ok)
			}
		}
	}
}

// FuzzLocalPath checks that every accepted address leads browsers to a path below the base,
// on the same host.
func FuzzLocalPath(f *testing.F) {
	for _, s := range foreignAddresses {
		f.Add(s)
		f.Add("/auth" + s)
	}
	f.Add("/auth/account?x=1#y")
	f.Fuzz(func(t *testing.T, returnTo string) {
		for _, base := range []string{"", "/auth"} {
			got, ok := request.LocalPath(returnTo, base)
			if !ok {
				if got != "" {
					t.Fatalf("%q is refused, but returned as %q", returnTo, got)
				}
				continue
			}
			if got != returnTo || strings.ContainsAny(got, "\\\t\r\n\x00 ") || len(got) < 1 || (len(got) > 1 && got[0] == '/' && got[1] == '/') {
				t.Fatalf("base %q: %q is returned as %q", base, returnTo, got)
			}
			issuer, err := url.Parse("https://id.example.com" + base + "/login")
			if err != nil {
				t.Fatal(err)
			}
			target, err := issuer.Parse(got)
			if err != nil || target.Scheme != "https" || target.Host != "id.example.com" || target.User != nil {
				t.Fatalf("base %q: %q leads to %v, %v", base, returnTo, target, err)
			}
			if !strings.HasPrefix(target.Path, base+"/") || strings.Contains(target.Path, "//") {
				t.Fatalf("base %q: %q leads to the path %q", base, returnTo, target.Path)
			}
		}
	})
}
