package user_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/provider/directory"
	"signet/storage"
)

// values holds for each flag of `signet user update` a valid value, its stored form, and a value
// that is refused.
var values = map[string]struct{ right, stored, wrong string }{
	"name":                   {"Ada Lovelace", "Ada Lovelace", "Ada\u202e"},
	"given_name":             {"Ada", "Ada", strings.Repeat("a", 201)},
	"middle_name":            {"Augusta", "Augusta", "a\nb"},
	"family_name":            {"Lovelace", "Lovelace", "\x1b[2J"},
	"nickname":               {"countess", "countess", "a\u200bb"},
	"preferred_username":     {"ada@corp", "ada@corp", "…"},
	"profile":                {"https://example.com/ada", "https://example.com/ada", "javascript:alert(1)"},
	"picture":                {"https://example.com/a.png", "https://example.com/a.png", "http://example.com/a.png"},
	"website":                {"http://ada.example", "http://ada.example", "ada.example"},
	"gender":                 {"female", "female", "x\u2066"},
	"birthdate":              {"0000-12-10", "0000-12-10", "10.12.1815"},
	"zoneinfo":               {"Europe/London", "Europe/London", "London"},
	"locale":                 {"en_gb", "en-GB", "english"},
	"phone_number":           {"+41 44 668-18-00", "+41446681800", "044 668 18 00"},
	"address.formatted":      {"Ada Lovelace\r\n1 Square", "Ada Lovelace\n1 Square", "a\x00b"},
	"address.street_address": {"1 Square\nFlat 2", "1 Square\nFlat 2", strings.Repeat("a", 201)},
	"address.locality":       {"London", "London", "a\nb"},
	"address.region":         {"England", "England", "a\tb"},
	"address.postal_code":    {"SW1Y 4LB", "SW1Y 4LB", "a\u202eb"},
	"address.country":        {"GB", "GB", "G\u2028B"},
}

