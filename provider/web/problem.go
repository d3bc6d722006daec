package web

import (
	"net/http"
	"strings"

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
	StartText  string // "": see linkTextFor
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

// linkTextFor names the way on of an error page by where it leads. Only a way that begins a
// sign-in anew starts anything again: from the other pages it leads back to one of them.
func (s *Site) linkTextFor(to string) string {
	path, ours := strings.CutPrefix(to, s.Base)
	switch path, _, _ = strings.Cut(path, "?"); {
	case ours && path == "/":
		return "Start page"
	case ours && !strings.HasPrefix(path, "/login") && !strings.HasPrefix(path, "/authorize"):
		return "Go back"
	}
	return "Start again"
}

// StaleForm is the page for a form that was made for another moment: another user
// signed in, the session ended, or it lay open for too long.
func StaleForm(startURL string, cause error) *Problem {
	return &Problem{
		Status: http.StatusConflict, Code: "stale_form", Title: "This page is out of date",
		Text:     "Someone else may have signed in here since the page was opened, or it was open for too long. Nothing was changed.",
		StartURL: startURL, Cause: cause,
	}
}
