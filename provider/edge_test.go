package provider_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider"
	"signet/storage"
	"signet/storage/storagetest"
)

// raw sends bytes that no HTTP client would, and reads one answer.
func (b *testbed) raw(t *testing.T, method, head, body string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.Issuer, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, head+fmt.Sprintf("Content-Length: %d\r\nConnection: close\r\n\r\n", len(body))+body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(content)}
}

func (b *testbed) host() string { return "Host: " + strings.TrimPrefix(b.Issuer, "http://") + "\r\n" }

func TestHT07_OversizedRequests(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.arrive(t, alice)
		for _, name := range []string{"X-Anything", "Cookie", "Authorization", "User-Agent", "Referer"} {
			if a := b.call(t, http.MethodGet, "/", http.Header{name: {strings.Repeat("x", 2<<20)}}); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s of two megabytes: got %d", name, a.StatusCode)
			}
		}
		var cookies strings.Builder
		for i := range 500 {
			fmt.Fprintf(&cookies, "c%d=%s; ", i, strings.Repeat("x", 100))
		}
		if a := b.call(t, http.MethodGet, "/", http.Header{"Cookie": {cookies.String()}}); a.StatusCode != http.StatusOK {
			t.Errorf("500 cookies: got %d", a.StatusCode)
		}
		var fields strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&fields, "f%d=&", i)
		}
		for _, path := range routes(t) {
			for _, body := range []string{fields.String(), "x=" + strings.Repeat("x", 1<<20), strings.Repeat("a&", 40_000)} {
				r, _ := http.NewRequest(http.MethodPost, b.Issuer+path, strings.NewReader(body))
				r.Header.Set("Content-Type", formType)
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				r.SetBasicAuth(b.Client.ID, b.Secret)
				if a := do(t, v.client, r); a.StatusCode < 400 || a.StatusCode >= 500 || len(a.Cookies()) != 0 {
					t.Errorf("POST %s with %d bytes: got %d", path, len(body), a.StatusCode)
				}
			}
		}
		for _, query := range []string{fields.String(), "x=" + strings.Repeat("x", 500<<10)} {
			for _, path := range []string{"/authorize", "/end_session", "/login", "/authorize/next", "/consent"} {
				if a := v.fetch(t, b.Issuer+path+"?"+query); a.StatusCode >= 500 || len(a.Cookies()) != 0 || len(a.Header.Get("Location")) > 8<<10 {
					t.Errorf("GET %s with %d bytes of query: got %d", path, len(query), a.StatusCode)
				}
			}
		}
	})
}

// A body of 100 MB is refused after the first 64 KiB: nobody reads the rest.
func TestHT07_EndlessBodyIsNotRead(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		for _, path := range []string{"/token", "/login", "/userinfo", "/end_session"} {
			body := &zeros{}
			body.left.Store(100 << 20)
			r, _ := http.NewRequest(http.MethodPost, b.Issuer+path, body)
			r.Header.Set("Content-Type", formType)
			r.SetBasicAuth(b.Client.ID, b.Secret)
			response, err := direct.Do(r)
			if err == nil { // otherwise the server has hung up on us: also an answer
				response.Body.Close()
				if response.StatusCode != http.StatusRequestEntityTooLarge && response.StatusCode != http.StatusBadRequest {
					t.Errorf("%s: got %d", path, response.StatusCode)
				}
			}
			if sent := 100<<20 - body.left.Load(); sent > 16<<20 {
				t.Errorf("%s: %d bytes were taken", path, sent)
			}
		}
	})
}

// zeros is a body that counts what is taken of it.
type zeros struct{ left atomic.Int64 }

func (z *zeros) Read(p []byte) (int, error) {
	n := min(len(p), int(z.left.Load()))
	if n == 0 {
		return 0, io.EOF
	}
	for i := range p[:n] {
		p[i] = 'a'
	}
	z.left.Add(-int64(n))
	return n, nil
}

