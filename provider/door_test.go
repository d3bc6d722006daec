package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/credential"
	"signet/storage"
	"signet/storage/storagetest"
)

// Every call by every sender: what a browser says of another site is refused, and so
// is who says nothing; nothing of it has an effect.
func TestSS06_SS07_SS08_FirstPartyCrossSite(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		p := v.signInApp(t)
		b.pass(time.Minute)
		for _, sender := range []struct {
			origins []string
			site    string
			refused bool
		}{
			{nil, "", true}, {nil, "cross-site", true}, {nil, "same-site", true}, {nil, "SAME-ORIGIN", true}, {nil, "x", true},
			{[]string{"null"}, "", true}, {[]string{"null"}, "cross-site", true}, {[]string{"null"}, "same-site", true},
			{[]string{"https://evil.example"}, "", true}, {[]string{"https://evil.example"}, "cross-site", true},
			{[]string{"https://evil.shop.example.com"}, "same-site", true}, {[]string{"https://shop.example.com.evil.example"}, "", true},
			{[]string{shop + "/"}, "", true}, {[]string{shop + ":444"}, "", true}, {[]string{shop + ":443"}, "", true}, {[]string{"http://shop.example.com"}, "", true},
			{[]string{"https://SHOP.example.com"}, "", true}, {[]string{shop + " "}, "", false}, // HTTP trims it
			{[]string{shop, shop}, "", true}, {[]string{shop, "https://evil.example"}, "same-site", true}, {[]string{shop + ", https://evil.example"}, "", true},
			{[]string{b.Issuer + "0"}, "", true}, {[]string{""}, "", true},
			{[]string{shop}, "", false}, {[]string{shop}, "cross-site", false}, {[]string{shop}, "same-site", false}, {[]string{b.Issuer}, "", false},
			{nil, "same-origin", false}, {nil, "none", false}, {[]string{b.Issuer}, "same-origin", false},
		} {
			for _, path := range []string{"/login", "/refresh", "/logout"} {
				w := v
				if !sender.refused {
					w = b.visitor(t) // who is let in is somebody else
				}
				a := w.app(t, path, map[bool]string{true: credentials}[path == "/login"], with("Sec-Fetch-Site", sender.site), func(r *http.Request) {
					r.Header["Origin"] = sender.origins
				})
				if got := a.StatusCode == http.StatusForbidden; got != sender.refused {
					t.Errorf("%s from %q, Sec-Fetch-Site %q: got %d", path, sender.origins, sender.site, a.StatusCode)
				}
				if sender.refused {
					wantAppError(t, a, http.StatusForbidden, "cross_origin")
				}
			}
		}
		v.wantApp(t, true)
		b.pass(time.Minute) // past the grace: had a refused call rotated, this would be a replay
		if next := v.refreshApp(t); next.generation(t) != p.generation(t)+1 {
			t.Errorf("generation %d after %d", next.generation(t), p.generation(t))
		}
	})
}

// The cookies of a page sign-in come by a navigation alone: what a page of a sibling
// host embeds, with all cookies, changes nothing.
func TestSS07_FirstPartyPageIsNoSubresource(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		p := v.signInApp(t)
		b.pass(time.Minute)
		next := v.fetch(t, b.Issuer+"/login?return_to=/account").Header.Get("Location")
		ask := func(site, use string) answer {
			r := mustGet(t, b.Issuer+next)
			with("Sec-Fetch-Site", site)(r)
			with("Sec-Fetch-Dest", use)(r)
			return do(t, v.client, r)
		}
		for _, site := range []string{"same-site", "cross-site"} {
			for _, use := range []string{"image", "iframe", "empty", "script", ""} {
				if a := ask(site, use); a.StatusCode != http.StatusForbidden || len(a.Cookies()) != 0 || !strings.Contains(a.Body, "cross_origin") {
					t.Errorf("Sec-Fetch-Site %q, Sec-Fetch-Dest %q: got %d %v", site, use, a.StatusCode, a.Cookies())
				}
			}
		}
		b.pass(time.Minute) // past the grace: had one of them rotated, this would be a replay
		if next := v.refreshApp(t); next.generation(t) != p.generation(t)+1 {
			t.Errorf("generation %d after %d", next.generation(t), p.generation(t))
		}
		for _, sender := range [][2]string{{"same-site", "document"}, {"cross-site", "document"}, {"same-origin", "document"}, {"none", "document"}, {"same-origin", "empty"}, {"", ""}} {
			if a := ask(sender[0], sender[1]); a.StatusCode != http.StatusSeeOther {
				t.Errorf("Sec-Fetch-Site and Sec-Fetch-Dest %q: got %d", sender, a.StatusCode)
			}
			v.wantApp(t, true)
		}
	})
}

