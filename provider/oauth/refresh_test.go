package oauth_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// RT-01: Replay of a rotated token after the grace revokes the grant (RFC 9700, section
// 4.14.2).
func TestRefresh_ReplayAfterGraceRevokesGrant(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		first := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		second := b.MustRefresh(t, first["refresh_token"])
		b.Advance(31 * time.Second)
		b.RefuseRefresh(t, first["refresh_token"], "invalid_grant")
		b.WantRevoked(t, second)
	})
}

// RT-02: If a thief and the owner both use a token, both end without access.
func TestRefresh_ReplayAfterSuccessorWasUsedRevokesGrant(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		first := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		second := b.MustRefresh(t, first["refresh_token"])
		third := b.MustRefresh(t, second["refresh_token"])
		b.RefuseRefresh(t, first["refresh_token"], "invalid_grant")
		b.WantRevoked(t, third)
	})
}

// RT-05: Inside the grace, a replay gets the same successor. The grace never creates a second
// line of tokens.
func TestRefresh_GraceAnswersTheSameSuccessor(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		first := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		second := b.MustRefresh(t, first["refresh_token"])
		for range 3 {
			b.Advance(9 * time.Second)
			again := b.MustRefresh(t, first["refresh_token"])
			if again["refresh_token"] != second["refresh_token"] {
				t.Fatal("a retry within the grace period got another successor")
			}
		}
		b.MustRefresh(t, second["refresh_token"])
	})
}

// RT-03: 50 parallel refreshes with one token lead to one successor.
func TestRefresh_ParallelRefreshesGetOneSuccessor(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		first := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		var mu sync.Mutex
		successors := map[any]int{}
		providertest.Race(100, func(int) {
			a := b.Refresh(t, first["refresh_token"])
			mu.Lock()
			defer mu.Unlock()
			if a.StatusCode != http.StatusOK {
				t.Errorf("status %d: %s", a.StatusCode, a.Body)
				return
			}
			successors[a.JSON(t)["refresh_token"]]++
		})
		if len(successors) != 1 {
			t.Fatalf("%d successors of one token, want 1", len(successors))
		}
		for successor := range successors {
			b.MustRefresh(t, successor)
		}
	})
}

// RT-08: Rotation never extends the longest lifetime of a grant.
func TestRefresh_RotationNeverExtendsTheGrant(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.Client.SkipConsent = true
		if err := storagetest.ReplaceClient(context.Background(), b.DB, b.Client, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		v := b.Visitor(t)
		page := v.SignIn(t, v.Get(t, b.AuthorizeURL("scope", "openid offline_access")), providertest.Alice, providertest.Password)
		tokens := b.Redeem(t, page.Code(t))
		for day := 0; day < 365; day += 29 {
			tokens = b.MustRefresh(t, tokens["refresh_token"])
			b.Advance(29 * 24 * time.Hour)
		}
		b.RefuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	})
}

// RT-08: Rotation never extends the longest lifetime of a grant.
func TestRefresh_IdleTokenExpires(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t, "scope", "openid offline_access"))
		b.Advance(30*24*time.Hour + time.Second)
		b.RefuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	})
}

// RT-10: A refresh cannot widen the scope of the grant (RFC 6749, section 6).
func TestRefresh_ScopeNarrowsForOneAnswerAndNeverWidens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t, "scope", "openid email"))
		b.RefuseRefresh(t, tokens["refresh_token"], "invalid_scope", "scope", "openid profile")
		narrow := b.MustRefresh(t, tokens["refresh_token"], "scope", "openid")
		if narrow["scope"] != "openid" {
			t.Fatalf("scope: got %v", narrow["scope"])
		}
		if _, ok := b.Userinfo(t, narrow["access_token"].(string)).JSON(t)["email"]; ok {
			t.Fatal("userinfo gives a claim of a scope that the token lacks")
		}
		if wide := b.MustRefresh(t, narrow["refresh_token"]); wide["scope"] != "openid email" {
			t.Fatalf("the grant lost a scope: %v", wide["scope"])
		}
	})
}

