package flow_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// asksForAll requests the email address and the user name in every way: by scope, and by the
// claims parameter for userinfo and the ID token.
var asksForAll = []string{
	"scope", "openid profile email offline_access", "prompt", "consent",
	"claims", `{"userinfo":{"email":null,"email_verified":null,"preferred_username":null},"id_token":{"email":{"essential":true},"email_verified":null,"preferred_username":null}}`,
}

// exits returns all answers that send data of a person to a client, with tokens decoded.
// releases marks those that send the email address and the user name.
func exits(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) map[string]exit {
	t.Helper()
	page := v.Get(t, b.AuthorizeURL(asksForAll...))
	if page.At.Path == "/login" {
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
	}
	tokens := b.Redeem(t, v.Allow(t, page).Code(t))
	access := tokens["access_token"].(string)
	refreshed := b.MustRefresh(t, tokens["refresh_token"])
	exits := map[string]exit{
		"userinfo":               {b.Userinfo(t, access).JSON(t), true},
		"ID token":               {providertest.ClaimsOf(t, tokens["id_token"]), true},
		"refreshed ID token":     {providertest.ClaimsOf(t, refreshed["id_token"]), true},
		"access token":           {providertest.ClaimsOf(t, access), false},
		"introspection":          {b.Introspect(t, access), false},
		"introspection, another": {b.Introspect(t, refreshed["refresh_token"]), false},
		"session":                {userIn(v.CallApp(t, "/session", "").JSON(t)), true},
		"sign-in of the app":     {userIn(b.Visitor(t).CallApp(t, "/login", providertest.Credentials).JSON(t)), true},
	}
	return exits
}

type exit struct {
	says     map[string]any
	releases bool
}

func userIn(answer map[string]any) map[string]any {
	user, _ := answer["user"].(map[string]any)
	return user
}

// TestRelease_EmailOnlyWhenProven checks every exit: only clients with --unverified-email get
// an address that is not proven.
func TestRelease_EmailOnlyWhenProven(t *testing.T) {
	for name, c := range map[string]struct{ proven, unverified, released bool }{
		"proven":                                 {true, false, true},
		"unproven":                               {false, false, false},
		"unproven, to a client that receives it": {false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
				verify(t, b, c.proven)
				for _, id := range []string{b.Client.ID, "shop"} {
					_, err := b.DB.ReviseClient(context.Background(), id, func(client *storage.Client) error {
						client.UnverifiedEmail = c.unverified
						return nil
					}, storage.By{At: b.Now()})
					if err != nil {
						t.Fatal(err)
					}
				}
				b.Follow(t)
				v := b.Visitor(t)
				for where, e := range exits(t, b, v) {
					text := providertest.AsJSON(t, e.says)
					if got, want := strings.Contains(text, providertest.Alice), c.released && e.releases; got != want {
						t.Errorf("%s tells the address: %v, want %v: %s", where, got, want, text)
					}
					verified, told := e.says["email_verified"]
					if told && (!c.released || verified != c.proven) {
						t.Errorf("%s: email_verified %v", where, verified)
					}
				}
				// People see their own address.
				v.Get(t, b.Issuer+"/account").WantText(t, providertest.Alice)
			})
		})
	}
}

// verify sets whether alice's address is proven.
func verify(t *testing.T, b *providertest.Testbed, proven bool) {
	t.Helper()
	if _, err := b.DB.ReviseUser(context.Background(), storage.UserRevision{
		UserID: b.Alice.ID, Verified: &proven, Unproven: storage.KeepAttached, Revise: func(*storage.User) error { return nil },
	}, b.Now()); err != nil {
		t.Fatal(err)
	}
}

// TestRelease_UsernameOnlyWhenUnique checks every exit, since applications sign people in by
// the user name.
func TestRelease_UsernameOnlyWhenUnique(t *testing.T) {
	for _, unique := range []bool{true, false} {
		providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
			name := "liddell"
			if !unique {
				name = "..." // cannot be compared, like older names that another user has too
			}
			if err := b.DB.UpdateProfile(context.Background(), b.Alice.ID, storage.Profile{PreferredUsername: name}, storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
			if b.AliceNow(t).UsernameUnique() != unique {
				t.Fatalf("%q is unique: %v", name, !unique)
			}
			for where, e := range exits(t, b, b.Visitor(t)) {
				_, told := e.says["preferred_username"]
				if want := unique && e.releases && where != "session" && where != "sign-in of the app"; told != want {
					t.Errorf("unique %v: %s tells the user name: %v, want %v", unique, where, told, want)
				}
			}
		})
	}
}

// asksForGroups requests the groups in every way.
var asksForGroups = []string{
	"scope", "openid groups offline_access", "prompt", "consent", "claims", `{"userinfo":{"groups":null},"id_token":{"groups":{"essential":true}}}`,
}

