package provider_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// TestHeaders_EveryAnswerHasSecurityHeaders calls every route with every method, and paths
// that do not exist.
//
// HT-14: security headers are on every answer, errors included.
func TestHeaders_EveryAnswerHasSecurityHeaders(t *testing.T) {
	for _, issuer := range []string{"", providertest.HTTPSIssuer, providertest.HTTPSIssuer + "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			paths := append(providertest.Routes(t), "/nowhere", "/static/nowhere", "//odd", "/login/", "/%2e%2e/login", "/favicon.ico", "/index.html", "/.git/config")
			for _, path := range paths {
				for _, method := range providertest.Methods {
					a := b.CallRoute(t, method, path, nil)
					referrer := "no-referrer" // redirects above all: they carry codes
					if a.Header.Get("Content-Type") == "text/html; charset=utf-8" && a.Header.Get("Location") == "" {
						referrer = "same-origin" // with no-referrer, forms of pages would have Origin: null
					}
					for name, want := range map[string]string{
						"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": referrer, "Cross-Origin-Opener-Policy": "same-origin",
						"Strict-Transport-Security": map[bool]string{true: "max-age=31536000"}[issuer != ""],
					} {
						if got := a.Header.Values(name); len(got) > 1 || a.Header.Get(name) != want {
							t.Errorf("%s %s (%d): %s is %q, want %q", method, path, a.StatusCode, name, got, want)
						}
					}
					csp := a.Header.Values("Content-Security-Policy")
					for _, part := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
						if len(csp) != 1 || !slices.Contains(strings.Split(csp[0], "; "), part) {
							t.Errorf("%s %s (%d): CSP %q lacks %s", method, path, a.StatusCode, csp, part)
						}
					}
					if len(a.Header.Values("Cache-Control")) != 1 || a.Header.Get("Date") == "" {
						t.Errorf("%s %s (%d): Cache-Control %q, Date %q", method, path, a.StatusCode, a.Header.Values("Cache-Control"), a.Header.Get("Date"))
					}
					for _, telling := range []string{"Server", "X-Powered-By", "Via"} {
						if a.Header.Get(telling) != "" {
							t.Errorf("%s %s: %s: %s", method, path, telling, a.Header.Get(telling))
						}
					}
				}
			}
		}, providertest.WithIssuerIfSet(issuer))
	}
}

// TestHeaders_OnlyPublicThingsAreCached: caches may store only the public documents and the
// files with a hash in their name.
//
// HT-14: security headers are on every answer, errors included.
func TestHeaders_OnlyPublicThingsAreCached(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, path := range append(providertest.Routes(t), "/nowhere") {
			public := path == "/jwks" || path == "/favicon.ico" || strings.HasPrefix(path, "/.well-known/o")
			for _, method := range providertest.Methods {
				got := b.CallRoute(t, method, path, nil).Header.Get("Cache-Control")
				if got != "no-store" && !(public && strings.HasPrefix(got, "public, max-age=")) {
					t.Errorf("%s %s: Cache-Control %q", method, path, got)
				}
			}
		}
	})
}

