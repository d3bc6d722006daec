package flow_test

import (
	"context"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// asksForAll asks for the e-mail and the user name in every way there is: by scope, and
// one by one for userinfo and the ID token.
var asksForAll = []string{
	"scope", "openid profile email offline_access", "prompt", "consent",
	"claims", `{"userinfo":{"email":null,"email_verified":null,"preferred_username":null},"id_token":{"email":{"essential":true},"email_verified":null,"preferred_username":null}}`,
}

// exits are all the ways by which something of a person leaves for a client, with what
// each tells, tokens decoded; releases says that e-mail and user name are told there.
func exits(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) map[string]exit {
	t.Helper()
	page := v.Get(t, b.AuthorizeURL(asksForAll...))
	if page.At.Path == "/login" {
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
	}
	tokens := b.Redeem(t, v.Allow(t, page).Code(t))
	access := tokens["access_token"].(string)
	refreshed := b.Refreshed(t, tokens["refresh_token"])
	exits := map[string]exit{
		"userinfo":               {b.Userinfo(t, access).JSON(t), true},
		"ID token":               {providertest.ClaimsOf(t, tokens["id_token"]), true},
		"refreshed ID token":     {providertest.ClaimsOf(t, refreshed["id_token"]), true},
		"access token":           {providertest.ClaimsOf(t, access), false},
		"introspection":          {b.Introspect(t, access), false},
		"introspection, another": {b.Introspect(t, refreshed["refresh_token"]), false},
		"session":                {userIn(v.App(t, "/session", "").JSON(t)), true},
		"sign-in of the app":     {userIn(b.Visitor(t).App(t, "/login", providertest.Credentials).JSON(t)), true},
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

// TestRelease_EmailOnlyWhenProven at every exit, unless the client has --unverified-email.
func TestRelease_EmailOnlyWhenProven(t *testing.T) {
	for name, c := range map[string]struct{ proven, unverified, released bool }{
		"proven":                                {true, false, true},
		"claimed":                               {false, false, false},
		"claimed, to a client that receives it": {false, true, true},
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
				// People see their own.
				v.Get(t, b.Issuer+"/account").WantText(t, providertest.Alice)
			})
		})
	}
}

// verify makes alice's address proven or claimed.
func verify(t *testing.T, b *providertest.Testbed, proven bool) {
	t.Helper()
	if _, err := b.DB.ReviseUser(context.Background(), storage.Revision{
		UserID: b.Alice.ID, Verified: &proven, Unproven: storage.KeepAttached, Revise: func(*storage.User) error { return nil },
	}, b.Now()); err != nil {
		t.Fatal(err)
	}
}

// TestRelease_UsernameOnlyWhenUnique at every exit: applications sign people in by it.
func TestRelease_UsernameOnlyWhenUnique(t *testing.T) {
	for _, unique := range []bool{true, false} {
		providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
			name := "liddell"
			if !unique {
				name = "..." // which cannot be compared, as names from before that another holds
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
