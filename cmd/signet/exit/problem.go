package exit

import (
	"context"
	"errors"
	"os"

	"signet/provider/credential"
	"signet/provider/keys/vault"
	"signet/storage"
)

// The exit codes. Scripts rely on them.
const (
	OK          = 0
	Failure     = 1 // any failure that has no code of its own
	Usage       = 2 // the command was called wrongly
	Config      = 3 // a setting is missing or wrong
	NotFound    = 4 // nothing has that name
	Conflict    = 5 // it is there already
	Denied      = 6 // a rule refuses it
	Unreachable = 7 // the database, or an upstream, does not answer
)

// Problem is an error with its exit code and the next step.
type Problem struct {
	Code int
	Err  error
	Next string // what to do now, in the imperative
}

// New gives err the exit code of a command and the next step, which tells the person
// at the terminal what to do now.
func New(code int, err error, next string) *Problem { return &Problem{code, err, next} }

// Error is the text of the error alone.
func (p *Problem) Error() string { return p.Err.Error() }

// Unwrap lets errors.Is find the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Of finds the exit code and the next step of an error. An error without its own gets
// them by the error that it wraps.
func Of(err error) *Problem {
	var known *Problem
	switch {
	case errors.As(err, &known):
		return &Problem{Code: known.Code, Err: err, Next: known.Next}
	case errors.Is(err, storage.ErrNotFound):
		return &Problem{NotFound, err, "check the name; the list command of the same noun shows what is there"}
	case errors.Is(err, storage.ErrConflict):
		return &Problem{Conflict, err, "choose another name, or look at what is there with the show command"}
	case errors.Is(err, vault.ErrMasterKey):
		return &Problem{Config, err, "set the master_key of this database, or put its file back from your backup"}
	case errors.Is(err, vault.ErrModule):
		return &Problem{Config, err, "check keys.pkcs11.module, token and pin, and that the token is there and holds its keys"}
	case errors.Is(err, credential.ErrWeak):
		return &Problem{Denied, err, "choose another password"}
	case errors.Is(err, storage.ErrOutdated):
		return &Problem{Denied, err, "install the newer release of signet, or restore a backup from before it"}
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return &Problem{Unreachable, err, "check that the database answers and has room, then try again"}
	case errors.Is(err, context.Canceled):
		return &Problem{Failure, errors.New("interrupted"), "run the command again"}
	}
	return &Problem{Failure, err, "mend what this line names, then try again"}
}

// Reason is what went wrong with a file, without the operation and the path that the
// system's errors repeat.
func Reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