func TestHT11_LineBreaksSplitNothing(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		const split = "x\r\nSet-Cookie: evil=1\r\nX-Evil: 1\r\n\r\n<script>"
		encoded := url.QueryEscape(split)
		for _, target := range []string{
			b.authorizeURL("state", split), b.authorizeURL("state", split, "prompt", "consent"), b.authorizeURL("scope", split), b.authorizeURL("nonce", split),
			b.authorizeURL("redirect_uri", callback+split), b.authorizeURL("client_id", split), b.authorizeURL("login_hint", split, "prompt", "login"),
			b.authorizeURL("ui_locales", split), b.authorizeURL("claims", split), b.authorizeURL("response_mode", split), b.authorizeURL("state", "\n\u2028\x85", "prompt", "none"),
			b.leave("state", split, "client_id", split), b.leave("id_token_hint", split), b.leave("logout", split),
			b.Issuer + "/login?return_to=/" + encoded, b.Issuer + "/authorize/next?request=" + encoded, b.Issuer + "/consent?request=" + encoded,
			b.Issuer + "/" + url.PathEscape(split), b.Issuer + "/login/" + url.PathEscape(split), b.Issuer + "/static/" + url.PathEscape(split), b.Issuer + "/account?done=" + encoded,
		} {
			a := v.fetch(t, target)
			if a.Header.Get("X-Evil") != "" || strings.Contains(fmt.Sprint(a.Cookies()), "evil") || strings.ContainsAny(a.Header.Get("Location")+a.Header.Get("Refresh"), "\r\n") || a.StatusCode >= 500 {
				t.Errorf("%.120s: got %d %v", target, a.StatusCode, a.Header)
			}
			if strings.Contains(a.Body, "<script>") {
				t.Errorf("%.120s: the page has the script", target)
			}
		}
		f := v.get(t, b.authorizeURL("prompt", "login")).form(t)
		f.values.Set("username", split)
		f.values.Set("password", split)
		do(t, v.client, v.formRequest(t, f))
		b.raw(t, "GET", "GET /x%0d%0a{\"level\":\"ERROR\"} HTTP/1.1\r\n"+b.host()+"User-Agent: a\"}{\"msg\":\"forged\"\t\x80\r\n", "")
		lines := strings.Split(strings.TrimSuffix(b.Log.String(), "\n"), "\n")
		for _, line := range lines {
			var entry map[string]any
			if json.Unmarshal([]byte(line), &entry) != nil || entry["msg"] == "forged" || entry["time"] == nil {
				t.Errorf("no log line of ours: %s", line)
			}
		}
		for _, e := range b.events(t) {
			if text := fmt.Sprintf("%v %v", e.From, e.Detail); strings.ContainsAny(text, "\r\n") {
				t.Errorf("an event with line breaks: %q", text)
			}
		}
	})
}

// One way to write a path, and no redirect to a better one: that would turn POST
// into GET, and two readers would see two paths.
func TestHT12_OddPaths(t *testing.T) {
	for _, path := range []string{"", "/auth"} {
		onSQLite(t, func(t *testing.T, b *testbed) {
			v := b.visitor(t)
			v.arrive(t, alice)
			host := strings.TrimSuffix(b.Issuer, path)
			client := *b
			client.Issuer = host
			for _, route := range append(routes(t), "/static/") {
				if route == "/" && path == "" {
					continue
				}
				at := path + strings.TrimSuffix(route, "/")
				for _, odd := range []string{
					"/" + at, "//evil.example" + at, "/." + at, "/x/.." + at, at + "/.", at + "/..", at + "//", at + ";x", at + ";/x", at + "%00", at + "%2f", at + "/%2e%2e", at + "%5c",
					strings.Replace(at, "/", "/%2e/", 1), strings.Replace(at, "/", "/%2f", 1), strings.Replace(at, "/", "%2f", 1), "/%61" + at, at + "/..%2f", "/\\" + at[1:], at + "\\",
					escapedLast(at), strings.ToUpper(at), at + "/x", at + ".json", at + "%20", at + "/",
				} {
					if odd == "/" || odd == path+"/" || odd == at {
						continue
					}
					for _, method := range []string{http.MethodGet, http.MethodPost} {
						a := client.raw(t, method, method+" "+odd+" HTTP/1.1\r\n"+client.host()+"Cookie: signet="+v.cookie(t, "signet").Value+"\r\nContent-Type: "+formType+"\r\n", "")
						// A connector may have any name, and the files answer for all below them.
						wrong := (strings.HasPrefix(route, "/static") || strings.HasPrefix(route, "/login")) && a.StatusCode == http.StatusMethodNotAllowed
						if a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusNotFound && !wrong {
							t.Errorf("%s %s: got %d, to %q", method, odd, a.StatusCode, a.Header.Get("Location"))
						}
					}
				}
			}
		}, under(path))
	}
}

// escapedLast writes the last letter as an escape that a router would undo.
func escapedLast(path string) string {
	return fmt.Sprintf("%s%%%02x", path[:len(path)-1], path[len(path)-1])
}

