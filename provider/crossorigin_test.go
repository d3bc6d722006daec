package provider_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/provider/web"
	"signet/storage"
)

// call is a cross-origin call that a page makes with fetch.
type call struct {
	origin, method string
	headers        []string
	cookies        bool // credentials: "include"
}

// passes reports whether a browser lets a page make the call after this answer to its
// preflight (Fetch standard, section "CORS-preflight fetch", steps 7 to 7.8).
func (c call) passes(a providertest.Answer) error {
	allowed := a.Header.Values("Access-Control-Allow-Origin")
	switch {
	case a.StatusCode < 200 || a.StatusCode > 299:
		return fmt.Errorf("status %d", a.StatusCode)
	case len(allowed) != 1 || allowed[0] != c.origin && (c.cookies || allowed[0] != "*"):
		return fmt.Errorf("Access-Control-Allow-Origin is %q", allowed)
	case c.cookies && a.Header.Get("Access-Control-Allow-Credentials") != "true":
		return fmt.Errorf("credentials are not allowed")
	}
	listed := func(name string) []string {
		var list []string
		for _, line := range a.Header.Values(name) {
			for one := range strings.SplitSeq(line, ",") {
				list = append(list, strings.TrimSpace(one))
			}
		}
		return list
	}
	methods := listed("Access-Control-Allow-Methods")
	simple := []string{http.MethodGet, http.MethodHead, http.MethodPost}
	if !slices.Contains(methods, c.method) && !slices.Contains(simple, c.method) && (c.cookies || !slices.Contains(methods, "*")) {
		return fmt.Errorf("method is not among %q", methods)
	}
	names := listed("Access-Control-Allow-Headers")
	for _, h := range c.headers {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, h) }) {
			return fmt.Errorf("header %s is not among %q", h, names)
		}
	}
	return nil
}

// preflight sends the request that a browser sends before the call.
func (c call) preflight(t *testing.T, b *providertest.Testbed, path string) providertest.Answer {
	t.Helper()
	names := slices.Clone(c.headers)
	for i := range names {
		names[i] = strings.ToLower(names[i])
	}
	slices.Sort(names)
	headers := http.Header{"Origin": {c.origin}, "Access-Control-Request-Method": {c.method}, "Sec-Fetch-Mode": {"cors"}}
	if len(names) > 0 {
		headers["Access-Control-Request-Headers"] = []string{strings.Join(names, ",")}
	}
	return b.CallRoute(t, http.MethodOptions, path, headers)
}

// TestCrossOrigin_APreflightPassesWhereTheAnswerMayBeRead calls each route from each kind of
// origin, with the headers that tracing libraries add.
func TestCrossOrigin_APreflightPassesWhereTheAnswerMayBeRead(t *testing.T) {
	const spa, stranger = "https://spa.example.com", "https://stranger.example"
	traced := []string{"traceparent", "tracestate", "baggage", "b3", "sentry-trace"}
	more := append(slices.Clone(traced), "X-B3-TraceId", "x-datadog-trace-id", "X-Requested-With", "Cache-Control", "If-None-Match", "authorization", "Content-Type", "DPoP", "X-My.Header_1~")
	for _, under := range []string{"", "/auth"} {
		providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			b.Register(t, storage.SPA, "spa", spa+"/cb")
			b.Follow(t)
			for _, row := range b.Routes() {
				row.Path = strings.Replace(row.Path, "{client_id}", "spa", 1)
				if strings.Contains(row.Path, "{") && row.Path != "/{$}" {
					continue // routes of connectors are pages
				}
				at := *b
				if row.AtHostRoot {
					at.Issuer = strings.TrimSuffix(b.Issuer, under)
				}
				path := strings.TrimSuffix(row.Path, "{$}")
				public := row.Policy == web.DocumentPolicy && path != "/healthz"
				client := row.Policy == web.ClientPolicy || row.Policy == web.ManagementPolicy || row.Policy == web.TokenPolicy
				app := row.Policy == web.FirstPartyPolicy || path == "/login" // POST /login takes the form of the page, too
				for _, method := range row.MethodList() {
					if method == http.MethodOptions {
						continue
					}
					for _, c := range []struct {
						call
						may bool
					}{
						{call{origin: spa, method: method, headers: more}, public || client},
						{call{origin: spa, method: method}, public || client},
						{call{origin: stranger, method: method, headers: more}, public},
						{call{origin: "null", method: method, headers: traced}, public},
						{call{origin: providertest.Shop, method: method, headers: append([]string{"content-type", "X-CSRF"}, traced...), cookies: true}, app},
						{call{origin: providertest.Shop, method: method, cookies: true}, app},
						{call{origin: providertest.Shop, method: method, headers: []string{"authorization"}, cookies: true}, false},
						{call{origin: spa, method: method, headers: traced, cookies: true}, false},
						{call{origin: stranger, method: method, cookies: true}, false},
					} {
						a := c.preflight(t, &at, path)
						if why := c.passes(a); (why == nil) != c.may {
							t.Errorf("%s %s%s for %+v: got %v, want it to pass: %v", method, under, path, c.call, why, c.may)
						}
						vary := strings.Join(a.Header.Values("Vary"), ", ")
						if c.may && (!strings.Contains(vary, "Access-Control-Request-Headers") || !public && !strings.Contains(vary, "Origin")) {
							t.Errorf("OPTIONS %s: Vary is %q", path, vary)
						}
						if len(a.Cookies()) != 0 || a.Body != "" && c.may {
							t.Errorf("OPTIONS %s: cookies %v, body %q", path, a.Cookies(), a.Body)
						}
					}
				}
			}
		}, providertest.WithIssuerPath(under))
	}
}

