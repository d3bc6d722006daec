package directory

import (
	"errors"
	"strings"
)

// ErrInvalidClient: the client breaks a rule. The error is a *ClientError.
var ErrInvalidClient = errors.New("the client breaks a rule")

// The stable codes of what is wrong with one field of a client.
const (
	NotSupportedYet = "not_supported_yet" // a known field or value that no code reads yet
	NoEffect        = "no_effect"         // it would do nothing for such a client
	InvalidValue    = "invalid_value"
)

// ClientError is ErrInvalidClient with every problem.
type ClientError struct{ Problems []*ClientFieldError }

// Error lists the problems, each on a line of its own.
func (e *ClientError) Error() string {
	lines := []string{ErrInvalidClient.Error() + ":"}
	for _, problem := range e.Problems {
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "\n  ")
}

// Unwrap gives ErrInvalidClient.
func (e *ClientError) Unwrap() error { return ErrInvalidClient }

// ClientFieldError: a field of a client breaks a rule.
type ClientFieldError struct {
	Field string // its name in ClientFields; client_id and client_secret besides
	Code  string // NotSupportedYet, NoEffect or InvalidValue
	Cause error
}

func newFieldError(field string, cause error) *ClientFieldError {
	code := InvalidValue
	if _, is := errors.AsType[*notYet](cause); is {
		code = NotSupportedYet
	} else if _, is := errors.AsType[*noEffect](cause); is {
		code = NoEffect
	}
	return &ClientFieldError{field, code, cause}
}

// Error names the field and says what is wrong with it.
func (e *ClientFieldError) Error() string { return e.Field + ": " + e.Cause.Error() }

// Unwrap gives the cause.
func (e *ClientFieldError) Unwrap() error { return e.Cause }

// notYet refuses a field, or one value of a field, that would be stored without effect.
type notYet struct{ why string }

// Error gives the reason behind the code.
func (e *notYet) Error() string {
	return "is not supported yet: " + e.why + " (" + NotSupportedYet + ")"
}

// noEffect refuses a value that would do nothing for a client of this type or with these
// grant types. why says so, and what to change.
type noEffect struct{ why string }

// Error gives the reason before the code.
func (e *noEffect) Error() string { return e.why + " (" + NoEffect + ")" }
