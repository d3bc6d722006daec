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

// typed are what a person types into a field of the profile: a right value, and a wrong one
// which is told at the field.
type typed struct{ right, wrong string }

const hidden = "turned \u202eround"

// long is for the fields of several lines, which show no hidden marks again (AZ-25).
var long = strings.Repeat("long\n", 50) + "text"

// everyField has each field of directory.ProfileFields.
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

// inForm is the name of a profile's field in the form.
func inForm(field string) string {
	if field == "profile" {
		return "profile_page"
	}
	return strings.ReplaceAll(field, ".", "_")
}

// claimOf gives the text of a claim, or of a part of the address; "" if it is absent.
func claimOf(claims map[string]any, field string) string {
	if part, is := strings.CutPrefix(field, "address."); is {
		address, _ := claims["address"].(map[string]any)
		text, _ := address[part].(string)
		return text
	}
	text, _ := claims[field].(string)
	return text
}

// TestAccount_EachFieldOfTheProfileIsThePersonsOwn sets each field by the page alone: an
// application sees it, a wrong value is told at the field and everything that was typed
// stays, and an empty field takes the value away.
func TestAccount_EachFieldOfTheProfileIsThePersonsOwn(t *testing.T) {
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
				t.Errorf("no value of %s is tried", f.Name)
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
				t.Errorf("%s: the form holds %q, and %q was typed", f.Name, got, values.wrong)
			}
			if got := claimOf(b.Userinfo(t, access).JSON(t), f.Name); got != values.right {
				t.Errorf("%s: after a refusal userinfo has %q, want %q", f.Name, got, values.right)
			}
			saveProfile(t, v, inForm(f.Name), "").WantAt(t, "/account/profile?done=profile")
			if claims := b.Userinfo(t, access).JSON(t); claimOf(claims, f.Name) != "" || claims["address"] != nil {
				t.Errorf("%s was taken away, and userinfo has %v", f.Name, claims)
			}
		}
		// All at once, with one that is wrong: nothing has to be typed again.
		wrong := saveProfile(t, v, append(slices.Clone(all), "birthdate", "tomorrow")...)
		form := wrong.FormTo(t, "/account/profile", "", "")
		for name, value := range pairsOf(append(slices.Clone(all), "birthdate", "tomorrow")) {
			if got := form.Values.Get(name); got != value {
				t.Errorf("%s: the form holds %q, and %q was typed", name, got, value)
			}
		}
		if got := strings.Count(wrong.Body, `class="wrong"`); got != 1 {
			t.Errorf("%d fields are wrong, want the one", got)
		}
		v.Submit(t, form, "birthdate", everyField["birthdate"].right).WantAt(t, "/account/profile?done=profile")
		claims := b.Userinfo(t, access).JSON(t)
		for _, field := range slices.Sorted(maps.Keys(everyField)) {
			if got := claimOf(claims, field); got != everyField[field].right {
				t.Errorf("%s with the others: userinfo has %q", field, got)
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

// TestAccount_AnotherPhoneNumberIsNotVerified, whatever the operator has verified before;
// other changes leave the verification alone, and a removed number has none.
func TestAccount_AnotherPhoneNumberIsNotVerified(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for number, want := range map[string]map[string]any{
			"+41446681800":   {"phone_number": "+41446681800", "phone_number_verified": true}, // the same
			"+41 44 6681800": {"phone_number": "+41446681800", "phone_number_verified": true}, // the same, typed with spaces
			"+41446681801":   {"phone_number": "+41446681801", "phone_number_verified": false},
			"":               {},
		} {
			_, err := b.DB.ReviseUser(t.Context(), storage.UserRevision{
				UserID: b.Alice.ID, From: providertest.Here, PhoneVerified: new(true), Revise: func(u *storage.User) error { u.PhoneNumber = "+41446681800"; return nil },
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
