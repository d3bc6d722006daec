package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// authTime returns auth_time of the ID token, in Unix seconds.
func authTime(t *testing.T, tokens map[string]any) int64 {
	t.Helper()
	seconds, err := providertest.ClaimsOf(t, tokens["id_token"])["auth_time"].(json.Number).Int64()
	if err != nil {
		t.Fatalf("auth_time: %v", err)
	}
	return seconds
}

// P-22: prompt=none shows no page, and works after an earlier consent.
// AZ-07: prompt=none never shows a page: it answers login_required, consent_required or
// interaction_required (OIDC Core, section 3.1.2.6).
func TestPrompt_NoneNeverShowsAPage(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		silent := func(code string, pairs ...string) {
			t.Helper()
			v.ByBoth(t, b.Params(append(pairs, "prompt", "none")...), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				s.WantError(t, code)
			})
		}
		silent("login_required")
		silent("login_required", "max_age", "100")
		page := v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		silent("consent_required")
		silent("unmet_authentication_requirements", "claims", `{"id_token":{"acr":{"essential":true,"value":"urn:signet:2fa"}}}`)
		v.Allow(t, page)
		b.Redeem(t, v.CodeFromSession(t, "prompt", "none")) // right after the first authorization
		silent("consent_required", "scope", "openid email phone")
		silent("login_required", "max_age", "0")
		b.Advance(2 * time.Minute)
		silent("login_required", "max_age", "60")
		b.Redeem(t, v.CodeFromSession(t, "prompt", "none", "max_age", "300"))
		b.Advance(13 * time.Hour) // the session has expired
		silent("login_required")
	})
}

// AZ-05: prompt=none with an id_token_hint for another user gives login_required. A hint
// never signs anyone in (OIDC Core, section 3.1.2.1).
func TestPrompt_HintOfAnotherUser(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, providertest.Bob, providertest.Password)
		v := b.Visitor(t)
		hint := b.Redeem(t, v.SignInForCode(t))["id_token"].(string)
		if claims := providertest.ClaimsOf(t, b.Redeem(t, v.CodeFromSession(t, "prompt", "none", "id_token_hint", hint))["id_token"]); claims["sub"] != b.Alice.ID {
			t.Fatalf("sub: %v", claims["sub"])
		}

		w := b.Visitor(t)
		w.Get(t, b.AuthorizeURL("prompt", "none", "id_token_hint", hint)).WantError(t, "login_required") // a hint signs nobody in
		w.Allow(t, w.SignIn(t, w.Get(t, b.AuthorizeURL()), providertest.Bob, providertest.Password))
		for _, s := range []providertest.Stop{
			w.Get(t, b.AuthorizeURL("prompt", "none", "id_token_hint", hint)),
			w.Post(t, b.Params("prompt", "none", "id_token_hint", hint)),
			w.Get(t, b.AuthorizeURL("prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+b.Alice.ID+`"}}}`)),
		} {
			s.WantError(t, "login_required")
		}
		// Without prompt=none the sign-in page is shown. Only the hinted user gets a code.
		page := w.Get(t, b.AuthorizeURL("id_token_hint", hint))
		w.SignIn(t, page, providertest.Bob, providertest.Password).WantError(t, "login_required")
		page = w.Get(t, b.AuthorizeURL("id_token_hint", hint))
		if claims := providertest.ClaimsOf(t, b.Redeem(t, w.SignIn(t, page, providertest.Alice, providertest.Password).Code(t))["id_token"]); claims["sub"] != b.Alice.ID {
			t.Errorf("sub: %v", claims["sub"])
		}
	})
}

// An expired hint is accepted. A hint that expired more than 400 days ago
// is refused.
// P-27: id_token_hint works after expiry; another user gives login_required.
func TestPrompt_ExpiredHintIsAccepted(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		hint := b.Redeem(t, v.SignInForCode(t))["id_token"].(string)
		b.Advance(10 * time.Hour)
		b.Redeem(t, v.CodeFromSession(t, "prompt", "none", "id_token_hint", hint))
		b.Advance(402 * 24 * time.Hour)
		b.Visitor(t).Get(t, b.AuthorizeURL("prompt", "none", "id_token_hint", hint)).WantError(t, "invalid_request")
	})
}

// AZ-06: Only an ID token for this client counts as id_token_hint: no access, refresh or
// logout token, no token of another client, no alg: none.
func TestPrompt_HintMustBeAnIDTokenForThisClient(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		code := v.SignInForCode(t)
		tokens := b.Redeem(t, code)
		good := tokens["id_token"].(string)

		first, firstSecret := b.Client, b.Secret
		b.Client, b.Secret = b.Register(t, storage.Web, "other", "https://other.example.com/cb")
		foreign := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL())).Code(t))["id_token"]
		b.Client, b.Secret = first, firstSecret

		// Another provider with the same keys. Only its issuer differs.
		twin := providertest.Start(t, storagetest.SQLite(t).Open(t))
		elsewhere := twin.Redeem(t, twin.Visitor(t).SignInForCode(t))["id_token"]

		parts := strings.Split(good, ".")
		header := func(h string) string { return base64.RawURLEncoding.EncodeToString([]byte(h)) }
		for name, hint := range map[string]any{
			"access token":             tokens["access_token"],
			"refresh token":            tokens["refresh_token"],
			"code":                     code,
			"ID token of other client": foreign,
			"ID token of other issuer": elsewhere,
			"no algorithm":             header(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + ".",
			"no algorithm, signed":     header(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2],
			"HS256":                    header(`{"alg":"HS256","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
			"no signature":             parts[0] + "." + parts[1] + ".",
			"two parts":                parts[0] + "." + parts[1],
			"other payload":            parts[0] + "." + strings.Split(foreign.(string), ".")[1] + "." + parts[2],
			"subject":                  b.Alice.ID,
			"email address":            providertest.Alice,
			"garbage":                  "a.b.c",
			"trailing dot":             good + ".",
		} {
			if hint == nil || hint == "" {
				t.Fatalf("%s: the test has no value for it", name)
			}
			for _, prompt := range []string{"none", ""} {
				v.ByBoth(t, b.Params("prompt", prompt, "id_token_hint", hint.(string)), func(t *testing.T, s providertest.Stop) {
					t.Helper()
					if s.LeftTo == nil || s.Response(t).Get("error") != "invalid_request" {
						t.Errorf("%s: left to %v, at %s", name, s.LeftTo, s.At.Path)
					}
				})
			}
		}
		b.Redeem(t, v.CodeFromSession(t, "prompt", "none", "id_token_hint", good))
	})
}

