package provider_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/provider/web"
	"signet/storage"
	"signet/storage/storagetest"
)

// TestEdge_OversizedRequestsAreRefused sends huge headers, cookies, forms and queries.
//
// HT-07: they are refused.
func TestEdge_OversizedRequestsAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		for _, name := range []string{"X-Anything", "Cookie", "Authorization", "User-Agent", "Referer"} {
			if a := b.CallRoute(t, http.MethodGet, "/", http.Header{name: {strings.Repeat("x", 2<<20)}}); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s of two megabytes: got %d", name, a.StatusCode)
			}
		}
		var cookies strings.Builder
		for i := range 500 {
			fmt.Fprintf(&cookies, "c%d=%s; ", i, strings.Repeat("x", 100))
		}
		if a := b.CallRoute(t, http.MethodGet, "/", http.Header{"Cookie": {cookies.String()}}); a.StatusCode != http.StatusOK {
			t.Errorf("500 cookies: got %d", a.StatusCode)
		}
		var fields strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&fields, "f%d=&", i)
		}
		for _, path := range providertest.Routes(t) {
			for _, body := range []string{fields.String(), "x=" + strings.Repeat("x", 1<<20), strings.Repeat("a&", 40_000)} {
				r, _ := http.NewRequest(http.MethodPost, b.Issuer+path, strings.NewReader(body))
				r.Header.Set("Content-Type", providertest.FormType)
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				r.SetBasicAuth(b.Client.ID, b.Secret)
				if a := providertest.Do(t, v.Client, r); a.StatusCode < 400 || a.StatusCode >= 500 || len(a.Cookies()) != 0 {
					t.Errorf("POST %s with %d bytes: got %d", path, len(body), a.StatusCode)
				}
			}
		}
		for _, query := range []string{fields.String(), "x=" + strings.Repeat("x", 500<<10)} {
			for _, path := range []string{"/authorize", "/end_session", "/login", "/authorize/next", "/consent", "/device/confirm"} {
				if a := v.Fetch(t, b.Issuer+path+"?"+query); a.StatusCode >= 500 || len(a.Cookies()) != 0 || len(a.Header.Get("Location")) > 8<<10 {
					t.Errorf("GET %s with %d bytes of query: got %d", path, len(query), a.StatusCode)
				}
			}
		}
	})
}

// TestEdge_EndlessBodyIsNotRead: the server refuses a body of 100 MB after the first 64 KiB
// and does not read the rest.
//
// HT-07: huge bodies are refused.
func TestEdge_EndlessBodyIsNotRead(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, path := range []string{"/token", "/login", "/userinfo", "/end_session"} {
			body := &zeros{}
			body.left.Store(100 << 20)
			r, _ := http.NewRequest(http.MethodPost, b.Issuer+path, body)
			r.Header.Set("Content-Type", providertest.FormType)
			r.SetBasicAuth(b.Client.ID, b.Secret)
			response, err := providertest.Direct.Do(r)
			if err == nil { // otherwise the server has closed the connection, which is right too
				response.Body.Close()
				if response.StatusCode != http.StatusRequestEntityTooLarge && response.StatusCode != http.StatusBadRequest {
					t.Errorf("%s: got %d", path, response.StatusCode)
				}
			}
			if sent := 100<<20 - body.left.Load(); sent > 16<<20 {
				t.Errorf("%s: the server read %d bytes", path, sent)
			}
		}
	})
}

// zeros is a body that counts the bytes that are read from it.
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

