package credential

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// Refusal turns why a password was not accepted into what the form says, with its
// status and Retry-After; nil for an error that is no refusal. Unknown, wrong and
// disabled read the same.
func Refusal(h http.Header, err error) (int, *templates.FormError) {
	if throttled, ok := errors.AsType[*storage.ThrottledError](err); ok {
		seconds := throttled.Seconds()
		h.Set("Retry-After", strconv.Itoa(seconds))
		return http.StatusTooManyRequests, &templates.FormError{
			Code: "too_many_attempts", Text: "Too many attempts with this account or from this network.", Retry: inWords(seconds),
		}
	}
	switch {
	case errors.Is(err, ErrWrong), errors.Is(err, storage.ErrRevoked):
		return http.StatusUnprocessableEntity, &templates.FormError{
			Code: "invalid_credentials", Text: "The email or the password is not right. Check both and try again.", Field: "password",
		}
	case errors.Is(err, ErrBusy):
		h.Set("Retry-After", "2")
		return http.StatusServiceUnavailable, &templates.FormError{
			Code: "temporarily_unavailable", Text: "Very many people are signing in at this moment.", Retry: inWords(2),
		}
	}
	return 0, nil
}

// Note notes in a request's trace why a password was not accepted, or may not be
// chosen. Check has recorded the event of a wrong one, and leaves that of a throttled
// attempt out.
func Note(trace *web.Trace, err error) {
	_, throttled := errors.AsType[*storage.ThrottledError](err)
	if throttled || errors.Is(err, ErrWrong) {
		trace.Recorded()
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

// inWords rounds up, so that whoever comes then is not too early.
func inWords(seconds int) string {
	switch minutes := (seconds + 59) / 60; {
	case seconds < 90:
		return "in " + strconv.Itoa(seconds) + " s"
	case minutes < 90:
		return "in " + strconv.Itoa(minutes) + " min"
	default:
		return "in " + strconv.Itoa((minutes+59)/60) + " hours"
	}
}