// TestCrossOrigin_OnlyHeaderNamesAreReturned: a preflight returns only the requested header
// names, only valid ones, and no more than an answer may hold.
func TestCrossOrigin_OnlyHeaderNamesAreReturned(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Register(t, storage.SPA, "spa", "https://spa.example.com/cb")
		b.Follow(t)
		for _, path := range []string{"/jwks", "/token", "/userinfo"} {
			for asked, want := range map[string]string{
				"": "", "traceparent": "traceparent", " A ,,b ": "a, b", "dpop": "dpop", "a b": "", "x:y": "", `a"b`: "", "é": "", "a,<script>": "",
				"*": "*", strings.Repeat("a", 2000): "", strings.Repeat("ab,", 400): "",
			} {
				a := b.CallRoute(t, http.MethodOptions, path, http.Header{
					"Origin": {"https://spa.example.com"}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {asked},
				})
				if got := a.Header.Get("Access-Control-Allow-Headers"); got != want || a.StatusCode != http.StatusNoContent {
					t.Errorf("%s asked for %.40q: got %d and %q, want %q", path, asked, a.StatusCode, got, want)
				}
			}
			private := b.CallRoute(t, http.MethodOptions, path, http.Header{
				"Origin": {"https://spa.example.com"}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Private-Network": {"true"},
			})
			if got := private.Header.Get("Access-Control-Allow-Private-Network"); got != "true" {
				t.Errorf("%s: a page of the public internet may not call a private host: %q", path, got)
			}
			// An OPTIONS request that is not a preflight.
			if a := b.CallRoute(t, http.MethodOptions, path, nil); a.StatusCode != http.StatusNoContent {
				t.Errorf("OPTIONS %s: got %d", path, a.StatusCode)
			}
		}
	})
}

// TestConditional_EveryETagIsComparedAlike checks every route and file that has an ETag.
func TestConditional_EveryETagIsComparedAlike(t *testing.T) {
	for _, under := range []string{"", "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			v.SignInAndRedeem(t, providertest.Alice)
			page := v.Get(t, b.Issuer+"/account").Body
			style := page[strings.Index(page, under+"/static/"):]
			paths := []string{strings.TrimPrefix(style[:strings.IndexByte(style, '"')], under)}
			for _, row := range b.Routes() {
				if !row.AtHostRoot && slices.Contains(row.MethodList(), http.MethodGet) && !strings.Contains(row.Path, "{") {
					paths = append(paths, row.Path)
				}
			}
			tagged := 0
			for _, path := range paths {
				whole := b.CallRoute(t, http.MethodGet, path, http.Header{"Accept-Encoding": {"identity"}})
				tag := whole.Header.Get("ETag")
				if tag == "" {
					continue
				}
				tagged++
				weak, other := "W/"+tag, `"a,b"`
				for sent, unchanged := range map[string]bool{
					tag: true, weak: true, "*": true, other + ", " + tag: true, weak + "," + other: true, ", " + tag + " ,": true,
					other: false, strings.Trim(tag, `"`): false, tag + "x": false, `"x` + tag: false, "": false, "garbage": false,
				} {
					for _, method := range []string{http.MethodGet, http.MethodHead} {
						a := b.CallRoute(t, method, path, http.Header{"Accept-Encoding": {"identity"}, "If-None-Match": {sent}, "If-Modified-Since": {"Thu, 01 Jan 2099 00:00:00 GMT"}})
						want := map[bool]int{true: http.StatusNotModified, false: http.StatusOK}[unchanged]
						if a.StatusCode != want || want == http.StatusNotModified && (a.Body != "" || a.Header.Get("Content-Type") != "") {
							t.Errorf("%s %s, If-None-Match %s: got %d %v", method, path, sent, a.StatusCode, a.Header)
						}
						for _, name := range []string{"ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin", "X-Content-Type-Options"} {
							if a.Header.Get(name) != whole.Header.Get(name) {
								t.Errorf("%s %s, If-None-Match %s: %s is %q, want %q", method, path, sent, name, a.Header.Get(name), whole.Header.Get(name))
							}
						}
					}
				}
				lines := b.CallRoute(t, http.MethodGet, path, http.Header{"Accept-Encoding": {"identity"}, "If-None-Match": {other, weak}})
				if lines.StatusCode != http.StatusNotModified {
					t.Errorf("%s with the ETag in the second header line: got %d", path, lines.StatusCode)
				}
			}
			if tagged < 4 {
				t.Errorf("%d paths have an ETag, want discovery twice, the keys and a file", tagged)
			}
		}, providertest.WithIssuerPath(under))
	}
}
