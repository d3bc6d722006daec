package exit

import (
	"errors"
	"os"
)

// Problem is an error with its exit code and the next step.
type Problem struct {
	Code Code
	Err  error
	Next string // the next step for the operator, in the imperative
}

// New returns err with a code and the next step for the operator. If next is "", the next
// step of the table is used.
//
// The code of a single cause wins over the table. The code of a whole kind (NotFound, Denied
// …) counts only if the table does not know err. So a command cannot give another number to
// a cause that the table knows.
func New(code Code, err error, next string) *Problem { return &Problem{code, err, next} }

// Error returns the text of the error, without the next step.
func (p *Problem) Error() string { return p.Err.Error() }

// Unwrap returns the error, so that errors.Is finds its causes.
func (p *Problem) Unwrap() error { return p.Err }

// Classify returns err with its code and next step: those of a Problem in its chain, and
// otherwise those of the table. An error that the table does not know is a Failure.
func Classify(err error) *Problem {
	explicit, isExplicit := errors.AsType[*Problem](err)
	found := Problem{Failure, err, ""}
	if isExplicit {
		found.Code, found.Next = explicit.Code, explicit.Next
	}
	if !found.Code.isSingleCause() {
		if code, known := codeOf(err); known {
			found.Code = code
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

// codeOf returns the code of the first row of the table that matches err.
func codeOf(err error) (Code, bool) {
	if setting, is := errors.AsType[settingError](err); is {
		// The cause of a wrong setting may have its own code, such as a database of a newer release.
		if cause := errors.Unwrap(setting); cause != nil {
			if code, known := codeOf(cause); known {
				return code, true
			}
		}
	}
	for _, r := range table {
		if r.matches != nil && r.matches(err) {
			return r.Code, true
		}
	}
	return 0, false
}

// WithoutPath returns the text of a file error without the operation and the path, for
// messages that name the path themselves.
func WithoutPath(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