// pages returns all pages that a signed-in visitor can open.
func pages(t *testing.T, b *providertest.Testbed) map[string]providertest.Stop {
	t.Helper()
	s := b.Bench(t)
	request := url.Values{"request": {s.Request(t, "prompt", "select_account consent")}}.Encode()
	device := s.Visitor.OpenDevice(t, b.Televisions(t).StartDevice(t))
	pages := map[string]providertest.Stop{
		"device":          device,
		"device's code":   s.Visitor.Submit(t, s.Visitor.Get(t, b.Issuer+"/device").Form(t), "user_code", "BCDF-GHJK"),
		"stranger's home": b.Visitor(t).Get(t, b.Issuer+"/"),
		"stranger":        b.Visitor(t).Get(t, b.AuthorizeURL()),
		"wrong password":  s.Visitor.SignIn(t, s.Visitor.Get(t, b.AuthorizeURL("prompt", "login")), providertest.Alice, "wrong"),
		"consent":         s.Visitor.Get(t, b.Issuer+"/consent?"+request),
		"select":          s.Visitor.Get(t, b.Issuer+"/select?"+request),
		"sign out":        s.Visitor.Get(t, b.EndSessionURL()),
		"error":           s.Visitor.Get(t, b.Issuer+"/authorize?client_id=nobody"),
		"not found":       s.Visitor.Get(t, b.Issuer+"/nowhere"),
		"signed out":      b.Visitor(t).Get(t, b.EndSessionURL()),
	}
	pages["device denied"] = s.Visitor.Submit(t, device.Form(t), "decision", "deny")
	f := s.Form(t, "/consent")
	f.Values.Set("decision", "deny")
	pages["continue"] = providertest.Stop{Answer: providertest.Do(t, s.Visitor.Client, s.Visitor.FormRequest(t, f))}
	for _, path := range providertest.Routes(t) {
		if page := s.Visitor.Get(t, b.Issuer+path); page.Header.Get("Content-Type") == "text/html; charset=utf-8" {
			pages[path] = page
		}
	}
	return pages
}

var inline = regexp.MustCompile(`(?i)<script(?:\s+[^>]*)?>\s*[^<\s]|<style|\sstyle=|\son[a-z]+=|javascript:|<base|<object|<embed|<iframe|<meta[^>]+http-equiv|(?:src|href)="(?:https?:)?//(?:cdn|fonts|[^"]*google)`)

// TestHeaders_PagesNeedNoInlineCode checks the content security policy and the HTML of all
// pages.
//
// HT-15: the policy allows no inline code. CF-10: pages load nothing from other hosts.
func TestHeaders_PagesNeedNoInlineCode(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		pages := pages(t, b)
		if len(pages) < 14 {
			t.Fatalf("found only %d pages", len(pages))
		}
		for name, page := range pages {
			if page.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(page.Body, "<!doctype html>") {
				t.Errorf("%s is not a page: %d %s", name, page.StatusCode, page.Header.Get("Content-Type"))
			}
			csp := page.Header.Get("Content-Security-Policy")
			for directive := range strings.SplitSeq(csp, "; ") {
				kind, sources, _ := strings.Cut(directive, " ")
				if sources != "'none'" && sources != "'self'" {
					t.Errorf("%s: %s allows %s", name, kind, sources)
				}
			}
			if !strings.Contains(csp, "form-action 'self'") || !strings.Contains(csp, "script-src 'self'") {
				t.Errorf("%s: CSP %s", name, csp)
			}
			if found := inline.FindString(page.Body); found != "" {
				t.Errorf("%s: %q", name, found)
			}
		}
	})
}

// TestHeaders_PagesWithTicketsAreNotCompressed: the length of a compressed page would reveal
// the ticket beside reflected input.
//
// HT-20: compression reveals no ticket.
func TestHeaders_PagesWithTicketsAreNotCompressed(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		for _, path := range []string{"/end_session", "/", "/account/profile", "/login"} {
			r, _ := http.NewRequest(http.MethodGet, b.Issuer+path, nil)
			r.Header.Set("Accept-Encoding", "gzip, br, zstd, deflate")
			if got := providertest.Do(t, v.Client, r).Header.Get("Content-Encoding"); got != "" {
				t.Errorf("%s is encoded with %s", path, got)
			}
		}
	})
}

// forwarded are headers in which a proxy reports the origin and target of a request. Some
// programs accept them from everybody.
var forwarded = []string{
	"X-Forwarded-Host", "X-Forwarded-Server", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Scheme", "Forwarded",
	"X-Original-Url", "X-Rewrite-Url", "X-Original-Host", "X-Host", "X-Http-Host-Override", "Front-End-Https", "X-Url-Scheme", "Base-Url",
}

