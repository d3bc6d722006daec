package federation

import (
	"errors"
	"fmt"

	"signet/federation/foreign"
)

var (
	// ErrDenied: the person, or the upstream on its own, said no.
	ErrDenied = errors.New("the upstream did not grant the sign-in")
	// ErrUnreachable: the upstream is down, slow or asks to come back later.
	ErrUnreachable = errors.New("the upstream cannot be reached")
	// ErrUntrusted: what came back is not an answer to this attempt, or not one
	// that can be believed.
	ErrUntrusted = errors.New("the upstream's answer cannot be trusted")
	// ErrNoEmail: the settings want a verified address, and there is none.
	ErrNoEmail = errors.New("the upstream gives no verified e-mail address")
	// ErrNotAllowed: the upstream knows the person, the settings do not want it.
	ErrNotAllowed = errors.New("the account is not allowed here")
	// ErrMisconfigured: the settings here or at the upstream are wrong; only an
	// operator can help.
	ErrMisconfigured = errors.New("the connector is not set up right")
)

// codes are the errors' stable codes, for pages, logs and operators.
var codes = map[error]string{
	ErrDenied:        "upstream_denied",
	ErrUnreachable:   "upstream_unreachable",
	ErrUntrusted:     "upstream_untrusted",
	ErrNoEmail:       "no_email",
	ErrNotAllowed:    "account_not_allowed",
	ErrMisconfigured: "connector_misconfigured",
}

// ErrorCode is the stable code of an error of a Connector; "" for any other error.
func ErrorCode(err error) string {
	for known, code := range codes {
		if errors.Is(err, known) {
			return code
		}
	}
	return ""
}

// untrusted makes an ErrUntrusted that says what was wrong.
func untrusted(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrUntrusted)...)
}

// atStep names the step that an error comes from; nil stays nil.
func atStep(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", step, err)
}

// causesByCode says what an upstream's error code means, from the authorization
// endpoint (RFC 6749, section 4.1.2.1; OIDC Core, section 3.1.2.6) or the token
// endpoint (section 5.2), GitHub's and Apple's own included.
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
	"invalid_grant":                ErrUntrusted, // a code that was never ours, or spent
	"bad_verification_code":        ErrUntrusted,
}

// upstreamError turns an upstream's error code into one of ours. Its description is
// left out: the upstream writes it, and a page or a log must not repeat it.
func upstreamError(step, code string) error {
	meaning, known := causesByCode[code]
	if !known {
		meaning = ErrDenied
	}
	return fmt.Errorf("%s: upstream says %q: %w", step, foreign.ForError(code), meaning)
}
