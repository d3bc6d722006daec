package firstparty_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/credential"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// Every call by every sender: what a browser says of another site is refused, and so
// is who says nothing; nothing of it has an effect.
// SS-06: POST /refresh cross-site.
// SS-07: Same calls from evil.example.com when Signet is id.example.com (same site, SameSite no help).
// SS-08: Origin: null; no Origin and no Sec-Fetch-Site; Origin with port or case changes.
func TestFirstParty_CrossSite(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		p := v.SignInApp(t)
		b.Advance(time.Minute)
		for _, sender := range []struct {
			origins []string
			site    string
			refused bool
		}{
			{nil, "", true}, {nil, "cross-site", true}, {nil, "same-site", true}, {nil, "SAME-ORIGIN", true}, {nil, "x", true},
			{[]string{"null"}, "", true}, {[]string{"null"}, "cross-site", true}, {[]string{"null"}, "same-site", true},
			{[]string{"https://evil.example"}, "", true}, {[]string{"https://evil.example"}, "cross-site", true},
			{[]string{"https://evil.shop.example.com"}, "same-site", true}, {[]string{"https://shop.example.com.evil.example"}, "", true},
			{[]string{providertest.Shop + "/"}, "", true}, {[]string{providertest.Shop + ":444"}, "", true}, {[]string{providertest.Shop + ":443"}, "", true}, {[]string{"http://shop.example.com"}, "", true},
			{[]string{"https://SHOP.example.com"}, "", true}, {[]string{providertest.Shop + " "}, "", false}, // HTTP trims it
			{[]string{providertest.Shop, providertest.Shop}, "", true}, {[]string{providertest.Shop, "https://evil.example"}, "same-site", true}, {[]string{providertest.Shop + ", https://evil.example"}, "", true},
			{[]string{b.Issuer + "0"}, "", true}, {[]string{""}, "", true},
			{[]string{providertest.Shop}, "", false}, {[]string{providertest.Shop}, "cross-site", false}, {[]string{providertest.Shop}, "same-site", false}, {[]string{b.Issuer}, "", false},
			{nil, "same-origin", false}, {nil, "none", false}, {[]string{b.Issuer}, "same-origin", false},
		} {
			for _, path := range []string{"/login", "/refresh", "/logout"} {
				w := v
				if !sender.refused {
					w = b.Visitor(t) // who is let in is somebody else
				}
				a := w.CallApp(t, path, map[bool]string{true: providertest.Credentials}[path == "/login"], providertest.WithHeader("Sec-Fetch-Site", sender.site), func(r *http.Request) {
					r.Header["Origin"] = sender.origins
				})
				if got := a.StatusCode == http.StatusForbidden; got != sender.refused {
					t.Errorf("%s from %q, Sec-Fetch-Site %q: got %d", path, sender.origins, sender.site, a.StatusCode)
				}
				if sender.refused {
					providertest.WantAppError(t, a, http.StatusForbidden, "cross_origin")
				}
			}
		}
		v.WantApp(t, true)
		b.Advance(time.Minute) // past the grace: had a refused call rotated, this would be a replay
		if next := v.RefreshApp(t); next.Generation(t) != p.Generation(t)+1 {
			t.Errorf("generation %d after %d", next.Generation(t), p.Generation(t))
		}
	})
}

// The cookies of a page sign-in come by a navigation alone: what a page of a sibling
// host embeds, with all cookies, changes nothing.
// SS-07: Same calls from evil.example.com when Signet is id.example.com (same site, SameSite no help).
func TestFirstParty_PageIsNoSubresource(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		p := v.SignInApp(t)
		b.Advance(time.Minute)
		next := v.Fetch(t, b.Issuer+"/login?return_to=/account").Header.Get("Location")
		ask := func(site, use string) providertest.Answer {
			r := providertest.NewGetRequest(t, b.Issuer+next)
			providertest.WithHeader("Sec-Fetch-Site", site)(r)
			providertest.WithHeader("Sec-Fetch-Dest", use)(r)
			return providertest.Do(t, v.Client, r)
		}
		for _, site := range []string{"same-site", "cross-site"} {
			for _, use := range []string{"image", "iframe", "empty", "script", ""} {
				if a := ask(site, use); a.StatusCode != http.StatusForbidden || len(a.Cookies()) != 0 || !strings.Contains(a.Body, "cross_origin") {
					t.Errorf("Sec-Fetch-Site %q, Sec-Fetch-Dest %q: got %d %v", site, use, a.StatusCode, a.Cookies())
				}
			}
		}
		b.Advance(time.Minute) // past the grace: had one of them rotated, this would be a replay
		if next := v.RefreshApp(t); next.Generation(t) != p.Generation(t)+1 {
			t.Errorf("generation %d after %d", next.Generation(t), p.Generation(t))
		}
		for _, sender := range [][2]string{{"same-site", "document"}, {"cross-site", "document"}, {"same-origin", "document"}, {"none", "document"}, {"same-origin", "empty"}, {"", ""}} {
			if a := ask(sender[0], sender[1]); a.StatusCode != http.StatusSeeOther {
				t.Errorf("Sec-Fetch-Site and Sec-Fetch-Dest %q: got %d", sender, a.StatusCode)
			}
			v.WantApp(t, true)
		}
	})
}

