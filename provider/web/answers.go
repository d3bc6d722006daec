package web

import (
	"net/http"

	"signet/templates/words"
)

// Answer is the answer to a request that cannot be served.
type Answer struct {
	Status     int
	Code       string         // stable: an OAuth error code, or the code that a page or form shows
	Text       string         // for programs: says how to fix the request
	Title      words.Sentence // of the page for people
	Sentence   words.Sentence // for people, on the page or above the form
	Field      string         // the form field with the mistake
	Continue   string         // URL to which the app sends its browser; may be empty
	RetryAfter int            // seconds, for 429 and 503; 0 sets no header
}

// Surface is a kind of caller. Each has its own column in the table of answers.
type Surface int

const (
	// OAuth answers clients with the JSON of RFC 6749, section 5.2.
	OAuth Surface = iota
	// Bearer answers the bearer of an access token with a challenge (RFC 6750, section 3).
	Bearer
	// App answers the pages of the first-party app with JSON.
	App
	// Path answers programs with JSON if their request reaches no endpoint.
	Path
	// API answers the callers of the administration API with a problem document (RFC 9457).
	API
	form // the form is shown again with a message, see FormRefusal
	page // a page for people, see Site.Fail
)

// Placeholders for sentences that are made for each request.
const (
	causeText     = "the text of the cause"
	referenceText = "internal error " // the reference of the request follows
)

// Answers that several surfaces share.
var (
	serverError = Answer{Status: http.StatusInternalServerError, Code: "server_error", Text: referenceText}
	noDatabase  = Answer{
		Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
		Text: "the database does not respond: try again", RetryAfter: 5,
	}
	// Clients cannot tell unknown, expired, replayed and revoked grants apart.
	unusableGrant = badRequest("invalid_grant", "the code, device code or refresh token is unknown, expired, already used, or belongs to another client: start a new authorization request")
	// The client sees the reason, because it must explain it to its user.
	tokenTooLarge     = Answer{Status: http.StatusInternalServerError, Code: "server_error", Text: causeText}
	invalidToken      = Answer{Status: http.StatusUnauthorized, Code: "invalid_token", Text: "the access token is invalid, expired, or for another audience"}
	insufficientScope = Answer{Status: http.StatusForbidden, Code: "insufficient_scope", Text: "the access token lacks the scope openid"}
	loginRequired     = Answer{Status: http.StatusUnauthorized, Code: "login_required", Text: "nobody is signed in: send the browser to the sign-in page"}
	wrongCode         = Answer{
		Status: http.StatusUnprocessableEntity, Code: "invalid_code", Field: "code",
		Sentence: words.Say("factor-refused.wrong"),
	}
	wrongPassword = Answer{
		Status: http.StatusUnprocessableEntity, Code: "invalid_credentials", Field: "password",
		Sentence: words.Say("password-refused.wrong"),
	}
)

// badRequest is the answer to a request that the sender must correct.
func badRequest(code, text string) Answer {
	return Answer{Status: http.StatusBadRequest, Code: code, Text: text}
}

