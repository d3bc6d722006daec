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
	"signet/provider/providertest"
	"signet/storage/storagetest"
)

// fuzzed starts a provider with a first-party app. The fuzz targets know only public values,
// so no invented input may sign a user in.
func fuzzed(f *testing.F) *providertest.Testbed {
	f.Helper()
	b := providertest.StartOn(f, storagetest.SQLite(f), providertest.WithAppOrigins(providertest.Shop), func(c *provider.Config) { c.Log = slog.New(slog.DiscardHandler) })
	b.RegisterApp(f)
	return b
}

// served passes a request to the handler as it is written, without a connection. It returns
// false if the HTTP server would have refused the request.
func served(b *providertest.Testbed, text string) (a providertest.Answer, ok bool) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil || !strings.HasPrefix(r.RequestURI, "/") {
		return providertest.Answer{}, false
	}
	r.RemoteAddr, r.Host = "192.0.2.1:1234", strings.TrimPrefix(b.Issuer, "http://")
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	response := w.Result()
	response.Request = r
	return providertest.Answer{Response: response, Body: w.Body.String()}, true
}

// rawPost passes a POST request to the handler.
func rawPost(b *providertest.Testbed, path, contentType, body string, headers ...string) (providertest.Answer, bool) {
	text := "POST " + path + " HTTP/1.1\r\nHost: h\r\nSec-Fetch-Site: same-origin\r\nContent-Type: " + contentType + "\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	return served(b, text+"Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
}

// wantHarmless checks that the answer is no server error, leads to no other host and signs
// no user in.
func wantHarmless(t *testing.T, b *providertest.Testbed, a providertest.Answer) {
	t.Helper()
	if a.StatusCode >= http.StatusInternalServerError {
		t.Fatalf("%s %s: %d: %s", a.Request.Method, a.Request.RequestURI, a.StatusCode, a.Body)
	}
	for _, header := range []string{a.Header.Get("Location"), strings.TrimPrefix(a.Header.Get("Refresh"), "0;url=")} {
		to, err := url.Parse(header)
		if err != nil || strings.ContainsAny(header, "\r\n\x00\\") {
			t.Fatalf("leads to %q: %v", header, err)
		}
		if to.Host != "" && !strings.HasPrefix(header, b.Issuer+"/") && !strings.HasPrefix(header, providertest.Callback+"&") && !strings.HasPrefix(header, providertest.Callback+"#") {
			t.Fatalf("leads to another host: %q", header)
		}
	}
	for _, c := range a.Cookies() {
		if c.Name == "signet" && c.Value != "" || strings.HasSuffix(c.Name, "_token") && c.Value != "" {
			t.Fatalf("signs a user in: %s", c)
		}
	}
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") && !json.Valid([]byte(a.Body)) {
		t.Fatalf("not JSON: %s", a.Body)
	}
}

// FuzzAuthorize varies the parameters of an authorization request, in the query and in the
// body.
func FuzzAuthorize(f *testing.F) {
	b := fuzzed(f)
	f.Add(b.Params().Encode())
	for _, seed := range [][]string{
		{"prompt", "none"}, {"prompt", "login consent"}, {"max_age", "0"}, {"max_age", "-1"}, {"claims", `{"id_token":{"acr":{"essential":true,"values":["x"]}}}`},
		{"redirect_uri", "https://evil.example/"}, {"redirect_uri", "//evil.example"}, {"response_type", "code id_token"}, {"response_mode", "fragment"},
		{"response_mode", "form_post"}, {"id_token_hint", "e30.e30.e30"}, {"request", "e30.e30."}, {"request_uri", "urn:x"}, {"scope", "openid\x00"},
		{"code_challenge", ""}, {"code_challenge_method", "plain"}, {"resource", "https://api.example.com#x"}, {"ui_locales", "de-DE x-y"}, {"login_hint", "<b>"},
	} {
		f.Add(b.Params(seed...).Encode())
	}
	f.Add("client_id=app&client_id=app")
	f.Add("%zz=1&client_id=app;x")
	f.Fuzz(func(t *testing.T, parameters string) {
		if a, ok := served(b, "GET /authorize?"+parameters+" HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n"); ok {
			wantHarmless(t, b, a)
		}
		if a, ok := rawPost(b, "/authorize", providertest.FormType, parameters); ok {
			wantHarmless(t, b, a)
		}
	})
}

