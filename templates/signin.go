package templates

import (
	"regexp"
	"slices"

	"signet/templates/words"
)

// SignIn is the sign-in page.
type SignIn struct {
	Common
	Request    string // sealed request, as a hidden field; "" when there is none
	ReturnTo   string // hidden field; "" when there is none
	Username   string // kept after an error, or from login_hint
	KeepDays   int    // of "Keep me signed in for N days"; 0 hides it
	Keep       bool
	Error      *FormError
	Connectors []ConnectorButton // in the order of the page
	Passkey    *PasskeyAsk       // nil: the page offers no passkeys
	Creates    bool              // the form says whether the browser can make a passkey by itself
	Stolen     bool              // the session of this browser ended because one of its tokens was used twice
	SignUp     string            // address of the page to create an account; "": not offered
	Forgot     bool              // show the link to the form for a forgotten password
	Other      bool              // the person is signed in and wants to use another account
}

func (SignIn) page() string { return "signin.html" }

// ConnectorButton is one upstream with which people can sign in.
type ConnectorButton struct {
	ID   string
	Kind string // google, github …: picks the mark
	Name string
	Last bool // the one that was used last in this browser
}

// FormError is the reason why a form was refused. The page shows it at the top, with a link
// to the field.
type FormError struct {
	Code  string // stable: "invalid_credentials"; shown small at the end of the page
	Text  words.Sentence
	Field string // id of the field it is about, "" for the form

	RetryAfter int  // seconds until the next attempt, for a throttled one; 0 otherwise
	OtherWays  bool // the page offers other ways to sign in meanwhile

	Reference string // the request id, for the log; shown beside the code
}

// refusal gives the error of the page, which mentions the other ways to sign in if the page
// has some.
func refusal(s SignIn) *FormError {
	if s.Error == nil {
		return nil
	}
	e := *s.Error
	e.OtherWays = s.Passkey != nil || len(usable(s.Connectors)) > 0
	return &e
}

// Retry says when the next attempt is possible; zero if it is possible at once. The time is
// rounded up, so that the next attempt after it is never too early.
func (e *FormError) Retry() words.Sentence {
	minutes := (e.RetryAfter + 59) / 60
	hours := (minutes + 59) / 60
	switch {
	case e.RetryAfter <= 0:
		return words.Sentence{}
	case e.OtherWays && e.RetryAfter < 90:
		return words.Say("retry.seconds-or-other-way", "Count", e.RetryAfter)
	case e.OtherWays && minutes < 90:
		return words.Say("retry.minutes-or-other-way", "Count", minutes)
	case e.OtherWays:
		return words.Say("retry.hours-or-other-way", "Count", hours)
	case e.RetryAfter < 90:
		return words.Say("retry.seconds", "Count", e.RetryAfter)
	case minutes < 90:
		return words.Say("retry.minutes", "Count", minutes)
	}
	return words.Say("retry.hours", "Count", hours)
}

// wrong reports whether the error is about the field of that id.
func wrong(e *FormError, field string) bool { return e != nil && e.Field == field }

// fieldOf returns the id of the field that the error is about; "" if no form has that field.
func fieldOf(e *FormError) string {
	if slices.Contains([]string{"username", "password", "current-password", "new-password", "email", "user_code", "code"}, e.Field) {
		return e.Field
	}
	return ""
}

// connectorMark returns the file with the logo of an upstream; "" if there is none.
func connectorMark(kind string) string {
	switch kind {
	case "google", "github":
		return kind + ".svg"
	}
	return ""
}

// unescaped matches ids that need no escaping in a path or in the id of an element. Package
// federation decides which ids connectors can have.
var unescaped = regexp.MustCompile(`^[a-z0-9-]+$`)

// usable returns the buttons whose id matches unescaped.
func usable(buttons []ConnectorButton) []ConnectorButton {
	var list []ConnectorButton
	for _, b := range buttons {
		if unescaped.MatchString(b.ID) {
			list = append(list, b)
		}
	}
	return list
}
