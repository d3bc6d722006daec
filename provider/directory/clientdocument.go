package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"signet/federation/foreign"
	"signet/storage"
)

// ClientMember is a member of the JSON form of a client.
type ClientMember struct {
	Name  string
	Value any
}

// DescribeClient returns the JSON form of a client, for the command line and the
// administration API. Fields that are not set are absent, except those that are true or false.
// client_id_issued_at is in Unix seconds (RFC 7591, section 3.2.1).
func (d *Directory) DescribeClient(c storage.Client) ClientDescription {
	list := ClientDescription{{"client_id", c.ID}, {"client_id_issued_at", c.CreatedAt.Unix()}}
	for _, f := range clientFields {
		if value := f.describe(c); value != nil {
			list = append(list, ClientMember{f.Name, value})
		}
	}
	if len(c.Federations) > 0 {
		list = append(list, ClientMember{federationsField, c.Federations})
	}
	list = append(list, ClientMember{"enabled", c.Enabled()})
	if at := optionalTime(c.RegisteredAt); at != nil { // it registered itself
		list = append(list, ClientMember{"registered_at", *at}, ClientMember{"approved", !c.IsUnapproved()})
	}
	if until := optionalTime(c.Secrets[1].ExpiresAt); until != nil { // the old secret is still valid
		list = append(list, ClientMember{"old_secret_expires_at", *until})
	}
	if ignored := d.WithoutEffect(c); len(ignored) > 0 {
		list = append(list, ClientMember{"without_effect", ignored})
	}
	return list
}

// describe returns the value of the field in JSON; nil if it is not set and has no name for that.
func (f ClientField) describe(c storage.Client) any {
	value := f.At(&c)
	if is, isBool := value.(*bool); isBool {
		return *is
	}
	if f.Empty(c) {
		if f.Default != "" {
			return f.Default
		}
		return nil
	}
	switch value := value.(type) {
	case *string:
		if f.Name == jwksField {
			return json.RawMessage(*value) // an object (RFC 7591, section 2)
		}
		return *value
	case *Words:
		return string(*value)
	case *[]string:
		return *value
	case *storage.ClientType:
		return string(*value)
	case *time.Duration:
		return foreign.FormatDuration(*value)
	case **int64:
		return **value
	}
	return nil
}

const jwksField = "jwks"

// ClientDescription is the JSON form of a client, with its members in the order in which people read
// them.
type ClientDescription []ClientMember

// MarshalJSON returns an object with the members in their order.
func (d ClientDescription) MarshalJSON() ([]byte, error) {
	var object bytes.Buffer
	out := json.NewEncoder(&object)
	out.SetEscapeHTML(false)
	separator := byte('{')
	for _, m := range d {
		object.WriteByte(separator)
		separator = ','
		if err := out.Encode(m.Name); err != nil {
			return nil, err
		}
		object.WriteByte(':')
		if err := out.Encode(m.Value); err != nil {
			return nil, err
		}
	}
	object.WriteByte('}')
	return object.Bytes(), nil
}

// SetJSON sets the field to a value of a JSON document, as foreign.ReadObject returns it. nil and the
// name of the empty value empty the field. A duration is a text such as 30s. The error continues a
// sentence that begins with the name of the field. SetJSON does not apply the rules of clients.
func (f ClientField) SetJSON(c *storage.Client, value any) error {
	if value == nil {
		f.Copy(c, &storage.Client{RefreshGrace: -1})
		return nil
	}
	switch at := f.At(c).(type) {
	case *string:
		if f.Name == jwksField {
			return setDocument(at, value)
		}
		text, err := textValue(value)
		if text == f.Default {
			text = ""
		}
		*at = text
		return err
	case *Words:
		text, err := textValue(value)
		*at = Words(strings.Join(strings.Fields(text), " "))
		return err
	case *[]string:
		list, err := textsOf(value)
		*at = list
		return err
	case *bool:
		is, ok := value.(bool)
		if !ok {
			return errors.New("must be true or false")
		}
		*at = is
	case **int64:
		number, _ := value.(json.Number)
		seconds, err := number.Int64()
		if err != nil {
			return errors.New("must be a whole number")
		}
		*at = &seconds
	case *storage.ClientType:
		text, err := textValue(value)
		*at = storage.ClientType(text)
		return err
	case *time.Duration:
		text, err := textValue(value)
		if err != nil {
			return err
		}
		*at, err = foreign.ParseDuration(text, 0, math.MaxInt64)
		return err
	}
	return nil
}

func textValue(value any) (string, error) {
	text, ok := value.(string)
	if !ok || !foreign.IsStorable(text) {
		return "", errors.New("must be a string without NUL")
	}
	return text, nil
}

// setDocument stores the text of a member that is itself a JSON object.
func setDocument(at *string, value any) error {
	if _, ok := value.(map[string]any); !ok {
		return errors.New("must be a JSON object")
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("cannot be stored: %w", err)
	}
	*at = string(text)
	return nil
}
