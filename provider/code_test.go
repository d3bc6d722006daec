package provider_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

func TestCO01_TestP38_CodeReuseRevokesWhatTheCodeYielded(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, wait := range []time.Duration{0, 31 * time.Second, 5 * time.Minute} {
			code := v.again(t)
			token := b.redeem(t, code)["access_token"].(string)
			other := b.redeem(t, v.again(t))["access_token"].(string)
			b.wantUserinfo(t, token, http.StatusOK)
			b.pass(wait)
			b.refuseCode(t, code, "invalid_grant")
			b.wantUserinfo(t, token, http.StatusUnauthorized)
			b.refuseCode(t, code, "invalid_grant") // a third time changes nothing
			b.wantUserinfo(t, other, http.StatusOK)
			b.wantEvent(t, storage.GrantReplayed, claimsOf(t, token)["gid"])
		}
	})
}

func TestCO01_CodeReuseAfterTheCodeExpiredIsStillNoticed(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		code := b.visitor(t).flow(t)
		gid := claimsOf(t, b.redeem(t, code)["access_token"])["gid"]
		b.pass(11 * time.Hour)
		b.refuseCode(t, code, "invalid_grant")
		b.wantEvent(t, storage.GrantReplayed, gid)
	})
}

// Whatever a race yields is revoked by those that lost it: there is no surviving
// set of tokens (CO-09).
func TestCO02_TestCO09_RaceOfOneCodeHasOneWinner(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.raceCode(t, b.visitor(t).flow(t), b)
	})
}

// raceCode redeems a code 50 times at once, over all nodes in turn.
func (b *testbed) raceCode(t *testing.T, code string, nodes ...*testbed) {
	t.Helper()
	answers := make([]answer, 50)
	race(len(answers), func(i int) {
		answers[i] = nodes[i%len(nodes)].tokenRequest(t, b.codeForm(code))
	})
	var won []answer
	for _, a := range answers {
		if a.StatusCode == http.StatusOK {
			won = append(won, a)
			continue
		}
		wantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
	}
	if len(won) != 1 {
		t.Fatalf("%d of %d redemptions succeeded, want exactly one", len(won), len(answers))
	}
	for _, node := range nodes {
		node.wantUserinfo(t, won[0].json(t)["access_token"].(string), http.StatusUnauthorized)
	}
}

func TestCO04_CodeOfAnotherClient(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		other := b.as(b.register(t, storage.Web, "other", callback))
		spa := b.as(b.register(t, storage.SPA, "spa", callback))
		code := b.visitor(t).flow(t)
		for _, thief := range []*testbed{other, spa} {
			thief.refuseCode(t, code, "invalid_grant")
			thief.refuseCode(t, code, "invalid_grant", "code_verifier", strings.Repeat("w", 43))
		}
		b.wantNoGrant(t)
		token := b.redeem(t, code)["access_token"].(string)
		for _, thief := range []*testbed{other, spa} {
			thief.refuseCode(t, code, "invalid_grant")
		}
		b.wantUserinfo(t, token, http.StatusOK)
	})
}

func TestCO07_AlteredCodesOpenNothing(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		code := v.flow(t)
		altered := map[string]string{
			"padding": code + "=", "space": code + " ", "line break": code[:20] + "\n" + code[20:], "plus": strings.ReplaceAll(code, "-", "+") + "+",
			"prefix": code[1:], "suffix": code[:len(code)-1], "twice": code + code, "dots": code + ".." + code,
			"empty box": code[:22], "one character": "A", "not base64": "Ä" + code, "upper case": strings.ToUpper(code),
			"long": strings.Repeat("A", 60<<10), "salt of another": code[:30] + v.again(t)[30:],
		}
		for i := 0; i < len(code); i += max(1, len(code)/40) {
			letter := byte('A')
			if code[i] == letter {
				letter = 'B'
			}
			altered["letter "+code[:i]] = code[:i] + string(letter) + code[i+1:]
		}
		for name, altered := range altered {
			if a := b.tokenRequest(t, b.codeForm(altered)); a.StatusCode != http.StatusBadRequest || a.json(t)["error"] != "invalid_grant" {
				t.Errorf("%s: %d %s", name, a.StatusCode, a.Body)
			}
		}
		b.wantNoGrant(t)
		b.redeem(t, code)
		if other := v.again(t); len(other) < 43 || strings.HasPrefix(other, code[:60]) {
			t.Errorf("two codes share more than version and key: %s", code[:60])
		}
	})
}

