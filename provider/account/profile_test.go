package account_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

func saveProfile(t *testing.T, v *providertest.Visitor, pairs ...string) providertest.Stop {
	t.Helper()
	return v.Submit(t, v.Account(t, "/account/profile").FormTo(t, "/account/profile", "", ""), pairs...)
}

func TestAccount_ProfileIsSavedAndConfirmed(t *testing.T) {
	eachWith(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := saveProfile(t, v, "name", "  Алиса O’Neil-中 👩‍🔬 ", "given_name", "Алиса", "family_name", "", "nickname", "ali",
			"preferred_username", "alice.2", "picture", "https://example.com/a.png?x=1&y=2", "website", "http://alice.example",
			"zoneinfo", "America/Argentina/Buenos_Aires", "locale", "en_gb")
		page.WantAt(t, "/account/profile?done=profile")
		page.WantText(t, "Your profile was saved.", `value="alice.2"`, `value="en-GB"`)
		u := b.AliceNow(t)
		want := b.Alice
		want.Name, want.GivenName, want.FamilyName, want.Nickname = "Алиса O’Neil-中 👩‍🔬", "Алиса", "", "ali"
		want.PreferredUsername, want.Picture, want.Website = "alice.2", "https://example.com/a.png?x=1&y=2", "http://alice.example"
		want.UsernameFolded = storage.FoldUsername("alice.2")
		want.Zoneinfo, want.Locale, want.UpdatedAt = "America/Argentina/Buenos_Aires", "en-GB", u.UpdatedAt
		if got, wanted := providertest.AsJSON(t, u), providertest.AsJSON(t, want); got != wanted {
			t.Errorf("user: got %s\nwant %s", got, wanted)
		}
		if u.UpdatedAt <= b.Alice.UpdatedAt {
			t.Error("updated_at has not changed")
		}
		b.WantEvent(t, storage.UserUpdated, b.Alice.ID)
		tokens := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL("scope", "openid profile"))).Code(t))
		claims := b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
		if claims["name"] != want.Name || claims["locale"] != "en-GB" || claims["family_name"] != nil {
			t.Errorf("claims: %v", claims)
		}
		// From now on, pages show times in the time zone of the profile.
		v.Account(t, "/account/sessions").WantText(t, " -03</time>")
	}, editUsername)
}

func TestAccount_InvalidProfileShowsErrorsAtFields(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, wrong := range []struct{ field, value string }{
			{"name", strings.Repeat("x", 201)}, {"name", "line\nbreak"}, {"name", "\u202eecila"}, {"given_name", "a\x7fb"},
			{"family_name", "a\u2028b"}, {"nickname", "a\u200bb"},
			{"preferred_username", "bob@example.com"}, {"preferred_username", "two words"}, {"preferred_username", "-x"}, {"preferred_username", "a/b"},
			{"picture", "http://example.com/a.png"}, {"picture", "javascript:alert(1)"}, {"picture", "data:image/svg+xml,<svg/>"},
			{"picture", "https://"}, {"picture", "https://user@evil.example/"}, {"picture", "//example.com/a.png"}, {"picture", "https://example.com/" + strings.Repeat("x", 1000)},
			{"website", "javascript:alert(1)"}, {"website", "example.com"}, {"website", "https:example.com"}, {"website", "https://exa mple.com"},
			{"zoneinfo", "Local"}, {"zoneinfo", "Berlin"}, {"zoneinfo", "../../etc/passwd"}, {"zoneinfo", "europe/berlin"}, {"zoneinfo", "+01:00"}, {"zoneinfo", "/etc/localtime"},
			{"locale", "english"}, {"locale", "x"}, {"locale", "en-"}, {"locale", "und"}, {"locale", "en, de"},
		} {
			page := saveProfile(t, v, wrong.field, wrong.value, "nickname", orElse(wrong.field == "nickname", wrong.value, "kept"))
			page.WantPage(t, http.StatusUnprocessableEntity, `id="`+wrong.field+`-wrong"`)
			page.WantText(t, `href="#`+wrong.field+`"`, `aria-invalid="true"`)
			if wrong.field != "nickname" {
				page.WantText(t, `value="kept"`) // valid values need not be typed again
			}
			if got := strings.Count(page.Body, `class="wrong"`); got != 1 {
				t.Errorf("%s=%q: %d fields are wrong, want 1", wrong.field, wrong.value, got)
			}
		}
		page := saveProfile(t, v, "website", "x", "zoneinfo", "y")
		if got := strings.Count(page.Body, `class="wrong"`); got != 2 {
			t.Errorf("%d fields are wrong, want both", got)
		}
		page = v.Submit(t, page.FormTo(t, "/account/profile", "", ""), "website", "", "zoneinfo", "")
		page.WantAt(t, "/account/profile?done=profile")
		if u := b.AliceNow(t); u.Website != "" || u.Zoneinfo != "" {
			t.Errorf("user %+v: want the fields cleared", u)
		}
	})
}