// TestHeaders_HostAndForwardingHeadersChangeNothing sends foreign values of these headers to
// every endpoint.
//
// HT-01: they change no answer. KY-13: discovery and JWKS do not depend on them.
func TestHeaders_HostAndForwardingHeadersChangeNothing(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		evil := http.Header{}
		for _, name := range forwarded {
			evil.Set(name, "evil.example")
		}
		evil.Set("Forwarded", "for=1.2.3.4;host=evil.example;proto=https")
		evil.Set("X-Original-Url", "/account?evil.example")
		evil.Set("X-Forwarded-Proto", "https")
		v := b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		for _, path := range append(providertest.Routes(t), "/nowhere", "/authorize?"+b.Params().Encode(), "/login?return_to=/account") {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				r, _ := http.NewRequest(method, b.Issuer+path, nil)
				plain := providertest.Do(t, v.Client, r)
				r, _ = http.NewRequest(method, b.Issuer+path, nil)
				r.Header, r.Host = evil.Clone(), "evil.example"
				r.AddCookie(v.Cookie(t, "signet")) // the jar would use the Host header
				a := providertest.Do(t, providertest.Direct, r)
				if a.StatusCode != plain.StatusCode || len(a.Cookies()) != len(plain.Cookies()) {
					t.Errorf("%s %s: got %d, want %d", method, path, a.StatusCode, plain.StatusCode)
				}
				if where := fmt.Sprint(a.Header, a.Body); strings.Contains(where, "evil.example") {
					t.Errorf("%s %s: the answer contains the foreign host: %s", method, path, where)
				}
			}
		}
		r, _ := http.NewRequest(http.MethodGet, b.Issuer+providertest.WellKnown, nil)
		r.Header, r.Host = evil, "evil.example"
		if got := providertest.Do(t, providertest.Direct, r).JSON(t)["issuer"]; got != b.Issuer {
			t.Errorf("issuer: %v", got)
		}
		if got := v.CodeFromSession(t); got == "" {
			t.Error("the session has ended")
		}
	})
}

// TestHeaders_AddressAndIdentityHeadersAreIgnored sends such headers without a trusted proxy.
//
// HT-02: forwarding headers from untrusted peers are ignored.
func TestHeaders_AddressAndIdentityHeadersAreIgnored(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		spoofed := http.Header{}
		for _, name := range []string{
			"X-Forwarded-For", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Cluster-Client-Ip", "Forwarded", "X_Forwarded_For", "X-Forwarded_For",
		} {
			spoofed[name] = []string{"203.0.113.66"}
		}
		for _, name := range []string{
			"Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Auth-Request-Email", "X-Auth-Request-User", "X-Webauth-User", "X_Remote_User", "X-Forwarded-Preferred-Username", "X-Authenticated-Userid",
		} {
			spoofed[name] = []string{providertest.Alice}
		}
		if a := b.CallRoute(t, http.MethodGet, "/", spoofed); strings.Contains(a.Body, providertest.Alice) {
			t.Error("a header signs the visitor in")
		}
		v := b.Visitor(t)
		f := v.Get(t, b.AuthorizeURL()).Form(t)
		f.Values.Set("username", providertest.Alice)
		for _, pass := range []string{"wrong", providertest.Password} {
			f.Values.Set("password", pass)
			r := v.FormRequest(t, f)
			for name, value := range spoofed {
				r.Header[name] = value
			}
			providertest.Do(t, v.Client, r)
		}
		failed, succeeded := b.WantEvent(t, storage.UserSignInFailed, b.Alice.ID), b.WantEvent(t, storage.UserSignedIn, b.Alice.ID)
		if failed.From.Address != "127.0.0.1" || succeeded.From.Address != "127.0.0.1" || strings.Contains(b.Log.String(), "203.0.113.66") {
			t.Errorf("addresses: %q and %q", failed.From.Address, succeeded.From.Address)
		}
	})
}

