package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"signet/storage"
)

func (b *testbed) alice(t *testing.T) storage.User {
	t.Helper()
	user, err := b.DB.User(context.Background(), b.Alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func (v *visitor) saveProfile(t *testing.T, pairs ...string) stop {
	t.Helper()
	return v.submit(t, v.account(t, "/account/profile").formTo(t, "/account/profile", "", ""), pairs...)
}

func TestAccount_ProfileIsSavedAndTold(t *testing.T) {
	eachWith(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		page := v.saveProfile(t, "name", "  Алиса O’Neil-中 👩‍🔬 ", "given_name", "Алиса", "family_name", "", "nickname", "ali",
			"preferred_username", "alice.2", "picture", "https://example.com/a.png?x=1&y=2", "website", "http://alice.example",
			"zoneinfo", "America/Argentina/Buenos_Aires", "locale", "en_gb")
		page.wantAt(t, "/account/profile?done=profile")
		page.wantText(t, "Your profile was saved.", `value="alice.2"`, `value="en-GB"`)
		u := b.alice(t)
		want := b.Alice
		want.Name, want.GivenName, want.FamilyName, want.Nickname = "Алиса O’Neil-中 👩‍🔬", "Алиса", "", "ali"
		want.PreferredUsername, want.Picture, want.Website = "alice.2", "https://example.com/a.png?x=1&y=2", "http://alice.example"
		want.UsernameFolded = storage.FoldUsername("alice.2")
		want.Zoneinfo, want.Locale, want.UpdatedAt = "America/Argentina/Buenos_Aires", "en-GB", u.UpdatedAt
		if got, wanted := asJSON(t, u), asJSON(t, want); got != wanted {
			t.Errorf("user: got %s\nwant %s", got, wanted)
		}
		if u.UpdatedAt <= b.Alice.UpdatedAt {
			t.Error("updated_at did not move")
		}
		b.wantEvent(t, storage.UserUpdated, b.Alice.ID)
		tokens := b.redeem(t, v.allow(t, v.get(t, b.authorizeURL("scope", "openid profile"))).code(t))
		claims := b.userinfo(t, tokens["access_token"].(string)).json(t)
		if claims["name"] != want.Name || claims["locale"] != "en-GB" || claims["family_name"] != nil {
			t.Errorf("claims: %v", claims)
		}
		// Times are told in the zone of the profile from now on.
		v.account(t, "/account/sessions").wantText(t, " -03</time>")
	}, editUsername)
}

func TestAccount_ProfileIsRefusedAtItsFields(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
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
			page := v.saveProfile(t, wrong.field, wrong.value, "nickname", orElse(wrong.field == "nickname", wrong.value, "kept"))
			page.wantPage(t, http.StatusUnprocessableEntity, `id="`+wrong.field+`-wrong"`)
			page.wantText(t, `href="#`+wrong.field+`"`, `aria-invalid="true"`)
			if wrong.field != "nickname" {
				page.wantText(t, `value="kept"`) // what was right need not be typed again
			}
			if got := strings.Count(page.Body, `class="wrong"`); got != 1 {
				t.Errorf("%s=%q: %d fields are wrong, want 1", wrong.field, wrong.value, got)
			}
		}
		page := v.saveProfile(t, "website", "x", "zoneinfo", "y")
		if got := strings.Count(page.Body, `class="wrong"`); got != 2 {
			t.Errorf("%d fields are wrong, want both", got)
		}
		page = v.submit(t, page.formTo(t, "/account/profile", "", ""), "website", "", "zoneinfo", "")
		page.wantAt(t, "/account/profile?done=profile")
		if u := b.alice(t); u.Website != "" || u.Zoneinfo != "" {
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

// An operator may have set what a person may not: saving something else is no
// reason to lose it.
func TestAccount_ProfileKeepsWhatAnOperatorSet(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		p := storage.Profile{Name: "Alice", PreferredUsername: "alice@corp.example", Zoneinfo: "CET-1CEST", Picture: "http://intra/a.png"}
		if err := b.DB.UpdateProfile(context.Background(), b.Alice.ID, p, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		v := b.visitor(t)
		v.saveProfile(t, "nickname", "ali").wantAt(t, "/account/profile?done=profile")
		if u := b.alice(t); u.Nickname != "ali" || u.PreferredUsername != p.PreferredUsername || u.Zoneinfo != p.Zoneinfo || u.Picture != p.Picture {
			t.Errorf("user %+v", u)
		}
		v.account(t, "/account/sessions").wantText(t, " UTC</time>") // an unknown zone is no reason to fail
	})
}

// TestAD04_ProfileTakesItsOwnFieldsOnly: what else a user row has cannot be set.
func TestAD04_ProfileTakesItsOwnFieldsOnly(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for _, field := range []string{"email", "email_verified", "id", "sub", "roles", "groups", "admin", "password_hash", "created_at", "updated_at", "disabled_at", "custom", "Name"} {
			page := v.saveProfile(t, "name", "Mallory", field, "1")
			page.wantPage(t, http.StatusBadRequest, "invalid_request")
		}
		if got, want := asJSON(t, b.alice(t)), asJSON(t, b.Alice); got != want {
			t.Errorf("user: got %s\nwant %s", got, want)
		}
	})
}

func TestAD14_StaleProfileIsNotSaved(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v, other := b.visitor(t), b.visitor(t)
		mine := v.account(t, "/account/profile").formTo(t, "/account/profile", "", "")
		other.saveProfile(t, "name", "Alice the Second").wantAt(t, "/account/profile?done=profile")
		page := v.submit(t, mine, "name", "Alice the First")
		page.wantPage(t, http.StatusConflict, "stale_form")
		page.wantText(t, `href="/account/profile"`)
		if got := b.alice(t).Name; got != "Alice the Second" {
			t.Errorf("name: got %q, want that of the edit that was saved", got)
		}
		v.saveProfile(t, "name", "Alice the Third").wantAt(t, "/account/profile?done=profile")
	})
}

// Of edits that start from the same profile and are sent at once, one is saved.
func TestAD14_ParallelEditsOfAProfileSaveOne(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		page := v.account(t, "/account/profile")
		statuses := make([]int, 8)
		requests := make([]*http.Request, len(statuses))
		for i := range requests {
			f := page.formTo(t, "/account/profile", "", "")
			f.values.Set("name", strings.Repeat("x", i+1))
			requests[i] = v.formRequest(t, f)
		}
		race(len(requests), func(i int) {
			response, err := v.client.Do(requests[i])
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
				if got := b.alice(t).Name; got != strings.Repeat("x", i+1) {
					t.Errorf("name: got %q, want that of edit %d", got, i)
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

// TestAD11_ProfileStaysText: a name that looks like markup is a name.
func TestAD11_ProfileStaysText(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		markup := `"><script>alert(1)</script>`
		v.saveProfile(t, "name", markup, "nickname", markup).wantAt(t, "/account/profile?done=profile")
		for _, path := range append(accountPages, "/", "/end_session") {
			page := v.get(t, b.Issuer+path)
			if strings.Contains(page.Body, "<script>alert") {
				t.Errorf("%s has the name as markup", path)
			}
		}
		v.account(t, "/account").wantText(t, "&lt;script&gt;alert(1)")
	})
}

// asJSON is a row in a form that can be compared and read.
func asJSON(t *testing.T, row any) string {
	t.Helper()
	text, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