// TestEdge_LineBreaksAreEncoded sends line breaks in all parameters.
//
// HT-11: line breaks never reach a header, a cookie or a log line.
func TestEdge_LineBreaksAreEncoded(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		const split = "x\r\nSet-Cookie: evil=1\r\nX-Evil: 1\r\n\r\n<script>"
		encoded := url.QueryEscape(split)
		for _, target := range []string{
			b.AuthorizeURL("state", split), b.AuthorizeURL("state", split, "prompt", "consent"), b.AuthorizeURL("scope", split), b.AuthorizeURL("nonce", split),
			b.AuthorizeURL("redirect_uri", providertest.Callback+split), b.AuthorizeURL("client_id", split), b.AuthorizeURL("login_hint", split, "prompt", "login"),
			b.AuthorizeURL("ui_locales", split), b.AuthorizeURL("claims", split), b.AuthorizeURL("response_mode", split), b.AuthorizeURL("state", "\n\u2028\x85", "prompt", "none"),
			b.EndSessionURL("state", split, "client_id", split), b.EndSessionURL("id_token_hint", split), b.EndSessionURL("logout", split),
			b.Issuer + "/login?return_to=/" + encoded, b.Issuer + "/authorize/next?request=" + encoded, b.Issuer + "/consent?request=" + encoded,
			b.Issuer + "/" + url.PathEscape(split), b.Issuer + "/login/" + url.PathEscape(split), b.Issuer + "/static/" + url.PathEscape(split), b.Issuer + "/account?done=" + encoded,
		} {
			a := v.Fetch(t, target)
			if a.Header.Get("X-Evil") != "" || strings.Contains(fmt.Sprint(a.Cookies()), "evil") || strings.ContainsAny(a.Header.Get("Location")+a.Header.Get("Refresh"), "\r\n") || a.StatusCode >= 500 {
				t.Errorf("%.120s: got %d %v", target, a.StatusCode, a.Header)
			}
			if strings.Contains(a.Body, "<script>") {
				t.Errorf("%.120s: the page has the script", target)
			}
		}
		f := v.Get(t, b.AuthorizeURL("prompt", "login")).Form(t)
		f.Values.Set("username", split)
		f.Values.Set("password", split)
		providertest.Do(t, v.Client, v.FormRequest(t, f))
		b.SendRaw(t, "GET", "GET /x%0d%0a{\"level\":\"ERROR\"} HTTP/1.1\r\n"+b.Host()+"User-Agent: a\"}{\"msg\":\"forged\"\t\x80\r\n", "")
		lines := strings.Split(strings.TrimSuffix(b.Log.String(), "\n"), "\n")
		for _, line := range lines {
			var entry map[string]any
			if json.Unmarshal([]byte(line), &entry) != nil || entry["msg"] == "forged" || entry["time"] == nil {
				t.Errorf("not a log line of the server: %s", line)
			}
		}
		for _, e := range b.Events(t) {
			if text := fmt.Sprintf("%v %v", e.From, e.Detail); strings.ContainsAny(text, "\r\n") {
				t.Errorf("an event with line breaks: %q", text)
			}
		}
	})
}

// TestEdge_OddPathsAreRefused: each path has one spelling. Other spellings are not
// redirected, because a redirect would turn POST into GET.
//
// HT-12: odd paths do not get around checks.
func TestEdge_OddPathsAreRefused(t *testing.T) {
	for _, path := range []string{"", "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			v.SignInAndRedeem(t, providertest.Alice)
			host := strings.TrimSuffix(b.Issuer, path)
			client := *b
			client.Issuer = host
			for _, route := range append(providertest.Routes(t), "/static/") {
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
						a := client.SendRaw(t, method, method+" "+odd+" HTTP/1.1\r\n"+client.Host()+"Cookie: signet="+v.Cookie(t, "signet").Value+"\r\nContent-Type: "+providertest.FormType+"\r\n", "")
						// The path may be that of a connector or of another logo, or below the static files.
						wrong := (strings.HasPrefix(route, "/static") || strings.HasPrefix(route, "/login") || strings.HasPrefix(route, "/client-logo")) && a.StatusCode == http.StatusMethodNotAllowed
						// The path may be that of another client, and registration is off.
						wrong = wrong || strings.HasPrefix(route, "/register") && (a.StatusCode == http.StatusForbidden || a.StatusCode == http.StatusMethodNotAllowed)
						// The path may be that of another object, and the request has no token.
						wrong = wrong || strings.HasPrefix(route, web.AdminAPIRoot+"/") && (a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusMethodNotAllowed)
						if a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusNotFound && !wrong {
							t.Errorf("%s %s: got %d, to %q", method, odd, a.StatusCode, a.Header.Get("Location"))
						}
					}
				}
			}
		}, providertest.WithIssuerPath(path))
	}
}

// escapedLast writes the last letter of the path as an escape, which routers decode.
func escapedLast(path string) string {
	return fmt.Sprintf("%s%%%02x", path[:len(path)-1], path[len(path)-1])
}

// TestEdge_HostInRequestLineIsIgnored: a request line may contain a whole URL; the server
// does not use its host.
//
// HT-12: odd request lines do not get around checks.
func TestEdge_HostInRequestLineIsIgnored(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		a := b.SendRaw(t, "GET", "GET http://evil.example"+providertest.WellKnown+" HTTP/1.1\r\n"+b.Host(), "")
		if a.StatusCode == http.StatusOK && a.JSON(t)["issuer"] != b.Issuer || strings.Contains(a.Body, "evil") {
			t.Errorf("got %d %s", a.StatusCode, a.Body)
		}
		for _, line := range []string{"OPTIONS *", "CONNECT evil.example:443", "GET *", "GET authorize", "GET ?x=1"} {
			a := b.SendRaw(t, "GET", line+" HTTP/1.1\r\n"+b.Host(), "")
			if a.StatusCode >= 500 || a.Header.Get("Location") != "" {
				t.Errorf("%s: got %d to %q", line, a.StatusCode, a.Header.Get("Location"))
			}
		}
	})
}