// TestHeaders_TrustedProxyCountsForOneHop: behind a trusted proxy, the client address is the
// last one that no trusted proxy has. Addresses before it, which the visitor may have
// written, do not count.
//
// HT-02: forwarding headers count only from trusted proxies.
func TestHeaders_TrustedProxyCountsForOneHop(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for sent, want := range map[string]string{
			"203.0.113.66":                              "203.0.113.66",
			"6.6.6.6, 203.0.113.66":                     "203.0.113.66",
			"6.6.6.6, 203.0.113.66, 10.0.0.7":           "203.0.113.66",
			"6.6.6.6, 203.0.113.66, 10.0.0.7, 10.1.1.1": "203.0.113.66",
			"6.6.6.6|203.0.113.66":                      "203.0.113.66", // in two headers
			"203.0.113.66|10.0.0.7|10.1.1.1":            "203.0.113.66",
			"6.6.6.6|":                                  "127.0.0.1",
			"6.6.6.6,203.0.113.66":                      "203.0.113.66",
			"  203.0.113.66  ":                          "203.0.113.66",
			"203.0.113.66:4711":                         "203.0.113.66",
			"6.6.6.6, 203.0.113.66:80, 10.0.0.7:1":      "203.0.113.66",
			"::ffff:203.0.113.66":                       "203.0.113.66",
			"[::ffff:203.0.113.66]:4711":                "203.0.113.66",
			"203.0.113.66, ::ffff:10.0.0.7":             "203.0.113.66",
			"2001:db8::1":                               "2001:db8::1",
			"2001:DB8:0:0::1":                           "2001:db8::1",
			"[2001:db8::1]":                             "2001:db8::1",
			"[2001:db8::1]:4711":                        "2001:db8::1",
			"2001:db8::1%eth0":                          "2001:db8::1",
			"fe80::1%eth0, fd00::7%1":                   "fe80::1",
			"6.6.6.6, garbage":                          "127.0.0.1",
			"6.6.6.6, garbage, 10.0.0.7":                "10.0.0.7",
			"6.6.6.6, unknown":                          "127.0.0.1",
			"6.6.6.6, _hidden":                          "127.0.0.1",
			"6.6.6.6, 203.0.113.066":                    "127.0.0.1", // octal for some parsers
			"6.6.6.6, 203.0.113.66/32":                  "127.0.0.1",
			"6.6.6.6, 0x7f.1":                           "127.0.0.1",
			"6.6.6.6, 203.0.113.66;10.0.0.7":            "127.0.0.1",
			"6.6.6.6, \"203.0.113.66\"":                 "127.0.0.1",
			"6.6.6.6,":                                  "127.0.0.1",
			",":                                         "127.0.0.1",
			"":                                          "127.0.0.1",
			"10.0.0.7":                                  "10.0.0.7",
			strings.Repeat("6.6.6.6,", 1000) + "10.0.0.7, 203.0.113.66": "203.0.113.66",
		} {
			before := len(b.Log.String())
			b.CallRoute(t, http.MethodGet, "/readyz", http.Header{
				"X-Forwarded-For": strings.Split(sent, "|"), "X-Real-Ip": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6"}, "X_Forwarded_For": {"6.6.6.6"}, "X-Forwarded_for": {"6.6.6.6"}, "X-Client-Ip": {"6.6.6.6"},
			})
			if line := b.Log.String()[before:]; !strings.Contains(line, `"address":"`+want+`"`) {
				t.Errorf("X-Forwarded-For %.60q: want %s in %s", sent, want, line)
			}
		}
	}, func(c *provider.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
}

