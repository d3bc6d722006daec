package account

import (
	"errors"
	"time"

	"signet/provider/directory"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
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
func adviceFor(problem *directory.FieldError) words.Sentence {
	switch problem.Field {
	case "preferred_username":
		return words.Unlisted("Use letters, digits, dots, hyphens and underscores, and begin with a letter or digit.")
	case "picture":
		return words.Unlisted("Give the address of a picture that begins with https://.")
	case "website", "profile":
		return words.Unlisted("Give an address that begins with https:// or http://.")
	case "birthdate":
		return words.Unlisted("Give a date such as 1990-12-10 that has been, 0000-12-10 for one without its year, or the year alone.")
	case "phone_number":
		return words.Unlisted("Give the number with + and the code of its country, such as +41 44 668 18 00.")
	case "zoneinfo":
		return words.Unlisted("Give a time zone by its name, such as Europe/Berlin.")
	case "locale":
		return words.Unlisted("Give a language by its tag, such as en-GB or de.")
	}
	if errors.Is(problem, directory.ErrLongName) {
		return words.Unlisted("Use at most 200 characters.")
	}
	return words.Unlisted("Use letters, digits and signs that can be seen.")
}
