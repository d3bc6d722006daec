package oauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"signet/federation/foreign"
	"signet/provider/assertion"
	"signet/provider/web"
	"signet/storage"
)

// Reasons why a client with an assertion is refused before its keys are read.
var (
	errAssertionType       = unauthenticated("assertion_type", "client_assertion_type is not "+assertion.Type)
	errAssertionOfOthers   = unauthenticated("assertion_not_own", "the assertion is for another client than client_id")
	errAssertionNamesNone  = unauthenticated("assertion_not_own", "iss and sub differ and client_id is missing: a token of another issuer needs client_id")
	errAssertionNotAllowed = unauthenticated("assertion_not_allowed", "the client is not registered for private_key_jwt")
)

// assertionCredentials reads the credentials of a request with a client assertion (RFC 7521,
// section 4.2). id is the client_id of the request. It is optional if the client has signed the
// assertion itself, because iss and sub name the client then. The subject of another issuer's token
// never names a client.
func assertionCredentials(form url.Values, id string) (credentials, error) {
	claimed := credentials{id: id}
	if form.Get("client_assertion_type") != assertion.Type {
		return claimed, errAssertionType
	}
	read, err := assertion.Read(form.Get("client_assertion"))
	if err != nil {
		return claimed, unauthenticated("assertion_malformed", "the assertion "+err.Error())
	}
	switch ofClient := read.Issuer == read.Subject; {
	case id == "" && !ofClient:
		return credentials{id: read.Subject}, errAssertionNamesNone
	case id != "" && ofClient && id != read.Subject:
		return claimed, errAssertionOfOthers
	}
	return credentials{id: cmp.Or(id, read.Subject), method: storage.AuthPrivateKey, assertion: read}, nil
}

// checkAssertion returns nil if the assertion proves the client. It marks an assertion of the
// client's own as used. If nobody can know whether it proves the client, the error is not
// errClientAuthentication, so that it counts as no wrong credential.
func (h *Handler) checkAssertion(r *http.Request, client storage.Client, sent assertion.Unverified) error {
	switch {
	case client.ID == "":
		return errUnknownClient
	case !client.AllowsAuthMethod(storage.AuthPrivateKey):
		return errAssertionNotAllowed
	}
	err := h.Assertions.Verify(r.Context(), client, sent, h.assertionAudiences(r))
	if errors.Is(err, assertion.ErrInvalid) {
		return web.Because(web.CauseOf(err), fmt.Errorf("%w: %w", errClientAuthentication, err))
	}
	return err
}

// assertionAudiences lists the values of aud that name this provider: the issuer and the token
// endpoint (OIDC Core, section 9; RFC 7523, section 3), and the endpoint of the request, because
// libraries use its address (RFC 9126, section 2).
func (h *Handler) assertionAudiences(r *http.Request) []string {
	return foreign.Distinct([]string{h.Issuer, h.Issuer + "/token", h.Issuer + r.URL.Path})
}