func TestSS12_FirstPartyCORS(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		for _, path := range []string{"/login", "/refresh", "/logout", "/session"} {
			for origin, known := range map[string]bool{
				shop: true, b.Issuer: true, "https://evil.example": false, "null": false, "http://shop.example.com": false, "https://xshop.example.com": false,
				shop + ".evil.example": false, shop + ":444": false, "": false,
			} {
				v := b.visitor(t)
				method := map[bool]string{true: "GET", false: "POST"}[path == "/session"]
				preflight, _ := http.NewRequest(http.MethodOptions, b.Issuer+path, nil)
				with("Origin", origin)(preflight)
				preflight.Header.Set("Access-Control-Request-Method", method)
				preflight.Header.Set("Access-Control-Request-Headers", "content-type, x-csrf")
				asked := do(t, v.client, preflight)
				real := v.app(t, path, map[bool]string{true: credentials}[path == "/login"], with("Origin", origin), with("Sec-Fetch-Site", "cross-site"), with("X-CSRF", "1"))
				want, methods, headers := "", "", ""
				if known {
					want, methods, headers = origin, method, "Content-Type, X-CSRF"
				}
				if known && real.Header.Get("Access-Control-Expose-Headers") != "Retry-After, Date" {
					t.Errorf("%s from %q: scripts may not read the headers: %v", path, origin, real.Header)
				}
				for _, a := range []answer{asked, real} {
					h := a.Header
					if h.Get("Access-Control-Allow-Origin") != want || (h.Get("Access-Control-Allow-Credentials") == "true") != known || h.Get("Vary") != "Origin" {
						t.Errorf("%s %s from %q: %v", a.Request.Method, path, origin, h)
					}
				}
				if asked.StatusCode != http.StatusNoContent || asked.Header.Get("Access-Control-Allow-Methods") != methods || asked.Header.Get("Access-Control-Allow-Headers") != headers || len(asked.Cookies()) != 0 {
					t.Errorf("preflight of %s from %q: %d %v", path, origin, asked.StatusCode, asked.Header)
				}
			}
		}
	})
}

func TestSS09_FirstPartyMethods(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.signInApp(t)
		for path, allowed := range map[string][]string{"/refresh": {"POST", "OPTIONS"}, "/logout": {"POST", "OPTIONS"}, "/session": {"GET", "HEAD", "OPTIONS"}} {
			for _, method := range methods {
				r, _ := http.NewRequest(method, b.Issuer+path+"?x=1", nil)
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				a := do(t, v.client, r)
				if ok := a.StatusCode != http.StatusMethodNotAllowed; ok != slices.Contains(allowed, method) || !ok && (a.Header.Get("Allow") == "" || len(a.Cookies()) != 0) {
					t.Errorf("%s %s: got %d, Allow %q", method, path, a.StatusCode, a.Header.Get("Allow"))
				}
			}
		}
		v.wantApp(t, true) // the query made every POST of them invalid
		// Images and links of any site do nothing.
		for _, path := range []string{"/refresh", "/logout"} {
			v.fetch(t, b.Issuer+path)
		}
		v.wantApp(t, true)
	})
}

