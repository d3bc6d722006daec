package provider_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"signet/provider"
	"signet/storage/storagetest"
)

// fuzzed is a provider with a first-party app that nothing is known of but what is
// public: whatever is made up, nobody is signed in by it.
func fuzzed(f *testing.F) *testbed {
	f.Helper()
	b := startOn(f, storagetest.SQLite(f), appAt(shop), func(c *provider.Config) { c.Log = slog.New(slog.DiscardHandler) })
	b.withApp(f)
	return b
}

// served sends a request as it stands, without a wire. Not ok: the HTTP server would have
// refused it.
func (b *testbed) served(text string) (a answer, ok bool) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil || !strings.HasPrefix(r.RequestURI, "/") {
		return answer{}, false
	}
	r.RemoteAddr, r.Host = "192.0.2.1:1234", strings.TrimPrefix(b.Issuer, "http://")
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	response := w.Result()
	response.Request = r
	return answer{response, w.Body.String()}, true
}

func (b *testbed) rawPost(path, contentType, body string, headers ...string) (answer, bool) {
	text := "POST " + path + " HTTP/1.1\r\nHost: h\r\nSec-Fetch-Site: same-origin\r\nContent-Type: " + contentType + "\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	return b.served(text + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// wantHarmless wants an answer that blames the request, and leads nowhere else.
func (b *testbed) wantHarmless(t *testing.T, a answer) {
	t.Helper()
	if a.StatusCode >= http.StatusInternalServerError {
		t.Fatalf("%s %s: %d: %s", a.Request.Method, a.Request.RequestURI, a.StatusCode, a.Body)
	}
	for _, header := range []string{a.Header.Get("Location"), strings.TrimPrefix(a.Header.Get("Refresh"), "0;url=")} {
		to, err := url.Parse(header)
		if err != nil || strings.ContainsAny(header, "\r\n\x00\\") {
			t.Fatalf("leads to %q: %v", header, err)
		}
		if to.Host != "" && !strings.HasPrefix(header, b.Issuer+"/") && !strings.HasPrefix(header, callback+"&") && !strings.HasPrefix(header, callback+"#") {
			t.Fatalf("leads elsewhere: %q", header)
		}
	}
	for _, c := range a.Cookies() {
		if c.Name == "signet" && c.Value != "" || strings.HasSuffix(c.Name, "_token") && c.Value != "" {
			t.Fatalf("signs somebody in: %s", c)
		}
	}
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") && !json.Valid([]byte(a.Body)) {
		t.Fatalf("not JSON: %s", a.Body)
	}
}

// FuzzAuthorize takes the parameters of an authorization request, in the query and in
// a body.
func FuzzAuthorize(f *testing.F) {
	b := fuzzed(f)
	f.Add(b.params().Encode())
	for _, seed := range [][]string{
		{"prompt", "none"}, {"prompt", "login consent"}, {"max_age", "0"}, {"max_age", "-1"}, {"claims", `{"id_token":{"acr":{"essential":true,"values":["x"]}}}`},
		{"redirect_uri", "https://evil.example/"}, {"redirect_uri", "//evil.example"}, {"response_type", "code id_token"}, {"response_mode", "fragment"},
		{"response_mode", "form_post"}, {"id_token_hint", "e30.e30.e30"}, {"request", "e30.e30."}, {"request_uri", "urn:x"}, {"scope", "openid\x00"},
		{"code_challenge", ""}, {"code_challenge_method", "plain"}, {"resource", "https://api.example.com#x"}, {"ui_locales", "de-DE x-y"}, {"login_hint", "<b>"},
	} {
		f.Add(b.params(seed...).Encode())
	}
	f.Add("client_id=app&client_id=app")
	f.Add("%zz=1&client_id=app;x")
	f.Fuzz(func(t *testing.T, parameters string) {
		if a, ok := b.served("GET /authorize?" + parameters + " HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n"); ok {
			b.wantHarmless(t, a)
		}
		if a, ok := b.rawPost("/authorize", formType, parameters); ok {
			b.wantHarmless(t, a)
		}
	})
}

