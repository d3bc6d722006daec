package federation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// object is a JSON object that means the same to every reader: members are found
// by their exact name, and numbers keep all their digits.
type object map[string]any

const deepest = 32

var errNotStrict = errors.New("not one plain JSON value")

// decodeObject reads one JSON object. encoding/json takes `{"sub":"a","SUB":"b"}`
// for b, and the last of two members of one name; an upstream's proxy or library
// may read the first. Such texts are refused, as are invalid UTF-8 (it would
// become a replacement character, and two subjects one) and anything behind the
// object.
func decodeObject(text []byte) (object, error) {
	v, err := decodeValue(text)
	if err != nil {
		return nil, err
	}
	members, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: no object", errNotStrict)
	}
	folded := map[string]bool{}
	for name := range members {
		if key := fold(name); folded[key] {
			return nil, fmt.Errorf("%w: two members differ only in case", errNotStrict)
		} else {
			folded[key] = true
		}
	}
	return members, nil
}

func decodeValue(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: invalid UTF-8", errNotStrict)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: more behind it", errNotStrict)
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	if depth > deepest {
		return nil, fmt.Errorf("%w: nested too deep", errNotStrict)
	}
	token, err := d.Token()
	if err != nil {
		return nil, errNotStrict // the decoder's text quotes the input
	}
	switch token {
	case json.Delim('{'):
		return readObject(d, depth)
	case json.Delim('['):
		return readArray(d, depth)
	}
	return token, nil
}

func readObject(d *json.Decoder, depth int) (any, error) {
	members := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, errNotStrict
		}
		name, _ := token.(string)
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("%w: a member comes twice", errNotStrict)
		}
		if members[name], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	return members, closing(d)
}

func readArray(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, closing(d)
}

func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errNotStrict
	}
	return nil
}

// fold gives names that encoding/json takes for each other one form.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}

// text is a member that must be a string if it is there; "" if it is not.
func (o object) text(name string) (string, error) {
	switch v := o[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", untrusted("%s is not a string", name)
}

// words is a member that nothing depends on: "" unless it is a string of one line
// and sensible length.
func (o object) words(name string) string {
	v, _ := o[name].(string)
	if len(v) > 1024 || strings.ContainsFunc(v, unicode.IsControl) {
		return ""
	}
	return strings.TrimSpace(v)
}

// yes is a member that is true; absent is false.
func (o object) yes(name string) (bool, error) {
	said, err := o.word(name)
	return said == saidYes, err
}

// word is a member that must be true or false if it is there, as a boolean or, as
// Apple, Google's older endpoints and Cognito write it, as a string. Null is as good
// as absent.
func (o object) word(name string) (word, error) {
	switch v := o[name]; v {
	case nil:
		return saidNothing, nil
	case false, "false":
		return saidNo, nil
	case true, "true":
		return saidYes, nil
	}
	return saidNo, untrusted("%s is not true or false", name)
}

// seconds is a NumericDate (RFC 7519, section 2); false if it is not there.
func (o object) seconds(name string) (int64, bool, error) {
	if o[name] == nil {
		return 0, false, nil
	}
	n, ok := o[name].(json.Number)
	if !ok {
		return 0, false, untrusted("%s is not a number", name)
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > math.MaxInt32*1000 {
		return 0, false, untrusted("%s is not a time", name)
	}
	return int64(f), true, nil
}

// list is a member that is a string or an array of strings; anything else in it
// is an error.
func (o object) list(name string) ([]string, error) {
	switch v := o[name].(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		var all []string
		for _, element := range v {
			s, ok := element.(string)
			if !ok {
				return nil, untrusted("%s holds something else than strings", name)
			}
			all = append(all, s)
		}
		return all, nil
	}
	return nil, untrusted("%s is not a list of strings", name)
}