// SS-12: Preflight from any origin.
func TestFirstParty_CORS(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, path := range []string{"/login", "/refresh", "/logout", "/session"} {
			for origin, known := range map[string]bool{
				providertest.Shop: true, b.Issuer: true, "https://evil.example": false, "null": false, "http://shop.example.com": false, "https://xshop.example.com": false,
				providertest.Shop + ".evil.example": false, providertest.Shop + ":444": false, "": false,
			} {
				v := b.Visitor(t)
				method := map[bool]string{true: "GET", false: "POST"}[path == "/session"]
				preflight, _ := http.NewRequest(http.MethodOptions, b.Issuer+path, nil)
				providertest.WithHeader("Origin", origin)(preflight)
				preflight.Header.Set("Access-Control-Request-Method", method)
				preflight.Header.Set("Access-Control-Request-Headers", "content-type, x-csrf")
				asked := providertest.Do(t, v.Client, preflight)
				real := v.CallApp(t, path, map[bool]string{true: providertest.Credentials}[path == "/login"], providertest.WithHeader("Origin", origin), providertest.WithHeader("Sec-Fetch-Site", "cross-site"), providertest.WithHeader("X-CSRF", "1"))
				want, methods, headers := "", "", ""
				if known {
					want, methods, headers = origin, method, "Content-Type, X-CSRF"
				}
				if known && real.Header.Get("Access-Control-Expose-Headers") != "Retry-After, Date" {
					t.Errorf("%s from %q: scripts may not read the headers: %v", path, origin, real.Header)
				}
				for _, a := range []providertest.Answer{asked, real} {
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

// SS-09: GET /login, /logout, /refresh.
func TestFirstParty_Methods(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInApp(t)
		for path, allowed := range map[string][]string{"/refresh": {"POST", "OPTIONS"}, "/logout": {"POST", "OPTIONS"}, "/session": {"GET", "HEAD", "OPTIONS"}} {
			for _, method := range providertest.Methods {
				r, _ := http.NewRequest(method, b.Issuer+path+"?x=1", nil)
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				a := providertest.Do(t, v.Client, r)
				if ok := a.StatusCode != http.StatusMethodNotAllowed; ok != slices.Contains(allowed, method) || !ok && (a.Header.Get("Allow") == "" || len(a.Cookies()) != 0) {
					t.Errorf("%s %s: got %d, Allow %q", method, path, a.StatusCode, a.Header.Get("Allow"))
				}
			}
		}
		v.WantApp(t, true) // the query made every POST of them invalid
		// Images and links of any site do nothing.
		for _, path := range []string{"/refresh", "/logout"} {
			v.Fetch(t, b.Issuer+path)
		}
		v.WantApp(t, true)
	})
}

// PW-17: {"email":["a","b"]}, {"password":{"x":1}}, numbers, null, duplicate keys, unknown keys.
func TestFirstParty_BodiesAreReadStrictly(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, c := range []struct {
			path, body string
			status     int
			tells      string // part of the description
		}{
			{"/login", "", 400, "username and password"}, {"/login", "{}", 400, "username and password"},
			{"/login", `{"username":"` + providertest.Alice + `"}`, 400, "username and password"}, {"/login", `{"password":"x"}`, 400, "username and password"},
			{"/login", `{"username":"","password":"x"}`, 400, "username and password"},
			{"/login", `{"username":"a","username":"` + providertest.Alice + `","password":"` + providertest.Password + `"}`, 400, "repeated"},
			{"/login", `{"username":"` + providertest.Alice + `","password":"x","password":"` + providertest.Password + `"}`, 400, "repeated"},
			{"/login", `{"username":"` + providertest.Alice + `","password":"` + providertest.Password + `","keep":"on"}`, 400, "username, password"},
			{"/login", `{"Username":"` + providertest.Alice + `","password":"` + providertest.Password + `"}`, 400, "only have these members"},
			{"/login", `{"username":"` + providertest.Alice + `","USERNAME":"a","password":"x"}`, 400, "case"},
			{"/login", `{"username":"\ud800","password":"x"}`, 400, "surrogate"}, {"/login", `{"username":"` + providertest.Alice + `","password":"\uDC00"}`, 400, "surrogate"},
			{"/refresh", `{"\ud800":""}`, 400, "surrogate"}, {"/logout", `{"a":"\ud83d"}`, 400, "surrogate"},
			{"/login", `{"username":1,"password":"x"}`, 400, "must be a string"}, {"/login", `{"username":["a"],"password":"x"}`, 400, "must be a string"},
			{"/login", `{"username":null,"password":"x"}`, 400, "must be a string"}, {"/login", `{"username":"a\u0000","password":"x"}`, 400, "without NUL"},
			{"/login", `[]`, 400, "JSON object"}, {"/login", `"x"`, 400, "JSON object"}, {"/login", `{`, 400, "JSON object"}, {"/login", `{"username"`, 400, ""},
			{"/login", providertest.Credentials + "x", 400, "JSON object"}, {"/login", providertest.Credentials + providertest.Credentials, 400, "JSON object"},
			{"/login", "\xff" + providertest.Credentials, 400, "UTF-8"}, {"/login", "username=a&password=b", 400, "JSON object"},
			{"/login", `{"username":"` + strings.Repeat("a", 70000) + `"}`, 413, "64 KiB"},
			{"/login?x=1", providertest.Credentials, 400, "in the body"},
			{"/refresh", `{"refresh_token":"x"}`, 400, "empty"}, {"/refresh", "[]", 400, "JSON object"}, {"/refresh?x=1", "", 400, "in the body"},
			{"/logout", `{"all":"yes"}`, 400, "empty"}, {"/logout", "null", 400, "JSON object"},
		} {
			a := v.CallApp(t, c.path, c.body, providertest.WithHeader("Content-Type", "application/json"))
			providertest.WantAppError(t, a, c.status, "invalid_request")
			if !strings.Contains(a.JSON(t)["error_description"].(string), c.tells) {
				t.Errorf("%s %.100s: %s lacks %q", c.path, c.body, a.Body, c.tells)
			}
		}
		for _, path := range []string{"/refresh", "/logout"} {
			providertest.WantAppError(t, v.CallApp(t, path, "{}", providertest.WithHeader("Content-Type", "application/json; charset=utf-16")), http.StatusUnsupportedMediaType, "unsupported_media_type")
		}
		providertest.WantAppError(t, v.CallApp(t, "/login", providertest.Credentials, providertest.WithHeader("Content-Type", "application/json; charset=latin1")), http.StatusUnsupportedMediaType, "unsupported_media_type")
		// What does not say that it is JSON is the form of the page.
		if a := v.CallApp(t, "/login", providertest.Credentials, providertest.WithHeader("Content-Type", "text/plain")); a.StatusCode != http.StatusUnsupportedMediaType || len(a.Cookies()) != 0 || !strings.Contains(a.Body, "unsupported_media_type") {
			t.Errorf("as text: got %d", a.StatusCode)
		}
		providertest.WantStatus(t, v.CallApp(t, "/login", providertest.Credentials, providertest.WithHeader("Content-Type", "application/json;charset=UTF-8")), http.StatusOK)
		v.WantApp(t, true)
	})
}

