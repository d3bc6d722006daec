package api

import (
	"cmp"
	"errors"
	"net/http"
	"unicode/utf8"

	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
)

func because(code, text string) error { return web.Because(code, errors.New(text)) }

// fieldError is a refusal of one member of the body or one parameter.
type fieldError struct {
	field string
	error
}

// Unwrap returns the error without the field.
func (e *fieldError) Unwrap() error { return e.error }

func atField(code, field, text string) error {
	return &fieldError{field, web.Because(code, errors.New(text))}
}

// causes are the codes of the errors of the rules. They are those that the command line prints. The
// first that matches counts.
var causes = []struct {
	code  string
	field string // "": that of the error
	is    func(error) bool
}{
	{"invalid_field", "", hasType[*directory.FieldError]},
	{"invalid_client", "", hasType[*directory.ClientError]},
	{"no_signing_key", "", hasType[*directory.NoKeyError]},
	{"public_client", "", is(directory.ErrPublicClient)},
	{"key_client", "", is(directory.ErrKeyClient)},
	{"weak_password", "password", is(credential.ErrWeak)},
	{"busy", "", is(credential.ErrBusy)},
	{"username_taken", "preferred_username", is(storage.ErrUsernameTaken)},
	{"subject_taken", "sub", is(storage.ErrSubjectTaken)},
	{"address_reserved", "email", is(storage.ErrAddressReserved)},
	{"address_unproven", "unproven", is(storage.ErrUnproven)},
	{"no_address", "email_verified", is(storage.ErrNoAddress)},
	{"no_phone_number", "phone_number_verified", is(storage.ErrNoPhone)},
	{"last_administrator", "", is(storage.ErrLastAdmin)},
	{"scope_missing", "", is(directory.ErrAdministrator)},
	{"scope_missing", "", is(directory.ErrInvitationRights)},
	{"scope_missing", "", hasType[*directory.ReservedFieldError]},
	{"link_and_reset", "", is(storage.ErrLinkAndReset)},
	{"no_notice", "", is(storage.ErrNoNotice)},
	{"user_disabled", "", is(storage.ErrRevoked)},
	{"no_passkeys", "for", is(directory.ErrNoPasskeys)},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func hasType[E error](err error) bool {
	_, found := errors.AsType[E](err)
	return found
}

// withCause adds code and field to an error of the rules.
func withCause(err error) error {
	if web.CauseOf(err) == "unavailable" {
		return err
	}
	for _, c := range causes {
		if !c.is(err) {
			continue
		}
		return &fieldError{cmp.Or(fieldOf(err), c.field), web.Because(c.code, err)}
	}
	return err
}

// fieldOf returns the field that an error names.
func fieldOf(err error) string {
	if wrong, is := errors.AsType[*fieldError](err); is {
		return wrong.field
	}
	if wrong, is := errors.AsType[*directory.FieldError](err); is {
		return wrong.Field
	}
	if reserved, is := errors.AsType[*directory.ReservedFieldError](err); is {
		return reserved.Field
	}
	if broken, is := errors.AsType[*directory.ClientError](err); is && len(broken.Problems) > 0 {
		return broken.Problems[0].Field
	}
	return ""
}

// fail answers a call that was refused or failed.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	err = withCause(err)
	a := web.AnswerTo(web.API, err)
	a.Field = cmp.Or(fieldOf(err), a.Field)
	if broken, is := errors.AsType[*directory.ClientError](err); is {
		a.Text = broken.Details()
	}
	if a.Status != http.StatusUnauthorized && a.Status != http.StatusForbidden {
		// A mistake in a call is no attack: the log has it, and the events stay readable.
		web.TraceOf(r.Context()).MarkRecorded()
	}
	web.API.FailWith(w, r, a, err)
}

// shortened returns at most 100 bytes of a name that a caller sent.
func shortened(name string) string {
	const most = 100
	if len(name) <= most {
		return name
	}
	end := most
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "…"
}