func TestPW17_FirstPartyBodiesAreReadStrictly(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for _, c := range []struct {
			path, body string
			status     int
			tells      string // part of the description
		}{
			{"/login", "", 400, "username and password"}, {"/login", "{}", 400, "username and password"},
			{"/login", `{"username":"` + alice + `"}`, 400, "username and password"}, {"/login", `{"password":"x"}`, 400, "username and password"},
			{"/login", `{"username":"","password":"x"}`, 400, "username and password"},
			{"/login", `{"username":"a","username":"` + alice + `","password":"` + password + `"}`, 400, "repeated"},
			{"/login", `{"username":"` + alice + `","password":"x","password":"` + password + `"}`, 400, "repeated"},
			{"/login", `{"username":"` + alice + `","password":"` + password + `","keep":"on"}`, 400, "username, password"},
			{"/login", `{"Username":"` + alice + `","password":"` + password + `"}`, 400, "these members only"},
			{"/login", `{"username":"` + alice + `","USERNAME":"a","password":"x"}`, 400, "case"},
			{"/login", `{"username":"\ud800","password":"x"}`, 400, "surrogate"}, {"/login", `{"username":"` + alice + `","password":"\uDC00"}`, 400, "surrogate"},
			{"/refresh", `{"\ud800":""}`, 400, "surrogate"}, {"/logout", `{"a":"\ud83d"}`, 400, "surrogate"},
			{"/login", `{"username":1,"password":"x"}`, 400, "must be a string"}, {"/login", `{"username":["a"],"password":"x"}`, 400, "must be a string"},
			{"/login", `{"username":null,"password":"x"}`, 400, "must be a string"}, {"/login", `{"username":"a\u0000","password":"x"}`, 400, "without NUL"},
			{"/login", `[]`, 400, "JSON object"}, {"/login", `"x"`, 400, "JSON object"}, {"/login", `{`, 400, "JSON object"}, {"/login", `{"username"`, 400, ""},
			{"/login", credentials + "x", 400, "JSON object"}, {"/login", credentials + credentials, 400, "JSON object"},
			{"/login", "\xff" + credentials, 400, "UTF-8"}, {"/login", "username=a&password=b", 400, "JSON object"},
			{"/login", `{"username":"` + strings.Repeat("a", 70000) + `"}`, 413, "64 KiB"},
			{"/login?x=1", credentials, 400, "in the body"},
			{"/refresh", `{"refresh_token":"x"}`, 400, "empty"}, {"/refresh", "[]", 400, "JSON object"}, {"/refresh?x=1", "", 400, "in the body"},
			{"/logout", `{"all":"yes"}`, 400, "empty"}, {"/logout", "null", 400, "JSON object"},
		} {
			a := v.app(t, c.path, c.body, with("Content-Type", "application/json"))
			wantAppError(t, a, c.status, "invalid_request")
			if !strings.Contains(a.json(t)["error_description"].(string), c.tells) {
				t.Errorf("%s %.100s: %s lacks %q", c.path, c.body, a.Body, c.tells)
			}
		}
		for _, path := range []string{"/refresh", "/logout"} {
			wantAppError(t, v.app(t, path, "{}", with("Content-Type", "application/json; charset=utf-16")), http.StatusUnsupportedMediaType, "unsupported_media_type")
		}
		wantAppError(t, v.app(t, "/login", credentials, with("Content-Type", "application/json; charset=latin1")), http.StatusUnsupportedMediaType, "unsupported_media_type")
		// What does not say that it is JSON is the form of the page.
		if a := v.app(t, "/login", credentials, with("Content-Type", "text/plain")); a.StatusCode != http.StatusUnsupportedMediaType || len(a.Cookies()) != 0 || !strings.Contains(a.Body, "unsupported_media_type") {
			t.Errorf("as text: got %d", a.StatusCode)
		}
		wantStatus(t, v.app(t, "/login", credentials, with("Content-Type", "application/json;charset=UTF-8")), http.StatusOK)
		v.wantApp(t, true)
	})
}

// Without a database nobody is signed out.
func TestRT15_FirstPartyOutage(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		db := backend.Open(t)
		b := start(t, db)
		b.withApp(t)
		v := b.visitor(t)
		v.signInApp(t)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/login", "/refresh", "/logout", "/session"} {
			a := v.app(t, path, map[bool]string{true: credentials}[path == "/login"])
			wantAppError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
			if a.Header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", path)
			}
		}
	})
}