// TestHeaders_MethodCannotBeOverridden sends method override headers and fields.
//
// HT-04: they are ignored.
func TestHeaders_MethodCannotBeOverridden(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := v.SignInAndRedeem(t, providertest.Alice)
		for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "_method"} {
			for _, path := range providertest.FormEndpoints {
				r, _ := http.NewRequest(http.MethodGet, b.Issuer+path, nil)
				r.Header[name] = []string{http.MethodPost}
				if a := providertest.Do(t, providertest.Direct, r); a.StatusCode != http.StatusMethodNotAllowed || strings.TrimSuffix(a.Header.Get("Allow"), ", OPTIONS") != http.MethodPost {
					t.Errorf("GET %s with %s: got %d, Allow %q", path, name, a.StatusCode, a.Header.Get("Allow"))
				}
				r, _ = http.NewRequest(http.MethodGet, b.Issuer+path+"?_method=POST", nil)
				if a := providertest.Do(t, providertest.Direct, r); a.StatusCode != http.StatusMethodNotAllowed {
					t.Errorf("GET %s?_method=POST: got %d", path, a.StatusCode)
				}
			}
			f := v.Get(t, b.EndSessionURL()).Form(t)
			r, _ := http.NewRequest(http.MethodGet, f.Action+"?"+providertest.WithDecision(f, "allow").Values.Encode()+"&_method=POST", nil)
			r.Header[name] = []string{http.MethodPost}
			providertest.Do(t, v.Client, r)
			v.WantSignedIn(t)
			r, _ = http.NewRequest(http.MethodPost, b.Issuer+"/userinfo", nil)
			r.Header[name] = []string{http.MethodDelete}
			r.Header.Set("Authorization", "Bearer "+tokens["access_token"].(string))
			if a := providertest.Do(t, providertest.Direct, r); a.StatusCode != http.StatusOK {
				t.Errorf("POST /userinfo with %s: DELETE: got %d", name, a.StatusCode)
			}
		}
	})
}

// TestHeaders_OnlyAllowedOriginsReadAnswers calls every route from every origin. Only the
// public documents are for all origins. Only the first-party app, here at the issuer's own
// origin, may send credentials.
//
// HT-09 and SS-12: only configured origins, exactly compared, get CORS headers.
func TestHeaders_OnlyAllowedOriginsReadAnswers(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Register(t, storage.SPA, "spa", "https://spa.example.com/cb")
		b.Follow(t)
		v := b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		shared := []string{"/token", "/userinfo", "/revoke", "/par", "/register/client_id"}
		for _, path := range append(providertest.Routes(t), "/nowhere") {
			public := path == "/jwks" || path == "/admin/api/v1/openapi.json" || strings.HasPrefix(path, "/.well-known/o")
			for origin, registered := range map[string]bool{
				"https://spa.example.com": true, "https://evil.example": false, "null": false, "http://spa.example.com": false, "https://spa.example.com.evil.example": false,
				"https://xspa.example.com": false, "https://spa.example.com:444": false, b.Issuer: false, "": false, "https://spa.example.com/": false,
			} {
				for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
					r, _ := http.NewRequest(method, b.Issuer+path, nil)
					if origin != "" {
						r.Header.Set("Origin", origin)
					}
					r.Header.Set("Access-Control-Request-Method", http.MethodPost)
					r.Header.Set("Access-Control-Request-Headers", "authorization")
					a := providertest.Do(t, v.Client, r)
					app := slices.Contains([]string{"/refresh", "/logout", "/session"}, path) && a.StatusCode != http.StatusMethodNotAllowed
					ours := origin == b.Issuer && (app || path == "/login" && method == http.MethodOptions)
					want, credentials := "", 0
					switch {
					case ours:
						want, credentials = origin, 1
					case public && method != http.MethodPost:
						want = "*"
					case registered && method == http.MethodOptions && slices.Contains(shared, path):
						want = origin
					}
					if got := a.Header.Get("Access-Control-Allow-Origin"); got != want || len(a.Header.Values("Access-Control-Allow-Credentials")) != credentials {
						t.Errorf("%s %s from %q: allowed %q, want %q; credentials %q", method, path, origin, got, want, a.Header.Values("Access-Control-Allow-Credentials"))
					}
					if want == "" && !slices.Contains(shared, path) && a.Header.Get("Access-Control-Allow-Methods")+a.Header.Get("Access-Control-Allow-Headers") != "" {
						t.Errorf("%s %s from %q: %v", method, path, origin, a.Header)
					}
				}
			}
		}
	})
}

