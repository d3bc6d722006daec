package web

import (
	"errors"
	"net/http"

	"signet/storage"
	"signet/templates"
)

// Problem is an error that a person is told as a page.
type Problem struct {
	Status     int
	Code       string // stable, in the page's text
	Title      string
	Text       string // what happened and what to do
	Detail     []templates.Difference
	StartURL   string // where the way on leads; "" for no link
	StartText  string // "": Start again
	RetryAfter string // seconds, for 429 and 503
	Cause      error  // for the log only
}

func (p *Problem) Error() string {
	if p.Cause != nil {
		return p.Code + ": " + p.Cause.Error()
	}
	return p.Code
}

func (p *Problem) Unwrap() error { return p.Cause }

// Stale is the page for a form that was made for another moment: another user
// signed in, the session ended, or it lay open for too long.
func Stale(startURL string, cause error) *Problem {
	return &Problem{
		Status: http.StatusConflict, Code: "stale_form", Title: "This page is out of date",
		Text:     "Someone else may have signed in here since the page was opened, or it was open for too long. Nothing was changed.",
		StartURL: startURL, Cause: cause,
	}
}

// asProblem finds the page for any error. What it does not know is an internal
// error: the person learns a reference, the log learns the cause.
func asProblem(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if errors.Is(err, storage.ErrUnavailable) {
		return &Problem{
			Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Title: "One moment, please",
			Text:       "The service cannot reach its database right now. Nothing was lost: try again in a few seconds.",
			RetryAfter: "5", Cause: err,
		}
	}
	return &Problem{
		Status: http.StatusInternalServerError, Code: "server_error", Title: "Something went wrong",
		Text: "The service made a mistake. Try again; if it happens again, tell the operator the reference below.", Cause: err,
	}
}
