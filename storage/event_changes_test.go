package storage_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"signet/storage"
)

// changesOf returns the changed fields of the newest event of a type.
func (w *world) changesOf(t *testing.T, kind storage.EventType) map[string]storage.FieldChange {
	t.Helper()
	list, err := w.Events(t.Context(), storage.EventFilter{Type: kind}, 1)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d events %s, %v", len(list), kind, err)
	}
	changes, err := storage.ChangesIn(list[0].Detail)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

func TestReviseUser_EventHasValuesBeforeAndAfter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		by := storage.Origin{Actor: "cli"}
		revise := func(change func(*storage.User)) {
			t.Helper()
			_, err := w.ReviseUser(t.Context(), storage.UserRevision{
				UserID: w.user.ID, From: by, Unproven: storage.KeepAttached, Revise: func(u *storage.User) error { change(u); return nil },
			}, noon.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
		}
		revise(func(u *storage.User) { u.Name, u.Roles, u.Address.Country = "Ada", []string{"dev"}, "UK" })
		want := map[string]storage.FieldChange{
			"name": {After: "Ada"}, "roles": {After: []any{"dev"}}, "address.country": {After: "UK"},
		}
		if got := w.changesOf(t, storage.UserUpdated); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		revise(func(u *storage.User) { u.Name, u.Roles = "Ada L", nil })
		want = map[string]storage.FieldChange{"name": {Before: "Ada", After: "Ada L"}, "roles": {Before: []any{"dev"}}}
		if got := w.changesOf(t, storage.UserUpdated); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		revise(func(*storage.User) {})
		if got := w.changesOf(t, storage.UserUpdated); len(got) != 0 {
			t.Errorf("got %v although nothing changed", got)
		}
	})
}

func TestUpdateProfile_EventHasValuesBeforeAndAfter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.exec(t, `UPDATE users SET phone_number = '+4930', phone_number_verified = TRUE WHERE id = ?`, w.user.ID)
		if err := w.UpdateProfile(t.Context(), w.user.ID, storage.Profile{Nickname: "A", PhoneNumber: "+4940"}, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		want := map[string]storage.FieldChange{
			"nickname": {After: "A"}, "phone_number": {Before: "+4930", After: "+4940"}, "phone_number_verified": {Before: true, After: false},
		}
		if got := w.changesOf(t, storage.UserUpdated); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// unrecorded are the fields of clients and users that no revision changes, that are derived from others,
// or that are secret.
var unrecorded = map[string]bool{
	"Client.ID": true, "Client.Secrets": true, "Client.Registration": true, "Client.Sector": true, "Client.DisabledAt": true, "Client.CreatedAt": true, "Client.UpdatedAt": true,

	"User.ID": true, "User.ChosenSubject": true, "User.EmailCanonical": true, "User.UsernameFolded": true, "User.UpstreamGroups": true, "User.Custom": true, "User.Admin": true,
	"User.LesserRole": true, "User.DisabledAt": true, "User.AlwaysAskAt": true, "User.NotBefore": true, "User.CreatedAt": true, "User.UpdatedAt": true,
}

// TestRecordedFields_AreAllFields changes each field of a client and of a user in turn. A new field is
// recorded, or stands in unrecorded with the others.
func TestRecordedFields_AreAllFields(t *testing.T) {
	walk := func(name string, object any, recorded func() map[string]any) {
		var fields func(path string, v reflect.Value)
		fields = func(path string, v reflect.Value) {
			for field := range v.Type().Fields() {
				path, value := path+"."+field.Name, v.FieldByIndex(field.Index)
				switch {
				case unrecorded[path]:
				case value.Kind() == reflect.Struct:
					fields(path, value)
				default:
					before := recorded()
					former := reflect.ValueOf(value.Interface())
					setToOther(value)
					changed := storage.ChangesOf(before, recorded())
					value.Set(former)
					if len(changed) != 1 {
						t.Errorf("%s: a change of it is recorded as %v", path, changed)
					}
				}
			}
		}
		fields(name, reflect.ValueOf(object).Elem())
	}
	var c storage.Client
	walk("Client", &c, func() map[string]any { return storage.RecordedFieldsOfClient(c) })
	var u storage.User
	walk("User", &u, func() map[string]any { return storage.RecordedFieldsOfUser(u) })
}

// setToOther sets a field to another value than the zero value.
func setToOther(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("other")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(time.Second))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Type().Elem().Kind() == reflect.String {
			v.Index(0).SetString("other")
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	}
}