// TestHeaders_ContentTypeMatchesTheBody: an answer has the type of its body, and programs get
// JSON errors for unknown paths.
//
// HT-16: JSON errors have the JSON type.
func TestHeaders_ContentTypeMatchesTheBody(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, accept := range []string{"*/*", "application/json", "", "text/html"} {
			known := providertest.Routes(t)
			for _, path := range append(known, "/nowhere", "/token/x", "/api/v1/users", "/admin/api/v2/users", "/index.html", "/"+url.PathEscape("<script>alert(1)<script>")) {
				for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
					a := b.CallRoute(t, method, path, http.Header{"Accept": {accept}})
					kind := a.Header.Get("Content-Type")
					if kind == "application/problem+json" && strings.HasPrefix(path, "/admin/api/v1/") {
						kind = "application/json" // a JSON document too
					}
					if a.Body != "" && kind != "application/json" && kind != "text/html; charset=utf-8" && (path != "/favicon.ico" || kind != "image/vnd.microsoft.icon") {
						t.Errorf("%s %s: Content-Type %q with %.80q", method, path, kind, a.Body)
					}
					if kind == "application/json" {
						a.JSON(t)
					}
					strange := a.StatusCode == http.StatusNotFound && !slices.Contains(known, path)
					if strings.Contains(a.Body, "<script>") || strange && (kind == "application/json") == (accept == "text/html") {
						t.Errorf("%s %s, Accept %q: %d %s %s", method, path, accept, a.StatusCode, kind, a.Body)
					}
				}
			}
		}
	})
}

// TestHeaders_NoRequestSkipsTheRules: a user agent, a parameter or the end of a path changes
// no answer, even if it looks like a health check.
//
// HT-13: no user agent, query or path skips a check.
func TestHeaders_NoRequestSkipsTheRules(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		ask := func(method, path, agent string) providertest.Answer {
			return b.CallRoute(t, method, path, http.Header{"User-Agent": {agent}, "Accept": {"text/html"}})
		}
		for _, path := range providertest.Routes(t) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				plain := ask(method, path, "Mozilla/5.0")
				for _, agent := range []string{"kube-probe/1.34", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Prometheus/3.0", "curl/8", "Googlebot", ""} {
					if a := ask(method, path, agent); a.StatusCode != plain.StatusCode || len(a.Cookies()) != len(plain.Cookies()) {
						t.Errorf("%s %s by %q: got %d, want %d", method, path, agent, a.StatusCode, plain.StatusCode)
					}
				}
				for _, query := range []string{"?health=1", "?healthz", "?/healthz", "?x=/static/app.css", "?debug=1", "?admin=true"} {
					if a := ask(method, path+query, "Mozilla/5.0"); a.StatusCode != plain.StatusCode && a.StatusCode < 400 || len(a.Cookies()) > len(plain.Cookies()) {
						t.Errorf("%s %s%s: got %d, want %d", method, path, query, a.StatusCode, plain.StatusCode)
					}
				}
				if path == "/" {
					continue
				}
				for _, end := range []string{"/healthz", "/readyz", "/jwks", "/static/app.css", "/.well-known/openid-configuration", ".css", ".js", ".json"} {
					if a := ask(method, strings.TrimSuffix(path, "/")+end, "Mozilla/5.0"); a.StatusCode < 400 && !strings.HasPrefix(path, "/login") {
						t.Errorf("%s %s%s: got %d", method, path, end, a.StatusCode)
					}
				}
			}
		}
	})
}