// TestEdge_PanicIsAnsweredAndLogged: a handler panics. The client gets a fixed text with the
// reference of the request, as JSON or as a page. The log has the cause once, and the next
// request works.
//
// HT-18: a panic gives 500, and the process goes on.
func TestEdge_PanicIsAnsweredAndLogged(t *testing.T) {
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
		b := providertest.StartOn(t, backend, options)
		v := b.Visitor(t)
		code := v.SignInForCode(t)
		broken := map[string]int{}
		for _, ask := range []func() providertest.Answer{
			func() providertest.Answer { return b.PostAsClient(t, "/token", b.Client.ID, b.Secret, "") },
			func() providertest.Answer { return b.PostAsClient(t, "/introspect", b.Client.ID, b.Secret, "") },
			func() providertest.Answer { return b.PostAsClient(t, "/revoke", b.Client.ID, b.Secret, "") },
			func() providertest.Answer { return b.Userinfo(t, "none") },
			func() providertest.Answer {
				return providertest.Do(t, v.Client, providertest.NewGetRequest(t, b.AuthorizeURL()))
			},
			func() providertest.Answer { return v.Fetch(t, b.AuthorizeURL()) },
			func() providertest.Answer { return v.Fetch(t, b.EndSessionURL()) },
		} {
			const long = 1000
			fuse.Store(long)
			ask()
			reads := long - fuse.Load()
			// Panic at each reading of the clock except the first and the last one, which
			// belong to the log.
			for step := int64(2); step < reads; step++ {
				fuse.Store(step)
				a := ask()
				fuse.Store(0)
				broken[a.Request.URL.Path+" for "+a.Request.Header.Get("Accept")]++
				wantBroken(t, b, a)
			}
		}
		if len(broken) != 7 {
			t.Errorf("only these requests failed: %v", broken)
		}
		b.Redeem(t, code)
	})
}

func wantBroken(t *testing.T, b *providertest.Testbed, a providertest.Answer) {
	t.Helper()
	what := a.Request.Method + " " + a.Request.URL.Path
	if a.StatusCode != http.StatusInternalServerError {
		t.Errorf("%s: got %d", what, a.StatusCode)
	}
	for _, detail := range []string{"canary", "goroutine", ".go:"} {
		if strings.Contains(a.Body, detail) {
			t.Errorf("%s: the answer contains the cause: %s", what, a.Body)
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
	} else if m := a.JSON(t); m["error"] != "server_error" || h.Get("Content-Type") != "application/json" {
		t.Errorf("%s: got %s", what, a.Body)
	}
	told := 0
	for line := range strings.Lines(b.Log.String()) {
		id := providertest.Answer{Body: line}.JSON(t)["request_id"]
		if id == nil || !strings.Contains(a.Body, id.(string)) {
			continue
		}
		told++
		if !strings.Contains(line, "canary-panic-with-details") || !strings.Contains(line, ".go:") || !strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("%s: the log lacks the cause: %s", what, line)
		}
	}
	if told != 1 {
		t.Errorf("%s: got %d lines in the log, want 1", what, told)
	}
}