func orElse(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// Operators may set values that people may not. Saving the form must not delete them.
func TestAccount_ProfileKeepsInvalidValuesOfOperator(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		p := storage.Profile{Name: "Alice", PreferredUsername: "alice@corp.example", Zoneinfo: "CET-1CEST", Picture: "http://intra/a.png"}
		if err := b.DB.UpdateProfile(context.Background(), b.Alice.ID, p, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		v := b.Visitor(t)
		saveProfile(t, v, "nickname", "ali").WantAt(t, "/account/profile?done=profile")
		if u := b.AliceNow(t); u.Nickname != "ali" || u.PreferredUsername != p.PreferredUsername || u.Zoneinfo != p.Zoneinfo || u.Picture != p.Picture {
			t.Errorf("user %+v", u)
		}
		v.Account(t, "/account/sessions").WantText(t, " UTC</time>") // an unknown zone is no reason to fail
	})
}

// The form cannot set any other column of the user.
// AD-04: Extra form fields set nothing.
func TestAccount_ProfileFormChangesNoOtherFields(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, field := range []string{"email", "email_verified", "id", "sub", "roles", "groups", "admin", "password_hash", "created_at", "updated_at", "disabled_at", "custom", "Name"} {
			page := saveProfile(t, v, "name", "Mallory", field, "1")
			page.WantPage(t, http.StatusBadRequest, "invalid_request")
		}
		if got, want := providertest.AsJSON(t, b.AliceNow(t)), providertest.AsJSON(t, b.Alice); got != want {
			t.Errorf("user: got %s\nwant %s", got, want)
		}
	})
}

// AD-14: A form with an outdated state is refused.
func TestAccount_StaleProfileIsNotSaved(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v, other := b.Visitor(t), b.Visitor(t)
		mine := v.Account(t, "/account/profile").FormTo(t, "/account/profile", "", "")
		saveProfile(t, other, "name", "Alice the Second").WantAt(t, "/account/profile?done=profile")
		page := v.Submit(t, mine, "name", "Alice the First")
		page.WantPage(t, http.StatusConflict, "stale_form")
		page.WantText(t, `href="/account/profile"`)
		if got := b.AliceNow(t).Name; got != "Alice the Second" {
			t.Errorf("name: got %q, want the name of the saved edit", got)
		}
		saveProfile(t, v, "name", "Alice the Third").WantAt(t, "/account/profile?done=profile")
	})
}

