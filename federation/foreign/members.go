package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Members are the members of a JSON object that somebody else wrote. Each is judged when
// it is asked for: a document may hold anything in members that nobody here reads, and be
// wrong in none that somebody does. ReadObject, in contrast, judges all of them at once.
type Members struct {
	names map[string][]string // as written, by their folded form
	raw   map[string]json.RawMessage
}

// byteOrderMark may stand before a document. RFC 8259, section 8.1, allows readers to
// ignore it, and some programs on Windows write it.
var byteOrderMark = []byte("\xef\xbb\xbf")

// ReadMembers splits one JSON object into its members. ErrJSON: it is no object, it is
// broken off, or something follows it.
func ReadMembers(text []byte) (Members, error) {
	m := Members{names: map[string][]string{}, raw: map[string]json.RawMessage{}}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, byteOrderMark)))
	switch token, err := d.Token(); {
	case err != nil:
		return m, ErrJSON // the decoder's text quotes the input
	case token != json.Delim('{'):
		return m, fmt.Errorf("%w: it is not an object", ErrJSON)
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return m, ErrJSON
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return m, ErrJSON
		}
		m.names[foldCase(name)] = append(m.names[foldCase(name)], name)
		m.raw[name] = value
	}
	if err := readEnd(d); err != nil {
		return m, err
	}
	if _, err := d.Token(); err != io.EOF {
		return m, fmt.Errorf("%w: something follows it", ErrJSON)
	}
	return m, nil
}

// Raw gives the text of a member by its exact name; nil if it is not there.
//
// ErrJSON: it comes twice, or another member differs from it only in case, so that two
// readers could take different values.
func (m Members) Raw(name string) (json.RawMessage, error) {
	raw, found := m.raw[name]
	if !found {
		return nil, nil
	}
	if written := m.names[foldCase(name)]; len(written) > 1 {
		if written[0] == written[1] {
			return nil, fmt.Errorf("%w: it is repeated", ErrJSON)
		}
		return nil, fmt.Errorf("%w: another member differs from it only in case", ErrJSON)
	}
	return raw, nil
}

// Value gives the value of a member by its exact name, as ReadValue reads it. It is nil for
// null and for a member that is not there. ErrJSON: see Raw and ReadValue.
func (m Members) Value(name string) (any, error) {
	raw, err := m.Raw(name)
	if raw == nil || err != nil {
		return nil, err
	}
	return ReadValue(raw)
}

// ReadItems gives the elements of a list, each as its text, so that one that is wrong spoils
// no other. ErrJSON: it is not a list.
func ReadItems(list []byte) ([]json.RawMessage, error) {
	var items []json.RawMessage
	list = bytes.TrimSpace(bytes.TrimPrefix(list, byteOrderMark))
	if !bytes.HasPrefix(list, []byte("[")) || json.Unmarshal(list, &items) != nil {
		return nil, fmt.Errorf("%w: it is not a list", ErrJSON)
	}
	return items, nil
}
