package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth is how many levels of arrays and objects a value may have.
const maxDepth = 32

// ErrJSON is why a text is not a JSON value that means the same to every reader.
var ErrJSON = errors.New("is not one plain JSON value")

// ReadObject reads one JSON object. Its members are found by their exact names, and numbers
// are json.Number, which keeps all digits.
//
// encoding/json takes `{"sub":"a","SUB":"b"}` for b, and the last of two members of one
// name; another reader may take the first. ErrJSON: such texts, those that ReadValue refuses,
// and every value that is not an object.
func ReadObject(text []byte) (map[string]any, error) {
	v, err := ReadValue(text)
	if err != nil {
		return nil, err
	}
	members, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: it is not an object", ErrJSON)
	}
	folded := make(map[string]bool, len(members))
	for name := range members {
		key := foldCase(name)
		if folded[key] {
			return nil, fmt.Errorf("%w: two members differ only in case", ErrJSON)
		}
		folded[key] = true
	}
	return members, nil
}

// ReadValue reads one JSON value: map[string]any, []any, string, json.Number, bool or nil.
//
// ErrJSON: a member that comes twice, anything behind the value, more than 32 levels, and
// what is not Unicode text. encoding/json would replace invalid UTF-8 and lone surrogates
// (RFC 8259, section 8.2), so that two different strings became one.
func ReadValue(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrJSON)
	}
	if hasLoneSurrogate(text) {
		return nil, fmt.Errorf("%w: it has half of a surrogate pair", ErrJSON)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows it", ErrJSON)
	}
	return v, nil
}

// hasLoneSurrogate finds an escape of one half of a surrogate pair without the other. In
// JSON a backslash stands only within strings, and never alone.
func hasLoneSurrogate(text []byte) bool {
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 || at+1 >= len(text) {
			return false
		}
		text = text[at:]
		first, ok := readEscape(text)
		switch {
		case !ok:
			text = text[2:]
			continue
		case first >= 0xdc00 && first < 0xe000:
			return true
		case first >= 0xd800 && first < 0xdc00:
			if second, ok := readEscape(text[6:]); !ok || second < 0xdc00 || second >= 0xe000 {
				return true
			}
			text = text[6:]
		}
		text = text[6:]
	}
}

// readEscape reads the \uXXXX that text begins with.
func readEscape(text []byte) (unit uint64, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return unit, err == nil
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: it is nested too deep", ErrJSON)
	}
	token, err := d.Token()
	if err != nil {
		return nil, ErrJSON // the decoder's text quotes the input
	}
	switch token {
	case json.Delim('{'):
		return decodeObject(d, depth)
	case json.Delim('['):
		return decodeArray(d, depth)
	}
	return token, nil
}

func decodeObject(d *json.Decoder, depth int) (any, error) {
	members := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, ErrJSON
		}
		name, _ := token.(string)
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("%w: a member is repeated", ErrJSON)
		}
		if members[name], err = decodeValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	return members, readEnd(d)
}

func decodeArray(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, readEnd(d)
}

func readEnd(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return ErrJSON
	}
	return nil
}

// foldCase gives names that encoding/json takes for each other one form.
func foldCase(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
