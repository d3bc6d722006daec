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
		return words.Say("profile-error.username")
	case "picture":
		return words.Say("profile-error.picture")
	case "website", "profile":
		return words.Say("profile-error.address")
	case "birthdate":
		return words.Say("profile-error.birthdate")
	case "phone_number":
		return words.Say("profile-error.phone")
	case "zoneinfo":
		return words.Say("profile-error.time-zone")
	case "locale":
		return words.Say("profile-error.language")
	}
	if errors.Is(problem, directory.ErrLongName) {
		return words.Say("profile-error.too-long")
	}
	return words.Say("profile-error.invisible")
}
