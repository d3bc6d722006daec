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

// maxDepth is the largest number of levels of arrays and objects in a value.
const maxDepth = 32

// ErrJSON: the text is not a JSON value, or programs may read it in different ways.
var ErrJSON = errors.New("is not one plain JSON value")

// ReadObject reads one JSON object. Member names match exactly, and numbers are json.Number,
// which keeps all digits.
//
// ErrJSON: the text is not an object, ReadValue refuses it, or two names differ only in case.
// For `{"sub":"a","SUB":"b"}` encoding/json may return b, and other programs a.
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
// ErrJSON: a member is repeated, the value is followed by other text, it has more than 32
// levels, or it is not Unicode text. encoding/json would replace invalid UTF-8 and lone
// surrogates (RFC 8259, section 8.2), so that two different strings would become equal.
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

// hasLoneSurrogate reports whether the text has an escape for one half of a surrogate pair
// without the other half. In JSON, backslashes occur only in strings, and each begins an
// escape, so it is not necessary to parse the text.
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

// readEscape reads the \uXXXX at the beginning of text; false if there is none.
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
		return nil, ErrJSON // the decoder's error would quote the input
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

// foldCase returns the same text for all names that encoding/json treats as equal.
func foldCase(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