// The test uses the back button, reload, a second tab, and skips a step. auth_time is never
// older than the request.
// AZ-08: Back button, reload, a second tab or odd numbers do not get around prompt=login and
// max_age (OIDC Core, section 3.1.2.1).
func TestPrompt_LoginAndMaxAgeCannotBeBypassed(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		first := authTime(t, b.Redeem(t, v.SignInForCode(t)))
		b.Advance(10 * time.Minute)
		for _, change := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "60"}, {"prompt", "login consent"}, {"prompt", "login", "max_age", "86400"}} {
			page := v.Get(t, b.AuthorizeURL(change...))
			if page.At.Path != "/login" {
				t.Fatalf("%v: at %s, left to %v", change, page.At.Path, page.LeftTo)
			}
			sealed := page.At.Query().Get("request")
			// Skip to the dispatcher or to the consent page, reload, and use another tab.
			other := v.Get(t, b.AuthorizeURL(change...))
			for _, at := range []string{"/authorize/next", "/authorize/next", "/login"} {
				if s := v.Get(t, b.Issuer+at+"?request="+sealed); s.At.Path != "/login" || s.LeftTo != nil {
					t.Errorf("%v: %s leads to %s, left to %v", change, at, s.At.Path, s.LeftTo)
				}
			}
			if s := v.Get(t, b.Issuer+"/consent?request="+sealed); s.LeftTo == nil && s.StatusCode == http.StatusOK && s.At.Path == "/consent" {
				if s = v.Submit(t, s.Form(t), "decision", "allow"); s.At.Path != "/login" || s.LeftTo != nil {
					t.Errorf("%v: consent alone leads to %s, left to %v", change, s.At.Path, s.LeftTo)
				}
			}
			b.Advance(time.Second)
			asked := b.Now().Unix()
			s := v.SignIn(t, page, providertest.Alice, providertest.Password)
			if s.At.Path == "/consent" {
				s = v.Allow(t, s)
			}
			tokens := b.Redeem(t, s.Code(t))
			if got := authTime(t, tokens); got < asked || got <= first {
				t.Errorf("%v: auth_time %d, asked at %d", change, got, asked)
			} else {
				first = got
			}
			// The sign-in in one tab does not count for the request of the other tab.
			b.Advance(2 * time.Minute)
			if s := v.Get(t, b.Issuer+"/authorize/next?request="+other.At.Query().Get("request")); s.At.Path != "/login" {
				t.Errorf("%v: the second tab needs no sign-in: %s, left to %v", change, s.At.Path, s.LeftTo)
			}
		}
	})
}

