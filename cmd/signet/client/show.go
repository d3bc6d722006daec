package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/provider/directory"
	"signet/storage"
)

// member is one member of the JSON of a client, and one row of its table.
type member struct {
	name string
	json any    // nil: only in the table
	text string // value in the table
}

// described is a client as the commands show it: the fields of the directory and the members
// that cannot be set. The JSON and the table are made from this list.
type described []member

// describe returns the members of a client, without the fields that are not set. secret is the
// new secret; "" if none was made. rules knows which fields have no effect.
func describe(rules *directory.Directory, c storage.Client, secret string) described {
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
	if len(c.Federations) > 0 {
		d = append(d, federationMember(c.Federations))
	}
	d = append(d, member{"enabled", c.Enabled(), fmt.Sprint(c.Enabled())})
	if at := cli.OptionalTime(c.RegisteredAt); at != nil { // it registered itself
		d = append(d, member{"registered_at", at, cli.FormatTime(*at)}, member{"approved", !c.IsUnapproved(), fmt.Sprint(!c.IsUnapproved())})
	}
	if until := cli.OptionalTime(c.Secrets[1].ExpiresAt); until != nil { // the old secret is still valid
		d = append(d, member{"old_secret_expires_at", until, cli.FormatTime(*until)})
	}
	if ignored := rules.WithoutEffect(c); len(ignored) > 0 {
		d = append(d, member{"without_effect", ignored, strings.Join(ignored, " ")})
	}
	return d
}

// describeField returns the member of one field. It returns false if the field is not set or not
// supported.
func describeField(c storage.Client, f directory.ClientField) (member, bool) {
	m := member{name: f.Name}
	switch value := f.At(&c).(type) {
	case *bool:
		m.json, m.text = *value, fmt.Sprint(*value)
	case *[]string:
		m.json, m.text = *value, strings.Join(*value, " ")
	case *string:
		m.json, m.text = *value, *value
		if f.Name == "jwks" && *value != "" { // an object (RFC 7591, section 2)
			m.json, m.text = json.RawMessage(*value), onOneLine(*value)
		}
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
	_, isBool := m.json.(bool)
	switch {
	case isBool || !f.Empty(c):
		return m, true
	case f.Default != "":
		return member{f.Name, f.Default, f.Default}, true
	case f.Name == "token_endpoint_auth_method":
		return member{f.Name, nil, "client_secret_basic or client_secret_post (not set)"}, true
	}
	return m, false
}

// onOneLine removes the spaces and line breaks between the parts of a JSON document.
func onOneLine(document string) string {
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(document)) != nil {
		return document
	}
	return compact.String()
}

// MarshalJSON returns an object with the members in their order.
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

// rows returns the rows of the table.
func (d described) rows() [][]string {
	var rows [][]string
	for _, m := range d {
		rows = append(rows, []string{m.name, m.text})
	}
	return rows
}

// showClient prints a client. secret is the new secret; "" if none was made.
func (p commands) showClient(rules *directory.Directory, c storage.Client, secret string, asJSON bool) error {
	if secret != "" {
		p.Say("save the client secret now: it is not stored and will not be shown again")
	}
	d := describe(rules, c, secret)
	if asJSON {
		return p.WriteJSON(d)
	}
	return p.WriteTable(d.rows())
}

// sayWhatIsMissing names the command that gives a client the proof with which it authenticates, if
// it has none.
func (p commands) sayWhatIsMissing(c storage.Client) {
	switch {
	case c.HasSecret() && c.Secrets[0].Hash == "":
		p.Say("the client has no secret yet; create one with: signet client secret rotate %s", c.ID)
	case c.AllowsAuthMethod(storage.AuthPrivateKey) && c.Metadata.JWKS == "" && c.Metadata.JWKSURI == "" && len(c.Federations) == 0:
		p.Say("the client has no keys yet; add them with: signet client update %s --jwks FILE, or --jwks-uri URL; or let the tokens of another issuer prove it with: signet client federation add %s KIND --subject PATTERN", c.ID, c.ID)
	}
}