func TestReviseClient_EventHasValuesBeforeAndAfter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		c := storage.Client{ID: "c", Name: "Shop", Type: storage.Web, RefreshGrace: -1, Secrets: [2]storage.ClientSecret{{Hash: "deadbeef"}}}
		if err := w.CreateClient(t.Context(), c, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		want := map[string]storage.FieldChange{"client_name": {After: "Shop"}, "type": {After: "web"}}
		if got := w.changesOf(t, storage.ClientCreated); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		_, err := w.ReviseClient(t.Context(), "c", func(c *storage.Client) error {
			c.FirstParty, c.Metadata.RedirectURIs, c.RefreshGrace = true, []string{"https://shop.example/cb"}, 30*time.Second
			return nil
		}, storage.By{At: noon.Add(time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		want = map[string]storage.FieldChange{
			"first_party": {Before: false, After: true}, "redirect_uris": {After: []any{"https://shop.example/cb"}}, "refresh_grace": {After: "30s"},
		}
		if got := w.changesOf(t, storage.ClientUpdated); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if got := w.count(t, `events WHERE detail LIKE '%deadbeef%'`); got != 0 {
			t.Errorf("%d events have the hash of the secret", got)
		}
	})
}

// AD-21: a long value, or one with control characters, neither fills the table nor breaks a line.
func TestEvent_LongValuesAreShortened(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		var uris []string
		for i := range 100 {
			uris = append(uris, fmt.Sprintf("https://a.example/%d", i))
		}
		for _, tail := range []string{"x", "y"} {
			_, err := w.ReviseClient(t.Context(), w.client.ID, func(c *storage.Client) error {
				c.Metadata.JWKS, c.Metadata.PostLogoutRedirectURIs = strings.Repeat("ä", 50_000)+tail, append(uris, tail)
				c.Name = "a\r\nb\x1b[2J\u202e"
				return nil
			}, storage.By{At: noon})
			if err != nil {
				t.Fatal(err)
			}
		}
		changes := w.changesOf(t, storage.ClientUpdated)
		for _, name := range []string{"jwks", "post_logout_redirect_uris"} {
			if c := changes[name]; c.Before == nil || reflect.DeepEqual(c.Before, c.After) {
				t.Errorf("%s: the change at the end cannot be seen: %v", name, c)
			}
		}
		list, err := w.Events(t.Context(), storage.EventFilter{Type: storage.ClientUpdated}, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if text := fmt.Sprint(e.Detail); len(text) > 6000 || strings.ContainsFunc(text, unicode.IsControl) || strings.Contains(text, "\u202e") {
				t.Errorf("%d bytes: %.200q", len(text), text)
			}
		}
	})
}

func TestDeleteUser_DeletesValuesFromEvents(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		const secretName = "Augusta Ada King"
		for i := range storage.Portion + 1 {
			by.At = noon.Add(time.Duration(i) * time.Second)
			if err := w.UpdateProfile(t.Context(), w.user.ID, storage.Profile{Name: fmt.Sprint(secretName, i)}, by); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2 { // the user's own, merged
			if err := w.UpdateProfile(t.Context(), w.user.ID, storage.Profile{Name: fmt.Sprint(secretName, "own", i)}, storage.By{At: by.At}); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"own1", "own2"} { // a save without a change, and one with which it is merged
			if err := w.UpdateProfile(t.Context(), w.user.ID, storage.Profile{Name: secretName + name}, storage.By{At: by.At.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, kind := range []storage.EventType{storage.UserGroupsChanged, storage.InvitationUsed} {
			if err := w.RecordEvent(t.Context(), storage.Event{Type: kind, UserID: w.user.ID, Detail: map[string]any{"groups": []string{secretName}}}, by.At); err != nil {
				t.Fatal(err)
			}
		}
		named := `events WHERE detail LIKE '%Augusta%' OR latest LIKE '%Augusta%' OR detail LIKE '%alice@%'`
		if got := w.count(t, named); got != storage.Portion+6 {
			t.Errorf("%d events name the user, want %d", got, storage.Portion+6)
		}
		all := w.count(t, "events")
		if err := w.DeleteUser(t.Context(), w.user.ID, by); err != nil {
			t.Fatal(err)
		}
		if got := w.count(t, named); got != 0 {
			t.Errorf("%d events still name the deleted user", got)
		}
		if got := w.count(t, "events"); got <= all {
			t.Errorf("%d events are left of %d", got, all)
		}
	})
}