// AZ-08: Back button, reload, a second tab or odd numbers do not get around prompt=login and
// max_age (OIDC Core, section 3.1.2.1).
func TestPrompt_MalformedMaxAgeIsRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, age := range []string{"-1", "-0", "+1", "1.5", "1e3", "99999999999999999999", "2147483648", "9223372036854775808", "0x10", "1_000", " 1", "1 ", "one", "null", "\u0661"} {
			v.ByBoth(t, b.Params("max_age", age), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				s.WantError(t, "invalid_request")
			})
		}
		b.Redeem(t, v.CodeFromSession(t, "max_age", "2147483647"))
	})
}

// AZ-08: Back button, reload, a second tab or odd numbers do not get around prompt=login and
// max_age (OIDC Core, section 3.1.2.1).
func TestPrompt_DefaultMaxAgeOfTheClient(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		age := int64(60)
		b.Client, b.Secret = b.RegisterWith(t, storage.Web, "strict", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.DefaultMaxAge = []string{providertest.Callback}, &age
		})
		v := b.Visitor(t)
		v.SignInForCode(t)
		b.Advance(2 * time.Minute)
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "login_required")
		v.CodeFromSession(t, "prompt", "none", "max_age", "600")
	})
}

// AZ-09: prompt=none with another value, an empty or an unknown prompt gives invalid_request
// (OIDC Core, section 3.1.2.1).
func TestPrompt_Combinations(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, prompt := range []string{"none login", "login none", "none consent", "none select_account", "none none login", "admin", "create", "LOGIN", "login admin", "login,consent", "\"", "none\x01"} {
			v.ByBoth(t, b.Params("prompt", prompt), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				s.WantError(t, "invalid_request")
			})
		}
		b.Redeem(t, v.Get(t, b.AuthorizeURL()+"&prompt=").Code(t)) // an empty prompt counts as absent
	})
}

// AZ-26: acr_values never makes a token claim a stronger sign-in than the one that happened.
func TestPrompt_ACRMatchesTheSignIn(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		// P-29: a voluntary acr is answered with the acr of the sign-in.
		for _, change := range [][]string{
			{"acr_values", "urn:signet:2fa"}, {"acr_values", "mfa urn:signet:2fa phr"}, {"acr_values", "urn:signet:1fa"},
			{"claims", `{"id_token":{"acr":{"value":"urn:signet:2fa"}}}`}, {"claims", `{"id_token":{"acr":null,"amr":{"values":["mfa"]}}}`},
			{"claims", `{"id_token":{"acr":{"essential":true}}}`}, {"claims", `{"id_token":{"acr":{"essential":true,"values":["urn:signet:2fa","urn:signet:1fa"]}}}`},
		} {
			id := providertest.ClaimsOf(t, b.Redeem(t, v.CodeFromSession(t, change...))["id_token"])
			if amr, _ := json.Marshal(id["amr"]); id["acr"] != "urn:signet:1fa" || string(amr) != `["pwd"]` {
				t.Errorf("%v: acr %v, amr %s", change, id["acr"], amr)
			}
		}
		for _, claims := range []string{
			`{"id_token":{"acr":{"essential":true,"value":"urn:signet:2fa"}}}`, `{"id_token":{"acr":{"essential":true,"values":["mfa","urn:signet:2fa"]}}}`,
			`{"id_token":{"acr":{"values":["urn:signet:2fa"],"essential":true}},"userinfo":{"acr":{"value":"urn:signet:1fa"}}}`,
			`{"id_token":{"acr":{"essential":true,"value":""}}}`,
		} {
			for _, prompt := range []string{"", "none"} {
				v.Get(t, b.AuthorizeURL("claims", claims, "prompt", prompt)).WantError(t, "unmet_authentication_requirements")
			}
			w := b.Visitor(t)
			w.SignIn(t, w.Get(t, b.AuthorizeURL("claims", claims)), providertest.Alice, providertest.Password).WantError(t, "unmet_authentication_requirements")
		}
	})
}

