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

// member is a member of a JSON object, at its place.
type member struct {
	name  string
	value any
}

// document is a JSON object whose members keep their order.
type document []member

// MarshalJSON gives the members in their order.
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

// shown is what a command shows of a user under one name: as text, "" for nothing, and as
// members of the JSON object. Standard claims have their names there.
type shown struct {
	label   string
	text    string
	members []member
}

// field is a text that is shown as it is, and left out of the JSON where it is empty.
func field(name, text string) shown {
	s := shown{label: name, text: strings.ReplaceAll(text, "\n", ", ")}
	if text != "" {
		s.members = []member{{name, text}}
	}
	return s
}

// list is a list of texts, likewise.
func list(name, label string, texts []string) shown {
	s := shown{label: label, text: strings.Join(texts, ", ")}
	if len(texts) > 0 {
		s.members = []member{{name, texts}}
	}
	return s
}

// fieldsOf is the one list of what is shown of a user, from which both the text and the
// JSON are made.
func fieldsOf(u storage.User) []shown {
	all := []shown{field("sub", u.ID), emailOf(u)}
	p := storage.ProfileOf(u)
	for _, f := range directory.ProfileFields() {
		switch value := *f.Value(&p); {
		case f.Name == "preferred_username":
			all = append(all, usernameOf(u))
		case f.Name == "phone_number":
			all = append(all, phoneOf(u))
		case strings.HasPrefix(f.Name, "address."):
			all = append(all, shown{label: f.Name, text: field(f.Name, value).text}) // the members are one object
		default:
			all = append(all, field(f.Name, value))
		}
	}
	if u.Address != (storage.Address{}) {
		all = append(all, shown{members: []member{{"address", u.Address}}})
	}
	return append(all,
		list("roles", "roles", u.Roles), list("groups", "groups", u.Groups),
		list("upstream_groups", "groups (source: connector)", u.UpstreamGroups),
		stateOf(u), momentOf("created", u.CreatedAt), momentOf("updated", u.UpdatedAt),
	)
}

func emailOf(u storage.User) shown {
	s := shown{label: "email", text: u.Email, members: []member{{"email", u.Email}, {"email_verified", u.EmailVerified}}}
	if u.EmailVerified {
		s.text += " (verified)"
	}
	return s
}

func usernameOf(u storage.User) shown {
	s := field("preferred_username", u.PreferredUsername)
	switch {
	case s.text == "":
	case u.UsernameUnique():
		s.members = append(s.members, member{"preferred_username_unique", true})
	default:
		s.text += " (another user's too: applications are not told it)"
	}
	return s
}

func phoneOf(u storage.User) shown {
	s := field("phone_number", u.PhoneNumber)
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