// A request line may name a whole URL: its host is not ours to believe.
func TestHT12_AbsoluteRequestLine(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		a := b.raw(t, "GET", "GET http://evil.example"+wellKnown+" HTTP/1.1\r\n"+b.host(), "")
		if a.StatusCode == http.StatusOK && a.json(t)["issuer"] != b.Issuer || strings.Contains(a.Body, "evil") {
			t.Errorf("got %d %s", a.StatusCode, a.Body)
		}
		for _, line := range []string{"OPTIONS *", "CONNECT evil.example:443", "GET *", "GET authorize", "GET ?x=1"} {
			a := b.raw(t, "GET", line+" HTTP/1.1\r\n"+b.host(), "")
			if a.StatusCode >= 500 || a.Header.Get("Location") != "" {
				t.Errorf("%s: got %d to %q", line, a.StatusCode, a.Header.Get("Location"))
			}
		}
	})
}

// The handler stops in the middle: the client learns a number and nothing else,
// programs as JSON and people as a page; the log learns why, once; and the next
// request is served.
func TestHT18_Panic(t *testing.T) {
	var fuse atomic.Int64
	options := func(c *provider.Config) {
		now := c.Now
		c.Now = func() time.Time {
			if fuse.Add(-1) == 0 {
				panic("canary-panic-with-details")
			}
			return now()
		}
	}
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := startOn(t, backend, options)
		v := b.visitor(t)
		code := v.flow(t)
		broken := map[string]int{}
		for _, ask := range []func() answer{
			func() answer { return b.present(t, "/token", b.Client.ID, b.Secret, "") },
			func() answer { return b.present(t, "/introspect", b.Client.ID, b.Secret, "") },
			func() answer { return b.present(t, "/revoke", b.Client.ID, b.Secret, "") },
			func() answer { return b.userinfo(t, "none") },
			func() answer { return do(t, v.client, mustGet(t, b.authorizeURL())) },
			func() answer { return v.fetch(t, b.authorizeURL()) },
			func() answer { return v.fetch(t, b.leave()) },
		} {
			const long = 1000
			fuse.Store(long)
			ask()
			reads := long - fuse.Load()
			// Wherever the clock is read but for the first and the last time, which are
			// the log's.
			for step := int64(2); step < reads; step++ {
				fuse.Store(step)
				a := ask()
				fuse.Store(0)
				broken[a.Request.URL.Path+" for "+a.Request.Header.Get("Accept")]++
				b.wantBroken(t, a)
			}
		}
		if len(broken) != 7 {
			t.Errorf("broken were only %v", broken)
		}
		b.redeem(t, code)
	})
}

func (b *testbed) wantBroken(t *testing.T, a answer) {
	t.Helper()
	what := a.Request.Method + " " + a.Request.URL.Path
	if a.StatusCode != http.StatusInternalServerError {
		t.Errorf("%s: got %d", what, a.StatusCode)
	}
	for _, detail := range []string{"canary", "goroutine", ".go:"} {
		if strings.Contains(a.Body, detail) {
			t.Errorf("%s: the answer tells: %s", what, a.Body)
		}
	}
	h := a.Header
	if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Security-Policy") == "" ||
		h.Get("Set-Cookie") != "" || h.Get("Location") != "" || h.Get("Refresh") != "" {
		t.Errorf("%s: headers: %v", what, h)
	}
	if a.Request.Header.Get("Accept") == "text/html" {
		if !strings.Contains(a.Body, "server_error") || !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
			t.Errorf("%s: not an error page: %s", what, a.Body)
		}
	} else if m := a.json(t); m["error"] != "server_error" || h.Get("Content-Type") != "application/json" {
		t.Errorf("%s: got %s", what, a.Body)
	}
	told := 0
	for line := range strings.Lines(b.Log.String()) {
		id := answer{Body: line}.json(t)["request_id"]
		if id == nil || !strings.Contains(a.Body, id.(string)) {
			continue
		}
		told++
		if !strings.Contains(line, "canary-panic-with-details") || !strings.Contains(line, ".go:") || !strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("%s: the log does not tell: %s", what, line)
		}
	}
	if told != 1 {
		t.Errorf("%s: %d lines in the log, want 1", what, told)
	}
}