// TestHeaders_NoParameterIsAFileName sends file names as languages and other parameters.
//
// HT-21: a language or a theme never names a file.
func TestHeaders_NoParameterIsAFileName(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, name := range []string{
			"../../../../../../etc/passwd", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "....//....//etc/passwd", "..\\..\\etc\\passwd", "file:///etc/passwd", "/proc/self/environ", "etc/passwd\x00.html", "error.html", "../doc.go",
		} {
			for _, target := range []string{
				b.AuthorizeURL("ui_locales", name, "prompt", "login"), b.AuthorizeURL("claims_locales", name), b.AuthorizeURL("theme", name), b.AuthorizeURL("display", name), b.AuthorizeURL("template", name),
				b.EndSessionURL("ui_locales", name), b.Issuer + "/login?lang=" + url.QueryEscape(name), b.Issuer + "/login?return_to=/account&theme=" + url.QueryEscape(name),
				b.Issuer + "/static/" + url.PathEscape(name), b.Issuer + "/static/" + url.QueryEscape(name), b.Issuer + "/login/" + url.PathEscape(name),
			} {
				a := v.Fetch(t, target)
				if a.StatusCode >= 500 || strings.Contains(a.Body, "root:") || strings.Contains(a.Body, "PATH=") || strings.Contains(a.Body, "{{") || strings.Contains(a.Body, "package static") {
					t.Errorf("%.150s: got %d %.200s", target, a.StatusCode, a.Body)
				}
			}
			r, _ := http.NewRequest(http.MethodGet, b.AuthorizeURL("prompt", "login"), nil)
			r.Header["Accept-Language"] = []string{strings.ReplaceAll(name, "\x00", "")}
			if a := providertest.Do(t, v.Client, r); a.StatusCode >= 400 {
				t.Errorf("Accept-Language %q: got %d", name, a.StatusCode)
			}
		}
	})
}

// TestRoutes_NothingIsServedForDebugging requests the usual paths of debuggers and metrics.
//
// CF-03: secrets are never shown, and there is no /debug.
func TestRoutes_NothingIsServedForDebugging(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, path := range []string{
			"/debug", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/vars", "/debug/requests", "/metrics", "/config", "/env", "/actuator/env", "/server-status", "/.env", "/signet.yaml", "/signet.db", "/master.key", "/version",
		} {
			if a := b.CallRoute(t, http.MethodGet, path, nil); a.StatusCode != http.StatusNotFound {
				t.Errorf("%s: got %d", path, a.StatusCode)
			}
		}
	})
}

// TestCookies_TwoInstallationsOnOneHost runs two installations, with the same cookie_name and
// with different ones. Neither accepts a cookie of the other, and with different names a
// browser can be signed in at both.
//
// CF-12: two installations do not accept each other's cookies.
func TestCookies_TwoInstallationsOnOneHost(t *testing.T) {
	for _, name := range []string{"signet", "other"} {
		ours := providertest.StartOn(t, storagetest.SQLite(t))
		theirs := providertest.StartOn(t, storagetest.SQLite(t), func(c *provider.Config) { c.CookieName = name })
		v := ours.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		cookie := v.Cookie(t, "signet")
		r, err := http.NewRequest(http.MethodGet, theirs.Issuer+"/account", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(cookie)
		if a := providertest.Do(t, providertest.Direct, r); a.StatusCode != http.StatusSeeOther || strings.Contains(a.Body, providertest.Alice) {
			t.Errorf("cookie_name %s: with the cookie of another installation: got %d", name, a.StatusCode)
		}
		if name == "signet" {
			continue
		}
		// Cookies ignore the port, so the jar sends both cookies to both servers.
		w := &providertest.Visitor{Bed: theirs, Client: v.Client}
		w.SignInAndRedeem(t, providertest.Alice)
		v.WantSignedIn(t)
		w.WantSignedIn(t)
	}
}
