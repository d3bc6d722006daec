package assertion

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"signet/federation/foreign"
)

// Type is the only value of client_assertion_type that is supported (RFC 7523, section 2.2).
const Type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// MaxLength is the longest assertion in bytes. Assertions of clients have less than 1 KB, tokens
// of workloads up to 4 KB.
const MaxLength = 8 << 10

// maxID is the longest jti in bytes.
const maxID = 512

// purpose is a use of the JWTs that clients sign. A JWT is accepted for one purpose only (RFC 8725,
// section 3.12).
type purpose struct {
	noun    string   // begins the stable codes of its errors
	types   []string // values of the header typ; others mark tokens for other purposes (RFC 8725, section 3.11)
	longest int      // bytes
	failure error    // that its errors wrap
}

var authentication = &purpose{"assertion", []string{"", "jwt", "client-authentication+jwt"}, MaxLength, ErrInvalid}

// Unverified is an assertion whose signature has not been checked.
type Unverified struct {
	Issuer  string // iss
	Subject string // sub

	purpose  *purpose
	token    foreign.UnverifiedJWS
	claims   foreign.Members
	audience []string
	id       string               // jti
	times    map[string]time.Time // exp, iat and nbf, as far as they are present
}

// Read reads an assertion. It returns an error if the assertion is too long, not a JWS, marked for
// another purpose, without iss or sub, or if a claim that it uses has the wrong form. It checks no
// signature and compares no claim. The error continues a sentence that begins with the assertion.
func Read(text string) (Unverified, error) {
	a, err := read(text, authentication)
	if err == nil && (a.Issuer == "" || a.Subject == "") {
		err = errors.New("has no iss or no sub")
	}
	return a, err
}

// read reads a JWT for this purpose.
func read(text string, p *purpose) (Unverified, error) {
	if len(text) > p.longest {
		return Unverified{}, fmt.Errorf("has more than %d bytes", p.longest)
	}
	token, err := foreign.ReadJWS(text)
	if err != nil {
		return Unverified{}, err
	}
	if kind, err := token.Type(); err != nil {
		return Unverified{}, err
	} else if !slices.Contains(p.types, kind) {
		return Unverified{}, fmt.Errorf("has the typ %q of a token for another purpose", foreign.ForError(kind))
	}
	claims, err := foreign.ReadMembers(token.Payload)
	if err != nil {
		return Unverified{}, fmt.Errorf("has a payload that %w", err)
	}
	a := Unverified{purpose: p, token: token, claims: claims, times: map[string]time.Time{}}
	return a, a.readClaims()
}

func (a *Unverified) readClaims() error {
	for name, into := range map[string]*string{"iss": &a.Issuer, "sub": &a.Subject, "jti": &a.id} {
		text, err := a.text(name)
		if err != nil {
			return err
		}
		*into = text
	}
	if len(a.id) > maxID {
		return fmt.Errorf("has a jti of more than %d bytes", maxID)
	}
	for _, name := range []string{"exp", "iat", "nbf"} {
		at, found, err := a.time(name)
		if err != nil {
			return err
		}
		if found {
			a.times[name] = at
		}
	}
	var err error
	a.audience, err = a.list("aud")
	return err
}

// text returns a claim that must be a string; "" if it is absent.
func (a *Unverified) text(name string) (string, error) {
	value, err := a.claims.Value(name)
	if err != nil {
		return "", fmt.Errorf("has a claim %s that %w", name, err)
	}
	text, ok := value.(string)
	if !ok && value != nil || !foreign.IsStorable(text) {
		return "", fmt.Errorf("has a claim %s that is not a string", name)
	}
	return text, nil
}

// list returns a claim that must be a string or a list of strings.
func (a *Unverified) list(name string) ([]string, error) {
	value, err := a.claims.Value(name)
	if err != nil {
		return nil, fmt.Errorf("has a claim %s that %w", name, err)
	}
	items, ok := value.([]any)
	if !ok && value != nil {
		items = []any{value}
	}
	var list []string
	for _, item := range items {
		text, ok := item.(string)
		if !ok {
			return nil, fmt.Errorf("has a claim %s that is not a string or a list of strings", name)
		}
		list = append(list, text)
	}
	return list, nil
}

// time returns a NumericDate (RFC 7519, section 2), in whole seconds; false if it is absent.
func (a *Unverified) time(name string) (at time.Time, found bool, err error) {
	value, err := a.claims.Value(name)
	if err != nil {
		return at, false, fmt.Errorf("has a claim %s that %w", name, err)
	}
	if value == nil {
		return at, false, nil
	}
	number, ok := value.(json.Number)
	if !ok {
		return at, false, fmt.Errorf("has a claim %s that is not a number", name)
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds > math.MaxInt32*16 { // beyond the year 3000
		return at, false, fmt.Errorf("has a claim %s that is not a time in seconds", name)
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// isFor reports whether the assertion is for exactly these audiences: it names at least one, and
// no other.
func (a *Unverified) isFor(audiences []string) bool {
	return len(a.audience) > 0 && !slices.ContainsFunc(a.audience, func(named string) bool { return !slices.Contains(audiences, named) })
}

// describe returns a list for an error.
func describe(list []string) string { return foreign.ForError(strings.Join(list, " ")) }
