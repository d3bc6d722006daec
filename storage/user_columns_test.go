package storage_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

// columnWriters lists the callers that can write each field of a user: an operator, the
// person, or an upstream. "-" stands for fields whose value no caller chooses.
var columnWriters = map[string]string{
	"ID": "-", "ChosenSubject": "-", "EmailCanonical": "-", "UsernameFolded": "-", "NotBefore": "-", "CreatedAt": "-", "UpdatedAt": "-",
	"Admin":       "-", // only GrantAdmin and RevokeAdmin write it
	"LesserRole":  "-", // likewise
	"DisabledAt":  "-", // only SetUserEnabled writes it
	"AlwaysAskAt": "-", // only SetAlwaysAsk writes it
	"Custom":      "-", // no caller writes it yet, and no claim uses it

	"Email":               "operator upstream", // of a new user
	"EmailVerified":       "operator upstream",
	"Name":                "operator person upstream",
	"GivenName":           "operator person upstream",
	"FamilyName":          "operator person upstream",
	"MiddleName":          "operator person upstream",
	"Nickname":            "operator person upstream",
	"PreferredUsername":   "operator person upstream",
	"Profile":             "operator person upstream",
	"Picture":             "operator person upstream",
	"Website":             "operator person upstream",
	"Gender":              "operator person upstream",
	"Birthdate":           "operator person upstream",
	"Zoneinfo":            "operator person upstream",
	"Locale":              "operator person upstream",
	"PhoneNumber":         "operator person upstream",
	"Address":             "operator person upstream",
	"PhoneNumberVerified": "operator", // only an operator can verify a number
	"Roles":               "operator", // an upstream gives no roles
	"Groups":              "operator",
	"UpstreamGroups":      "upstream",
}

// fillFields sets every field that is a string, a list, a map or a bool.
func fillFields(value any, text string) {
	v := reflect.ValueOf(value).Elem()
	for i := range v.NumField() {
		switch field := v.Field(i); field.Interface().(type) {
		case string:
			field.SetString(text)
		case bool:
			field.SetBool(true)
		case []string:
			field.Set(reflect.ValueOf([]string{text}))
		case map[string]any:
			field.Set(reflect.ValueOf(map[string]any{text: text}))
		case storage.Address:
			fillFields(field.Addr().Interface(), text)
		}
	}
}

func TestUser_EachColumnHasItsWriters(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		writers := map[string][]string{}
		note := func(writer string, u storage.User, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", writer, err)
			}
			for field := range reflect.TypeFor[storage.User]().Fields() {
				got := reflect.ValueOf(u).FieldByName(field.Name)
				if strings.Contains(fmt.Sprint(got), writer) || got.Kind() == reflect.Bool && got.Bool() {
					writers[field.Name] = append(writers[field.Name], writer)
				}
			}
		}
		yes := true
		revised, err := w.ReviseUser(t.Context(), storage.UserRevision{
			UserID: w.user.ID, Verified: &yes, PhoneVerified: &yes, Unproven: storage.KeepAttached,
			Revise: func(u *storage.User) error {
				fillFields(u, "operator")
				u.Email = "operator@example.com"
				return nil
			},
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := w.User(t.Context(), w.user.ID)
		note("operator", stored, err)
		if !reflect.DeepEqual(stored.Address, revised.Address) || stored.Address.Country != "operator" {
			t.Errorf("address %+v, returned %+v", stored.Address, revised.Address)
		}

		bob := w.createUser(t, "bob@example.com")
		var p storage.Profile
		fillFields(&p, "person")
		err = w.UpdateProfile(t.Context(), bob.ID, p, storage.By{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		bob, err = w.User(t.Context(), bob.ID)
		note("person", bob, err)

		fillFields(&p, "upstream")
		session, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity: upstreamIdentity("", "corp", "1"), AttemptID: "a", Until: storage.At(noon.Add(time.Hour)), Profile: p, Groups: asserted("upstream"),
			NewUser: storage.User{Email: "upstream@example.com"}, Proof: storage.ByUpstream,
			SignIn: storage.SignIn{HandleHash: "a", IdleFor: time.Hour, AbsoluteFor: time.Hour},
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		made, err := w.User(t.Context(), session.UserID)
		note("upstream", made, err)

		wantWriters(t, writers)
	})
}

// wantWriters wants each field of a user to have the writers of columnWriters.
func wantWriters(t *testing.T, writers map[string][]string) {
	t.Helper()
	for field := range reflect.TypeFor[storage.User]().Fields() {
		want, known := columnWriters[field.Name]
		got := slices.DeleteFunc(writers[field.Name], func(string) bool { return want == "-" })
		if !known || want != "-" && strings.Join(got, " ") != want {
			t.Errorf("%s is written by %q, want %q", field.Name, got, want)
		}
	}
}

// A phone number that changes is no longer verified, unless an operator verifies the new
// number in the same act.
func TestUser_ANewPhoneNumberIsNotVerified(t *testing.T) {
	revise := func(t *testing.T, w *world, number string, verified *bool) error {
		_, err := w.ReviseUser(t.Context(), storage.UserRevision{
			UserID: w.user.ID, PhoneVerified: verified, Revise: func(u *storage.User) error { u.PhoneNumber = number; return nil },
		}, noon)
		return err
	}
	yes := true
	for name, c := range map[string]struct {
		act  func(t *testing.T, w *world) error
		want bool
	}{
		"the operator keeps it":   {func(t *testing.T, w *world) error { return revise(t, w, "+41446681800", nil) }, true},
		"the operator changes it": {func(t *testing.T, w *world) error { return revise(t, w, "+41446681801", nil) }, false},
		"the operator removes it": {func(t *testing.T, w *world) error { return revise(t, w, "", nil) }, false},
		"changed and verified":    {func(t *testing.T, w *world) error { return revise(t, w, "+41446681801", &yes) }, true},
		"the person keeps it":     {profileEdit("+41446681800"), true},
		"the person changes it":   {profileEdit("+41446681801"), false},
		"the upstream changes it": {upstreamSignIn("+41446681801"), false},
		"the upstream keeps it":   {upstreamSignIn("+41446681800"), true},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				if err := upstreamSignIn("+41446681800")(t, w); err != nil {
					t.Fatal(err)
				}
				if err := revise(t, w, "+41446681800", &yes); err != nil {
					t.Fatal(err)
				}
				if err := c.act(t, w); err != nil {
					t.Fatal(err)
				}
				if u, err := w.User(t.Context(), w.user.ID); err != nil || u.PhoneNumberVerified != c.want {
					t.Errorf("%q is verified: %v, want %v, %v", u.PhoneNumber, u.PhoneNumberVerified, c.want, err)
				}
			})
		})
	}
	eachWorld(t, func(t *testing.T, w *world) {
		wantError(t, "no number", revise(t, w, "", &yes), storage.ErrNoPhone)
	})
}

// profileEdit returns an edit of the phone number by the person.
func profileEdit(number string) func(*testing.T, *world) error {
	return func(t *testing.T, w *world) error {
		return w.UpdateProfile(t.Context(), w.user.ID, storage.Profile{PhoneNumber: number}, storage.By{At: noon})
	}
}

// upstreamSignIn returns a sign-in through an upstream that asserts the phone number.
func upstreamSignIn(number string) func(*testing.T, *world) error {
	return func(t *testing.T, w *world) error {
		w.signInWithProfile(t, w.user.ID, "1", storage.Profile{PhoneNumber: number}, noon)
		return nil
	}
}
