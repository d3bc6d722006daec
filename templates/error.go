package templates

import (
	"reflect"

	"signet/templates/words"
)

// Error is every page that says something went wrong.
type Error struct {
	Common
	Status    int
	Code      string // stable: "invalid_redirect_uri"
	Title     words.Sentence
	Text      words.Sentence // what happened, and what to do
	Detail    []Difference
	Reference string         // the request id, for the log
	StartURL  string         // "Start again"; "" for none
	StartText words.Sentence // zero: "Start again"
}

func (Error) page() string { return "error.html" }

// Trouble identifies an error in the log and to an operator. It stands small at the end of
// the page, apart from the sentences that people read.
type Trouble struct{ Code, Reference string }

// trouble finds it in the model of any page: in Error itself, or in the form error of a page
// that has one as Error or Errors.
func trouble(page any) Trouble {
	if e, ok := page.(Error); ok {
		return Trouble{e.Code, e.Reference}
	}
	model := reflect.ValueOf(page)
	if field := model.FieldByName("Errors"); field.IsValid() {
		if list, ok := field.Interface().([]FormError); ok && len(list) > 0 {
			return Trouble{list[0].Code, list[0].Reference}
		}
	}
	if field := model.FieldByName("Error"); field.IsValid() {
		if e, ok := field.Interface().(*FormError); ok && e != nil {
			return Trouble{e.Code, e.Reference}
		}
	}
	return Trouble{}
}

// Difference shows what was received beside what was registered (development).
type Difference struct {
	Label      string
	Received   string
	Registered []string
}
