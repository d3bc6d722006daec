package firstparty_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/provider/request"
	"signet/storage"
	"signet/storage/storagetest"
)

// fillEveryClaim gives the user a value for every claim.
func fillEveryClaim(u *storage.User) {
	u.Name, u.GivenName, u.FamilyName, u.MiddleName, u.Nickname = "Alice Liddell", "Alice", "Liddell", "Pleasance", "Al"
	u.PreferredUsername, u.Profile, u.Picture, u.Website = "alice", "https://alice.example/", "https://alice.example/a.png", "https://alice.example/"
	u.Gender, u.Birthdate, u.Zoneinfo, u.Locale = "female", "1852-05-04", "Europe/London", "en-GB"
	u.PhoneNumber, u.PhoneNumberVerified, u.Address = "+44 20 7946 0000", true, storage.Address{Formatted: "Oxford", Country: "GB"}
	u.Roles, u.Groups = []string{"reader", "writer"}, []string{"staff"}
}

// fillNoClaim leaves the user without claims; not even the email address is verified.
func fillNoClaim(u *storage.User) { u.EmailVerified = false }

// answersAbout returns the answers of /login and /session for a new user, after fill
// has set the claims.
func answersAbout(t *testing.T, b *providertest.Testbed, scope string, fill func(*storage.User)) (login, session map[string]any) {
	t.Helper()
	client, err := b.DB.Client(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	client.Metadata.Scope = scope
	if err := storagetest.ReplaceClient(t.Context(), b.DB, client, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Follow(t)
	u := storage.User{Email: strings.ToLower(rand.Text()) + "@example.com", EmailVerified: true}
	fill(&u)
	if u.PreferredUsername != "" {
		u.PreferredUsername = strings.ToLower(rand.Text())
	}
	b.CreateUser(t, u, providertest.Password)
	v := b.Visitor(t)
	login = providertest.WantStatus(t, v.CallApp(t, "/login", `{"username":"`+u.Email+`","password":"`+providertest.Password+`"}`), http.StatusOK).JSON(t)
	return login, v.WantApp(t, true)
}

// For each scope, /login and /session return the same claims: all claims of the scope that
// the user has, and never null or "".
func TestClaims_ScopesReleaseEveryClaim(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		scopes := append(slices.Sorted(maps.Keys(request.ScopeClaims)), "", "profile email roles groups")
		for _, scope := range scopes {
			full, held := "openid "+scope, strings.Fields(scope)
			if scope == "" {
				full, held = "", []string{"profile", "email"} // the scopes of a client that has none registered
			}
			names := []string{}
			for _, s := range held {
				for _, name := range request.ScopeClaims[s] {
					if slices.Contains([]string{"email", "name", "picture", "roles", "groups"}, name) {
						names = append(names, name)
					}
				}
			}
			login, session := answersAbout(t, b, full, fillEveryClaim)
			user, _ := session["user"].(map[string]any)
			if got, want := slices.Sorted(maps.Keys(user)), slices.Sorted(slices.Values(append(names, "sub"))); !slices.Equal(got, want) {
				t.Errorf("scope %q: /session returns %v, want %v", scope, got, want)
			}
			if !reflect.DeepEqual(login["user"], session["user"]) {
				t.Errorf("scope %q: /login returns %v, /session %v", scope, login["user"], user)
			}

			login, session = answersAbout(t, b, full, fillNoClaim)
			wantNothingEmpty(t, scope, login)
			wantNothingEmpty(t, scope, session)
		}
	})
}

func wantNothingEmpty(t *testing.T, where string, of any) {
	t.Helper()
	switch v := of.(type) {
	case nil:
		t.Errorf("%s: null", where)
	case string:
		if v == "" {
			t.Errorf("%s: empty", where)
		}
	case []any:
		if len(v) == 0 {
			t.Errorf("%s: an empty list", where)
		}
	case map[string]any:
		for name, member := range v {
			wantNothingEmpty(t, where+" "+name, member)
		}
	}
}

// The test compiles real answers against the types of @signet/react. It fails for a member
// that the types do not have, for a member of another type, and for a missing required
// member. It also fails if no answer has a member that the type User has.
func TestClaims_MatchTheTypesOfTheSDK(t *testing.T) {
	sdk, err := filepath.Abs("../../sdk/react")
	if err != nil {
		t.Fatal(err)
	}
	var program strings.Builder
	program.WriteString("import type { SessionAnswer, User } from '" + sdk + "/src/session.ts'\n")
	seen := map[string]bool{}
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		write := func(name, kind string, value any) {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			program.WriteString("export const " + name + ": " + kind + " = " + string(text) + "\n")
		}
		write("nobody", "SessionAnswer", b.Visitor(t).WantApp(t, false))
		for name, fill := range map[string]func(*storage.User){"everything": fillEveryClaim, "nothing": fillNoClaim} {
			login, session := answersAbout(t, b, "openid "+strings.Join(slices.Sorted(maps.Keys(request.ScopeClaims)), " "), fill)
			write(name+"AtSession", "SessionAnswer", session)
			write(name+"AtLogin", "{ user: User; expires_at: string }", login)
			for member := range session["user"].(map[string]any) {
				seen[member] = true
			}
		}
	})
	file := filepath.Join(t.TempDir(), "answers.ts")
	if err := os.WriteFile(file, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	tsc := exec.CommandContext(t.Context(), filepath.Join(sdk, "node_modules/.bin/tsc"), "--noEmit", "--strict", "--exactOptionalPropertyTypes",
		"--allowImportingTsExtensions", "--module", "nodenext", "--target", "es2022", "--types", "", "--ignoreConfig", file)
	out, err := tsc.CombinedOutput()
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the packages of %s are not installed: make prepare", sdk)
	}
	if err != nil {
		t.Errorf("the answers do not match the types: %v\n%s\n%s", err, out, program.String())
	}
	source, err := os.ReadFile(sdk + "/src/session.ts")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "export interface User {")
	body, _, _ := strings.Cut(rest, "\n}")
	members := regexp.MustCompile(`(?m)^  (\w+)\??:`).FindAllStringSubmatch(body, -1)
	if len(members) < 4 {
		t.Fatalf("found only the members %v of User", members)
	}
	for _, m := range members {
		if !seen[m[1]] {
			t.Errorf("the type User has the member %s, but no answer has it", m[1])
		}
	}
}