// Each text field of a profile has a flag with the name of its claim. The flag sets, checks and
// clears the field, and the table and the JSON show it.
func TestUserUpdate_EachFieldOfAProfile(t *testing.T) {
	a := startAttacked(t)
	ada, err := a.db.CreateUser(t.Context(), storage.User{Email: "ada@example.com", EmailVerified: true}, "", storage.By{At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range directory.ProfileFields() {
		v, known := values[f.Name]
		if !known {
			t.Errorf("no value for %s", f.Name)
			continue
		}
		flag := "--" + strings.NewReplacer("_", "-", ".", "-").Replace(f.Name)
		stored := func() string {
			u, err := a.db.User(t.Context(), ada.ID)
			if err != nil {
				t.Fatal(err)
			}
			p := storage.ProfileOf(u)
			return *f.Value(&p)
		}
		_, why := a.signet(t, exit.Denied, "user", "update", "ada@example.com", flag, v.wrong)
		wantWords(t, why, flag)
		a.signet(t, exit.OK, "user", "update", "ada@example.com", flag, v.right)
		if got := stored(); got != v.stored {
			t.Errorf("%s stored %q, want %q", flag, got, v.stored)
		}
		text, _ := a.signet(t, exit.OK, "user", "show", "ada@example.com")
		wantWords(t, text, f.Name+" ", strings.ReplaceAll(v.stored, "\n", ", "))
		if got := jsonOf(t, a, "ada@example.com", f.Name); got != v.stored {
			t.Errorf("user show --json has %v under %s, want %q", got, f.Name, v.stored)
		}
		a.signet(t, exit.OK, "user", "update", "ada@example.com", flag, "")
		if got := stored(); got != "" {
			t.Errorf("%s \"\" left %q", flag, got)
		}
		if got := jsonOf(t, a, "ada@example.com", f.Name); got != nil {
			t.Errorf("user show --json has %v under %s, which was cleared", got, f.Name)
		}
	}
}

// jsonOf returns a member of the output of user show --json. A dot in the name selects a member of
// an object.
func jsonOf(t *testing.T, a attacked, who, name string) any {
	t.Helper()
	document, _ := a.signet(t, exit.OK, "user", "show", who, "--json")
	var value any
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	for part := range strings.SplitSeq(name, ".") {
		object, _ := value.(map[string]any)
		value = object[part]
	}
	return value
}

func TestUserUpdate_OnlyItsFlagVerifiesAPhoneNumber(t *testing.T) {
	a := startAttacked(t)
	update := func(want int, args ...string) string {
		t.Helper()
		_, output := a.signet(t, want, append([]string{"user", "update", "bob@example.com"}, args...)...)
		return output
	}
	wantWords(t, update(exit.Denied, "--phone-number-verified"), "no phone number", "--phone-number")
	update(exit.OK, "--phone-number-verified", "--phone-number", "+41446681800")
	if got := jsonOf(t, a, "bob@example.com", "phone_number_verified"); got != true {
		t.Errorf("both at once: %v", got)
	}
	text, _ := a.signet(t, exit.OK, "user", "show", "bob@example.com")
	wantWords(t, text, "+41446681800 (verified)")
	update(exit.OK, "--name", "Bob")
	if got := jsonOf(t, a, "bob@example.com", "phone_number_verified"); got != true {
		t.Errorf("after another change: %v", got)
	}
	update(exit.OK, "--phone-number", "+41446681801")
	if got := jsonOf(t, a, "bob@example.com", "phone_number_verified"); got != false {
		t.Errorf("a new number: %v", got)
	}
	a.signet(t, exit.Denied, "user", "create", "--email", "eve@example.com", "--phone-number-verified")
	a.signet(t, exit.OK, "user", "create", "--email", "eve@example.com", "--phone-number-verified", "--phone-number", "+41446681800")
	if got := jsonOf(t, a, "eve@example.com", "phone_number_verified"); got != true {
		t.Errorf("created with both: %v", got)
	}
}

// Groups of a connector are shown separately, and no flag changes them.
func TestUserUpdate_KeepsGroupsOfAConnector(t *testing.T) {
	a := startAttacked(t)
	_, err := a.db.SignInThrough(t.Context(), storage.ConnectorSignIn{
		Identity:  storage.Identity{Connector: "corp", Issuer: "https://corp.example", Subject: "9", UserID: a.bob.ID},
		AttemptID: "groups", Until: storage.At(time.Now().Add(time.Hour)), Groups: &storage.AssertedGroups{Names: []string{"staff", "all hands"}},
		SignIn: storage.SignIn{HandleHash: "groups", IdleFor: time.Hour, AbsoluteFor: time.Hour},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][]string{{"--group", "ops"}, {"--group", ""}, {"--group", "staff"}} {
		a.signet(t, exit.OK, append([]string{"user", "update", a.bob.ID, "--keep"}, change...)...)
		document, _ := a.signet(t, exit.OK, "user", "show", a.bob.ID, "--json")
		var shown struct {
			Own        []string `json:"groups"`
			Upstream   []string `json:"upstream_groups"`
			Identities []struct {
				Connector string
				Groups    []string
			}
		}
		if err := json.Unmarshal([]byte(document), &shown); err != nil {
			t.Fatal(err)
		}
		if want := strings.Fields(change[1]); !slices.Equal(shown.Own, want) || !slices.Equal(shown.Upstream, []string{"staff", "all hands"}) {
			t.Errorf("%q: own %q, upstream %q", change, shown.Own, shown.Upstream)
		}
		names := 0 // of the groups of corp
		for _, i := range shown.Identities {
			if i.Connector == "corp" {
				names += len(i.Groups)
			}
		}
		if names != 2 {
			t.Errorf("identities %+v, want one of corp with two groups", shown.Identities)
		}
	}
	text, _ := a.signet(t, exit.OK, "user", "show", a.bob.ID)
	wantWords(t, text, "groups                      staff\n", "groups (source: connector)  staff, all hands")
}

func TestUserUpdate_ListsAreChecked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db, err := node.OpenDatabase(t.Context(), config.Config{DataDir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a := attacked{db: db, env: []string{"SIGNET_DATA_DIR=" + dir}}
	a.signet(t, exit.OK, "user", "create", "--email", "ada@example.com", "--email-verified")
	for _, flag := range []string{"--role", "--group"} {
		for _, wrong := range []string{" ", "a\u202eb", "a\nb", strings.Repeat("a", 201)} {
			_, why := a.signet(t, exit.Denied, "user", "update", "ada@example.com", flag, wrong)
			wantWords(t, why, flag)
		}
		var many []string
		for i := range 200 {
			many = append(many, flag, "group-number-"+strings.Repeat("1", i%10)+string(rune('a'+i/10)))
		}
		_, why := a.signet(t, exit.Denied, append([]string{"user", "update", "ada@example.com"}, many...)...)
		wantWords(t, why, flag, "2048 bytes")
	}
}
