package templates

import (
	"reflect"

	"signet/templates/words"
)

// Error is the page for every error.
type Error struct {
	Common
	Status    int
	Code      string // stable: "invalid_redirect_uri"
	Title     words.Sentence
	Text      words.Sentence // cause and next step
	Detail    []Difference
	Reference string         // the request id, for the log
	StartURL  string         // "Start again"; "" for none
	StartText words.Sentence // zero: "Start again"
	Fields    []Field        // if set, a form posts them to StartURL
}

func (Error) page() string { return "error.html" }

// Trouble identifies an error in the log and to an operator. The page shows it small at
// the end, apart from the sentences.
type Trouble struct{ Code, Reference string }

// trouble finds the Trouble of a page: in Error itself, or in a field Error or Errors with form
// errors.
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

// Difference compares a received value with the registered ones (development only).
type Difference struct {
	Label      string
	Received   string
	Registered []string
}