// AZ-35: A tiny max_age does not cause an endless loop of sign-ins.
// P-25: The sign-in meets max_age even if the consent takes longer, and auth_time is in the ID token.
func TestPrompt_TinyMaxAgeWithSlowConsent(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		for _, change := range [][]string{{"max_age", "1"}, {"max_age", "0"}, {"prompt", "login consent", "max_age", "1"}} {
			v := b.Visitor(t)
			page := v.Get(t, b.AuthorizeURL(append(change, "scope", "openid email phone")...))
			b.Advance(5 * time.Minute)
			page = v.SignIn(t, page, providertest.Alice, providertest.Password)
			signedIn := b.Now().Unix()
			if page.At.Path == "/consent" {
				b.Advance(5 * time.Minute)
				page = v.Allow(t, page)
			}
			if got := authTime(t, b.Redeem(t, page.Code(t))); got > signedIn || got < signedIn-1 {
				t.Errorf("%v: auth_time %d, signed in at %d", change, got, signedIn)
			}
			b.Advance(2 * time.Second)
			v.Get(t, b.AuthorizeURL("prompt", "none", "max_age", "1")).WantError(t, "login_required")
		}
	})
}

// P-25: auth_time is in the ID token for every max_age.
// P-26: auth_time is the time of the sign-in. It changes only with another sign-in.
// P-23: prompt=login asks again, once, and moves auth_time.
func TestPrompt_Login(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		first := authTime(t, b.Redeem(t, v.SignInForCode(t)))
		b.Advance(90 * time.Second)
		for _, change := range [][]string{{}, {"prompt", "none"}, {"max_age", "1000"}, {"max_age", "100000"}} {
			if got := authTime(t, b.Redeem(t, v.CodeFromSession(t, change...))); got != first {
				t.Errorf("%v moves auth_time by %d s", change, got-first)
			}
		}
		before := b.Now().Unix()
		page := v.Get(t, b.AuthorizeURL("prompt", "login"))
		second := authTime(t, b.Redeem(t, v.SignIn(t, page, providertest.Alice, providertest.Password).Code(t))) // no loop, no second consent
		if second < before {
			t.Errorf("auth_time after prompt=login: %d, want at least %d", second, before)
		}
		b.Advance(30 * time.Second)
		if got := authTime(t, b.Redeem(t, v.CodeFromSession(t))); got != second {
			t.Errorf("auth_time is not stable: %d, then %d", second, got)
		}
	})
}

// P-24: prompt=consent asks again and continues.
func TestPrompt_Consent(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		page := v.Get(t, b.AuthorizeURL("prompt", "consent"))
		sealed := page.At.Query().Get("request")
		if s := v.Get(t, b.Issuer+"/authorize/next?request="+url.QueryEscape(sealed)); s.At.Path != "/consent" {
			t.Fatalf("prompt=consent is bypassed: at %s, left to %v", s.At.Path, s.LeftTo)
		}
		b.Redeem(t, v.Allow(t, page).Code(t))
	})
}

func TestSelectAccount_IsAskedOncePerRequest(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, providertest.Bob, providertest.Password)
		v := b.Visitor(t)
		v.SignInForCode(t)
		page := v.Get(t, b.AuthorizeURL("prompt", "select_account"))
		if page.At.Path != "/select" {
			t.Fatalf("at %s", page.At.Path)
		}
		b.Redeem(t, v.Submit(t, page.Form(t), "decision", "continue").Code(t))

		page = v.Get(t, b.AuthorizeURL("prompt", "select_account"))
		forged := page.Form(t)
		forged.Values.Del("ticket")
		v.Submit(t, forged, "decision", "continue").WantPage(t, http.StatusConflict, "stale_form")
		page = v.Submit(t, page.Form(t), "decision", "other")
		page = v.Allow(t, v.SignIn(t, page, providertest.Bob, providertest.Password))
		if claims := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"]); claims["sub"] == b.Alice.ID {
			t.Error("bob was chosen, but the ID token is for alice")
		}
	})
}
