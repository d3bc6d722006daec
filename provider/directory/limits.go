package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"signet/storage"
)

// The limits of this file hold for operators who administer users but may not do everything: services
// with the scope signet:users, and people who help users to sign in. They keep such an operator from
// getting the rights of another account.

// ErrAdministrator: the user holds a role of administration, and the operator may not change such
// users.
var ErrAdministrator = errors.New("the user has a role of administration: only operators who may do everything change such users")

// CheckPlainUser refuses users who hold a role of administration. It is a storage.UserCheck, so that it
// sees the user as of the transaction of the act. Errors: ErrAdministrator.
func CheckPlainUser(u storage.User) error {
	if u.AdminRole().IsAny() {
		return ErrAdministrator
	}
	return nil
}

// ReservedFieldError: only an operator who may do everything sets this field of a user.
type ReservedFieldError struct{ Field string }

// Error names the field.
func (e *ReservedFieldError) Error() string {
	return "only operators who may do everything set " + e.Field
}

// reservedFields decide about the owner of an account, and about its rights at applications. An operator
// who chose the password of an account and later removes its factors could sign in, so such an operator
// makes a link instead, which counts for storage.ErrLinkAndReset.
var reservedFields = []string{"admin", "admin_role", "email_verified", "groups", "password", "roles", "sub"}

// CheckReservedFields refuses fields of a new user, or of an invitation, that only an operator who
// may do everything sets. Errors: *ReservedFieldError.
func CheckReservedFields(names []string) error {
	return checkReserved(names, reservedFields)
}

// CheckReservedChanges is CheckReservedFields for the change of a user. A new user needs an address, so
// only its change is reserved.
func CheckReservedChanges(names []string) error {
	return checkReserved(names, append(slices.Clone(reservedFields), "email"))
}

func checkReserved(names, reserved []string) error {
	for _, name := range slices.Sorted(slices.Values(names)) {
		if slices.Contains(reserved, name) {
			return &ReservedFieldError{name}
		}
	}
	return nil
}

// maxReason is the longest reason of an operator, in characters.
const maxReason = 200

// CheckReason checks the words with which an operator says why a user gets a one-time link or loses
// the factors. Errors: *FieldError.
func CheckReason(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return &FieldError{"reason", errors.New("is blank: say why the user needs this")}
	case utf8.RuneCountInString(reason) > maxReason:
		return &FieldError{"reason", fmt.Errorf("has more than %d characters", maxReason)}
	case strings.ContainsFunc(reason, unicode.IsControl):
		return &FieldError{"reason", errors.New("has line breaks or control characters")}
	}
	return nil
}