// layout is where issuer and app live, and what cookies that gives.
type layout struct {
	issuer, domain, name string
	access, refresh      string // the lines that set them, but for the value
}

func TestSS04_FirstPartyCookiesOfEachLayout(t *testing.T) {
	for _, l := range []layout{
		{"", "", "", "access_token=; Path=/; Max-Age=900; HttpOnly; SameSite=Lax", "refresh_token=; Path=/refresh; Max-Age=604800; HttpOnly; SameSite=Strict"},
		{secure, "", "", "__Host-access_token=; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax", "__Secure-refresh_token=; Path=/refresh; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
		{"https://app.example.com/auth", "", "", "__Host-access_token=; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax", "__Secure-refresh_token=; Path=/auth/refresh; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
		{secure, "example.com", "", "__Secure-access_token=; Path=/; Domain=example.com; Max-Age=900; HttpOnly; Secure; SameSite=Lax", "__Secure-refresh_token=; Path=/refresh; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
		{secure, "", "other", "__Host-other_access_token=; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax", "__Secure-other_refresh_token=; Path=/refresh; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
	} {
		appOnSQLite(t, func(t *testing.T, b *testbed) {
			v := b.visitor(t)
			a := wantStatus(t, v.app(t, "/login", credentials), http.StatusOK)
			p := pairOf(t, a)
			lines := strings.NewReplacer(p.access.Value, "", p.refresh.Value, "").Replace(strings.Join(a.Header.Values("Set-Cookie"), "\n"))
			for _, want := range []string{l.access, l.refresh} {
				if !slices.Contains(strings.Split(lines, "\n"), want) {
					t.Errorf("issuer %q, domain %q: lacks\n%s\nin\n%s", l.issuer, l.domain, want, lines)
				}
			}
			b.pass(time.Minute)
			if next := v.refreshApp(t); next.generation(t) != 2 {
				t.Errorf("issuer %q: the browser did not bring its refresh token", l.issuer)
			}
			// The browser sends each where it belongs.
			sent := func(target string) string {
				u, _ := url.Parse(target)
				return fmt.Sprint(v.client.Jar.Cookies(u))
			}
			if strings.Contains(sent(b.Issuer+"/session"), "refresh_token") || !strings.Contains(sent(b.Issuer+"/refresh"), "refresh_token") {
				t.Errorf("issuer %q: the refresh token goes elsewhere than to /refresh", l.issuer)
			}
			if got := strings.Contains(sent("https://api.example.com/todos"), "access_token"); got != (l.domain != "") {
				t.Errorf("issuer %q, domain %q: a sibling host gets the access token: %v", l.issuer, l.domain, got)
			}
			// Back from the page with an address of the app, below its own origin too.
			origin := strings.TrimSuffix(b.Issuer, "/auth")
			for _, to := range []string{shop, shop + "/?a=b", origin + "/cart", b.Issuer + "/account"} {
				at := do(t, v.client, mustGet(t, b.Issuer+"/login?"+url.Values{"return_to": {to}}.Encode())).Header.Get("Location")
				if got := do(t, v.client, mustGet(t, origin+at)).Header.Get("Location"); got != to {
					t.Errorf("return_to %s leads to %q", to, got)
				}
			}
			wantCleared(t, wantStatus(t, v.app(t, "/logout", ""), http.StatusNoContent), p)
			v.wantApp(t, false)
		}, issuedOr(l.issuer), func(c *provider.Config) { c.CookieDomain, c.CookieName = l.domain, l.name })
	}
}

// Where return_to may lead to with an app: its origins, and paths of ours.
func TestHT10_FirstPartyReturnTo(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for _, address := range []string{
			"https://evil.example/", shop + ".evil.example/", shop + "@evil.example/", shop + ":444/", shop + `\@evil.example`, shop + "\t.evil.example", shop + "%2eevil.example",
			"http://shop.example.com/", "https://SHOP.example.com/", "//shop.example.com/", "https:shop.example.com", "javascript:alert(1)", shop + "/\r\nSet-Cookie: x=1", shop + "/ä",
			shop + "/" + strings.Repeat("a", 1100), b.Issuer + "0/", b.Issuer + "@evil.example", " " + shop,
		} {
			v.get(t, b.Issuer+"/login?"+url.Values{"return_to": {address}}.Encode()).wantPage(t, http.StatusBadRequest, "invalid_return_to")
		}
	})
}

// A request that was made before the settings changed leads nowhere else.
func TestFirstParty_ReturnToIsCheckedAgain(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := startOn(t, backend, appAt(shop))
		b.withApp(t)
		v := b.visitor(t)
		next := v.fetch(t, b.Issuer+"/login?"+url.Values{"return_to": {shop + "/"}}.Encode()).Header.Get("Location")
		without := b.node(t) // has no such origin
		v.get(t, without.Issuer+next).wantPage(t, http.StatusBadRequest, "invalid_link")
		if s := v.get(t, b.Issuer+next); s.At.Path != "/login" {
			t.Errorf("at %s", s.At)
		}
		b.disableNamed(t, "shop", true)
		v.get(t, b.Issuer+next).wantPage(t, http.StatusBadRequest, "invalid_client")
	})
}

