package engine

import (
	"errors"
)

// The verdicts of the database itself.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = NewVerdict("not found")
	// ErrConflict: a unique value is taken.
	ErrConflict = NewVerdict("already exists")
)

// verdict ends a use case with an answer, not with a failure.
type verdict struct{ text string }

// NewVerdict returns an error that is an answer. A use case that returns it, or an error that
// wraps it, is undone. The other use cases of the batch and the connection are not affected.
func NewVerdict(text string) error { return &verdict{text} }

// Error returns the text of NewVerdict.
func (v *verdict) Error() string { return v.text }

// committed is the error of a use case that is refused but committed.
type committed struct{ cause error }

// Committed refuses a use case but keeps its effects: Write commits the use case and then
// returns cause. For example, a revocation because of a replay must be stored although the
// caller gets an error.
func Committed(cause error) error { return &committed{cause} }

// Error returns the text of the cause.
func (c *committed) Error() string { return c.cause.Error() }

// Unwrap returns the cause.
func (c *committed) Unwrap() error { return c.cause }

func isCommitted(err error) bool {
	var kept *committed
	return errors.As(err, &kept)
}
