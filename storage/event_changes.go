package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
)

// changesMember is the member of Event.Detail with the changed fields of a client or user. Its value
// is a map from the name of each field to a FieldChange. The names are those of the directory: the
// metadata of RFC 7591 for a client, the claims of OIDC Core, section 5.1, for a user.
const changesMember = "changes"

// FieldChange is the value of one field before and after an act. A member is absent if the field was not
// set. Values are JSON values in a printable form, see shortened.
type FieldChange struct {
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
}

// The longest values of a FieldChange.
const (
	longestChangedText = 256 // bytes of a text
	longestChangedList = 32  // members of a list
)

// changesOf returns the detail of an event that changed the fields of an object. It is empty if no field
// changed, and never nil. before is nil for a new object: then the fields that are set are the changed ones.
func changesOf(before, after map[string]any) map[string]any {
	changed, names := map[string]FieldChange{}, map[string]any{}
	maps.Copy(names, before)
	maps.Copy(names, after)
	for name := range names {
		was, is := setOrNil(before[name]), setOrNil(after[name])
		if reflect.DeepEqual(was, is) || was == nil && is == false {
			continue
		}
		changed[name] = FieldChange{shortened(was), shortened(is)}
	}
	if len(changed) == 0 {
		return map[string]any{}
	}
	return map[string]any{changesMember: changed}
}

// setOrNil returns nil for the value of a field that is not set: "" and the empty list.
func setOrNil(value any) any {
	switch v := value.(type) {
	case string:
		if v == "" {
			return nil
		}
	case []string:
		if len(v) == 0 {
			return nil
		}
	}
	return value
}

// shortened makes a value of an object printable in an event. Texts are cleaned, see cleanText. The
// remainder of a long text or list is replaced by its size and by a digest, which shows that the
// remainder changed.
func shortened(value any) any {
	switch v := value.(type) {
	case string:
		if len(v) <= longestChangedText {
			return cleanText(v, longestChangedText)
		}
		return fmt.Sprintf("%s… (%d bytes, SHA-256 %s)", cleanText(v, longestChangedText), len(v), digestOf(v))
	case []string:
		if len(v) <= longestChangedList {
			return shortenedTexts(v)
		}
		return append(shortenedTexts(v[:longestChangedList]), fmt.Sprintf("… (%d members, SHA-256 %s)", len(v), digestOf(strings.Join(v, "\n"))))
	}
	return value
}

func shortenedTexts(list []string) (short []any) {
	for _, text := range list {
		short = append(short, shortened(text))
	}
	return short
}

// digestOf returns the first 64 bits of the SHA-256 digest in hexadecimal.
func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// recordedFields returns the fields of a client that events show. No secret is among them: Secrets and
// Registration are left out.
func (c Client) recordedFields() map[string]any {
	fields := membersOf(c.Metadata)
	maps.Copy(fields, map[string]any{
		"client_name": c.Name, "type": string(c.Type), "first_party": c.FirstParty, "skip_consent": c.SkipConsent, "introspect": c.Introspects,
		"admin_api": c.AdminAPI, "pkce_optional": c.PKCEOptional, "unverified_email": c.UnverifiedEmail, "prompt_login": c.PromptLogin,
		"require_acr": c.RequireACR, "resources": c.Resources, "audiences": c.Audiences, "allow_origins": c.Origins,
	})
	if c.RefreshGrace >= 0 {
		fields["refresh_grace"] = c.RefreshGrace.String()
	}
	var federations []string
	for _, f := range c.Federations {
		federations = append(federations, fmt.Sprintf("%s: %s, %s", f.Name, f.Issuer, f.Subject))
	}
	fields["federations"] = federations
	return fields
}

// recordedFields returns the fields of a user that events show. DeleteUser deletes the values from
// the events.
func (u User) recordedFields() map[string]any {
	fields := membersOf(ProfileOf(u))
	delete(fields, "address")
	for name, part := range membersOf(u.Address) {
		fields["address."+name] = part
	}
	maps.Copy(fields, map[string]any{
		"email": u.Email, "email_verified": u.EmailVerified, "phone_number_verified": u.PhoneNumberVerified, "roles": u.Roles, "groups": u.Groups,
	})
	return fields
}

// personalEvents are the types of events whose detail has claims of a user.
var personalEvents = []EventType{UserCreated, UserUpdated, UserGroupsChanged, AddressChanged, AddressChangeUndone, InvitationUsed}

// movedTo returns the detail of an event that gave the user a proven address.
func (u User) movedTo(email string) map[string]any {
	after := u.recordedFields()
	after["email"], after["email_verified"] = email, true
	return changesOf(u.recordedFields(), after)
}

// membersOf returns the fields of a struct by the names of their JSON members.
func membersOf(object any) map[string]any {
	members, v := map[string]any{}, reflect.ValueOf(object)
	for field := range v.Type().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		value := v.FieldByIndex(field.Index)
		if value.Kind() == reflect.Pointer {
			value = value.Elem() // invalid for nil
		}
		if name != "-" && value.IsValid() {
			members[name] = value.Interface()
		}
	}
	return members
}

// ChangesIn returns the changed fields that an event names, by name. It returns none for an event without them.
func ChangesIn(detail map[string]any) (map[string]FieldChange, error) {
	text, err := json.Marshal(detail[changesMember])
	if err != nil {
		return nil, err
	}
	var changes map[string]FieldChange
	return changes, json.Unmarshal(text, &changes)
}