// Without a database nobody is signed out.
// RT-15: Database locked, full, or gone during rotation.
func TestFirstParty_Outage(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		db := backend.Open(t)
		b := providertest.Start(t, db)
		b.RegisterApp(t)
		v := b.Visitor(t)
		v.SignInApp(t)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/login", "/refresh", "/logout", "/session"} {
			a := v.CallApp(t, path, map[bool]string{true: providertest.Credentials}[path == "/login"])
			providertest.WantAppError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
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

// SS-04: Attributes: HttpOnly, Secure, SameSite, Path, no Domain, Max-Age equal to the token's life.
func TestFirstParty_CookiesOfEachLayout(t *testing.T) {
	for _, l := range []layout{
		{"", "", "", "access_token=; Path=/; Max-Age=900; HttpOnly; SameSite=Lax", "refresh_token=; Path=/refresh; Max-Age=604800; HttpOnly; SameSite=Strict"},
		{providertest.HTTPSIssuer, "", "", "__Host-access_token=; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax", "__Secure-refresh_token=; Path=/refresh; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
		{"https://app.example.com/auth", "", "", "__Host-access_token=; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax", "__Secure-refresh_token=; Path=/auth/refresh; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
		{providertest.HTTPSIssuer, "example.com", "", "__Secure-access_token=; Path=/; Domain=example.com; Max-Age=900; HttpOnly; Secure; SameSite=Lax", "__Secure-refresh_token=; Path=/refresh; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
		{providertest.HTTPSIssuer, "", "other", "__Host-other_access_token=; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax", "__Secure-other_refresh_token=; Path=/refresh; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
	} {
		providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			a := providertest.WantStatus(t, v.CallApp(t, "/login", providertest.Credentials), http.StatusOK)
			p := providertest.PairOf(t, a)
			lines := strings.NewReplacer(p.Access.Value, "", p.Refresh.Value, "").Replace(strings.Join(a.Header.Values("Set-Cookie"), "\n"))
			for _, want := range []string{l.access, l.refresh} {
				if !slices.Contains(strings.Split(lines, "\n"), want) {
					t.Errorf("issuer %q, domain %q: lacks\n%s\nin\n%s", l.issuer, l.domain, want, lines)
				}
			}
			b.Advance(time.Minute)
			if next := v.RefreshApp(t); next.Generation(t) != 2 {
				t.Errorf("issuer %q: the browser did not bring its refresh token", l.issuer)
			}
			// The browser sends each where it belongs.
			sent := func(target string) string {
				u, _ := url.Parse(target)
				return fmt.Sprint(v.Client.Jar.Cookies(u))
			}
			if strings.Contains(sent(b.Issuer+"/session"), "refresh_token") || !strings.Contains(sent(b.Issuer+"/refresh"), "refresh_token") {
				t.Errorf("issuer %q: the refresh token goes elsewhere than to /refresh", l.issuer)
			}
			if got := strings.Contains(sent("https://api.example.com/todos"), "access_token"); got != (l.domain != "") {
				t.Errorf("issuer %q, domain %q: a sibling host gets the access token: %v", l.issuer, l.domain, got)
			}
			// Back from the page with an address of the app, below its own origin too.
			origin := strings.TrimSuffix(b.Issuer, "/auth")
			for _, to := range []string{providertest.Shop, providertest.Shop + "/?a=b", origin + "/cart", b.Issuer + "/account"} {
				at := providertest.Do(t, v.Client, providertest.NewGetRequest(t, b.Issuer+"/login?"+url.Values{"return_to": {to}}.Encode())).Header.Get("Location")
				if got := providertest.Do(t, v.Client, providertest.NewGetRequest(t, origin+at)).Header.Get("Location"); got != to {
					t.Errorf("return_to %s leads to %q", to, got)
				}
			}
			wantCleared(t, providertest.WantStatus(t, v.CallApp(t, "/logout", ""), http.StatusNoContent), p)
			v.WantApp(t, false)
		}, providertest.WithIssuerIfSet(l.issuer), func(c *provider.Config) { c.CookieDomain, c.CookieName = l.domain, l.name })
	}
}

// Where return_to may lead to with an app: its origins, and paths of ours.
// HT-10: Open redirect by return_to, next, redirect.
func TestFirstParty_ReturnToOfOthersIsRefused(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, address := range []string{
			"https://evil.example/", providertest.Shop + ".evil.example/", providertest.Shop + "@evil.example/", providertest.Shop + ":444/", providertest.Shop + `\@evil.example`, providertest.Shop + "\t.evil.example", providertest.Shop + "%2eevil.example",
			"http://shop.example.com/", "https://SHOP.example.com/", "//shop.example.com/", "https:shop.example.com", "javascript:alert(1)", providertest.Shop + "/\r\nSet-Cookie: x=1", providertest.Shop + "/ä",
			providertest.Shop + "/" + strings.Repeat("a", 1100), b.Issuer + "0/", b.Issuer + "@evil.example", " " + providertest.Shop,
		} {
			v.Get(t, b.Issuer+"/login?"+url.Values{"return_to": {address}}.Encode()).WantPage(t, http.StatusBadRequest, "invalid_return_to")
		}
	})
}

// A request that was made before the settings changed leads nowhere else.
func TestFirstParty_ReturnToIsCheckedAgain(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithAppOrigins(providertest.Shop))
		b.RegisterApp(t)
		v := b.Visitor(t)
		next := v.Fetch(t, b.Issuer+"/login?"+url.Values{"return_to": {providertest.Shop + "/"}}.Encode()).Header.Get("Location")
		without := b.Node(t) // has no such origin
		v.Get(t, without.Issuer+next).WantPage(t, http.StatusBadRequest, "invalid_link")
		if s := v.Get(t, b.Issuer+next); s.At.Path != "/login" {
			t.Errorf("at %s", s.At)
		}
		b.SetClientEnabledByID(t, "shop", false)
		v.Get(t, b.Issuer+next).WantPage(t, http.StatusBadRequest, "invalid_client")
	})
}

