package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/storage"
)

// ClientDocument is the JSON document with which a client registers or changes itself (RFC
// 7591, section 2; OIDC Registration, section 2).
type ClientDocument struct {
	members     foreign.Members
	application string // application_type: "", web or native
}

// ReadClientDocument reads a document. Members that this server does not know are ignored (RFC
// 7591, section 2), and so are those that only an administrator may set. Errors: *ClientError.
func ReadClientDocument(text []byte) (ClientDocument, error) {
	members, err := foreign.ReadMembers(text)
	if err != nil {
		return ClientDocument{}, &ClientError{[]*ClientFieldError{newFieldError("body", fmt.Errorf("%w: send one JSON object", err))}}
	}
	d := ClientDocument{members: members}
	if d.application, err = d.text("application_type"); err == nil && !slices.Contains([]string{"", "web", "native"}, d.application) {
		err = fmt.Errorf("%q is not web or native", shortened(d.application))
	}
	if err != nil {
		return ClientDocument{}, &ClientError{[]*ClientFieldError{newFieldError("application_type", err)}}
	}
	return d, nil
}

// text reads a member that is a string; "" if it is absent or null.
func (d ClientDocument) text(name string) (string, error) {
	value, err := d.members.Value(name)
	if value == nil || err != nil {
		return "", err
	}
	return textValue(value)
}

// newRegistration is the client that a document for a new client describes, without its metadata.
func newRegistration() storage.Client {
	return storage.Client{ID: NewClientID(), Type: storage.Web, RefreshGrace: -1}
}

// client returns the client that the document describes, with the defaults of RFC 7591, section
// 2. Fields that a client cannot register are those of before. A document with the members that
// applicationType returns the application_type of a client (OIDC Registration, section 2).
func applicationType(c storage.Client) string {
	if c.Type == storage.Native {
		return "native"
	}
	return "web"
}

// client returns the client that the document describes. Fields that a document cannot set keep
// their values of before. The document that ClientMembers returns for a client describes this client.
// client does not apply the rules of clients. Errors: *ClientError.
func (d ClientDocument) client(before storage.Client) (storage.Client, error) {
	c := before
	var found []*ClientFieldError
	for _, f := range clientFields {
		if !f.registers {
			continue
		}
		f.Copy(&c, &storage.Client{RefreshGrace: -1})
		if err := d.readInto(f, &c); err != nil {
			found = append(found, newFieldError(f.Name, err))
		}
	}
	if len(found) > 0 {
		return c, &ClientError{found}
	}
	m := &c.Metadata
	// An administrator may leave the method open. Then it is not among the members.
	open := m.TokenEndpointAuthMethod == "" && before.IsSelfRegistered() && before.Metadata.TokenEndpointAuthMethod == ""
	c.Type = d.clientType(c, before)
	if m.TokenEndpointAuthMethod == "" && !open {
		m.TokenEndpointAuthMethod = storage.AuthBasic
		if c.Type == storage.Native {
			m.TokenEndpointAuthMethod = storage.AuthNone // an installed app cannot keep a secret (RFC 8252, section 8.5)
		}
	}
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = []string{storage.GrantCode}
	}
	if len(m.ResponseTypes) == 0 && slices.Contains(m.GrantTypes, storage.GrantCode) {
		m.ResponseTypes = []string{storage.ResponseTypeCode}
	}
	if c.Name == "" || c.Name != before.Name { // an administrator may choose another name
		if c.Name = shownName(c.Name); c.Name == "" {
			c.Name = nameOf(c)
		}
	}
	removeRepeatedClientValues(&c)
	removeIdleValues(&c)
	return c, nil
}

// removeIdleValues removes the values that do nothing for this client, such as the keys of a
// client that authenticates with a secret. Programs send all that they have, and a server may
// leave values out (RFC 7591, section 3.2.1). An empty scope would allow more, so it stays.
func removeIdleValues(c *storage.Client) {
	for _, rule := range effectRules() {
		idle := false
		rule.check(*c, func(string, ...any) { idle = true })
		if idle && rule.field != "scope" {
			clearField(c, rule.field)
		}
	}
}

// clearField removes the value of a field that clients may register.
func clearField(c *storage.Client, name string) {
	for _, f := range clientFields {
		if f.Name == name && f.registers {
			f.Copy(c, &storage.Client{RefreshGrace: -1})
		}
	}
}

// clientType derives the type from application_type and the authentication method. Many apps
// without a server register loopback redirect URIs and no application_type; they are native. A
// type that an administrator has chosen stays.
func (d ClientDocument) clientType(c, before storage.Client) storage.ClientType {
	public := c.Metadata.TokenEndpointAuthMethod == storage.AuthNone
	switch {
	case before.IsSelfRegistered() && d.application == applicationType(before) && public == before.Public():
		return before.Type
	case d.application == "native", d.application == "" && public && opensApps(c.Metadata.RedirectURIs):
		return storage.Native
	case public:
		return storage.SPA
	}
	return storage.Web
}

// opensApps reports whether all URIs lead to a program on the person's own machine.
func opensApps(uris []string) bool {
	return len(uris) > 0 && !slices.ContainsFunc(uris, func(uri string) bool {
		u, err := url.Parse(uri)
		return err != nil || u.Scheme == "https" || u.Scheme == "http" && !storage.IsLoopbackHost(u.Hostname())
	})
}

// shownName removes the characters of a name that people would not see, and shortens it.
func shownName(name string) string {
	shown := []rune(foreign.ForPage(name))
	return strings.TrimSpace(string(shown[:min(len(shown), maxText)]))
}

// nameOf returns a name for a client that sent none.
func nameOf(c storage.Client) string {
	for _, uri := range slices.Concat([]string{c.Metadata.ClientURI}, c.Metadata.RedirectURIs) {
		if u, err := url.Parse(uri); err == nil && u.Hostname() != "" {
			return shownName(u.Hostname())
		}
	}
	return c.ID
}

// readInto reads the member of a field into c. A member that is absent or null is not set.
func (d ClientDocument) readInto(f ClientField, c *storage.Client) error {
	value, err := d.members.Value(f.Name)
	if value == nil || err != nil {
		return err
	}
	if f.Name == jwksField {
		return d.readDocument(f.Name, f.At(c).(*string))
	}
	return f.SetJSON(c, value)
}

// readDocument reads a member that is itself a JSON object, and stores its text.
func (d ClientDocument) readDocument(name string, at *string) error {
	raw, err := d.members.Raw(name)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(raw), "{") {
		return errors.New("must be a JSON object")
	}
	*at = string(raw)
	return nil
}

func textsOf(value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, errors.New("must be a list of strings")
	}
	var texts []string
	for _, entry := range list {
		text, ok := entry.(string)
		if !ok || !foreign.IsStorable(text) {
			return nil, errors.New("must be a list of strings without NUL")
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// ClientMembers returns the registered metadata of a client as members of a JSON document (RFC
// 7591, section 3.2.1). Fields that a client cannot register are not among them.
func ClientMembers(c storage.Client) map[string]any {
	members := map[string]any{"client_id": c.ID, "client_id_issued_at": c.CreatedAt.Unix(), "application_type": applicationType(c)}
	for _, f := range clientFields {
		if !f.registers || f.Empty(c) {
			continue
		}
		switch at := f.At(&c).(type) {
		case *string:
			members[f.Name] = *at
			if f.Name == "jwks" {
				members[f.Name] = json.RawMessage(*at)
			}
		default:
			members[f.Name] = at
		}
	}
	return members
}
