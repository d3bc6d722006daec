package web

import (
	"net/http"
	"net/url"
	"strings"

	"signet/templates"
	"signet/templates/words"
)

// Problem is an error that is answered with a page.
type Problem struct {
	Status     int
	Code       string // stable; the page shows it
	Title      words.Sentence
	Text       words.Sentence // says what happened and how to continue
	Detail     []templates.Difference
	StartURL   string         // target of the link below the text; "" for no link
	StartText  words.Sentence // zero: see linkTextFor
	Fields     url.Values     // if set, a button posts them to StartURL, which must be http or https; otherwise a link leads there
	RetryAfter int            // seconds, for 429 and 503
	Cause      error          // only for the log
}

// Error returns the code and the cause, for the log.
func (p *Problem) Error() string {
	if p.Cause != nil {
		return p.Code + ": " + p.Cause.Error()
	}
	return p.Code
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// linkTextFor returns the text of the link on an error page. Only links that begin a new
// sign-in say "start again". All other links lead back to a page of ours.
func (s *Site) linkTextFor(to string) words.Sentence {
	path, ours := strings.CutPrefix(to, s.Base)
	switch path, _, _ = strings.Cut(path, "?"); {
	case ours && path == "/":
		return words.Say("common-error.start-page")
	case ours && !strings.HasPrefix(path, "/login") && !strings.HasPrefix(path, "/authorize"):
		return words.Say("common-error.go-back")
	}
	return words.Say("common-error.start-again")
}

// StaleForm is the page for a form that is out of date: another user has signed in, the
// session has ended, or the form was open for too long.
func StaleForm(startURL string, cause error) *Problem {
	return &Problem{
		Status: http.StatusConflict, Code: "stale_form", Title: words.Say("common-error.stale.title"),
		Text:     words.Say("common-error.stale.text"),
		StartURL: startURL, Cause: cause,
	}
}
