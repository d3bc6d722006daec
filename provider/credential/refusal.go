package credential

import (
	"errors"
	"strings"

	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// NoteRefusal notes in a request's trace why a password was not accepted, or may not be
// chosen, and the code that the answer gives for it. Check has recorded the event of a
// wrong one, and leaves that of a throttled attempt out.
func NoteRefusal(trace *web.Trace, code string, err error) {
	trace.Note("code", code)
	_, throttled := errors.AsType[*storage.ThrottledError](err)
	if throttled || errors.Is(err, ErrWrong) {
		trace.MarkRecorded()
	}
	if errors.Is(err, ErrBusy) {
		trace.Fail(err)
		return
	}
	trace.Refuse(err)
}

// Weakness is what a form says, at its field new-password, of a password that may
// not be chosen; nil for another error.
func Weakness(err error) *templates.FormError {
	if !errors.Is(err, ErrWeak) {
		return nil
	}
	_, why, _ := strings.Cut(strings.Split(err.Error(), "\n")[0], ": ")
	return &templates.FormError{Code: "weak_password", Field: "new-password", Text: "The new password cannot be used: " + why + "."}
}
