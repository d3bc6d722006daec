package user

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"signet/cmd/signet/cli"
	"signet/provider/directory"
	"signet/storage"
)

// member is a member of a JSON object.
type member struct {
	name  string
	value any
}

// document is a JSON object that keeps the order of its members.
type document []member

// MarshalJSON returns an object with the members in their order.
func (d document) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, m := range d {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, "%q:", m.name)
		out := json.NewEncoder(&text)
		out.SetEscapeHTML(false)
		if err := out.Encode(m.value); err != nil {
			return nil, err
		}
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// shown is one field of a user as the commands show it: its text in the table ("" for no row),
// and its members in the JSON. Standard claims have their standard names in the JSON.
type shown struct {
	label   string
	text    string
	members []member
}

// textField returns a text field. An empty text is omitted from the JSON.
func textField(name, text string) shown {
	s := shown{label: name, text: strings.ReplaceAll(text, "\n", ", ")}
	if text != "" {
		s.members = []member{{name, text}}
	}
	return s
}

// listField returns a list field. An empty list is omitted from the JSON.
func listField(name, label string, texts []string) shown {
	s := shown{label: label, text: strings.Join(texts, ", ")}
	if len(texts) > 0 {
		s.members = []member{{name, texts}}
	}
	return s
}

// fieldsOf returns the fields of a user that the commands show. The table and the JSON are made
// from this list.
func fieldsOf(u storage.User) []shown {
	all := []shown{textField("sub", u.PublicSubject()), idOf(u), emailOf(u)}
	p := storage.ProfileOf(u)
	for _, f := range directory.ProfileFields() {
		switch value := *f.Value(&p); {
		case f.Name == "preferred_username":
			all = append(all, usernameOf(u))
		case f.Name == "phone_number":
			all = append(all, phoneOf(u))
		case strings.HasPrefix(f.Name, "address."):
			all = append(all, shown{label: f.Name, text: textField(f.Name, value).text}) // the JSON has one object for all of them
		default:
			all = append(all, textField(f.Name, value))
		}
	}
	if u.Address != (storage.Address{}) {
		all = append(all, shown{members: []member{{"address", u.Address}}})
	}
	return append(all,
		listField("roles", "roles", u.Roles), listField("groups", "groups", u.Groups),
		listField("upstream_groups", "groups (source: connector)", u.UpstreamGroups),
		stateOf(u), momentOf("created", u.CreatedAt), momentOf("updated", u.UpdatedAt),
	)
}

// idOf returns the id of a user. The table shows it if it is not the subject.
func idOf(u storage.User) shown {
	s := shown{label: "id", members: []member{{"id", u.ID}}}
	if u.ChosenSubject != "" {
		s.text = u.ID
	}
	return s
}

func emailOf(u storage.User) shown {
	s := shown{label: "email", text: u.Email, members: []member{{"email", u.Email}, {"email_verified", u.EmailVerified}}}
	if u.EmailVerified {
		s.text += " (verified)"
	}
	return s
}

func usernameOf(u storage.User) shown {
	s := textField("preferred_username", u.PreferredUsername)
	switch {
	case s.text == "":
	case u.UsernameUnique():
		s.members = append(s.members, member{"preferred_username_unique", true})
	default:
		s.text += " (another user has it too, so applications do not receive it)"
	}
	return s
}

func phoneOf(u storage.User) shown {
	s := textField("phone_number", u.PhoneNumber)
	if s.text != "" {
		s.members = append(s.members, member{"phone_number_verified", u.PhoneNumberVerified})
	}
	if u.PhoneNumberVerified {
		s.text += " (verified)"
	}
	return s
}

func stateOf(u storage.User) shown {
	s := shown{label: "state", text: userState(u), members: []member{{"admin", u.Admin}, {"enabled", u.Enabled()}}}
	if at := cli.OptionalTime(u.DisabledAt); at != nil {
		s.members = append(s.members, member{"disabled_at", at})
	}
	return s
}

func momentOf(label string, at storage.Millis) shown {
	return shown{label: label, text: at.Time().Format(time.RFC3339), members: []member{{label + "_at", at.Time()}}}
}

func describeUser(u storage.User) document {
	var d document
	for _, s := range fieldsOf(u) {
		d = append(d, s.members...)
	}
	return d
}

func (p commands) showUser(u storage.User, asJSON bool) error {
	if asJSON {
		return p.WriteJSON(describeUser(u))
	}
	return p.WriteTable(userRows(u))
}

func userRows(u storage.User) [][]string {
	var rows [][]string
	for _, s := range fieldsOf(u) {
		rows = append(rows, []string{s.label, s.text})
	}
	return cli.DropEmptyRows(rows)
}