// A leaked code without the client's secret is of no use, not even to do harm.
func TestCO10_LeakedCodeWithoutClientAuthentication(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		code := v.flow(t)
		thieves := map[string]func(*http.Request){
			"no credentials": func(r *http.Request) { r.Header.Del("Authorization") },
			"wrong secret":   func(r *http.Request) { r.SetBasicAuth(b.Client.ID, "wrong") },
		}
		steal := func() {
			for name, thief := range thieves {
				for _, verifier := range []string{verifier, strings.Repeat("w", 43), ""} {
					a := b.tokenRequest(t, b.codeForm(code, "code_verifier", verifier, "client_id", b.Client.ID), thief)
					if a.StatusCode != http.StatusUnauthorized || a.json(t)["error"] != "invalid_client" {
						t.Fatalf("%s: got %d %s", name, a.StatusCode, a.Body)
					}
				}
			}
		}
		steal()
		token := b.redeem(t, code)["access_token"].(string)
		steal()
		b.wantUserinfo(t, token, http.StatusOK)
	})
}

func TestCO10_LeakedCodeOfAPublicClient(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b = b.as(b.register(t, storage.SPA, "spa", callback))
		v := b.visitor(t)
		wrong := strings.Repeat("w", 43)

		code := v.flow(t)
		token := b.redeem(t, code)["access_token"].(string)
		b.refuseCode(t, code, "invalid_grant", "code_verifier", wrong)
		b.refuseCode(t, code, "invalid_grant", "code_verifier", "")
		b.wantUserinfo(t, token, http.StatusOK) // who has no verifier ends nobody's tokens

		code = v.again(t)
		b.refuseCode(t, code, "invalid_grant", "code_verifier", wrong)
		b.refuseCode(t, code, "invalid_grant") // but an unused code that leaked is burnt
	})
}

func TestCO11_WhatEndsBetweenCodeAndRedemption(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		bob := b.user(t, "bob@example.com", password)
		for name, end := range map[string]func(v *visitor){
			"signed out": func(v *visitor) {
				v.get(t, b.Issuer+"/end_session?id_token_hint="+b.redeem(t, v.again(t))["id_token"].(string))
			},
			"another user signed in": func(v *visitor) {
				v.signIn(t, v.get(t, b.authorizeURL("prompt", "login")), bob.Email, password)
			},
			"user disabled":             func(*visitor) { b.disableUser(t, true) },
			"user disabled and enabled": func(*visitor) { b.disableUser(t, true); b.disableUser(t, false) },
			"redirect URI removed": func(*visitor) {
				b.changeClient(t, func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"https://app.example.com/other"} })
			},
			"code expired": func(*visitor) { b.pass(61 * time.Second) },
		} {
			v := b.visitor(t)
			v.flow(t, "prompt", "consent")
			code := v.again(t)
			end(v)
			if a := b.tokenRequest(t, b.codeForm(code)); a.StatusCode != http.StatusBadRequest || a.json(t)["error"] != "invalid_grant" {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
			b.disableUser(t, false)
			b.changeClient(t, func(*storage.Client) {})
		}
	})
}

func TestCO11_DisabledClientCannotRedeem(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		code := b.visitor(t).flow(t)
		b.disableClient(t, true)
		wantOAuthError(t, b.tokenRequest(t, b.codeForm(code)), http.StatusUnauthorized, "invalid_client")
		b.disableClient(t, false)
		token := b.redeem(t, code)["access_token"].(string)
		b.disableClient(t, true)
		b.wantUserinfo(t, token, http.StatusUnauthorized)
		b.disableClient(t, false)
		b.wantUserinfo(t, token, http.StatusOK)
	})
}