func TestHT19_DoubledHeaders(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		code := v.flow(t)
		token := b.redeem(t, v.again(t))["access_token"].(string)
		form, kind := b.codeForm(code).Encode(), "Content-Type: "+formType+"\r\n"
		credentials := "Authorization: " + basic(b.Client.ID, b.Secret) + "\r\n"
		for name, a := range map[string]answer{
			"two Hosts":                     b.raw(t, "GET", "GET / HTTP/1.1\r\n"+b.host()+"Host: evil.example\r\n", ""),
			"no Host":                       b.raw(t, "GET", "GET / HTTP/1.1\r\n", ""),
			"two credentials":               b.raw(t, "POST", "POST /token HTTP/1.1\r\n"+b.host()+kind+credentials+credentials, form),
			"credentials and others":        b.raw(t, "POST", "POST /token HTTP/1.1\r\n"+b.host()+kind+"Authorization: Basic eDp5\r\n"+credentials, form),
			"two Content-Types":             b.raw(t, "POST", "POST /token HTTP/1.1\r\n"+b.host()+kind+kind+credentials, form),
			"form and JSON":                 b.raw(t, "POST", "POST /token HTTP/1.1\r\n"+b.host()+kind+"Content-Type: application/json\r\n"+credentials, form),
			"two tokens":                    b.raw(t, "GET", "GET /userinfo HTTP/1.1\r\n"+b.host()+"Authorization: Bearer "+token+"\r\nAuthorization: Bearer "+token+"\r\n", ""),
			"two lengths":                   b.raw(t, "POST", "POST /token HTTP/1.1\r\n"+b.host()+kind+credentials+"Content-Length: 1\r\n", form),
			"header with a space":           b.raw(t, "POST", "POST /token HTTP/1.1\r\n"+b.host()+kind+"Authorization : x\r\n", form),
			"folded header":                 b.raw(t, "POST", "POST /token HTTP/1.1\r\n"+b.host()+kind+"Authorization: Basic\r\n eDp5\r\n x\r\n", form),
			"two forms of the sign-in":      b.raw(t, "POST", "POST /login HTTP/1.1\r\n"+b.host()+kind+kind, "username=a&password=b"),
			"two types at the revocation":   b.raw(t, "POST", "POST /revoke HTTP/1.1\r\n"+b.host()+kind+kind+credentials, "token=x"),
			"two users at introspection":    b.raw(t, "POST", "POST /introspect HTTP/1.1\r\n"+b.host()+kind+credentials+credentials, "token=x"),
			"two Content-Types at sign-out": b.raw(t, "POST", "POST /end_session HTTP/1.1\r\n"+b.host()+kind+kind, "state=x"),
		} {
			if a.StatusCode != http.StatusBadRequest && !(name == "folded header" && a.StatusCode == http.StatusUnauthorized) || len(a.Cookies()) != 0 {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		b.redeem(t, code)
	})
}

func TestHT22_HealthSaysOnlyWhether(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		db, err := storage.Open(t.Context(), backend.Config())
		if err != nil {
			t.Fatal(err)
		}
		b := start(t, db)
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t))
		code := v.again(t)
		for _, path := range []string{"/healthz", "/readyz"} {
			a := v.fetch(t, b.Issuer+path+"?verbose=1")
			if a.StatusCode != http.StatusOK || a.Body != `{"status":"ok"}`+"\n" {
				t.Errorf("%s: got %d %s", path, a.StatusCode, a.Body)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if a := v.fetch(t, b.Issuer+"/healthz"); a.StatusCode != http.StatusOK || a.Body != `{"status":"ok"}`+"\n" {
			t.Errorf("the process lives: got %d %s", a.StatusCode, a.Body)
		}
		if a := v.fetch(t, b.Issuer+"/readyz"); a.StatusCode != http.StatusServiceUnavailable || a.Body != `{"status":"unavailable"}`+"\n" {
			t.Errorf("without a database: got %d %s", a.StatusCode, a.Body)
		}
		// ST-14: without a database nothing is invalid and nothing is fine, and nobody
		// is signed out.
		for name, a := range map[string]answer{
			"userinfo":   b.userinfo(t, tokens["access_token"].(string)),
			"code":       b.tokenRequest(t, b.codeForm(code)),
			"refresh":    b.refresh(t, tokens["refresh_token"]),
			"introspect": b.post(t, "/introspect", formType, strings.NewReader(url.Values{"token": {tokens["access_token"].(string)}}.Encode())),
			"revoke":     b.post(t, "/revoke", formType, strings.NewReader(url.Values{"token": {tokens["refresh_token"].(string)}}.Encode())),
			"authorize":  v.fetch(t, b.authorizeURL()),
			"silent":     v.fetch(t, b.authorizeURL("prompt", "none")),
			"home":       v.fetch(t, b.Issuer+"/"),
			"sign out":   v.fetch(t, b.leave("id_token_hint", tokens["id_token"].(string))),
			"account":    v.fetch(t, b.Issuer+"/account"),
		} {
			if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || len(a.Cookies()) != 0 || !strings.Contains(a.Body, "temporarily_unavailable") {
				t.Errorf("%s: got %d, Retry-After %q, cookies %v: %.300s", name, a.StatusCode, a.Header.Get("Retry-After"), a.Cookies(), a.Body)
			}
			for _, telling := range []string{"sql", "sqlite", "postgres", "pgx", "closed", "signet.db", "SELECT"} {
				if strings.Contains(a.Body, telling) {
					t.Errorf("%s tells %q: %s", name, telling, a.Body)
				}
			}
		}
	})
}
