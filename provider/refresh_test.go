package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"signet/storage"
)

// refreshForm asks for a refresh, changed by pairs of name and value.
func (b *testbed) refresh(t *testing.T, token any, pairs ...string) answer {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.tokenRequest(t, form)
}

// refreshed wants a refresh to work.
func (b *testbed) refreshed(t *testing.T, token any, pairs ...string) map[string]any {
	t.Helper()
	a := b.refresh(t, token, pairs...)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("refresh: status %d: %s", a.StatusCode, a.Body)
	}
	return a.json(t)
}

func (b *testbed) refuseRefresh(t *testing.T, token any, code string, pairs ...string) {
	t.Helper()
	wantOAuthError(t, b.refresh(t, token, pairs...), http.StatusBadRequest, code)
}

// wantDead wants every token of an answer to be refused everywhere.
func (b *testbed) wantDead(t *testing.T, tokens map[string]any) {
	t.Helper()
	if a := b.userinfo(t, tokens["access_token"].(string)); a.StatusCode != http.StatusUnauthorized {
		t.Fatalf("userinfo of a dead grant: status %d: %s", a.StatusCode, a.Body)
	}
	b.refuseRefresh(t, tokens["refresh_token"], "invalid_grant")
}

func TestRT01_RefreshReplayAfterGraceRevokesGrant(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		first := b.redeem(t, b.visitor(t).flow(t))
		second := b.refreshed(t, first["refresh_token"])
		b.pass(31 * time.Second)
		b.refuseRefresh(t, first["refresh_token"], "invalid_grant")
		b.wantDead(t, second)
	})
}

func TestRT02_RefreshReplayAfterSuccessorWasUsedRevokesGrant(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		first := b.redeem(t, b.visitor(t).flow(t))
		second := b.refreshed(t, first["refresh_token"])
		third := b.refreshed(t, second["refresh_token"])
		b.refuseRefresh(t, first["refresh_token"], "invalid_grant")
		b.wantDead(t, third)
	})
}

func TestRT05_GraceAnswersTheSameSuccessor(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		first := b.redeem(t, b.visitor(t).flow(t))
		second := b.refreshed(t, first["refresh_token"])
		for range 3 {
			b.pass(9 * time.Second)
			again := b.refreshed(t, first["refresh_token"])
			if again["refresh_token"] != second["refresh_token"] {
				t.Fatal("a retry inside the grace got another successor")
			}
		}
		b.refreshed(t, second["refresh_token"])
	})
}

func TestRT03_ParallelRefreshesGetOneSuccessor(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		first := b.redeem(t, b.visitor(t).flow(t))
		var mu sync.Mutex
		successors := map[any]int{}
		race(100, func(int) {
			a := b.refresh(t, first["refresh_token"])
			mu.Lock()
			defer mu.Unlock()
			if a.StatusCode != http.StatusOK {
				t.Errorf("status %d: %s", a.StatusCode, a.Body)
				return
			}
			successors[a.json(t)["refresh_token"]]++
		})
		if len(successors) != 1 {
			t.Fatalf("%d successors of one token, want 1", len(successors))
		}
		for successor := range successors {
			b.refreshed(t, successor)
		}
	})
}

func TestRT08_RotationNeverMovesTheAbsoluteEnd(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.Client.SkipConsent = true
		if err := b.DB.UpdateClient(context.Background(), b.Client, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
		v := b.visitor(t)
		page := v.signIn(t, v.get(t, b.authorizeURL("scope", "openid offline_access")), alice, password)
		tokens := b.redeem(t, page.code(t))
		for day := 0; day < 365; day += 29 {
			tokens = b.refreshed(t, tokens["refresh_token"])
			b.pass(29 * 24 * time.Hour)
		}
		b.refuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	})
}

func TestRT08_IdleTokenDies(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		tokens := b.redeem(t, b.visitor(t).flow(t, "scope", "openid offline_access"))
		b.pass(30*24*time.Hour + time.Second)
		b.refuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	})
}

func TestRT10_ScopeNarrowsForOneAnswerAndNeverWidens(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		tokens := b.redeem(t, b.visitor(t).flow(t, "scope", "openid email"))
		b.refuseRefresh(t, tokens["refresh_token"], "invalid_scope", "scope", "openid profile")
		narrow := b.refreshed(t, tokens["refresh_token"], "scope", "openid")
		if narrow["scope"] != "openid" {
			t.Fatalf("scope: got %v", narrow["scope"])
		}
		if _, ok := b.userinfo(t, narrow["access_token"].(string)).json(t)["email"]; ok {
			t.Fatal("userinfo gives a claim of a scope that the token lacks")
		}
		if wide := b.refreshed(t, narrow["refresh_token"]); wide["scope"] != "openid email" {
			t.Fatalf("the grant lost a scope: %v", wide["scope"])
		}
	})
}

func TestRT09_RefreshEndsWithWhatItDependsOn(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(b *testbed, sid string) error{
		"session ended": func(b *testbed, sid string) error {
			return b.DB.EndSession(ctx, b.Alice.ID, sid, "signed_out", storage.By{At: b.now()})
		},
		"signed out everywhere": func(b *testbed, _ string) error {
			return b.DB.SignOutEverywhere(ctx, b.Alice.ID, "asked", storage.By{At: b.now()})
		},
		"user disabled": func(b *testbed, _ string) error {
			return b.DB.SetUserEnabled(ctx, b.Alice.ID, false, storage.By{At: b.now()})
		},
		"client disabled": func(b *testbed, _ string) error {
			return b.DB.SetClientEnabled(ctx, b.Client.ID, false, storage.By{At: b.now()})
		},
		"consent withdrawn": func(b *testbed, _ string) error {
			return b.DB.WithdrawConsent(ctx, b.Alice.ID, b.Client.ID, storage.By{At: b.now()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *testbed) {
				tokens := b.redeem(t, b.visitor(t).flow(t))
				sid := claimsOf(t, tokens["id_token"])["sid"].(string)
				if err := end(b, sid); err != nil {
					t.Fatal(err)
				}
				b.wantDead(t, tokens)
			})
		})
	}
}

func TestRT22_RefreshedIDTokenKeepsWhoAndWhen(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		tokens := b.redeem(t, b.visitor(t).flow(t))
		before := claimsOf(t, tokens["id_token"])
		b.pass(time.Minute)
		after := claimsOf(t, b.refreshed(t, tokens["refresh_token"])["id_token"])
		for _, name := range []string{"iss", "sub", "auth_time", "sid", "acr"} {
			if before[name] != after[name] {
				t.Errorf("%s: was %v, is %v", name, before[name], after[name])
			}
		}
		if after["nonce"] != nil || after["iat"] == before["iat"] {
			t.Errorf("nonce %v, iat %v", after["nonce"], after["iat"])
		}
	})
}