// TestEdge_RepeatedHeadersAreRefused sends Authorization, Content-Type, Host and Cookie twice.
//
// HT-19: repeated headers are refused where they matter.
func TestEdge_RepeatedHeadersAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		code := v.SignInForCode(t)
		token := b.Redeem(t, v.CodeFromSession(t))["access_token"].(string)
		form, kind := b.CodeForm(code).Encode(), "Content-Type: "+providertest.FormType+"\r\n"
		credentials := "Authorization: " + providertest.Basic(b.Client.ID, b.Secret) + "\r\n"
		for name, a := range map[string]providertest.Answer{
			"two Hosts":                     b.SendRaw(t, "GET", "GET / HTTP/1.1\r\n"+b.Host()+"Host: evil.example\r\n", ""),
			"no Host":                       b.SendRaw(t, "GET", "GET / HTTP/1.1\r\n", ""),
			"two credentials":               b.SendRaw(t, "POST", "POST /token HTTP/1.1\r\n"+b.Host()+kind+credentials+credentials, form),
			"credentials and others":        b.SendRaw(t, "POST", "POST /token HTTP/1.1\r\n"+b.Host()+kind+"Authorization: Basic eDp5\r\n"+credentials, form),
			"two Content-Types":             b.SendRaw(t, "POST", "POST /token HTTP/1.1\r\n"+b.Host()+kind+kind+credentials, form),
			"form and JSON":                 b.SendRaw(t, "POST", "POST /token HTTP/1.1\r\n"+b.Host()+kind+"Content-Type: application/json\r\n"+credentials, form),
			"two tokens":                    b.SendRaw(t, "GET", "GET /userinfo HTTP/1.1\r\n"+b.Host()+"Authorization: Bearer "+token+"\r\nAuthorization: Bearer "+token+"\r\n", ""),
			"two lengths":                   b.SendRaw(t, "POST", "POST /token HTTP/1.1\r\n"+b.Host()+kind+credentials+"Content-Length: 1\r\n", form),
			"header with a space":           b.SendRaw(t, "POST", "POST /token HTTP/1.1\r\n"+b.Host()+kind+"Authorization : x\r\n", form),
			"folded header":                 b.SendRaw(t, "POST", "POST /token HTTP/1.1\r\n"+b.Host()+kind+"Authorization: Basic\r\n eDp5\r\n x\r\n", form),
			"two forms of the sign-in":      b.SendRaw(t, "POST", "POST /login HTTP/1.1\r\n"+b.Host()+kind+kind, "username=a&password=b"),
			"two types at the revocation":   b.SendRaw(t, "POST", "POST /revoke HTTP/1.1\r\n"+b.Host()+kind+kind+credentials, "token=x"),
			"two users at introspection":    b.SendRaw(t, "POST", "POST /introspect HTTP/1.1\r\n"+b.Host()+kind+credentials+credentials, "token=x"),
			"two Content-Types at sign-out": b.SendRaw(t, "POST", "POST /end_session HTTP/1.1\r\n"+b.Host()+kind+kind, "state=x"),
		} {
			if a.StatusCode != http.StatusBadRequest && !(name == "folded header" && a.StatusCode == http.StatusUnauthorized) || len(a.Cookies()) != 0 {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		b.Redeem(t, code)
	})
}

// HT-22: Health answers only whether the node is well.
func TestEdge_HealthShowsNoDetails(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		db, err := storage.Open(t.Context(), backend.Config())
		if err != nil {
			t.Fatal(err)
		}
		b := providertest.Start(t, db)
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t))
		code := v.CodeFromSession(t)
		for _, path := range []string{"/healthz", "/readyz"} {
			a := v.Fetch(t, b.Issuer+path+"?verbose=1")
			if a.StatusCode != http.StatusOK || a.Body != `{"status":"ok"}`+"\n" {
				t.Errorf("%s: got %d %s", path, a.StatusCode, a.Body)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if a := v.Fetch(t, b.Issuer+"/healthz"); a.StatusCode != http.StatusOK || a.Body != `{"status":"ok"}`+"\n" {
			t.Errorf("healthz without a database: got %d %s", a.StatusCode, a.Body)
		}
		if a := v.Fetch(t, b.Issuer+"/readyz"); a.StatusCode != http.StatusServiceUnavailable || a.Body != `{"status":"unavailable"}`+"\n" {
			t.Errorf("readyz without a database: got %d %s", a.StatusCode, a.Body)
		}
		// ST-14: without a database no answer says invalid or valid, and no cookie is
		// cleared.
		for name, a := range map[string]providertest.Answer{
			"userinfo":   b.Userinfo(t, tokens["access_token"].(string)),
			"code":       b.TokenRequest(t, b.CodeForm(code)),
			"refresh":    b.Refresh(t, tokens["refresh_token"]),
			"introspect": b.Post(t, "/introspect", providertest.FormType, strings.NewReader(url.Values{"token": {tokens["access_token"].(string)}}.Encode())),
			"revoke":     b.Post(t, "/revoke", providertest.FormType, strings.NewReader(url.Values{"token": {tokens["refresh_token"].(string)}}.Encode())),
			"authorize":  v.Fetch(t, b.AuthorizeURL()),
			"silent":     v.Fetch(t, b.AuthorizeURL("prompt", "none")),
			"home":       v.Fetch(t, b.Issuer+"/"),
			"sign out":   v.Fetch(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string))),
			"account":    v.Fetch(t, b.Issuer+"/account"),
		} {
			if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || len(a.Cookies()) != 0 || !strings.Contains(a.Body, "temporarily_unavailable") {
				t.Errorf("%s: got %d, Retry-After %q, cookies %v: %.300s", name, a.StatusCode, a.Header.Get("Retry-After"), a.Cookies(), a.Body)
			}
			for _, telling := range []string{"sql", "sqlite", "postgres", "pgx", "closed", "signet.db", "SELECT"} {
				if strings.Contains(a.Body, telling) {
					t.Errorf("%s contains %q: %s", name, telling, a.Body)
				}
			}
		}
	})
}
