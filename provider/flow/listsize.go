package flow

import (
	"encoding/json"
	"fmt"

	"signet/storage"
)

// ListTooLongError means that the roles or groups of a user, from operators and upstreams
// together, are too long to be sent. They are never shortened: an application might admit or
// refuse a person because a group is missing.
type ListTooLongError struct {
	Claim string
	Bytes int
}

// Error tells the operator what to change.
func (e *ListTooLongError) Error() string {
	return fmt.Sprintf("the claim %s would have %d bytes, and at most %d are released: give the user fewer roles and groups, or the client fewer scopes",
		e.Claim, e.Bytes, storage.MaxListBytes)
}

// Cause returns the code for the log and the table of answers.
func (e *ListTooLongError) Cause() string { return "token_too_large" }

// checkList returns *ListTooLongError if the list needs more than storage.MaxListBytes bytes
// of JSON.
func checkList(claim string, list []string) error {
	least := 0
	for _, name := range list {
		least += len(name) + 3 // its quotes and a comma
	}
	if 6*least <= storage.MaxListBytes { // an escape has six bytes
		return nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode %s: %w", claim, err)
	}
	if len(text) > storage.MaxListBytes {
		return &ListTooLongError{Claim: claim, Bytes: len(text)}
	}
	return nil
}

// CheckLists returns *ListTooLongError if a list in the claims is too long.
func CheckLists(claims map[string]any) error {
	for _, name := range []string{"roles", "groups"} {
		if list, there := claims[name].([]string); there {
			if err := checkList(name, list); err != nil {
				return err
			}
		}
	}
	return nil
}
