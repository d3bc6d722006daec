package templates

import (
	"regexp"
	"slices"
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
	Connectors []ConnectorButton // in their order
	Stolen     bool              // the session of this browser ended because somebody used a token of it twice
	Other      bool              // somebody is signed in, and another account is wanted
}

func (SignIn) page() string { return "signin.html" }

// ConnectorButton is one upstream that people can sign in through.
type ConnectorButton struct {
	ID   string
	Kind string // google, github …: picks the mark
	Name string
	Last bool // used last in this browser
}

// FormError is why a form was refused: a summary on top that links to the field.
type FormError struct {
	Code  string // stable: "invalid_credentials"; shown small at the end of the page
	Text  string
	Field string // id of the field it is about, "" for the form
	Retry string // "in 40 s", for a throttled attempt; "" otherwise

	Reference string // the request id, for the log; shown beside the code
}

// refusal is why the form was refused. Who has to wait is told of the other ways in.
func refusal(s SignIn) *FormError {
	if s.Error == nil || line(s.Error.Retry) == "" || len(usable(s.Connectors)) == 0 {
		return s.Error
	}
	told := *s.Error
	told.Retry += ", or sign in another way below"
	return &told
}

// wrong reports whether the error is about the field of that id.
func wrong(e *FormError, field string) bool { return e != nil && e.Field == field }

// fieldOf is the id of the field that the error is about, "" for none that a form has.
func fieldOf(e *FormError) string {
	if slices.Contains([]string{"username", "password", "current-password", "new-password", "email"}, e.Field) {
		return e.Field
	}
	return ""
}

// connectorMark is the file of an upstream's own mark, "" where we have none.
func connectorMark(kind string) string {
	switch kind {
	case "google", "github":
		return kind + ".svg"
	}
	return ""
}

// unescaped holds ids that can be part of a path and of an element's id as they are.
// Which ids connectors may have is a rule of package federation.
var unescaped = regexp.MustCompile(`^[a-z0-9-]+$`)

// usable leaves out the buttons that could not work.
func usable(buttons []ConnectorButton) []ConnectorButton {
	var list []ConnectorButton
	for _, b := range buttons {
		if unescaped.MatchString(b.ID) {
			list = append(list, b)
		}
	}
	return list
}
