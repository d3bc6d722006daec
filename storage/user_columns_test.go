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

// columnWriters says who can write each field of a user. A field that nobody writes could
// never be released. "-" is for what no caller chooses.
var columnWriters = map[string]string{
	"ID": "-", "EmailCanonical": "-", "UsernameFolded": "-", "NotBefore": "-", "CreatedAt": "-", "UpdatedAt": "-",
	"Admin":      "-", // GrantAdmin and RevokeAdmin alone
	"DisabledAt": "-", // SetUserEnabled alone
	"Custom":     "-", // nobody yet, and no claim is made of it

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
	"PhoneNumberVerified": "operator", // nobody else can know
	"Roles":               "operator", // an upstream gives no roles, and no administration
	"Groups":              "operator",
	"UpstreamGroups":      "upstream",
}

// fillFields has a value in every field that is a text, a list or a truth.
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
		note := func(who string, u storage.User, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", who, err)
			}
			for field := range reflect.TypeFor[storage.User]().Fields() {
				got := reflect.ValueOf(u).FieldByName(field.Name)
				if strings.Contains(fmt.Sprint(got), who) || got.Kind() == reflect.Bool && got.Bool() {
					writers[field.Name] = append(writers[field.Name], who)
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
			Identity: upstreamIdentity("", "corp", "1"), AttemptID: "a", Until: storage.At(noon.Add(time.Hour)), Profile: p, Groups: in("upstream"),
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

// A number that somebody verified is not verified any more when it is another one.
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
		"the operator leaves it":   {func(t *testing.T, w *world) error { return revise(t, w, "+41446681800", nil) }, true},
		"the operator changes it":  {func(t *testing.T, w *world) error { return revise(t, w, "+41446681801", nil) }, false},
		"the operator removes it":  {func(t *testing.T, w *world) error { return revise(t, w, "", nil) }, false},
		"changed and vouched for":  {func(t *testing.T, w *world) error { return revise(t, w, "+41446681801", &yes) }, true},
		"the person leaves it":     {person("+41446681800"), true},
		"the person changes it":    {person("+41446681801"), false},
		"the upstream changes it":  {upstream("+41446681801"), false},
		"the upstream says it too": {upstream("+41446681800"), true},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				if err := upstream("+41446681800")(t, w); err != nil {
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

func person(number string) func(*testing.T, *world) error {
	return func(t *testing.T, w *world) error {
		return w.UpdateProfile(t.Context(), w.user.ID, storage.Profile{PhoneNumber: number}, storage.By{At: noon})
	}
}

func upstream(number string) func(*testing.T, *world) error {
	return func(t *testing.T, w *world) error {
		w.signInWithProfile(t, w.user.ID, "1", storage.Profile{PhoneNumber: number}, noon)
		return nil
	}
}
