package directory_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"signet/storage"
)

// listValues has two values for each list of a client.
var listValues = map[string][2]string{
	"RedirectURIs": {"https://a.example.com/cb", "https://b.example.com/cb"}, "PostLogoutRedirectURIs": {"https://a.example.com/", "https://b.example.com/"},
	"Contacts":         {"a@example.com", "b@example.com"},
	"DefaultACRValues": {"urn:signet:1fa", "phr"}, "Resources": {"https://api.example.com/", "urn:api"}, "Audiences": {"https://api.example.com/", "urn:api"}, "Origins": {"https://a.example.com", "https://b.example.com"},
}

// wantListsOnce fails the test unless each list of the client has its two values once.
func wantListsOnce(t *testing.T, c storage.Client) {
	t.Helper()
	for _, holder := range []reflect.Value{reflect.ValueOf(c), reflect.ValueOf(c.Metadata)} {
		for i := range holder.NumField() {
			name := holder.Type().Field(i).Name
			if two, known := listValues[name]; known && !slices.Equal(holder.Field(i).Interface().([]string), two[:]) {
				t.Errorf("%s: stored %q, want %q", name, holder.Field(i).Interface(), two)
			}
		}
	}
	if c.Metadata.Scope != "openid email" {
		t.Errorf("scope: stored %q", c.Metadata.Scope)
	}
}

// TestClient_ListsAreSets sets repeated values in every list of a client. Creation and change
// store each value once.
func TestClient_ListsAreSets(t *testing.T) {
	// A repeated type is refused, see checkChoices.
	refused := []string{"GrantTypes", "ResponseTypes"}
	doubled := func(c *storage.Client) (found map[string]*[]string) {
		found = map[string]*[]string{}
		for _, holder := range []reflect.Value{reflect.ValueOf(c).Elem(), reflect.ValueOf(&c.Metadata).Elem()} {
			for i := range holder.NumField() {
				list, ok := holder.Field(i).Addr().Interface().(*[]string)
				name := holder.Type().Field(i).Name
				if !ok || slices.Contains(refused, name) {
					continue
				}
				two, known := listValues[name]
				if !known {
					t.Fatalf("listValues has no values for the list %s: add two", name)
				}
				*list = []string{two[0], two[1], two[0], two[1], two[1]}
				found[name] = list
			}
		}
		c.Metadata.Scope = "openid email openid  email"
		return found
	}
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		made, _ := h.create(t, changedClient(storage.Web, func(c *storage.Client) {
			if n := len(doubled(c)); n != len(listValues) {
				t.Fatalf("%d lists, want %d", n, len(listValues))
			}
		}))
		wantListsOnce(t, made)
		other, _ := h.create(t, changedClient(storage.Web, func(c *storage.Client) { c.ID = "other" }))
		revised, err := h.ReviseClient(t.Context(), other.ID, func(c *storage.Client) error { doubled(c); return nil }, storage.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		wantListsOnce(t, revised)
		// The spaces in a scope without repeated values do not change.
		spaced, err := h.ReviseClient(t.Context(), other.ID, func(c *storage.Client) error { c.Metadata.Scope = "openid  email"; return nil }, storage.Origin{})
		if err != nil || spaced.Metadata.Scope != "openid  email" {
			t.Errorf("scope %q, %v", spaced.Metadata.Scope, err)
		}
	})
}

func TestUser_RolesAndGroupsAreSets(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		list := strings.Fields("b a b a c")
		u, err := h.CreateUser(t.Context(), storage.User{Email: "sets@example.com", EmailVerified: true, Roles: list, Groups: list}, "", storage.Origin{})
		want := strings.Fields("b a c")
		if err != nil || !slices.Equal(u.Roles, want) || !slices.Equal(u.Groups, want) {
			t.Fatalf("created with %q and %q, %v", u.Roles, u.Groups, err)
		}
		revised, err := h.ReviseUser(t.Context(), storage.UserRevision{UserID: u.ID, Revise: func(u *storage.User) error {
			u.Roles, u.Groups = []string{"x", "x"}, []string{"y", "x", "y"}
			return nil
		}})
		if err != nil || !slices.Equal(revised.User.Roles, []string{"x"}) || !slices.Equal(revised.User.Groups, []string{"y", "x"}) {
			t.Errorf("changed to %q and %q, %v", revised.User.Roles, revised.User.Groups, err)
		}
	})
}
