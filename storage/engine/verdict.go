package engine

import (
	"errors"
)

// The verdicts that the database itself gives.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = NewVerdict("not found")
	// ErrConflict: a unique value is taken.
	ErrConflict = NewVerdict("already exists")
)

// verdict ends a use case with an answer rather than with a failure.
type verdict struct{ text string }

// NewVerdict makes an error that is an answer. A use case that returns it, or an error
// that wraps it, is undone; its neighbours in a batch and the connection stay whole.
func NewVerdict(text string) error { return &verdict{text} }

// Error is the text that it was made with.
func (v *verdict) Error() string { return v.text }

// committed is the error of a use case that is kept.
type committed struct{ cause error }

// Committed lets a use case be refused and kept: Write commits what the use case did and
// then returns cause. A revocation that a replay causes must stand although the caller
// gets an error.
func Committed(cause error) error { return &committed{cause} }

// Error is that of the cause.
func (c *committed) Error() string { return c.cause.Error() }

// Unwrap gives the cause.
func (c *committed) Unwrap() error { return c.cause }

func isCommitted(err error) bool {
	var kept *committed
	return errors.As(err, &kept)
}
