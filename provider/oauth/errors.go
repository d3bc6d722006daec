package oauth

import (
	"errors"

	"signet/provider/web"
)

// The errors of the endpoints that clients call. The first argument of because is the stable code of the
// cause. The log, the audit events and the table of answers in provider/web use it.
var (
	errClientAuthentication = because("client_authentication", "client authentication failed")
	errClientThrottled      = because("throttled", "too many failed client authentications")
	errTwoMethods           = because("two_methods", "more than one client authentication method")
	errTwoClients           = because("two_clients", "client_id differs from the id in the Authorization header")
	errNoGrantType          = because("grant_type_missing", "grant_type is missing")
	errGrantType            = because("grant_type_unknown", "grant type is not supported")
	errClientGrant          = because("grant_type_not_allowed", "grant type is not allowed for this client")
	errForeignCode          = because("foreign_code", "code was issued to another client or for another redirect URI")
	errVerifier             = because("wrong_verifier", "code verifier does not match")
	errForeignToken         = because("foreign_refresh_token", "refresh token was issued to another client, or to the first-party app")
	errAuthorizationDetails = because("authorization_details", "authorization_details is not supported")
	errServiceScope         = because("scope_not_allowed", "client is not registered for this scope")
	errNoToken              = because("token_missing", "token is missing")
	errNoCode               = because("code_missing", "code is missing")
	errNoRefreshToken       = because("refresh_token_missing", "refresh_token is missing")
	errNoDeviceCode         = because("device_code_missing", "device_code is missing")
	errForeignDeviceCode    = because("foreign_device_code", "device code was issued to another client")
	errAuthorizationPending = because("authorization_pending", "the user has not decided yet")
	errSlowDown             = because("polled_too_early", "the device polls too often")
	errDeviceDenied         = because("device_denied", "the user denied the device")
	errDeviceExpired        = because("device_code_expired", "the device code has expired")
	errDeviceRequestTooLong = because("request_too_large", "scope and resource are too long for URLs and cookies: request fewer")
)

func because(code, text string) error { return web.Because(code, errors.New(text)) }