// The most that can be in a token fits into its cookie; what would not is an error
// that says so, and no cookie that the browser drops.
// SS-14: Token grows past 4,096 bytes (many groups): browser drops it silently.
func TestFirstParty_CookieSizes(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		client, err := b.DB.Client(context.Background(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		client.Metadata.Scope = "openid profile email roles groups offline_access"
		if err := storagetest.ReplaceClient(context.Background(), b.DB, client, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		for _, c := range []struct {
			bytes int
			fits  bool
		}{{700, true}, {4000, false}} {
			v := b.Visitor(t)
			groups := make([]string, c.bytes/20)
			for i := range groups {
				groups[i] = fmt.Sprintf("group-%011d", i) // 17 bytes, two quotes and a comma
			}
			email := fmt.Sprintf("in%d@example.com", c.bytes)
			member(t, b, email, groups)
			a := v.CallApp(t, "/login", strings.Replace(providertest.Credentials, providertest.Alice, email, 1))
			if !c.fits {
				providertest.WantOAuthError(t, a, http.StatusInternalServerError, "token_too_large")
				if !strings.Contains(a.Body, "fewer roles and groups") || strings.Contains(fmt.Sprint(a.Cookies()), "token=") {
					t.Errorf("%s, cookies %v", a.Body, a.Cookies())
				}
				s := v.Get(t, b.Issuer+"/login?return_to="+url.QueryEscape(providertest.Shop+"/"))
				s.WantPage(t, http.StatusInternalServerError, "token_too_large")
				continue
			}
			p := providertest.PairOf(t, providertest.WantStatus(t, a, http.StatusOK))
			claims := providertest.ClaimsOf(t, p.Access.Value)
			if len(claims["groups"].([]any)) != len(groups) || strings.Contains(claims["scope"].(string), "offline_access") {
				t.Errorf("claims %v", claims)
			}
			for _, cookie := range []*http.Cookie{p.Access, p.Refresh} {
				t.Logf("%s: %d bytes with groups of %d", cookie.Name, len(cookie.String()), c.bytes)
				if len(cookie.String()) > 4096 {
					t.Errorf("%s has %d bytes", cookie.Name, len(cookie.String()))
				}
			}
		}
	}, providertest.WithIssuer(providertest.HTTPSIssuer), func(c *provider.Config) {
		c.CookieDomain, c.FirstParty.Audience = "example.com", "https://shop.example.com/"+strings.Repeat("a", 230)
	})
}

// member makes a user who is in these groups.
func member(t *testing.T, b *providertest.Testbed, email string, groups []string) {
	t.Helper()
	hash, err := credential.New(credential.Config{DB: b.DB, Params: providertest.CheapHash}).Hash(context.Background(), providertest.Password, storage.User{Email: email})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.DB.CreateUser(context.Background(), storage.User{Email: email, EmailVerified: true, Groups: groups}, hash, storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
		t.Fatal(err)
	}
}