func TestP19_CodeLivesSixtySeconds(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		code, late := v.flow(t), v.again(t)
		b.pass(55 * time.Second)
		b.redeem(t, code)
		b.pass(5 * time.Second)
		b.refuseCode(t, late, "invalid_grant")
	})
}

// The attacker puts a code of his own into the victim's browser: the victim's
// client sends the verifier of its own request, and would see a nonce of another.
func TestCO13_InjectedCode(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		mallory := b.user(t, "mallory@example.com", password)
		m := b.visitor(t)
		page := m.signIn(t, m.get(t, b.authorizeURL("code_challenge", strings.Repeat("A", 43), "nonce", "mallory")), mallory.Email, password)
		code := m.allow(t, page).code(t)
		b.refuseCode(t, code, "invalid_grant")
		b.wantNoGrant(t)

		token := b.redeem(t, m.again(t, "nonce", "mallory"))["id_token"]
		if got := claimsOf(t, token)["nonce"]; got != "mallory" {
			t.Fatalf("nonce: got %v, want that of the code's own request", got)
		}
	})
}

// The client is gone before the answer: what is spent stays spent, and the second
// try ends what the first has made.
func TestCO14_ConnectionLostDuringRedemption(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		code := b.visitor(t).flow(t)
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(b.codeForm(code).Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(b.Client.ID, b.Secret)
		b.Handler().ServeHTTP(brokenPipe{httptest.NewRecorder()}, r)
		b.refuseCode(t, code, "invalid_grant")
		for _, e := range b.events(t) {
			if e.Type == storage.GrantReplayed {
				return
			}
		}
		t.Fatal("the first redemption was not noticed")
	})
}

// brokenPipe is an answer that reaches nobody.
type brokenPipe struct{ http.ResponseWriter }

func (brokenPipe) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }

func TestCO15_WhatACodeStandsForIsFrozen(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		before := claimsOf(t, b.redeem(t, v.again(t))["id_token"])
		first := v.again(t, "nonce", "first", "scope", "openid")
		b.pass(10 * time.Second)
		second := v.signIn(t, v.get(t, b.authorizeURL("prompt", "login", "nonce", "second")), alice, password).code(t)

		frozen := claimsOf(t, b.redeem(t, first)["id_token"])
		fresh := claimsOf(t, b.redeem(t, second)["id_token"])
		if frozen["nonce"] != "first" || frozen["auth_time"] != before["auth_time"] || frozen["sid"] != before["sid"] {
			t.Errorf("the code of the first request gave %v after another sign-in, want auth_time %v", frozen, before["auth_time"])
		}
		if fresh["nonce"] != "second" || fresh["auth_time"] == before["auth_time"] || fresh["sid"] != before["sid"] {
			t.Errorf("the code of the second request gave %v", fresh)
		}
	})
}

// One sign-in link opened in two tabs gives two codes, of which one is good.
func TestCode_SiblingsOfOneRequest(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		next := b.nextURL(t, v)
		first, second := v.get(t, next).code(t), v.get(t, next).code(t)
		token := b.redeem(t, second)["access_token"].(string)
		b.refuseCode(t, first, "invalid_grant")
		b.wantUserinfo(t, token, http.StatusOK) // a sibling is no replay
		b.refuseCode(t, second, "invalid_grant")
		b.wantUserinfo(t, token, http.StatusUnauthorized)
	})
}

func TestP36_TokenAnswer(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		seen := map[string]bool{}
		for _, code := range []string{v.flow(t), v.again(t)} {
			a := b.tokenRequest(t, b.codeForm(code))
			body := a.json(t)
			lives, err := strconv.Atoi(body["expires_in"].(interface{ String() string }).String())
			token := body["access_token"].(string)
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" ||
				body["token_type"] != "Bearer" || err != nil || lives != 900 || len(token) < 100 || seen[token] {
				t.Errorf("answer: %d %v %s", a.StatusCode, a.Header, a.Body)
			}
			seen[token] = true
			if len(a.Cookies()) != 0 {
				t.Errorf("the token endpoint sets cookies: %v", a.Cookies())
			}
		}
	})
}
