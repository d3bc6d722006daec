package federation

import (
	"errors"
	"fmt"

	"signet/federation/foreign"
)

var (
	// ErrDenied: the person or the upstream refused the sign-in.
	ErrDenied = errors.New("the upstream did not grant the sign-in")
	// ErrUnreachable: the upstream is down, slow, or asks for a later retry.
	ErrUnreachable = errors.New("the upstream cannot be reached")
	// ErrUntrusted: the answer does not belong to this attempt, or it is not valid.
	ErrUntrusted = errors.New("the upstream's answer cannot be trusted")
	// ErrNoEmail: the settings require a verified address, and the upstream sent none.
	ErrNoEmail = errors.New("the upstream sent no verified email address")
	// ErrNotAllowed: the upstream authenticated the person, but the settings do not allow
	// this account.
	ErrNotAllowed = errors.New("the settings do not allow this account")
	// ErrMisconfigured: the settings here or at the upstream are wrong; only an operator can
	// correct them.
	ErrMisconfigured = errors.New("the connector is misconfigured")
)

// codes lists the stable codes of the errors, for pages, logs and operators.
var codes = map[error]string{
	ErrDenied:        "upstream_denied",
	ErrUnreachable:   "upstream_unreachable",
	ErrUntrusted:     "upstream_untrusted",
	ErrNoEmail:       "no_email",
	ErrNotAllowed:    "account_not_allowed",
	ErrMisconfigured: "connector_misconfigured",
}

// ErrorCode returns the stable code of an error of a Connector; "" for any other error.
func ErrorCode(err error) string {
	for known, code := range codes {
		if errors.Is(err, known) {
			return code
		}
	}
	return ""
}

// answerError is one of our errors with the reason for it.
type answerError struct {
	reason string
	kind   error
}

// Error returns the reason, and the text of our error.
func (e *answerError) Error() string { return e.reason + ": " + e.kind.Error() }

// Unwrap returns our error.
func (e *answerError) Unwrap() error { return e.kind }

// untrusted returns an ErrUntrusted with that text.
func untrusted(format string, args ...any) error {
	return &answerError{fmt.Sprintf(format, args...), ErrUntrusted}
}

// unreachable returns an ErrUnreachable with that text.
func unreachable(format string, args ...any) error {
	return &answerError{fmt.Sprintf(format, args...), ErrUnreachable}
}

// atStep wraps an error with the step that failed; nil stays nil.
func atStep(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", step, err)
}

// causesByCode maps an upstream's error code to one of our errors. The codes are those of the
// authorization endpoint (RFC 6749, section 4.1.2.1; OIDC Core, section 3.1.2.6) and of the
// token endpoint (RFC 6749, section 5.2), and some that only GitHub, Apple or Google send.
var causesByCode = map[string]error{
	"access_denied":                ErrDenied,
	"user_cancelled_authorize":     ErrDenied,
	"user_cancelled_login":         ErrDenied,
	"login_required":               ErrDenied,
	"interaction_required":         ErrDenied,
	"consent_required":             ErrDenied,
	"account_selection_required":   ErrDenied,
	"server_error":                 ErrUnreachable,
	"temporarily_unavailable":      ErrUnreachable,
	"slow_down":                    ErrUnreachable,
	"invalid_request":              ErrMisconfigured,
	"invalid_client":               ErrMisconfigured,
	"unauthorized_client":          ErrMisconfigured,
	"unsupported_response_type":    ErrMisconfigured,
	"unsupported_grant_type":       ErrMisconfigured,
	"invalid_scope":                ErrMisconfigured,
	"redirect_uri_mismatch":        ErrMisconfigured,
	"incorrect_client_credentials": ErrMisconfigured,
	"application_suspended":        ErrMisconfigured,
	"deleted_client":               ErrMisconfigured,
	"org_internal":                 ErrNotAllowed,
	"admin_policy_enforced":        ErrNotAllowed,
	"unverified_user_email":        ErrNoEmail,
	"invalid_grant":                ErrUntrusted, // a code that the upstream did not issue to us, or that was used before
	"bad_verification_code":        ErrUntrusted,
}

// upstreamError returns our error for an upstream's error code; ErrDenied for an unknown
// code. It leaves out error_description: the upstream chooses that text, so pages and logs
// must not repeat it.
func upstreamError(step, code string) error {
	meaning, known := causesByCode[code]
	if !known {
		meaning = ErrDenied
	}
	return fmt.Errorf("%s: the upstream answered with error %q: %w", step, foreign.ForError(code), meaning)
}
