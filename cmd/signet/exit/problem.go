package exit

import (
	"errors"
	"os"
)

// Problem is an error with its code and the next step.
type Problem struct {
	Code Code
	Err  error
	Next string // what to do now, in the imperative
}

// New gives err the code of a command and the next step, which tells the person at the
// terminal what to do now; "" for the one of the table. A code of one cause wins over the
// table. One of a whole kind (NotFound, Denied …) counts only for an error that the table
// does not know: no command can end with another number for a known cause.
func New(code Code, err error, next string) *Problem { return &Problem{code, err, next} }

// Error is the text of the error alone.
func (p *Problem) Error() string { return p.Err.Error() }

// Unwrap lets errors.Is find the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Classify finds the code and the next step of an error in the table.
func Classify(err error) *Problem {
	said, isSaid := errors.AsType[*Problem](err)
	found := Problem{Failure, err, ""}
	if isSaid {
		found.Code, found.Next = said.Code, said.Next
	}
	if !found.Code.ownCode() {
		if known, is := recognized(err); is {
			found.Code = known
		}
	}
	if found.Next == "" {
		found.Next = found.Code.row().next
	}
	if found.Code == Interrupted {
		found.Err = errors.New("interrupted")
	}
	return &found
}

// recognized gives the code of the first row that knows the error.
func recognized(err error) (Code, bool) {
	if setting, is := errors.AsType[settingError](err); is {
		// A setting may lead to what has a code of its own, as to a database of a newer release.
		if cause := errors.Unwrap(setting); cause != nil {
			if code, known := recognized(cause); known {
				return code, true
			}
		}
	}
	for _, r := range table {
		if r.is != nil && r.is(err) {
			return r.Code, true
		}
	}
	return 0, false
}

// WithoutPath is what went wrong with a file, without the operation and the path that the
// system's errors repeat.
func WithoutPath(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
