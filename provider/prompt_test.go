package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/storagetest"
)

const bob = "bob@example.com"

// authTime reads when the person signed in, as the client learns it.
func authTime(t *testing.T, tokens map[string]any) int64 {
	t.Helper()
	seconds, err := claimsOf(t, tokens["id_token"])["auth_time"].(json.Number).Int64()
	if err != nil {
		t.Fatalf("auth_time: %v", err)
	}
	return seconds
}

// TestAZ07_SilentNeverAsks also covers P22: no page, no cookie, the right error.
func TestAZ07_SilentNeverAsks(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		silent := func(code string, pairs ...string) {
			t.Helper()
			v.byBoth(t, b.params(append(pairs, "prompt", "none")...), func(t *testing.T, s stop) {
				t.Helper()
				s.wantError(t, code)
			})
		}
		silent("login_required")
		silent("login_required", "max_age", "100")
		page := v.signIn(t, v.get(t, b.authorizeURL()), alice, password)
		silent("consent_required")
		silent("unmet_authentication_requirements", "claims", `{"id_token":{"acr":{"essential":true,"value":"urn:signet:2fa"}}}`)
		v.allow(t, page)
		b.redeem(t, v.again(t, "prompt", "none")) // right after the first authorization
		silent("consent_required", "scope", "openid email phone")
		silent("login_required", "max_age", "0")
		b.pass(2 * time.Minute)
		silent("login_required", "max_age", "60")
		b.redeem(t, v.again(t, "prompt", "none", "max_age", "300"))
		b.pass(13 * time.Hour) // the session has ended of itself
		silent("login_required")
	})
}

