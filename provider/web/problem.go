package web

import (
	"net/http"

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
	RetryAfter int    // seconds, for 429 and 503
	Cause      error  // for the log only
}

// Error is for the log: the code and the cause.
func (p *Problem) Error() string {
	if p.Cause != nil {
		return p.Code + ": " + p.Cause.Error()
	}
	return p.Code
}

// Unwrap gives the cause.
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
