package account_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
)

// typed are a valid and an invalid value for a field of the profile.
type typed struct{ right, wrong string }

const hidden = "turned \u202eround"

// long is an invalid value for fields of several lines, which do not show hidden characters
// again (AZ-25).
var long = strings.Repeat("long\n", 50) + "text"

// everyField contains all fields of directory.ProfileFields.
var everyField = map[string]typed{
	"name":                   {"Ada Lovelace", hidden},
	"given_name":             {"Ada", hidden},
	"middle_name":            {"King", hidden},
	"family_name":            {"Lovelace", hidden},
	"nickname":               {"Countess", hidden},
	"preferred_username":     {"ada.lovelace", "two words"},
	"profile":                {"https://ada.example/about", "about me"},
	"picture":                {"https://ada.example/ada.png", "http://ada.example/ada.png"},
	"website":                {"https://ada.example/", "javascript:alert(1)"},
	"gender":                 {"female", hidden},
	"birthdate":              {"1990-12-10", "10.12.1990"},
	"zoneinfo":               {"Europe/London", "London"},
	"locale":                 {"en-GB", "english"},
	"phone_number":           {"+41446681800", "044 668 18 00"},
	"address.formatted":      {"12 St James's Square\nLondon", long},
	"address.street_address": {"12 St James's Square\nSecond floor", long},
	"address.locality":       {"London", hidden},
	"address.region":         {"Westminster", hidden},
	"address.postal_code":    {"SW1Y 4LE", hidden},
	"address.country":        {"United Kingdom", hidden},
}

// inForm returns the form field for a field of the profile.
func inForm(field string) string {
	if field == "profile" {
		return "profile_page"
	}
	return strings.ReplaceAll(field, ".", "_")
}

// claimOf returns the text of a claim or of a part of the address, or "" if it is absent.
func claimOf(claims map[string]any, field string) string {
	if part, is := strings.CutPrefix(field, "address."); is {
		address, _ := claims["address"].(map[string]any)
		text, _ := address[part].(string)
		return text
	}
	text, _ := claims[field].(string)
	return text
}

// Each field is set on the page. Then an application sees the value, an invalid value shows
// an error at its field and the form keeps all typed values, and an empty field deletes the
// value.
func TestAccount_EachProfileFieldCanBeEdited(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.Scope = "openid profile phone address" })
		b.Follow(t)
		v := b.Visitor(t)
		v.Account(t, "/account/profile")
		signedIn := v.Allow(t, v.Get(t, b.AuthorizeURL("scope", "openid profile phone address")))
		access := b.Redeem(t, signedIn.Code(t))["access_token"].(string)
		var all []string
		for _, f := range directory.ProfileFields() {
			values, known := everyField[f.Name]
			if !known {
				t.Errorf("everyField has no values for %s", f.Name)
				continue
			}
			all = append(all, inForm(f.Name), values.right)
			saveProfile(t, v, inForm(f.Name), values.right).WantAt(t, "/account/profile?done=profile")
			if got := claimOf(b.Userinfo(t, access).JSON(t), f.Name); got != values.right {
				t.Errorf("%s: userinfo has %q, want %q", f.Name, got, values.right)
			}
			wrong := saveProfile(t, v, inForm(f.Name), values.wrong)
			wrong.WantPage(t, http.StatusUnprocessableEntity, `id="`+inForm(f.Name)+`-wrong"`)
			if got := wrong.FormTo(t, "/account/profile", "", "").Values.Get(inForm(f.Name)); got != values.wrong {
				t.Errorf("%s: the form shows %q, want the typed %q", f.Name, got, values.wrong)
			}
			if got := claimOf(b.Userinfo(t, access).JSON(t), f.Name); got != values.right {
				t.Errorf("%s: after a refusal userinfo has %q, want %q", f.Name, got, values.right)
			}
			saveProfile(t, v, inForm(f.Name), "").WantAt(t, "/account/profile?done=profile")
			if claims := b.Userinfo(t, access).JSON(t); claimOf(claims, f.Name) != "" || claims["address"] != nil {
				t.Errorf("%s was deleted, but userinfo has %v", f.Name, claims)
			}
		}
		// All fields at once, with one invalid value: nothing has to be typed again.
		wrong := saveProfile(t, v, append(slices.Clone(all), "birthdate", "tomorrow")...)
		form := wrong.FormTo(t, "/account/profile", "", "")
		for name, value := range pairsOf(append(slices.Clone(all), "birthdate", "tomorrow")) {
			if got := form.Values.Get(name); got != value {
				t.Errorf("%s: the form shows %q, want the typed %q", name, got, value)
			}
		}
		if got := strings.Count(wrong.Body, `class="wrong"`); got != 1 {
			t.Errorf("%d fields are marked as wrong, want 1", got)
		}
		v.Submit(t, form, "birthdate", everyField["birthdate"].right).WantAt(t, "/account/profile?done=profile")
		claims := b.Userinfo(t, access).JSON(t)
		for _, field := range slices.Sorted(maps.Keys(everyField)) {
			if got := claimOf(claims, field); got != everyField[field].right {
				t.Errorf("%s together with the others: userinfo has %q", field, got)
			}
		}
	}, editUsername)
}

func pairsOf(list []string) map[string]string {
	pairs := map[string]string{}
	for i := 0; i < len(list); i += 2 {
		pairs[list[i]] = list[i+1]
	}
	return pairs
}

// A changed phone number is not verified, even if an operator has verified the old one.
// Other changes keep the verification. Without a number there is no verification.
func TestAccount_ChangedPhoneNumberIsNotVerified(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for number, want := range map[string]map[string]any{
			"+41446681800":   {"phone_number": "+41446681800", "phone_number_verified": true}, // the same
			"+41 44 6681800": {"phone_number": "+41446681800", "phone_number_verified": true}, // the same, typed with spaces
			"+41446681801":   {"phone_number": "+41446681801", "phone_number_verified": false},
			"":               {},
		} {
			_, err := b.DB.ReviseUser(t.Context(), storage.UserRevision{
				UserID: b.Alice.ID, From: providertest.TestOrigin, PhoneVerified: new(true), Revise: func(u *storage.User) error { u.PhoneNumber = "+41446681800"; return nil },
			}, b.Now())
			if err != nil {
				t.Fatal(err)
			}
			saveProfile(t, v, "phone_number", number, "nickname", "ada").WantAt(t, "/account/profile?done=profile")
			u := b.AliceNow(t)
			if verified, _ := want["phone_number_verified"].(bool); u.PhoneNumberVerified != verified {
				t.Errorf("%q: verified is %v", number, u.PhoneNumberVerified)
			}
			page := v.Get(t, b.AuthorizeURL("scope", "openid phone", "prompt", "consent"))
			claims := b.Userinfo(t, b.Redeem(t, v.Allow(t, page).Code(t))["access_token"].(string)).JSON(t)
			for _, name := range []string{"phone_number", "phone_number_verified"} {
				if claims[name] != want[name] {
					t.Errorf("%q: userinfo has %s %v, want %v", number, name, claims[name], want[name])
				}
			}
		}
	})
}
