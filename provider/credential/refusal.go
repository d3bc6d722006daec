package credential

import (
	"errors"

	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// NoteRefusal notes in the trace why a password was refused, with the code of the answer.
// It marks wrong passwords and throttled attempts as recorded: Check has written the event
// of the former, and the latter deliberately have none.
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

// Weakness returns the message for the field new-password if err is ErrWeak, and nil for
// any other error.
func Weakness(err error) *templates.FormError {
	broken, ok := errors.AsType[*ruleError](err)
	if !ok {
		return nil
	}
	return &templates.FormError{Code: "weak_password", Field: "new-password", Text: broken.sentence}
}
