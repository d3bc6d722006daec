package user

import (
	"strings"
	"time"

	"signet/cmd/signet/cli"
	"signet/provider/directory"
	"signet/storage"
)

// shown is one row of the table of a user. A row without text is left out.
type shown struct{ label, text string }

func textField(name, text string) shown { return shown{name, strings.ReplaceAll(text, "\n", ", ")} }

func listField(label string, texts []string) shown { return shown{label, strings.Join(texts, ", ")} }

// fieldsOf returns the rows of the table of a user. The JSON is directory.UserDocument.
func fieldsOf(u storage.User) []shown {
	all := []shown{textField("sub", u.PublicSubject()), idOf(u), emailOf(u)}
	p := storage.ProfileOf(u)
	for _, f := range directory.ProfileFields() {
		switch value := *f.Value(&p); f.Name {
		case "preferred_username":
			all = append(all, usernameOf(u))
		case "phone_number":
			all = append(all, phoneOf(u))
		default:
			all = append(all, textField(f.Name, value))
		}
	}
	return append(all,
		listField("roles", u.Roles), listField("groups", u.Groups), listField("groups (source: connector)", u.UpstreamGroups),
		shown{"state", userState(u)}, momentOf("created", u.CreatedAt), momentOf("updated", u.UpdatedAt),
	)
}

// idOf returns the id of a user if it is not the subject.
func idOf(u storage.User) shown {
	if u.ChosenSubject == "" {
		return shown{label: "id"}
	}
	return shown{"id", u.ID}
}

func emailOf(u storage.User) shown {
	s := shown{"email", u.Email}
	if u.EmailVerified {
		s.text += " (verified)"
	}
	return s
}

func usernameOf(u storage.User) shown {
	s := textField("preferred_username", u.PreferredUsername)
	if s.text != "" && !u.UsernameUnique() {
		s.text += " (another user has it too, so applications do not receive it)"
	}
	return s
}

func phoneOf(u storage.User) shown {
	s := textField("phone_number", u.PhoneNumber)
	if u.PhoneNumberVerified {
		s.text += " (verified)"
	}
	return s
}

func momentOf(label string, at storage.Millis) shown {
	return shown{label, at.Time().Format(time.RFC3339)}
}

func (p commands) showUser(u storage.User, asJSON bool) error {
	if asJSON {
		return p.WriteJSON(directory.DescribeUser(u))
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