// TestRelease_GroupsOfOperatorsAndUpstreamsAreOneList checks every exit: each name occurs
// once, and without the scope there are no groups.
func TestRelease_GroupsOfOperatorsAndUpstreamsAreOneList(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		giveGroups(t, b, []string{"ops", "dev"}, []string{"dev", "staff"})
		app, err := b.DB.Client(context.Background(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		app.Metadata.Scope = "openid groups"
		if err := storagetest.ReplaceClient(context.Background(), b.DB, app, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		tokens := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL(asksForGroups...))).Code(t))
		refreshed := b.MustRefresh(t, tokens["refresh_token"])
		access := tokens["access_token"].(string)
		cookies := b.Visitor(t).CallApp(t, "/login", providertest.Credentials)
		for name, says := range map[string]map[string]any{
			"userinfo": b.Userinfo(t, access).JSON(t), "introspection": b.Introspect(t, access), "access token": providertest.ClaimsOf(t, access),
			"ID token": providertest.ClaimsOf(t, tokens["id_token"]), "refreshed ID token": providertest.ClaimsOf(t, refreshed["id_token"]),
			"refreshed access token": providertest.ClaimsOf(t, refreshed["access_token"]),
			"cookie of the app":      providertest.ClaimsOf(t, providertest.PairOf(t, cookies).Access.Value),
			"sign-in of the app":     userIn(cookies.JSON(t)), "session": userIn(v.CallApp(t, "/session", "").JSON(t)),
		} {
			if got := fmt.Sprint(says["groups"]); got != "[ops dev staff]" {
				t.Errorf("%s says the groups %v", name, got)
			}
		}
		bare := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL("scope", "openid profile", "prompt", "consent"))).Code(t))
		for name, says := range map[string]map[string]any{
			"userinfo": b.Userinfo(t, bare["access_token"].(string)).JSON(t), "ID token": providertest.ClaimsOf(t, bare["id_token"]), "access token": providertest.ClaimsOf(t, bare["access_token"]),
		} {
			if says["groups"] != nil {
				t.Errorf("%s says the groups without their scope: %v", name, says)
			}
		}
	})
}

// giveGroups gives Alice groups set by an operator and groups from an upstream.
func giveGroups(t *testing.T, b *providertest.Testbed, own, upstream []string) {
	t.Helper()
	if _, err := b.DB.ReviseUser(context.Background(), storage.UserRevision{
		UserID: b.Alice.ID, Revise: func(u *storage.User) error { u.Groups = own; return nil }, Unproven: storage.KeepAttached,
	}, b.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.DB.SignInThrough(context.Background(), storage.ConnectorSignIn{
		Identity:  storage.Identity{Connector: "corp", Issuer: "https://corp.example", Subject: "1", UserID: b.Alice.ID},
		AttemptID: "groups", Until: storage.At(b.Now().Add(time.Hour)), Groups: &storage.AssertedGroups{Names: upstream},
		SignIn: storage.SignIn{HandleHash: "groups", IdleFor: time.Hour, AbsoluteFor: time.Hour},
	}, b.Now()); err != nil {
		t.Fatal(err)
	}
}

// TestRelease_ListsThatAreTooLongAreAnError checks that the error names the claim and its
// size, and that no list is shortened. Each of the two lists alone is short enough.
func TestRelease_ListsThatAreTooLongAreAnError(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		many := func(prefix string) (list []string) {
			for i := range 90 {
				list = append(list, fmt.Sprintf("%s-group-%05d", prefix, i))
			}
			return list
		}
		giveGroups(t, b, many("op"), many("up"))
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		for name, asked := range map[string][]string{
			"by scope": {"scope", "openid groups"}, "by claim": {"scope", "openid", "claims", `{"id_token":{"groups":null}}`},
		} {
			a := b.TokenRequest(t, b.CodeForm(v.Allow(t, v.Get(t, b.AuthorizeURL(append(asked, "prompt", "consent")...))).Code(t)))
			providertest.WantOAuthError(t, a, http.StatusInternalServerError, "server_error")
			if !strings.Contains(a.Body, "the claim groups would have") {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
		tokens := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL("scope", "openid", "prompt", "consent", "claims", `{"userinfo":{"groups":null}}`))).Code(t))
		if a := b.Userinfo(t, tokens["access_token"].(string)); a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.Body, "the claim groups would have") {
			t.Errorf("userinfo: %d %s", a.StatusCode, a.Body)
		}
		plain := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL("scope", "openid profile", "prompt", "consent"))).Code(t))
		b.Userinfo(t, plain["access_token"].(string)).JSON(t)
	})
}
