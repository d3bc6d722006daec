package federation

import (
	"encoding/json"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"signet/federation/foreign"
)

// object is a JSON object that means the same to every reader: members are found
// by their exact name, and numbers keep all their digits.
type object map[string]any

// decodeObject reads one JSON object strictly: see foreign.Object.
func decodeObject(text []byte) (object, error) { return foreign.Object(text) }

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

// word is what an upstream's document says about an address.
type word int

const (
	saidNothing word = iota
	saidNo
	saidYes
)

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

// subject is who it is about: 1 to 255 bytes (OIDC Core, section 2).
func (o object) subject() (string, error) {
	subject, err := o.text("sub")
	if err != nil || !goodSubject(subject) {
		return "", untrusted("sub is missing or no subject")
	}
	return subject, nil
}

// goodSubject refuses what another reader or a column might take for something
// else.
func goodSubject(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, unicode.IsControl) && !strings.ContainsRune(s, utf8.RuneError)
}
