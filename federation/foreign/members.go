package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Members holds the members of a JSON object from another party. Raw and Value check a member
// when it is read; members that are not read may have any value. ReadObject, in contrast,
// checks all members at once.
type Members struct {
	names map[string][]string // names as written, by foldCase
	raw   map[string]json.RawMessage
}

// byteOrderMark at the beginning of a document is ignored, as RFC 8259, section 8.1, allows:
// some programs on Windows write it.
var byteOrderMark = []byte("\xef\xbb\xbf")

// ReadMembers splits one JSON object into its members. ErrJSON: the text is not an object, is
// incomplete, or has other text after the object. It does not check the values.
func ReadMembers(text []byte) (Members, error) {
	m := Members{names: map[string][]string{}, raw: map[string]json.RawMessage{}}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, byteOrderMark)))
	switch token, err := d.Token(); {
	case err != nil:
		return m, ErrJSON // the decoder's error would quote the input
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

// Raw returns the text of a member by its exact name; nil if it is absent.
//
// ErrJSON: the member is repeated, or the name of another member differs from it only in
// case. Then programs could read different values.
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

// Value returns the value of a member by its exact name, read by ReadValue; nil if it is null
// or absent. ErrJSON: see Raw and ReadValue.
func (m Members) Value(name string) (any, error) {
	raw, err := m.Raw(name)
	if raw == nil || err != nil {
		return nil, err
	}
	return ReadValue(raw)
}

// ReadItems returns the text of each element of a list, so that the caller can skip invalid
// elements. ErrJSON: the text is not a list.
func ReadItems(list []byte) ([]json.RawMessage, error) {
	var items []json.RawMessage
	list = bytes.TrimSpace(bytes.TrimPrefix(list, byteOrderMark))
	if !bytes.HasPrefix(list, []byte("[")) || json.Unmarshal(list, &items) != nil {
		return nil, fmt.Errorf("%w: it is not a list", ErrJSON)
	}
	return items, nil
}
