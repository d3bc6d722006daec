package account

import (
	"errors"
	"time"

	"signet/provider/directory"
	"signet/storage"
	"signet/templates"
)

// checkProfile returns a message for each invalid field, and changes the locale to its
// canonical spelling.
func checkProfile(p *storage.Profile, before storage.Profile, at time.Time) []templates.FormError {
	var wrong []templates.FormError
	for _, problem := range directory.CheckProfile(p, before, at) {
		wrong = append(wrong, templates.FormError{Code: "invalid_profile", Field: fieldName(problem.Field), Text: adviceFor(problem)})
	}
	return wrong
}

// adviceFor says how to correct an invalid field.
func adviceFor(problem *directory.FieldError) string {
	switch problem.Field {
	case "preferred_username":
		return "Use letters, digits, dots, hyphens and underscores, and begin with a letter or digit."
	case "picture":
		return "Give the address of a picture that begins with https://."
	case "website", "profile":
		return "Give an address that begins with https:// or http://."
	case "birthdate":
		return "Give a date such as 1990-12-10 that has been, 0000-12-10 for one without its year, or the year alone."
	case "phone_number":
		return "Give the number with + and the code of its country, such as +41 44 668 18 00."
	case "zoneinfo":
		return "Give a time zone by its name, such as Europe/Berlin."
	case "locale":
		return "Give a language by its tag, such as en-GB or de."
	}
	if errors.Is(problem, directory.ErrLongName) {
		return "Use at most 200 characters."
	}
	return "Use letters, digits and signs that can be seen."
}
