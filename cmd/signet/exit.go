package main

import (
	"context"
	"errors"
	"fmt"

	"signet/provider/credential"
	"signet/provider/keys/vault"
	"signet/storage"
)

// The exit codes. Scripts rely on them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2 // the command was called wrongly
	exitConfig      = 3 // a setting is missing or wrong
	exitNotFound    = 4
	exitConflict    = 5 // it is there already
	exitDenied      = 6 // a rule refuses it
	exitUnreachable = 7 // the database, or an upstream, does not answer
)

// problem is an error that knows its exit code and what to do about it.
type problem struct {
	code int
	err  error
	next string // what to do now, in the imperative
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// report says what went wrong on standard error, and gives the exit code.
func (p *program) report(err error) int {
	if err == nil {
		return exitOK
	}
	found := asProblem(err)
	fmt.Fprintf(p.stderr, "signet: %s\n  %s\n", found.err, found.next)
	return found.code
}

// asProblem finds the exit code and the advice for an error that has none of its
// own by what it wraps.
func asProblem(err error) *problem {
	var known *problem
	switch {
	case errors.As(err, &known):
		return &problem{code: known.code, err: err, next: known.next}
	case errors.Is(err, storage.ErrNotFound):
		return &problem{exitNotFound, err, "check the name; the list command of the same noun shows what is there"}
	case errors.Is(err, storage.ErrConflict):
		return &problem{exitConflict, err, "choose another name, or look at what is there with the show command"}
	case errors.Is(err, vault.ErrMasterKey):
		return &problem{exitConfig, err, "set the master_key of this database, or put its file back from your backup"}
	case errors.Is(err, vault.ErrModule):
		return &problem{exitConfig, err, "check keys.pkcs11.module, token and pin, and that the token is there and holds its keys"}
	case errors.Is(err, credential.ErrWeak):
		return &problem{exitDenied, err, "choose another password"}
	case errors.Is(err, storage.ErrOutdated):
		return &problem{exitDenied, err, "install the newer release of signet, or restore a backup from before it"}
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return &problem{exitUnreachable, err, "check that the database answers and has room, then try again"}
	case errors.Is(err, context.Canceled):
		return &problem{exitFailure, errors.New("interrupted"), "run the command again"}
	}
	return &problem{exitFailure, err, "mend what this line names, then try again"}
}