// FuzzToken varies the body and the credentials of requests by clients.
func FuzzToken(f *testing.F) {
	b := fuzzed(f)
	good := base64.StdEncoding.EncodeToString([]byte("app:" + b.Secret))
	for _, body := range []string{
		b.CodeForm("x").Encode(), "grant_type=refresh_token&refresh_token=e30.e30.e30", "grant_type=client_credentials&scope=openid",
		"grant_type=&grant_type=", "token=e30.e30.e30&token_type_hint=x", "client_id=app&client_secret=x", "client_assertion=x", "%", "a;b=c",
		"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=x",
	} {
		f.Add(body, "Basic "+good)
	}
	f.Add("grant_type=x", "Basic "+base64.StdEncoding.EncodeToString([]byte("app")))
	f.Add("grant_type=x", "Basic YXBwJTo6eA==")
	f.Add("token=x", "Bearer e30.e30.e30")
	f.Fuzz(func(t *testing.T, body, authorization string) {
		for _, path := range []string{"/token", "/introspect", "/revoke", "/device_authorization", "/userinfo"} {
			a, ok := rawPost(b, path, providertest.FormType, body, "Authorization: "+authorization)
			if !ok {
				return
			}
			wantHarmless(t, b, a)
			if strings.Contains(a.Body, `"access_token"`) || strings.Contains(a.Body, `"active":true`) {
				t.Fatalf("%s gives %s", path, a.Body)
			}
		}
	})
}

// FuzzForms varies the forms that the pages of a sign-in post.
func FuzzForms(f *testing.F) {
	b := fuzzed(f)
	page, _ := served(b, "GET /authorize?"+b.Params().Encode()+" HTTP/1.1\r\nHost: h\r\n\r\n")
	_, request, _ := strings.Cut(page.Header.Get("Location"), "request=")
	for _, body := range []string{
		"request=" + request + "&username=a&password=b", "request=" + request + "&username=%00&password=%ff", "request=&username=a&password=b",
		"request=" + request + "&request=" + request, "request=" + request + "&decision=allow&ticket=x", "return_to=//evil.example&username=a&password=b",
		"logout=x&decision=allow", "token=x&email=a@b&password=c", "email=a@b", "link=x&new-password=abcdefghijklmnop", "link=x&act=evict", "%", "a=b;c",
		"request=" + request + "&code=123456", "request=" + request + "&code=abcde-fghjk&way=recovery&refused=1", "request=" + request + "&challenge=x&credential=%7B%22id%22%3A%22AA%22%7D",
	} {
		f.Add(providertest.FormType, body)
	}
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\r\n--x--")
	f.Add("text/plain", "a=b")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		for _, path := range []string{"/login", "/login/factor", "/login/passkey", "/consent", "/device", "/device/confirm", "/select", "/end_session", "/login/link", "/setup", "/reset", "/link/reset", "/signup", "/link/signup", "/link/invitation", "/link/invitation/connect", "/link/verify", "/account/email/verify", "/account/password", "/account/passkeys/add", "/account/security/totp"} {
			a, ok := rawPost(b, path, contentType, body, "Accept: text/html")
			if !ok {
				return
			}
			wantHarmless(t, b, a)
		}
	})
}

// FuzzLoginJSON varies the JSON that a first-party app posts.
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
			a, ok := rawPost(b, path, "application/json", body)
			if !ok {
				return
			}
			wantHarmless(t, b, a)
			if a.StatusCode < http.StatusBadRequest && path != "/logout" {
				t.Fatalf("%s: %d %s", path, a.StatusCode, a.Body)
			}
		}
	})
}

// FuzzReturnTo varies return_to.
func FuzzReturnTo(f *testing.F) {
	b := fuzzed(f)
	for _, to := range append([]string{"/account", providertest.Shop, providertest.Shop + "/cart?a=b#c", providertest.Shop + ".evil.example", providertest.Shop + "@evil.example", b.Issuer + "/", "https:shop.example.com"}, "//evil.example", "/\\evil.example") {
		f.Add(to)
	}
	f.Fuzz(func(t *testing.T, to string) {
		a, ok := served(b, "GET /login?return_to="+url.QueryEscape(to)+" HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n")
		if ok {
			wantHarmless(t, b, a)
		}
	})
}

// FuzzCookies varies the Cookie header.
func FuzzCookies(f *testing.F) {
	b := fuzzed(f)
	for _, cookie := range []string{"signet=x", "signet=x; signet=y", "refresh_token=e30.e30.e30; signet=x", "signet_device=x; signet_pending=y", "=;;", "signet=\"x\"", "access_token=x"} {
		f.Add(cookie)
	}
	f.Fuzz(func(t *testing.T, cookies string) {
		for _, line := range []string{"GET /account", "GET /session", "POST /refresh", "GET /authorize?" + b.Params("prompt", "none").Encode(), "GET /login/google/callback?code=x&state=y.z"} {
			a, ok := served(b, line+" HTTP/1.1\r\nHost: h\r\nSec-Fetch-Site: same-origin\r\nCookie: "+cookies+"\r\n\r\n")
			if !ok {
				return
			}
			wantHarmless(t, b, a)
			if strings.Contains(a.Body, `"authenticated":true`) || strings.Contains(a.Header.Get("Location"), "code=") {
				t.Fatalf("%s accepts %q", line, cookies)
			}
		}
	})
}