// FuzzToken takes the body and the credentials of the endpoints for clients.
func FuzzToken(f *testing.F) {
	b := fuzzed(f)
	good := base64.StdEncoding.EncodeToString([]byte("app:" + b.Secret))
	for _, body := range []string{
		b.codeForm("x").Encode(), "grant_type=refresh_token&refresh_token=e30.e30.e30", "grant_type=client_credentials&scope=openid",
		"grant_type=&grant_type=", "token=e30.e30.e30&token_type_hint=x", "client_id=app&client_secret=x", "client_assertion=x", "%", "a;b=c",
		"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=x",
	} {
		f.Add(body, "Basic "+good)
	}
	f.Add("grant_type=x", "Basic "+base64.StdEncoding.EncodeToString([]byte("app")))
	f.Add("grant_type=x", "Basic YXBwJTo6eA==")
	f.Add("token=x", "Bearer e30.e30.e30")
	f.Fuzz(func(t *testing.T, body, authorization string) {
		for _, path := range []string{"/token", "/introspect", "/revoke", "/userinfo"} {
			a, ok := b.rawPost(path, formType, body, "Authorization: "+authorization)
			if !ok {
				return
			}
			b.wantHarmless(t, a)
			if strings.Contains(a.Body, `"access_token"`) || strings.Contains(a.Body, `"active":true`) {
				t.Fatalf("%s gives %s", path, a.Body)
			}
		}
	})
}

// FuzzForms takes what the pages of a sign-in post.
func FuzzForms(f *testing.F) {
	b := fuzzed(f)
	page, _ := b.served("GET /authorize?" + b.params().Encode() + " HTTP/1.1\r\nHost: h\r\n\r\n")
	_, request, _ := strings.Cut(page.Header.Get("Location"), "request=")
	for _, body := range []string{
		"request=" + request + "&username=a&password=b", "request=" + request + "&username=%00&password=%ff", "request=&username=a&password=b",
		"request=" + request + "&request=" + request, "request=" + request + "&decision=allow&ticket=x", "return_to=//evil.example&username=a&password=b",
		"logout=x&decision=allow", "token=x&email=a@b&password=c", "%", "a=b;c",
	} {
		f.Add(formType, body)
	}
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\r\n--x--")
	f.Add("text/plain", "a=b")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		for _, path := range []string{"/login", "/consent", "/select", "/end_session", "/login/link", "/setup", "/account/password"} {
			a, ok := b.rawPost(path, contentType, body, "Accept: text/html")
			if !ok {
				return
			}
			b.wantHarmless(t, a)
		}
	})
}

// FuzzLoginJSON takes what an app's own form posts.
func FuzzLoginJSON(f *testing.F) {
	b := fuzzed(f)
	for _, body := range []string{
		`{"username":"a","password":"b"}`, `{"username":"a","username":"b","password":"c"}`, `{"username":1,"password":null}`, `[]`, `{`, `{"a":{}}`,
		`{"username":"\u0000","password":"\ud800"}`, `{"username":"a","password":"b"}{}`, ``, `null`, "\xef\xbb\xbf{}", strings.Repeat(`{"a":`, 50),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/login", "/refresh", "/logout"} {
			a, ok := b.rawPost(path, "application/json", body)
			if !ok {
				return
			}
			b.wantHarmless(t, a)
			if a.StatusCode < http.StatusBadRequest && path != "/logout" {
				t.Fatalf("%s: %d %s", path, a.StatusCode, a.Body)
			}
		}
	})
}

// FuzzReturnTo takes where a person wants to come back to.
func FuzzReturnTo(f *testing.F) {
	b := fuzzed(f)
	for _, to := range append([]string{"/account", shop, shop + "/cart?a=b#c", shop + ".evil.example", shop + "@evil.example", b.Issuer + "/", "https:shop.example.com"}, "//evil.example", "/\\evil.example") {
		f.Add(to)
	}
	f.Fuzz(func(t *testing.T, to string) {
		a, ok := b.served("GET /login?return_to=" + url.QueryEscape(to) + " HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n")
		if ok {
			b.wantHarmless(t, a)
		}
	})
}

// FuzzCookies takes what a browser sends of cookies.
func FuzzCookies(f *testing.F) {
	b := fuzzed(f)
	for _, cookie := range []string{"signet=x", "signet=x; signet=y", "refresh_token=e30.e30.e30; signet=x", "signet_device=x; signet_pending=y", "=;;", "signet=\"x\"", "access_token=x"} {
		f.Add(cookie)
	}
	f.Fuzz(func(t *testing.T, cookies string) {
		for _, line := range []string{"GET /account", "GET /session", "POST /refresh", "GET /authorize?" + b.params("prompt", "none").Encode(), "GET /login/google/callback?code=x&state=y.z"} {
			a, ok := b.served(line + " HTTP/1.1\r\nHost: h\r\nSec-Fetch-Site: same-origin\r\nCookie: " + cookies + "\r\n\r\n")
			if !ok {
				return
			}
			b.wantHarmless(t, a)
			if strings.Contains(a.Body, `"authenticated":true`) || strings.Contains(a.Header.Get("Location"), "code=") {
				t.Fatalf("%s is let in by %q", line, cookies)
			}
		}
	})
}
