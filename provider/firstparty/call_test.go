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

// Every call from every kind of sender. Calls from other sites and calls without both
// headers are refused, and a refused call has no effect.
// SS-06: POST /refresh comes from another site.
// SS-07: The same calls come from evil.example.com while Signet is id.example.com. This is the same site, so SameSite does not help.
// SS-08: Origin is null, or differs in port or case, or both headers are missing.
func TestFirstParty_CallsOfOtherSitesAreRefused(t *testing.T) {
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
					w = b.Visitor(t) // accepted calls must not change v's session
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
		b.Advance(time.Minute) // after the grace period: if a refused call had rotated the token, this would be a replay
		if next := v.RefreshApp(t); next.Generation(t) != p.Generation(t)+1 {
			t.Errorf("generation %d after %d", next.Generation(t), p.Generation(t))
		}
	})
}

// Only a navigation sets the app's cookies at the end of a page sign-in. A request that a
// page of a sibling host embeds has all cookies, but changes nothing.
// SS-07: The same calls come from evil.example.com while Signet is id.example.com. This is the same site, so SameSite does not help.
func TestFirstParty_EmbeddedRequestsSetNoCookies(t *testing.T) {
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
		b.Advance(time.Minute) // after the grace period: if one of them had rotated the token, this would be a replay
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

// SS-12: Any origin can send a preflight; only those of the app get CORS headers.
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

// SS-09: GET at /logout and /refresh is refused.
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
		v.WantApp(t, true) // the query made each POST invalid
		// Images and links of other sites have no effect.
		for _, path := range []string{"/refresh", "/logout"} {
			v.Fetch(t, b.Issuer+path)
		}
		v.WantApp(t, true)
	})
}

// PW-17: The body has lists, objects, numbers or null as values, or duplicate or unknown members.
func TestFirstParty_BodiesAreReadStrictly(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, c := range []struct {
			path, body string
			status     int
			want       string // part of error_description
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
			if !strings.Contains(a.JSON(t)["error_description"].(string), c.want) {
				t.Errorf("%s %.100s: %s lacks %q", c.path, c.body, a.Body, c.want)
			}
		}
		for _, path := range []string{"/refresh", "/logout"} {
			providertest.WantAppError(t, v.CallApp(t, path, "{}", providertest.WithHeader("Content-Type", "application/json; charset=utf-16")), http.StatusUnsupportedMediaType, "unsupported_media_type")
		}
		providertest.WantAppError(t, v.CallApp(t, "/login", providertest.Credentials, providertest.WithHeader("Content-Type", "application/json; charset=latin1")), http.StatusUnsupportedMediaType, "unsupported_media_type")
		// A body of another content type goes to the handler of the page's form.
		if a := v.CallApp(t, "/login", providertest.Credentials, providertest.WithHeader("Content-Type", "text/plain")); a.StatusCode != http.StatusUnsupportedMediaType || len(a.Cookies()) != 0 || !strings.Contains(a.Body, "unsupported_media_type") {
			t.Errorf("as text: got %d", a.StatusCode)
		}
		providertest.WantStatus(t, v.CallApp(t, "/login", providertest.Credentials, providertest.WithHeader("Content-Type", "application/json;charset=UTF-8")), http.StatusOK)
		v.WantApp(t, true)
	})
}

// If the database cannot be reached, calls get 503 and nobody is signed out.
// RT-15: The database fails during a rotation.
func TestFirstParty_OutageSignsNobodyOut(t *testing.T) {
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

// layout is the issuer with the settings of its cookies, and the cookies that must result.
type layout struct {
	issuer, domain, name string
	access, refresh      string // the Set-Cookie lines without the values
}

// SS-04: The cookies have HttpOnly, Secure, SameSite, Path, the Domain of the setting, and the Max-Age of the token.
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
				t.Errorf("issuer %q: the browser did not send its refresh token", l.issuer)
			}
			// The browser sends each cookie to its own addresses only.
			sent := func(target string) string {
				u, _ := url.Parse(target)
				return fmt.Sprint(v.Client.Jar.Cookies(u))
			}
			if strings.Contains(sent(b.Issuer+"/session"), "refresh_token") || !strings.Contains(sent(b.Issuer+"/refresh"), "refresh_token") {
				t.Errorf("issuer %q: the browser must send the refresh token to /refresh only", l.issuer)
			}
			if got := strings.Contains(sent("https://api.example.com/todos"), "access_token"); got != (l.domain != "") {
				t.Errorf("issuer %q, domain %q: a sibling host gets the access token: %v", l.issuer, l.domain, got)
			}
			// The page leads back to addresses of the app, also if the app has the origin of the issuer.
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

// return_to may lead to the origins of the app and to paths of the issuer only.
// HT-10: return_to is no open redirect.
func TestFirstParty_ReturnToOfOtherHostsIsRefused(t *testing.T) {
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

// return_to is checked again at the end of the sign-in: an open request does not lead to an
// origin that the settings no longer list.
func TestFirstParty_ReturnToIsCheckedAgain(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithAppOrigins(providertest.Shop))
		b.RegisterApp(t)
		v := b.Visitor(t)
		next := v.Fetch(t, b.Issuer+"/login?"+url.Values{"return_to": {providertest.Shop + "/"}}.Encode()).Header.Get("Location")
		without := b.Node(t) // a node without the origins of the app
		v.Get(t, without.Issuer+next).WantPage(t, http.StatusBadRequest, "invalid_link")
		if s := v.Get(t, b.Issuer+next); s.At.Path != "/login" {
			t.Errorf("at %s", s.At)
		}
		b.SetClientEnabledByID(t, "shop", false)
		v.Get(t, b.Issuer+next).WantPage(t, http.StatusBadRequest, "invalid_client")
	})
}

// The largest allowed token fits into its cookie. A larger one is an error that names the
// reason, instead of a cookie that the browser ignores.
// SS-14: Many groups make a token of more than 4,096 bytes, which browsers ignore silently.
func TestFirstParty_TooLargeTokenIsError(t *testing.T) {
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
			createMember(t, b, email, groups)
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

// createMember creates a user in these groups.
func createMember(t *testing.T, b *providertest.Testbed, email string, groups []string) {
	t.Helper()
	hash, err := credential.New(credential.Config{DB: b.DB, Params: providertest.CheapHash}).Hash(context.Background(), providertest.Password, storage.User{Email: email})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.DB.CreateUser(context.Background(), storage.User{Email: email, EmailVerified: true, Groups: groups}, hash, storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
		t.Fatal(err)
	}
}
