package federation

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"signet/federation/foreign"
)

// optionalObject is a JSON object of an upstream. Each member is judged when a sign-in uses it:
// members that nobody reads may hold anything (OIDC Core, section 3.1.3.6; Discovery,
// section 3; RFC 7517, section 5). A member that is read must mean the same to every
// reader: it is found by its exact name, comes once, and numbers keep all their digits.
// Null counts as absent everywhere.
//
// Three sorts of members follow from that, and each has its methods: those that decide
// something (text, word, seconds, list and subject, which refuse another type), those
// that nothing depends on (words, which counts another type as absent), and all others.
type object struct{ members foreign.Members }

// readObject reads one JSON object. ErrUntrusted.
func readObject(text []byte) (object, error) {
	members, err := foreign.ReadMembers(text)
	if err != nil {
		return object{}, untrusted("the answer %v", err)
	}
	return object{members}, nil
}

// value is a member as JSON; nil if it is absent.
func (o object) value(name string) (any, error) {
	v, err := o.members.Value(name)
	if err != nil {
		return nil, untrusted("%s: %v", name, err)
	}
	return v, nil
}

// isEmpty reports whether there is no such member, or nothing in it.
func (o object) isEmpty(name string) bool {
	v, err := o.value(name)
	return err == nil && (v == nil || v == "")
}

// text is a member that must be a string if it is there; "" if it is not.
func (o object) text(name string) (string, error) {
	switch v, err := o.value(name); v := v.(type) {
	case nil:
		return "", err
	case string:
		return v, nil
	}
	return "", untrusted("%s is not a string", name)
}

// optionalText is a member that nothing depends on: "" unless it is a string of one line
// and sensible length.
func (o object) optionalText(name string) string {
	value, _ := o.value(name)
	v, _ := value.(string)
	if len(v) > 1024 || strings.ContainsFunc(v, unicode.IsControl) {
		return ""
	}
	return strings.TrimSpace(v)
}

// optionalObject is a member that nothing depends on; empty unless it is an object.
func (o object) optionalObject(name string) object {
	raw, err := o.members.Raw(name)
	if err != nil {
		return object{}
	}
	inner, _ := foreign.ReadMembers(raw)
	return object{inner}
}

// isTrue is a member that is true; absent is false.
func (o object) isTrue(name string) (bool, error) {
	said, err := o.assertion(name)
	return said == assertedTrue, err
}

// assertion is a member that must be true or false if it is there, as a boolean or, as
// Apple, Google's older endpoints and Cognito write it, as a string.
func (o object) assertion(name string) (assertion, error) {
	switch v, err := o.value(name); v {
	case nil:
		return notAsserted, err
	case false, "false":
		return assertedFalse, nil
	case true, "true":
		return assertedTrue, nil
	}
	return assertedFalse, untrusted("%s is not true or false", name)
}

// assertion is what an upstream's document says about an address.
type assertion int

const (
	notAsserted assertion = iota
	assertedFalse
	assertedTrue
)

// seconds is a NumericDate (RFC 7519, section 2); false if it is not there.
func (o object) seconds(name string) (int64, bool, error) {
	v, err := o.value(name)
	if v == nil {
		return 0, false, err
	}
	n, ok := v.(json.Number)
	if !ok {
		return 0, false, untrusted("%s is not a number", name)
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > math.MaxInt32*1000 {
		return 0, false, untrusted("%s is not a time", name)
	}
	return int64(f), true, nil
}

// optionalSeconds is a number of seconds that nothing depends on, as a number or, as some token
// endpoints write it, a string; 0 unless it is one.
func (o object) optionalSeconds(name string) int64 {
	v, _ := o.value(name)
	text, ok := v.(string)
	if n, number := v.(json.Number); number {
		text, ok = n.String(), true
	}
	f, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || !(f > 0) || f > math.MaxInt32 {
		return 0
	}
	return int64(f)
}

// stringList is a member that is a string or an array of strings; anything else in it
// is an error.
func (o object) stringList(name string) ([]string, error) {
	v, err := o.value(name)
	switch v := v.(type) {
	case nil:
		return nil, err
	case string:
		return []string{v}, nil
	case []any:
		all := stringsIn(v)
		if len(all) < len(v) {
			return nil, untrusted("%s holds something else than strings", name)
		}
		return all, nil
	}
	return nil, untrusted("%s is not a list of strings", name)
}

// optionalList is a list that nothing depends on: the strings in it, none if it is not a list.
func (o object) optionalList(name string) []string {
	switch v, _ := o.value(name); v := v.(type) {
	case string:
		return []string{v}
	case []any:
		return stringsIn(v)
	}
	return nil
}

// capabilities is a list of capabilities of an upstream, of which we pick those that we know:
// elements that are no strings name none of them. It is nil only if the member is absent.
func (o object) capabilities(name string) ([]string, error) {
	v, err := o.value(name)
	switch v := v.(type) {
	case nil:
		return nil, err
	case string:
		return []string{v}, nil
	case []any:
		return stringsIn(v), nil
	}
	return nil, untrusted("%s is not a list of strings", name)
}

// stringsIn are the elements of a list that are strings.
func stringsIn(list []any) []string {
	all := make([]string, 0, len(list))
	for _, element := range list {
		if s, ok := element.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// subject is the member sub, which names the person: 1 to 255 bytes (OIDC Core, section 2). A number is no
// subject: two readers write a large one in two ways, and the key of an account must
// have one form.
func (o object) subject() (string, error) {
	subject, err := o.text("sub")
	switch {
	case err != nil:
		return "", err
	case subject == "":
		return "", untrusted("sub is missing")
	case !isValidSubject(subject):
		return "", untrusted("sub is not 1 to 255 bytes without control characters")
	}
	return subject, nil
}

// isValidSubject refuses what another reader or a column might take for something
// else.
func isValidSubject(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, unicode.IsControl) && !strings.ContainsRune(s, utf8.RuneError)
}
