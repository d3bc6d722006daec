package directory

import (
	"errors"
	"strings"
)

// ErrInvalidClient: the client breaks a rule. The error is a *ClientError.
var ErrInvalidClient = errors.New("the client breaks a rule")

// The stable codes of the problems of one field of a client.
const (
	NoEffect     = "no_effect" // the value is valid and does nothing for this client
	InvalidValue = "invalid_value"
)

// ClientError is ErrInvalidClient with the list of problems.
type ClientError struct{ Problems []*ClientFieldError }

// Error lists the problems, each on a line of its own.
func (e *ClientError) Error() string {
	lines := []string{ErrInvalidClient.Error() + ":"}
	for _, problem := range e.Problems {
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "\n  ")
}

// Details lists the problems in one line, for operators.
func (e *ClientError) Details() string {
	var texts []string
	for _, problem := range e.Problems {
		texts = append(texts, problem.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns ErrInvalidClient.
func (e *ClientError) Unwrap() error { return ErrInvalidClient }

// ClientFieldError: a field of a client breaks a rule.
type ClientFieldError struct {
	Field string // a name in ClientFields, client_id, client_secret or federations
	Code  string // NoEffect or InvalidValue
	Cause error
}

func newFieldError(field string, cause error) *ClientFieldError {
	code := InvalidValue
	if _, is := errors.AsType[*noEffect](cause); is {
		code = NoEffect
	}
	return &ClientFieldError{field, code, cause}
}

// shown is Error without what only operators may know.
func (e *ClientFieldError) shown() string {
	if document, is := errors.AsType[*documentError](e.Cause); is {
		return e.Field + ": " + document.shown
	}
	return e.Error()
}

// Error names the field and the problem.
func (e *ClientFieldError) Error() string { return e.Field + ": " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *ClientFieldError) Unwrap() error { return e.Cause }

// noEffect refuses a value that does nothing for a client of this type or with these grant
// types. why is the reason and the change that solves the problem.
type noEffect struct{ why string }

// Error returns the reason and the code.
func (e *noEffect) Error() string { return e.why + " (" + NoEffect + ")" }