func TestAZ05_HintOfAnotherUser(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.user(t, bob, password)
		v := b.visitor(t)
		hint := b.redeem(t, v.flow(t))["id_token"].(string)
		if claims := claimsOf(t, b.redeem(t, v.again(t, "prompt", "none", "id_token_hint", hint))["id_token"]); claims["sub"] != b.Alice.ID {
			t.Fatalf("sub: %v", claims["sub"])
		}

		w := b.visitor(t)
		w.get(t, b.authorizeURL("prompt", "none", "id_token_hint", hint)).wantError(t, "login_required") // a hint signs nobody in
		w.allow(t, w.signIn(t, w.get(t, b.authorizeURL()), bob, password))
		for _, s := range []stop{
			w.get(t, b.authorizeURL("prompt", "none", "id_token_hint", hint)),
			w.post(t, b.params("prompt", "none", "id_token_hint", hint)),
			w.get(t, b.authorizeURL("prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+b.Alice.ID+`"}}}`)),
		} {
			s.wantError(t, "login_required")
		}
		// With pages allowed the hinted user is asked for; who else signs in gets no code.
		page := w.get(t, b.authorizeURL("id_token_hint", hint))
		w.signIn(t, page, bob, password).wantError(t, "login_required")
		page = w.get(t, b.authorizeURL("id_token_hint", hint))
		if claims := claimsOf(t, b.redeem(t, w.signIn(t, page, alice, password).code(t))["id_token"]); claims["sub"] != b.Alice.ID {
			t.Errorf("sub: %v", claims["sub"])
		}
	})
}

// TestP27_ExpiredHintIsGood also covers hints that are too old.
func TestP27_ExpiredHintIsGood(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		hint := b.redeem(t, v.flow(t))["id_token"].(string)
		b.pass(10 * time.Hour)
		b.redeem(t, v.again(t, "prompt", "none", "id_token_hint", hint))
		b.pass(402 * 24 * time.Hour)
		b.visitor(t).get(t, b.authorizeURL("prompt", "none", "id_token_hint", hint)).wantError(t, "invalid_request")
	})
}

func TestAZ06_OnlyOurIDTokenOfThisClientIsAHint(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		code := v.flow(t)
		tokens := b.redeem(t, code)
		good := tokens["id_token"].(string)

		first, firstSecret := b.Client, b.Secret
		b.Client, b.Secret = b.register(t, storage.Web, "other", "https://other.example.com/cb")
		foreign := b.redeem(t, v.allow(t, v.get(t, b.authorizeURL())).code(t))["id_token"]
		b.Client, b.Secret = first, firstSecret

		// Another Signet with the same keys: only the issuer differs.
		twin := start(t, storagetest.SQLite(t).Open(t))
		elsewhere := twin.redeem(t, twin.visitor(t).flow(t))["id_token"]

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
			"e-mail":                   alice,
			"garbage":                  "a.b.c",
			"trailing dot":             good + ".",
		} {
			if hint == nil || hint == "" {
				t.Fatalf("%s: there is none to try", name)
			}
			for _, prompt := range []string{"none", ""} {
				v.byBoth(t, b.params("prompt", prompt, "id_token_hint", hint.(string)), func(t *testing.T, s stop) {
					t.Helper()
					if s.Left == nil || s.response(t).Get("error") != "invalid_request" {
						t.Errorf("%s: left to %v, at %s", name, s.Left, s.At.Path)
					}
				})
			}
		}
		b.redeem(t, v.again(t, "prompt", "none", "id_token_hint", good))
	})
}

// TestAZ08_PromptLoginAndMaxAgeCannotBeDodged: back button, reload, second tab, a
// step left out. Whatever is tried, auth_time is not older than the request.
func TestAZ08_PromptLoginAndMaxAgeCannotBeDodged(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		first := authTime(t, b.redeem(t, v.flow(t)))
		b.pass(10 * time.Minute)
		for _, change := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "60"}, {"prompt", "login consent"}, {"prompt", "login", "max_age", "86400"}} {
			page := v.get(t, b.authorizeURL(change...))
			if page.At.Path != "/login" {
				t.Fatalf("%v: at %s, left to %v", change, page.At.Path, page.Left)
			}
			sealed := page.At.Query().Get("request")
			// Straight to the dispatcher, straight to consent, reloaded, in another tab.
			other := v.get(t, b.authorizeURL(change...))
			for _, at := range []string{"/authorize/next", "/authorize/next", "/login"} {
				if s := v.get(t, b.Issuer+at+"?request="+sealed); s.At.Path != "/login" || s.Left != nil {
					t.Errorf("%v: %s leads to %s, left to %v", change, at, s.At.Path, s.Left)
				}
			}
			if s := v.get(t, b.Issuer+"/consent?request="+sealed); s.Left == nil && s.StatusCode == http.StatusOK && s.At.Path == "/consent" {
				if s = v.submit(t, s.form(t), "decision", "allow"); s.At.Path != "/login" || s.Left != nil {
					t.Errorf("%v: consent alone leads to %s, left to %v", change, s.At.Path, s.Left)
				}
			}
			b.pass(time.Second)
			asked := b.now().Unix()
			s := v.signIn(t, page, alice, password)
			if s.At.Path == "/consent" {
				s = v.allow(t, s)
			}
			tokens := b.redeem(t, s.code(t))
			if got := authTime(t, tokens); got < asked || got <= first {
				t.Errorf("%v: auth_time %d, asked at %d", change, got, asked)
			} else {
				first = got
			}
			// The sign-in of one tab is not the one that the other tab asked for.
			b.pass(2 * time.Minute)
			if s := v.get(t, b.Issuer+"/authorize/next?request="+other.At.Query().Get("request")); s.At.Path != "/login" {
				t.Errorf("%v: the second tab got away: %s, left to %v", change, s.At.Path, s.Left)
			}
		}
	})
}

func TestAZ08_BadMaxAge(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, age := range []string{"-1", "-0", "+1", "1.5", "1e3", "99999999999999999999", "2147483648", "9223372036854775808", "0x10", "1_000", " 1", "1 ", "one", "null", "\u0661"} {
			v.byBoth(t, b.params("max_age", age), func(t *testing.T, s stop) {
				t.Helper()
				s.wantError(t, "invalid_request")
			})
		}
		b.redeem(t, v.again(t, "max_age", "2147483647"))
	})
}

func TestAZ08_DefaultMaxAgeOfTheClient(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		age := int64(60)
		b.Client, b.Secret = b.registerWith(t, storage.Web, "strict", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.DefaultMaxAge = []string{callback}, &age
		})
		v := b.visitor(t)
		v.flow(t)
		b.pass(2 * time.Minute)
		v.get(t, b.authorizeURL("prompt", "none")).wantError(t, "login_required")
		v.again(t, "prompt", "none", "max_age", "600")
	})
}

func TestAZ09_PromptCombinations(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, prompt := range []string{"none login", "login none", "none consent", "none select_account", "none none login", "admin", "create", "LOGIN", "login admin", "login,consent", "\"", "none\x01"} {
			v.byBoth(t, b.params("prompt", prompt), func(t *testing.T, s stop) {
				t.Helper()
				s.wantError(t, "invalid_request")
			})
		}
		b.redeem(t, v.get(t, b.authorizeURL()+"&prompt=").code(t)) // empty counts as absent
	})
}

func TestAZ26_TokenClaimsNoMoreThanHappened(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		// P29: voluntary values are answered with what is true.
		for _, change := range [][]string{
			{"acr_values", "urn:signet:2fa"}, {"acr_values", "mfa urn:signet:2fa phr"}, {"acr_values", "urn:signet:1fa"},
			{"claims", `{"id_token":{"acr":{"value":"urn:signet:2fa"}}}`}, {"claims", `{"id_token":{"acr":null,"amr":{"values":["mfa"]}}}`},
			{"claims", `{"id_token":{"acr":{"essential":true}}}`}, {"claims", `{"id_token":{"acr":{"essential":true,"values":["urn:signet:2fa","urn:signet:1fa"]}}}`},
		} {
			id := claimsOf(t, b.redeem(t, v.again(t, change...))["id_token"])
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
				v.get(t, b.authorizeURL("claims", claims, "prompt", prompt)).wantError(t, "unmet_authentication_requirements")
			}
			w := b.visitor(t)
			w.signIn(t, w.get(t, b.authorizeURL("claims", claims)), alice, password).wantError(t, "unmet_authentication_requirements")
		}
	})
}

func TestAZ35_TinyMaxAgeWithSlowConsent(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		for _, change := range [][]string{{"max_age", "1"}, {"max_age", "0"}, {"prompt", "login consent", "max_age", "1"}} {
			v := b.visitor(t)
			page := v.get(t, b.authorizeURL(append(change, "scope", "openid email phone")...))
			b.pass(5 * time.Minute)
			page = v.signIn(t, page, alice, password)
			signedIn := b.now().Unix()
			if page.At.Path == "/consent" {
				b.pass(5 * time.Minute)
				page = v.allow(t, page)
			}
			if got := authTime(t, b.redeem(t, page.code(t))); got > signedIn || got < signedIn-1 {
				t.Errorf("%v: auth_time %d, signed in at %d", change, got, signedIn)
			}
			b.pass(2 * time.Second)
			v.get(t, b.authorizeURL("prompt", "none", "max_age", "1")).wantError(t, "login_required")
		}
	})
}

// TestP23_PromptLogin also covers P26: auth_time moves with a sign-in and with
// nothing else.
func TestP23_PromptLogin(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		first := authTime(t, b.redeem(t, v.flow(t)))
		b.pass(90 * time.Second)
		for _, change := range [][]string{{}, {"prompt", "none"}, {"max_age", "1000"}, {"max_age", "100000"}} {
			if got := authTime(t, b.redeem(t, v.again(t, change...))); got != first {
				t.Errorf("%v moves auth_time by %d s", change, got-first)
			}
		}
		before := b.now().Unix()
		page := v.get(t, b.authorizeURL("prompt", "login"))
		second := authTime(t, b.redeem(t, v.signIn(t, page, alice, password).code(t))) // no loop, no second consent
		if second < before {
			t.Errorf("auth_time after prompt=login: %d, want at least %d", second, before)
		}
		b.pass(30 * time.Second)
		if got := authTime(t, b.redeem(t, v.again(t))); got != second {
			t.Errorf("auth_time is not stable: %d, then %d", second, got)
		}
	})
}

func TestP24_PromptConsent(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		page := v.get(t, b.authorizeURL("prompt", "consent"))
		sealed := page.At.Query().Get("request")
		if s := v.get(t, b.Issuer+"/authorize/next?request="+url.QueryEscape(sealed)); s.At.Path != "/consent" {
			t.Fatalf("prompt=consent is dodged: at %s, left to %v", s.At.Path, s.Left)
		}
		b.redeem(t, v.allow(t, page).code(t))
	})
}

func TestSelectAccount_IsAskedOncePerRequest(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.user(t, bob, password)
		v := b.visitor(t)
		v.flow(t)
		page := v.get(t, b.authorizeURL("prompt", "select_account"))
		if page.At.Path != "/select" {
			t.Fatalf("at %s", page.At.Path)
		}
		b.redeem(t, v.submit(t, page.form(t), "decision", "continue").code(t))

		page = v.get(t, b.authorizeURL("prompt", "select_account"))
		forged := page.form(t)
		forged.values.Del("ticket")
		v.submit(t, forged, "decision", "continue").wantPage(t, http.StatusConflict, "stale_form")
		page = v.submit(t, page.form(t), "decision", "other")
		page = v.allow(t, v.signIn(t, page, bob, password))
		if claims := claimsOf(t, b.redeem(t, page.code(t))["id_token"]); claims["sub"] == b.Alice.ID {
			t.Error("bob was chosen, alice came back")
		}
	})
}
