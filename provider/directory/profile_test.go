package directory_test

import (
	"errors"
	"strings"
	"testing"

	"signet/provider/directory"
	"signet/storage"
)

func TestCheckProfile_OneField(t *testing.T) {
	for _, c := range []struct {
		field       string
		profile     storage.Profile
		valid       bool
		description string
	}{
		{"name", storage.Profile{Name: "Ada Lovelace"}, true, "a name"},
		{"name", storage.Profile{Name: "علی\u200cرضا"}, true, "a name with a joiner"},
		{"name", storage.Profile{Name: strings.Repeat("é", 200)}, true, "200 characters"},
		{"name", storage.Profile{Name: strings.Repeat("é", 201)}, false, "201 characters"},
		{"given_name", storage.Profile{GivenName: "Ada\nLovelace"}, false, "a line break"},
		{"family_name", storage.Profile{FamilyName: "Ada\u202e"}, false, "text in the other direction"},
		{"nickname", storage.Profile{Nickname: "a\u200bda"}, false, "a space of no width"},
		{"preferred_username", storage.Profile{PreferredUsername: "ada.l-1_x"}, true, "a word"},
		{"preferred_username", storage.Profile{PreferredUsername: "ada@example.com"}, false, "an address"},
		{"preferred_username", storage.Profile{PreferredUsername: ".ada"}, false, "a dot in front"},
		{"picture", storage.Profile{Picture: "https://example.com/ada.png"}, true, "https"},
		{"picture", storage.Profile{Picture: "http://example.com/ada.png"}, false, "http"},
		{"picture", storage.Profile{Picture: "data:image/png,x"}, false, "data"},
		{"picture", storage.Profile{Picture: "https://ada@example.com/"}, false, "a user name"},
		{"picture", storage.Profile{Picture: "https://example.com/" + strings.Repeat("a", 1000)}, false, "over 1000 bytes"},
		{"website", storage.Profile{Website: "http://example.com"}, true, "http"},
		{"website", storage.Profile{Website: "https:///"}, false, "no host"},
		{"website", storage.Profile{Website: "https://example.com/a b"}, false, "a space"},
		{"website", storage.Profile{Website: "javascript:alert(1)"}, false, "javascript"},
		{"zoneinfo", storage.Profile{Zoneinfo: "Europe/Zurich"}, true, "a zone"},
		{"zoneinfo", storage.Profile{Zoneinfo: "Local"}, false, "the server's zone"},
		{"zoneinfo", storage.Profile{Zoneinfo: "../etc/passwd"}, false, "a path"},
		{"locale", storage.Profile{Locale: "de"}, true, "a tag"},
		{"locale", storage.Profile{Locale: "x y"}, false, "no tag"},
		{"locale", storage.Profile{Locale: "und"}, false, "no language"},
	} {
		p := c.profile
		wrong := directory.CheckProfile(&p, storage.Profile{}, noon)
		if c.valid && len(wrong) > 0 || !c.valid && (len(wrong) != 1 || wrong[0].Field != c.field) {
			t.Errorf("%s, %s: got %v", c.field, c.description, wrong)
		}
		if again := directory.CheckProfile(&p, c.profile, noon); len(again) > 0 && !c.valid {
			t.Errorf("%s, %s, stored before: got %v, want no error", c.field, c.description, again)
		}
	}
}

func TestCheckProfile_LocaleIsWrittenInOneSpelling(t *testing.T) {
	p := storage.Profile{Locale: "EN-gb"}
	if wrong := directory.CheckProfile(&p, storage.Profile{}, noon); len(wrong) > 0 || p.Locale != "en-GB" {
		t.Errorf("got %q, %v", p.Locale, wrong)
	}
}

func TestCheckName_TooLongIsErrLongName(t *testing.T) {
	if err := directory.CheckName(strings.Repeat("a", 201)); !errors.Is(err, directory.ErrLongName) {
		t.Errorf("got %v", err)
	}
}

func TestUpdateProfile_RulesHold(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		u, err := h.db.CreateUser(t.Context(), storage.User{Email: "ada@example.com", Website: "ada.example"}, "", storage.By{At: noon}) // stored before the rules
		if err != nil {
			t.Fatal(err)
		}
		wanted := storage.ProfileOf(u)
		wanted.Name, wanted.Locale = "Ada", "EN-gb"
		if err := h.UpdateProfile(t.Context(), u, wanted, storage.Origin{}); err != nil {
			t.Fatal(err)
		}
		stored, err := h.db.User(t.Context(), u.ID)
		if err != nil || stored.Name != "Ada" || stored.Locale != "en-GB" || stored.Website != "ada.example" {
			t.Errorf("stored %+v, %v", stored, err)
		}
		wanted.Name, wanted.Picture = "Bob", "http://example.com/"
		wrong, is := errors.AsType[*directory.FieldError](h.UpdateProfile(t.Context(), stored, wanted, storage.Origin{}))
		if !is || wrong.Field != "picture" {
			t.Errorf("got %v, want a problem with the picture", wrong)
		}
		if again, err := h.db.User(t.Context(), u.ID); err != nil || again.Name != "Ada" {
			t.Errorf("stored %+v, %v", again, err)
		}
	})
}