// RT-09: Logout, a new password, removed consent, or a disabled user or client ends
// refreshing. Changed roles appear in the next token.
func TestRefresh_EndsWithSessionUserClientOrConsent(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(b *providertest.Testbed, sid string) error{
		"session ended": func(b *providertest.Testbed, sid string) error {
			return b.DB.EndSession(ctx, b.Alice.ID, sid, "signed_out", storage.By{At: b.Now()})
		},
		"signed out everywhere": func(b *providertest.Testbed, _ string) error {
			return b.DB.SignOutEverywhere(ctx, b.Alice.ID, "asked", storage.By{At: b.Now()})
		},
		"user disabled": func(b *providertest.Testbed, _ string) error {
			return b.DB.SetUserEnabled(ctx, b.Alice.ID, false, storage.By{At: b.Now()})
		},
		"client disabled": func(b *providertest.Testbed, _ string) error {
			return b.DB.SetClientEnabled(ctx, b.Client.ID, false, storage.By{At: b.Now()})
		},
		"consent withdrawn": func(b *providertest.Testbed, _ string) error {
			return b.DB.WithdrawConsent(ctx, b.Alice.ID, b.Client.ID, storage.By{At: b.Now()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
				tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
				sid := providertest.ClaimsOf(t, tokens["id_token"])["sid"].(string)
				if err := end(b, sid); err != nil {
					t.Fatal(err)
				}
				b.WantRevoked(t, tokens)
			})
		})
	}
}

// RT-22: A refreshed ID token keeps sub, iss, aud and auth_time (OIDC Core, section 12.2).
func TestRefresh_RefreshedIDTokenKeepsSubjectAndAuthTime(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		before := providertest.ClaimsOf(t, tokens["id_token"])
		b.Advance(time.Minute)
		after := providertest.ClaimsOf(t, b.MustRefresh(t, tokens["refresh_token"])["id_token"])
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

// refresh_token_expires_in is the time until the refresh token expires, also after a refresh and near
// the end of the grant. A client without refresh tokens gets no such member.
func TestRefresh_AnswerHasLifeOfRefreshToken(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const day = 24 * 60 * 60
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t, "scope", "openid offline_access"))
		for _, step := range []struct{ wait, want int }{{0, 30 * day}, {29 * day, 30 * day}, {29 * day, 30 * day}} {
			b.Advance(time.Duration(step.wait) * time.Second)
			if step.wait > 0 {
				tokens = b.MustRefresh(t, tokens["refresh_token"])
			}
			if got := fmt.Sprint(tokens["refresh_token_expires_in"]); got != fmt.Sprint(step.want) {
				t.Errorf("after %d s: refresh_token_expires_in is %s, want %d", step.wait, got, step.want)
			}
		}
		for range 10 {
			b.Advance(29 * 24 * time.Hour)
			tokens = b.MustRefresh(t, tokens["refresh_token"])
		}
		if got := fmt.Sprint(tokens["refresh_token_expires_in"]); got != fmt.Sprint((365-12*29)*day) {
			t.Errorf("near the end of the grant: refresh_token_expires_in is %s, want %d", got, (365-12*29)*day)
		}
		plain := b.AsClient(b.RegisterWith(t, storage.Web, "plain", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.GrantTypes = []string{providertest.Callback}, []string{storage.GrantCode}
		}))
		b.Follow(t)
		v := b.Visitor(t)
		tokens = plain.Redeem(t, v.AnswerPages(t, v.Get(t, plain.AuthorizeURL())).Code(t))
		if got, is := tokens["refresh_token_expires_in"]; is || tokens["refresh_token"] != nil {
			t.Errorf("without a refresh token: refresh_token_expires_in is %v", got)
		}
	})
}