// If several edits of the same version are sent at once, one of them is saved.
// AD-14: A form with an outdated state is refused.
func TestAccount_OneOfParallelProfileEditsIsSaved(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := v.Account(t, "/account/profile")
		statuses := make([]int, 8)
		requests := make([]*http.Request, len(statuses))
		for i := range requests {
			f := page.FormTo(t, "/account/profile", "", "")
			f.Values.Set("name", strings.Repeat("x", i+1))
			requests[i] = v.FormRequest(t, f)
		}
		providertest.Race(len(requests), func(i int) {
			response, err := v.Client.Do(requests[i])
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			statuses[i] = response.StatusCode
		})
		saved := 0
		for i, status := range statuses {
			switch status {
			case http.StatusOK:
				saved++
				if got := b.AliceNow(t).Name; got != strings.Repeat("x", i+1) {
					t.Errorf("name: got %q, want the name of edit %d", got, i)
				}
			case http.StatusConflict:
			default:
				t.Errorf("status %d, want 200 or 409", status)
			}
		}
		if saved != 1 {
			t.Errorf("%d edits were saved, want 1", saved)
		}
	})
}

// A name that contains markup is escaped.
// AD-11: Names, addresses and user agents are escaped wherever they are shown.
func TestAccount_ProfileStaysText(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		markup := `"><script>alert(1)</script>`
		saveProfile(t, v, "name", markup, "nickname", markup).WantAt(t, "/account/profile?done=profile")
		for _, path := range append(providertest.Pages(t, "/account"), "/", "/end_session") {
			page := v.Get(t, b.Issuer+path)
			if strings.Contains(page.Body, "<script>alert") {
				t.Errorf("%s shows the name unescaped", path)
			}
		}
		v.Account(t, "/account").WantText(t, "&lt;script&gt;alert(1)")
	})
}

// eachWith runs f on each database, with options.
func eachWith(t *testing.T, f func(t *testing.T, b *providertest.Testbed), options ...providertest.Option) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) { f(t, providertest.StartOn(t, backend, options...)) })
}

func editUsername(c *provider.Config) { c.EditUsername = true }

// By default only operators may change the user name. The page shows it, and a form that
// changes it is refused.
func TestAccount_UsernameIsFixedByDefault(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := v.Account(t, "/account/profile")
		if strings.Contains(page.Body, `id="preferred_username"`) {
			t.Error("the page shows a fixed user name although it is empty")
		}
		if refused := saveProfile(t, v, "preferred_username", "admin"); refused.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("a made-up field: status %d", refused.StatusCode)
		} else {
			refused.WantText(t, "Only an administrator can change the user name.")
		}
		if err := b.DB.UpdateProfile(context.Background(), b.Alice.ID, storage.Profile{PreferredUsername: "liddell"}, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		v.Account(t, "/account/profile").WantText(t, `value="liddell" autocomplete="off" readonly`, "An administrator can change it.")
		saveProfile(t, v, "preferred_username", "admin").WantText(t, "Only an administrator can change the user name.")
		saveProfile(t, v, "nickname", "ali").WantAt(t, "/account/profile?done=profile")
		if u := b.AliceNow(t); u.PreferredUsername != "liddell" || u.Nickname != "ali" || !u.UsernameUnique() {
			t.Errorf("got %q, %q", u.PreferredUsername, u.Nickname)
		}
	})
}

// If people may choose their user name, names of other users and names that look like one
// of them are refused.
func TestAccount_TakenUsernameIsRefused(t *testing.T) {
	eachWith(t, func(t *testing.T, b *providertest.Testbed) {
		b.CreateUser(t, storage.User{Email: "root@example.com", EmailVerified: true, PreferredUsername: "admin"}, "password of root")
		v := b.Visitor(t)
		for _, name := range []string{"admin", "Admin", "аdmin", "adm1n"} {
			refused := saveProfile(t, v, "preferred_username", name)
			if refused.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%s: status %d", name, refused.StatusCode)
			}
			refused.WantText(t, "Someone else has this user name, or one that looks like it.")
		}
		saveProfile(t, v, "preferred_username", "liddell").WantAt(t, "/account/profile?done=profile")
		saveProfile(t, v, "preferred_username", "Liddell").WantAt(t, "/account/profile?done=profile")
		if u := b.AliceNow(t); u.PreferredUsername != "Liddell" || !u.UsernameUnique() {
			t.Errorf("got %q, unique %v", u.PreferredUsername, u.UsernameUnique())
		}
	}, editUsername)
}