// answers is the one table from causes to answers, by surface and by the stable code that
// Because adds to an error. A cause without a row gets the row "internal", and its text is
// only in the log.
//
// Two surfaces may answer one cause differently: if a session has ended, an OAuth client
// gets invalid_grant, and the first-party app must send its browser to the sign-in page.
var answers = map[Surface]map[string]Answer{
	OAuth: {
		"client_authentication": {Status: http.StatusUnauthorized, Code: "invalid_client", Text: "client authentication failed: check client_id and secret"},
		"throttled": {
			Status: http.StatusTooManyRequests, Code: "invalid_client",
			Text: "too many failed client authentications: check client_id and secret, and wait for the time in Retry-After",
		},
		"client_keys_unreachable": {
			Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
			Text: "the public keys that verify the JWT of this client cannot be fetched: try again", RetryAfter: 5,
		},
		"too_many_pushed_requests": {
			Status: http.StatusTooManyRequests, Code: "temporarily_unavailable",
			Text: "too many pushed requests of clients without authentication from this network: wait for the time in Retry-After", // RFC 9126, section 2.3
		},
		"two_authorization_headers": badRequest("invalid_request", causeText),
		"two_methods":               badRequest("invalid_request", "authenticate the client with one method only"),
		"two_clients":               badRequest("invalid_request", "client_id differs from the Authorization header"),
		"grant_type_missing":        badRequest("invalid_request", "grant_type is missing"),
		"grant_type_unknown":        badRequest("unsupported_grant_type", "this grant_type is not supported: see grant_types_supported in the discovery document"),
		"grant_type_not_allowed":    badRequest("unauthorized_client", "this client is not registered for this grant_type"),
		"resource_not_granted":      badRequest("invalid_target", "resource was not part of the authorization"),
		"resources_lost":            badRequest("invalid_target", "the client is no longer registered for any resource of the authorization: register them again, or start a new authorization request"),
		"authorization_details":     badRequest("invalid_authorization_details", "authorization_details is not supported: use scope and resource"),
		"scope_lost":                badRequest("invalid_scope", "the client is no longer registered for these scopes: omit scope to get the remaining ones"),
		"scope_widened":             badRequest("invalid_scope", "scope may only contain granted scopes"),
		"scope_not_allowed":         badRequest("invalid_scope", "scope may only contain scopes that the client is registered for, and none about a user"),
		"token_missing":             badRequest("invalid_request", "token is missing"),
		"code_missing":              badRequest("invalid_request", "code is missing"),
		"device_code_missing":       badRequest("invalid_request", "device_code is missing"),
		"request_too_large":         badRequest("invalid_request", causeText),
		"authorization_pending":     badRequest("authorization_pending", "the user has not decided yet: poll again after the interval"), // RFC 8628, section 3.5
		"polled_too_early":          badRequest("slow_down", "poll less often: the interval is 5 seconds longer from now on, up to a minute"),
		"device_denied":             badRequest("access_denied", "the user denied the device"),
		"device_code_expired":       badRequest("expired_token", "the device code has expired: start a new device authorization request"),
		"too_many_device_codes": {
			Status: http.StatusTooManyRequests, Code: "temporarily_unavailable",
			Text: "too many device codes are open: try again after the time in Retry-After",
		},
		"refresh_token_missing": badRequest("invalid_request", "refresh_token is missing"),
		"nothing_left":          badRequest("invalid_grant", "the client is no longer registered for any granted scope: start a new authorization request"),
		"wrong_verifier":        badRequest("invalid_grant", "code_verifier does not match: start a new authorization request"),
		"foreign_code":          unusableGrant,
		"foreign_refresh_token": unusableGrant,
		"foreign_device_code":   unusableGrant,
		"unknown_device_code":   unusableGrant,
		"unknown_code":          unusableGrant,
		"unknown_refresh_token": unusableGrant,
		"not_found":             unusableGrant,
		"expired":               unusableGrant,
		"replayed":              unusableGrant,
		"revoked":               unusableGrant,
		"registration_off": {
			Status: http.StatusForbidden, Code: "access_denied", // RFC 7591 has no code for it
			Text: "clients cannot register themselves at this server: ask its administrator to create the client, or to change the setting registration.mode",
		},
		"redirect_uris_refused": badRequest("invalid_redirect_uri", causeText),
		"metadata_refused":      badRequest("invalid_client_metadata", causeText),
		"registration_secret":   badRequest("invalid_client_metadata", "client_id must be that of the client, and client_secret its secret, if it is sent"),
		"registration_shared": {
			Status: http.StatusForbidden, Code: "access_denied",
			Text: "several installations registered this client with the same metadata, so none of them may change or delete it: register a client with other metadata",
		},
		"registrations_full": {
			Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", RetryAfter: 3600,
			Text: "too many clients have registered themselves and were not approved: ask the administrator for an initial access token",
		},
		"registration_throttled": {
			Status: http.StatusTooManyRequests, Code: "temporarily_unavailable",
			Text: "too many clients were registered from this network, or this client was changed too often: try again after the time in Retry-After; a new client may register with an initial access token of the administrator",
		},
		"token_too_large": tokenTooLarge,
		"unavailable":     noDatabase,
		"internal":        serverError,
	},
	Bearer: {
		"registration_token":       invalidToken,
		"token_missing":            {Status: http.StatusUnauthorized}, // RFC 6750, section 3.1: no code, no description
		"malformed_request":        badRequest("invalid_request", causeText),
		"unknown_or_expired_token": invalidToken,
		"foreign_audience":         invalidToken,
		"not_found":                invalidToken,
		"scope_missing":            insufficientScope,
		"scope_lost":               insufficientScope,
		"token_too_large":          tokenTooLarge,
		"unavailable":              noDatabase,
		"internal":                 serverError,
	},
	App: {
		"no_session":                 loginRequired,
		"revoked":                    loginRequired,
		"replayed":                   loginRequired,
		"cross_origin":               {Status: http.StatusForbidden, Code: "cross_origin", Text: "the origin of the calling page is not in first_party.origins: add it there; outside a browser, send the Origin header of such a page"},
		"first_party_not_configured": {Status: http.StatusNotFound, Code: "first_party_not_configured", Text: causeText},
		"interaction_required":       {Status: http.StatusForbidden, Code: "interaction_required", Text: "this sign-in needs a page: send the browser to the URL in continue"},
		"token_too_large":            {Status: http.StatusInternalServerError, Code: "token_too_large", Text: causeText},
		"unavailable":                noDatabase,
		"internal":                   serverError,
	},
	Path: {
		"path_not_plain":     badRequest("invalid_request", causeText),
		"not_found":          {Status: http.StatusNotFound, Code: "not_found", Text: causeText},
		"method_not_allowed": {Status: http.StatusMethodNotAllowed, Code: "invalid_request", Text: causeText},
		"too_many_requests": {
			Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
			Text: "too many requests at once: try again after the time in Retry-After", RetryAfter: 2,
		},
		"internal": serverError,
	},
	API: {
		"token_missing":            {Status: http.StatusUnauthorized, Text: "the request has no access token: send one in the Authorization header"},
		"malformed_request":        badRequest("invalid_request", causeText),
		"unknown_or_expired_token": invalidToken,
		"foreign_audience":         invalidToken,
		"client_gone":              invalidToken,
		"session_gone":             invalidToken,
		"role_lost":                invalidToken,
		"second_factor_needed":     {Status: http.StatusUnauthorized, Code: "insufficient_user_authentication", Text: causeText}, // RFC 9470, section 3,
		"scope_missing":            {Status: http.StatusForbidden, Code: "insufficient_scope", Text: causeText},
		"not_found":                {Status: http.StatusNotFound, Code: "not_found", Text: "there is no such object"},
		"method_not_allowed":       {Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Text: causeText},
		"path_not_plain":           badRequest("invalid_request", causeText),
		"too_many_requests": {
			Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
			Text: "too many requests at once: try again after the time in Retry-After", RetryAfter: 2,
		},
		"invalid_header":     badRequest("invalid_header", causeText),
		"key_reused":         {Status: http.StatusConflict, Code: "key_reused", Text: "another request of the last 24 hours had this key: choose a new key for each call"},
		"call_in_flight":     {Status: http.StatusConflict, Code: "call_in_flight", Text: "the first call with this key has not finished: try again in a few seconds"},
		"answer_lost":        {Status: http.StatusConflict, Code: "answer_lost", Text: "the first call with this key has acted, but its answer is lost: read the object, and choose a new key for a new call"},
		"changed_meanwhile":  {Status: http.StatusPreconditionFailed, Code: "precondition_failed", Text: "the object has changed: read it again, and send its new ETag in If-Match"},
		"invalid_value":      {Status: http.StatusUnprocessableEntity, Code: "invalid_value", Text: causeText},
		"unknown_member":     {Status: http.StatusUnprocessableEntity, Code: "unknown_member", Text: causeText},
		"missing_member":     {Status: http.StatusUnprocessableEntity, Code: "missing_member", Text: causeText},
		"wrong_type":         {Status: http.StatusUnprocessableEntity, Code: "wrong_type", Text: causeText},
		"unknown_parameter":  {Status: http.StatusUnprocessableEntity, Code: "unknown_parameter", Text: causeText},
		"invalid_limit":      {Status: http.StatusUnprocessableEntity, Code: "invalid_limit", Field: "limit", Text: causeText},
		"invalid_cursor":     {Status: http.StatusUnprocessableEntity, Code: "invalid_cursor", Field: "after", Text: "after is not the value of next of this list with these filters, or it is older than a day: read the first page again"},
		"invalid_field":      {Status: http.StatusUnprocessableEntity, Code: "invalid_field", Text: causeText},
		"weak_password":      {Status: http.StatusUnprocessableEntity, Code: "weak_password", Text: causeText},
		"invalid_client":     {Status: http.StatusUnprocessableEntity, Code: "invalid_client", Text: causeText},
		"no_signing_key":     {Status: http.StatusUnprocessableEntity, Code: "no_signing_key", Text: causeText},
		"public_client":      {Status: http.StatusConflict, Code: "public_client", Text: causeText},
		"key_client":         {Status: http.StatusConflict, Code: "key_client", Text: causeText},
		"no_address":         {Status: http.StatusUnprocessableEntity, Code: "no_address", Text: "the user has no email address to verify"},
		"no_phone_number":    {Status: http.StatusUnprocessableEntity, Code: "no_phone_number", Text: "the user has no phone number to verify"},
		"conflict":           {Status: http.StatusConflict, Code: "conflict", Text: causeText},
		"username_taken":     {Status: http.StatusConflict, Code: "username_taken", Field: "preferred_username", Text: "another user has this preferred_username or a similar one"},
		"subject_taken":      {Status: http.StatusConflict, Code: "subject_taken", Field: "sub", Text: "another user has this subject, or a client has it as its id"},
		"address_reserved":   {Status: http.StatusConflict, Code: "address_reserved", Field: "email", Text: "another user had the email address less than 7 days ago, and can still restore it"},
		"address_unproven":   {Status: http.StatusConflict, Code: "address_unproven", Field: "unproven", Text: causeText},
		"last_administrator": {Status: http.StatusConflict, Code: "last_administrator", Text: "this is the last administrator: make another user an administrator first"},
		"last_way_in":        {Status: http.StatusConflict, Code: "last_way_in", Text: causeText},
		"busy":               {Status: http.StatusServiceUnavailable, Code: "busy", Text: "too many passwords are being hashed: try again after the time in Retry-After", RetryAfter: 2},
		"unavailable":        noDatabase,
		"internal":           serverError,

		"link_and_reset":     {Status: http.StatusForbidden, Code: "link_and_reset", Text: "within a day, one operator may make a link for a user or reset the factors, but not both: a client with the scope signet:admin can"},
		"no_notice":          {Status: http.StatusForbidden, Code: "no_notice", Text: "no mail can tell the user, who has no verified address, or the server sends no mails: a client with the scope signet:admin can do this"},
		"user_disabled":      {Status: http.StatusConflict, Code: "user_disabled", Text: "the user is disabled: enable the user first"},
		"next_key_too_young": {Status: http.StatusConflict, Code: "next_key_too_young", Text: causeText},
		"too_many_keys":      {Status: http.StatusConflict, Code: "too_many_keys", Text: causeText},
		"revoked_already":    {Status: http.StatusConflict, Code: "revoked_already", Text: causeText},
		"unknown_key":        {Status: http.StatusUnprocessableEntity, Code: "unknown_key", Text: "no key signs with this algorithm: list the keys"},
		"no_mail":            {Status: http.StatusConflict, Code: "no_mail", Text: causeText},
		"no_passkeys":        {Status: http.StatusConflict, Code: "no_passkeys", Text: causeText},
	},
	form: {
		"throttled":           {Status: http.StatusTooManyRequests, Code: "too_many_attempts", Sentence: words.Say("password-refused.too-many-attempts")},
		"invalid_credentials": wrongPassword,
		"revoked":             wrongPassword,
		"invalid_code":        wrongCode,
		"code_used":           {Status: http.StatusUnprocessableEntity, Code: "code_used", Field: "code", Sentence: words.Say("factor-refused.used")},
		"busy": {
			Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
			Sentence: words.Say("password-refused.busy"), RetryAfter: 2,
		},
		"address_reserved": {Status: http.StatusConflict, Code: "address_reserved", Field: "email", Sentence: words.Say("common-error.address-reserved.text")},
	},
	page: {
		"address_reserved": {
			Status: http.StatusConflict, Code: "address_reserved",
			Title:    words.Say("common-error.address-reserved.title"),
			Sentence: words.Say("common-error.address-reserved.text"),
		},
		"unavailable": {
			Status: http.StatusServiceUnavailable, Code: noDatabase.Code, RetryAfter: noDatabase.RetryAfter,
			Title:    words.Say("common-error.no-database.title"),
			Sentence: words.Say("common-error.no-database.text"),
		},
		"too_many_requests": {
			Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", RetryAfter: 2,
			Title:    words.Say("common-error.too-busy.title"),
			Sentence: words.Say("common-error.too-busy.text"),
		},
		"internal": {
			Status: http.StatusInternalServerError, Code: "server_error",
			Title:    words.Say("common-error.internal.title"),
			Sentence: words.Say("common-error.internal.text"),
		},
	},
}
