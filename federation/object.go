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

// object is a JSON object of an upstream. Each member is checked when a sign-in reads it;
// members that are not read may have any value (OIDC Core, section 3.1.3.6; Discovery,
// section 3; RFC 7517, section 5). A member that is read must mean the same to every
// reader: its name matches exactly, it is not repeated, and numbers keep all digits. Null
// counts as absent everywhere.
//
// A member with an effect on the sign-in is read by text, assertion, isTrue, seconds,
// stringList, capabilities or subject, which return ErrUntrusted for another type. A member
// without such an effect is read by a method that begins with optional, which returns the
// zero value for another type.
type object struct{ members foreign.Members }

// readObject reads one JSON object. ErrUntrusted.
func readObject(text []byte) (object, error) {
	members, err := foreign.ReadMembers(text)
	if err != nil {
		return object{}, untrusted("the answer %v", err)
	}
	return object{members}, nil
}

// value returns the JSON value of a member; nil if it is absent. ErrUntrusted.
func (o object) value(name string) (any, error) {
	v, err := o.members.Value(name)
	if err != nil {
		return nil, untrusted("%s: %v", name, err)
	}
	return v, nil
}

// isEmpty reports whether a member is absent, null or an empty string.
func (o object) isEmpty(name string) bool {
	v, err := o.value(name)
	return err == nil && (v == nil || v == "")
}

// text returns a member that must be a string; "" if it is absent. ErrUntrusted.
func (o object) text(name string) (string, error) {
	switch v, err := o.value(name); v := v.(type) {
	case nil:
		return "", err
	case string:
		return v, nil
	}
	return "", untrusted("%s is not a string", name)
}

// optionalText returns a member that is a string of one line and at most 1024 bytes; "" for
// any other value.
func (o object) optionalText(name string) string {
	value, _ := o.value(name)
	v, _ := value.(string)
	if len(v) > 1024 || strings.ContainsFunc(v, unicode.IsControl) {
		return ""
	}
	return strings.TrimSpace(v)
}

// optionalObject returns a member that is an object; an empty object for any other value.
func (o object) optionalObject(name string) object {
	raw, err := o.members.Raw(name)
	if err != nil {
		return object{}
	}
	inner, _ := foreign.ReadMembers(raw)
	return object{inner}
}

// isTrue reports whether a member is true; false if it is absent. ErrUntrusted.
func (o object) isTrue(name string) (bool, error) {
	a, err := o.assertion(name)
	return a == assertedTrue, err
}

// assertion returns a member that must be true or false. Apple, Google's older endpoints and
// Cognito write it as a string, so that is allowed, too. ErrUntrusted.
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

// assertion is a boolean member that may be absent, such as email_verified.
type assertion int

const (
	notAsserted assertion = iota
	assertedFalse
	assertedTrue
)

// seconds returns a NumericDate (RFC 7519, section 2); false if it is absent. ErrUntrusted.
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

// optionalSeconds returns a positive number of seconds, which some token endpoints write as a
// string; 0 for any other value.
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

// stringList returns a member that must be a string or an array of strings only; nil if it
// is absent. ErrUntrusted.
func (o object) stringList(name string) ([]string, error) {
	list, skipped, err := o.readStrings(name)
	if skipped > 0 {
		return nil, untrusted("%s contains values that are not strings", name)
	}
	return list, err
}

// capabilities returns a member that must be a string or an array. It skips elements that are
// not strings: they cannot be the name of a capability that we support. The result is nil
// only if the member is absent. ErrUntrusted.
func (o object) capabilities(name string) ([]string, error) {
	list, _, err := o.readStrings(name)
	return list, err
}

// optionalList returns the strings of a member that is a string or an array; nil for any
// other value.
func (o object) optionalList(name string) []string {
	list, _, _ := o.readStrings(name)
	return list
}

// readStrings returns the strings of a member that is a string or an array, and the number of
// skipped elements that are not strings. The list is nil if the member is absent.
// ErrUntrusted.
func (o object) readStrings(name string) (list []string, skipped int, err error) {
	v, err := o.value(name)
	switch v := v.(type) {
	case nil:
		return nil, 0, err
	case string:
		return []string{v}, 0, nil
	case []any:
		list = make([]string, 0, len(v))
		for _, element := range v {
			if s, ok := element.(string); ok {
				list = append(list, s)
			}
		}
		return list, len(v) - len(list), nil
	}
	return nil, 0, untrusted("%s is not a list of strings", name)
}

// subject returns the member sub, which must be a string of 1 to 255 bytes (OIDC Core,
// section 2). It does not accept numbers: readers write large numbers in different ways, and
// the key of an account must have one form. ErrUntrusted.
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

// isValidSubject reports whether s is short enough for its column and has no characters that
// another program may change.
func isValidSubject(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, unicode.IsControl) && !strings.ContainsRune(s, utf8.RuneError)
}
