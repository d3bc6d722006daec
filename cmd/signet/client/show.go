package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/provider/directory"
	"signet/storage"
)

// member is one thing that is shown of a client, in JSON and as a row of the table.
type member struct {
	name string
	json any    // nil: it is only in the table
	text string // as the table shows it
}

// described is a client as it is shown: the fields of the directory under their names, and
// the members that cannot be set. One list makes the JSON and the table.
type described []member

// describe shows a client. Fields that are not set are left out. secret is "" except right
// after the client was made.
func describe(c storage.Client, secret string) described {
	d := described{{"client_id", c.ID, c.ID}}
	if secret != "" {
		d = append(d, member{"client_secret", secret, secret}, member{"client_secret_expires_at", 0, "never"}) // RFC 7591, section 3.2.1
	}
	d = append(d, member{"client_id_issued_at", c.CreatedAt.Unix(), cli.FormatTime(c.CreatedAt.Time())}) // Unix seconds
	for _, f := range directory.ClientFields() {
		if m, shown := describeField(c, f); shown {
			d = append(d, m)
		}
	}
	d = append(d, member{"enabled", c.Enabled(), fmt.Sprint(c.Enabled())})
	if until := cli.OptionalTime(c.Secrets[1].ExpiresAt); until != nil { // of the secret before the last, if it was given time
		d = append(d, member{"old_secret_expires_at", until, cli.FormatTime(*until)})
	}
	if ignored := directory.WithoutEffect(c); len(ignored) > 0 {
		d = append(d, member{"without_effect", ignored, strings.Join(ignored, " ")})
	}
	return d
}

// describeField shows one field; false for one that is not set or has no effect.
func describeField(c storage.Client, f directory.ClientField) (member, bool) {
	m := member{name: f.Name}
	switch value := f.At(&c).(type) {
	case *bool:
		m.json, m.text = *value, fmt.Sprint(*value)
	case *[]string:
		list := slices.DeleteFunc(slices.Clone(*value), func(v string) bool { return f.Name == "grant_types" && !storage.GrantTypeServed(v) })
		m.json, m.text = list, strings.Join(list, " ")
	case *string:
		m.json, m.text = *value, *value
	case *directory.Words:
		m.json, m.text = *value, string(*value)
	case *storage.ClientType:
		m.json, m.text = *value, string(*value)
	case *time.Duration:
		m.text = config.FormatDuration(*value)
		m.json = m.text
	case **int64:
		if *value != nil {
			m.json, m.text = **value, fmt.Sprint(**value)
		}
	}
	_, truth := m.json.(bool)
	switch {
	case !f.Supported():
		return m, false
	case truth || !f.Empty(c):
		return m, true
	case f.Default != "":
		return member{f.Name, f.Default, f.Default}, true
	case f.Name == "token_endpoint_auth_method":
		return member{f.Name, nil, "basic or post (not chosen)"}, true
	}
	return m, false
}

// MarshalJSON writes one object with the members in their order.
func (d described) MarshalJSON() ([]byte, error) {
	var object bytes.Buffer
	out := json.NewEncoder(&object)
	out.SetEscapeHTML(false)
	separator := byte('{')
	for _, m := range d {
		if m.json == nil {
			continue
		}
		object.WriteByte(separator)
		separator = ','
		if err := out.Encode(m.name); err != nil {
			return nil, err
		}
		object.WriteByte(':')
		if err := out.Encode(m.json); err != nil {
			return nil, err
		}
	}
	object.WriteByte('}')
	return object.Bytes(), nil
}

// rows are the rows of the table.
func (d described) rows() [][]string {
	var rows [][]string
	for _, m := range d {
		rows = append(rows, []string{m.name, m.text})
	}
	return rows
}

// showClient prints a client; secret is "" but right after it was made.
func (p commands) showClient(c storage.Client, secret string, asJSON bool) error {
	if secret != "" {
		p.Say("keep the secret now: it is not stored, and not shown again")
	}
	d := describe(c, secret)
	if asJSON {
		return p.WriteJSON(d)
	}
	return p.WriteTable(d.rows())
}
