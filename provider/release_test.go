package provider_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"signet/provider"
	"signet/storage"
	"signet/storage/storagetest"
)

// asksForAll asks for the e-mail and the user name in every way there is: by scope, and
// one by one for userinfo and the ID token.
var asksForAll = []string{
	"scope", "openid profile email offline_access", "prompt", "consent",
	"claims", `{"userinfo":{"email":null,"email_verified":null,"preferred_username":null},"id_token":{"email":{"essential":true},"email_verified":null,"preferred_username":null}}`,
}

// exits are all the ways by which something of a person leaves for a client, with what
// each tells, tokens decoded; releases says that e-mail and user name are told there.
func (b *testbed) exits(t *testing.T, v *visitor) map[string]exit {
	t.Helper()
	page := v.get(t, b.authorizeURL(asksForAll...))
	if page.At.Path == "/login" {
		page = v.signIn(t, page, alice, password)
	}
	tokens := b.redeem(t, v.allow(t, page).code(t))
	access := tokens["access_token"].(string)
	refreshed := b.refreshed(t, tokens["refresh_token"])
	exits := map[string]exit{
		"userinfo":               {b.userinfo(t, access).json(t), true},
		"ID token":               {claimsOf(t, tokens["id_token"]), true},
		"refreshed ID token":     {claimsOf(t, refreshed["id_token"]), true},
		"access token":           {claimsOf(t, access), false},
		"introspection":          {b.introspect(t, access), false},
		"introspection, another": {b.introspect(t, refreshed["refresh_token"]), false},
		"session":                {userIn(v.app(t, "/session", "").json(t)), true},
		"sign-in of the app":     {userIn(b.visitor(t).app(t, "/login", credentials).json(t)), true},
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
			eachApp(t, func(t *testing.T, b *testbed) {
				b.verify(t, c.proven)
				for _, id := range []string{b.Client.ID, "shop"} {
					_, err := b.DB.ReviseClient(context.Background(), id, func(client *storage.Client) error {
						client.UnverifiedEmail = c.unverified
						return nil
					}, storage.By{At: b.now()})
					if err != nil {
						t.Fatal(err)
					}
				}
				b.follow(t)
				v := b.visitor(t)
				for where, e := range b.exits(t, v) {
					text := asJSON(t, e.says)
					if got, want := strings.Contains(text, alice), c.released && e.releases; got != want {
						t.Errorf("%s tells the address: %v, want %v: %s", where, got, want, text)
					}
					verified, told := e.says["email_verified"]
					if told && (!c.released || verified != c.proven) {
						t.Errorf("%s: email_verified %v", where, verified)
					}
				}
				// People see their own.
				v.get(t, b.Issuer+"/account").wantText(t, alice)
			})
		})
	}
}

// verify makes alice's address proven or claimed.
func (b *testbed) verify(t *testing.T, proven bool) {
	t.Helper()
	if _, err := b.DB.ReviseUser(context.Background(), storage.Revision{
		UserID: b.Alice.ID, Verified: &proven, Unproven: storage.KeepAttached, Revise: func(*storage.User) error { return nil },
	}, b.now()); err != nil {
		t.Fatal(err)
	}
}

// TestRelease_UsernameOnlyWhenUnique at every exit: applications sign people in by it.
func TestRelease_UsernameOnlyWhenUnique(t *testing.T) {
	for _, unique := range []bool{true, false} {
		eachApp(t, func(t *testing.T, b *testbed) {
			name := "liddell"
			if !unique {
				name = "..." // which cannot be compared, as names from before that another holds
			}
			if err := b.DB.UpdateProfile(context.Background(), b.Alice.ID, storage.Profile{PreferredUsername: name}, storage.By{At: b.now()}); err != nil {
				t.Fatal(err)
			}
			if b.alice(t).UsernameUnique() != unique {
				t.Fatalf("%q is unique: %v", name, !unique)
			}
			for where, e := range b.exits(t, b.visitor(t)) {
				_, told := e.says["preferred_username"]
				if want := unique && e.releases && where != "session" && where != "sign-in of the app"; told != want {
					t.Errorf("unique %v: %s tells the user name: %v, want %v", unique, where, told, want)
				}
			}
		})
	}
}

// eachWith is each with options.
func eachWith(t *testing.T, f func(t *testing.T, b *testbed), options ...option) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) { f(t, startOn(t, backend, options...)) })
}

func editUsername(c *provider.Config) { c.EditUsername = true }

// TestAccount_UsernameIsTheOperators: the page shows it, and a form that changes it all
// the same is refused.
func TestAccount_UsernameIsTheOperators(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		page := v.account(t, "/account/profile")
		if strings.Contains(page.Body, `id="preferred_username"`) {
			t.Error("an empty user name is shown, and cannot be changed")
		}
		if refused := v.saveProfile(t, "preferred_username", "admin"); refused.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("a made-up field: status %d", refused.StatusCode)
		} else {
			refused.wantText(t, "Only an administrator can change the user name.")
		}
		if err := b.DB.UpdateProfile(context.Background(), b.Alice.ID, storage.Profile{PreferredUsername: "liddell"}, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		v.account(t, "/account/profile").wantText(t, `value="liddell" autocomplete="off" readonly`, "An administrator can change it.")
		v.saveProfile(t, "preferred_username", "admin").wantText(t, "Only an administrator can change the user name.")
		v.saveProfile(t, "nickname", "ali").wantAt(t, "/account/profile?done=profile")
		if u := b.alice(t); u.PreferredUsername != "liddell" || u.Nickname != "ali" || !u.UsernameUnique() {
			t.Errorf("got %q, %q", u.PreferredUsername, u.Nickname)
		}
	})
}

// TestAccount_UsernameOfAnotherIsRefused where people may choose theirs, and what looks
// like it.
func TestAccount_UsernameOfAnotherIsRefused(t *testing.T) {
	eachWith(t, func(t *testing.T, b *testbed) {
		b.local(t, storage.User{Email: "root@example.com", EmailVerified: true, PreferredUsername: "admin"}, "password of root")
		v := b.visitor(t)
		for _, name := range []string{"admin", "Admin", "аdmin", "adm1n"} {
			refused := v.saveProfile(t, "preferred_username", name)
			if refused.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%s: status %d", name, refused.StatusCode)
			}
			refused.wantText(t, "Somebody else has this user name, or one that looks like it.")
		}
		v.saveProfile(t, "preferred_username", "liddell").wantAt(t, "/account/profile?done=profile")
		v.saveProfile(t, "preferred_username", "Liddell").wantAt(t, "/account/profile?done=profile")
		if u := b.alice(t); u.PreferredUsername != "Liddell" || !u.UsernameUnique() {
			t.Errorf("got %q, unique %v", u.PreferredUsername, u.UsernameUnique())
		}
	}, editUsername)
}