// The most that can be in a token fits into its cookie; what would not is an error
// that says so, and no cookie that the browser drops.
func TestSS14_FirstPartyCookieSizes(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		client, err := b.DB.Client(ctx, "shop")
		if err != nil {
			t.Fatal(err)
		}
		client.Metadata.Scope = "openid profile email roles groups offline_access"
		if err := b.DB.UpdateClient(ctx, client, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
		for _, c := range []struct {
			bytes int
			fits  bool
		}{{1900, true}, {4000, false}} {
			v := b.visitor(t)
			groups := make([]string, c.bytes/20)
			for i := range groups {
				groups[i] = fmt.Sprintf("group-%011d", i) // 17 bytes, two quotes and a comma
			}
			email := fmt.Sprintf("in%d@example.com", c.bytes)
			b.member(t, email, groups)
			a := v.app(t, "/login", strings.Replace(credentials, alice, email, 1))
			if !c.fits {
				wantOAuthError(t, a, http.StatusInternalServerError, "token_too_large")
				if !strings.Contains(a.Body, "access_token") || strings.Contains(fmt.Sprint(a.Cookies()), "token=") {
					t.Errorf("%s, cookies %v", a.Body, a.Cookies())
				}
				s := v.get(t, b.Issuer+"/login?return_to="+url.QueryEscape(shop+"/"))
				s.wantPage(t, http.StatusInternalServerError, "token_too_large")
				continue
			}
			p := pairOf(t, wantStatus(t, a, http.StatusOK))
			claims := claimsOf(t, p.access.Value)
			if len(claims["groups"].([]any)) != len(groups) || strings.Contains(claims["scope"].(string), "offline_access") {
				t.Errorf("claims %v", claims)
			}
			for _, cookie := range []*http.Cookie{p.access, p.refresh} {
				t.Logf("%s: %d bytes with groups of %d", cookie.Name, len(cookie.String()), c.bytes)
				if len(cookie.String()) > 4096 {
					t.Errorf("%s has %d bytes", cookie.Name, len(cookie.String()))
				}
			}
		}
	}, issuedBy(secure), func(c *provider.Config) {
		c.CookieDomain, c.FirstParty.Audience = "example.com", "https://shop.example.com/"+strings.Repeat("a", 230)
	})
}

// member makes a user who is in these groups.
func (b *testbed) member(t *testing.T, email string, groups []string) {
	t.Helper()
	hash, err := credential.New(credential.Config{DB: b.DB, Params: cheapHash}).Hash(ctx, password, storage.User{Email: email})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.DB.CreateUser(ctx, storage.User{Email: email, EmailVerified: true, Groups: groups}, hash, storage.By{From: here, At: b.now()}); err != nil {
		t.Fatal(err)
	}
}
