package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"signet/provider/assertion"
	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
	"signet/templates/words"
)

// signedOnly refuses a request without a request object (RFC 9101, section 10.5).
var signedOnly = flow.Refuse("request_not_signed", "invalid_request", "authorization requests of this client must be signed: send the parameters in a request object")

// objectRefusals are the answers to the errors of request objects, by their causes. The exact error is
// in the log.
var objectRefusals = []*flow.Refusal{
	flow.Refuse("request_object_malformed", "invalid_request_object", "the request object is not a signed JWT with a JSON object of distinct parameters, or it is too long"),
	flow.Refuse("request_object_not_own", "invalid_request_object", "iss and client_id in the request object must be the client_id, and sub must be left out"),
	flow.Refuse("request_object_audience", "invalid_request_object", "aud in the request object must be the issuer"),
	flow.Refuse("request_object_nested", "invalid_request_object", "request and request_uri are not allowed in a request object"),
	flow.Refuse("request_object_times", "invalid_request_object", "exp in the request object is required and at most an hour ahead, iat and nbf must not be in the future"),
	flow.Refuse("request_object_expired", "invalid_request_object", "the request object has expired"),
	flow.Refuse("request_object_algorithm", "invalid_request_object", "alg of the request object must be the request_object_signing_alg of this client or, without one, an algorithm that the discovery document lists"),
	flow.Refuse("request_object_signature", "invalid_request_object", "the signature of the request object cannot be verified with the registered keys of this client"),
	flow.Refuse("client_keys_unreachable", "temporarily_unavailable", "the keys of this client cannot be fetched from its jwks_uri: try again"),
}

// openRequestObject returns the parameters of an authorization request. Of a request with a request
// object, they are only those in the object (RFC 9101, section 6.3). A refused request keeps the
// parameters outside the object, so that the refusal reaches the redirect URI among them. The error is
// that of an unknown client, see request.Requests.EnabledClient, or the page for a refusal without a
// redirect URI.
func (h *Handler) openRequestObject(ctx context.Context, outer url.Values) (url.Values, *flow.Refusal, error) {
	if !outer.Has("request") {
		return outer, nil, nil
	}
	client, err := h.Requests.EnabledClient(ctx, outer.Get("client_id"))
	if err != nil {
		return nil, nil, err
	}
	params, refusal := h.readRequestObject(ctx, client, outer)
	if refusal != nil && !outer.Has("redirect_uri") {
		return nil, nil, &web.Problem{
			Status: http.StatusBadRequest, Code: refusal.Code, Title: words.Say("application-error.sign-in.title"), Cause: refusal,
			Text: words.Say("application-error.sign-in.text", "Reason", refusal.Description),
		}
	}
	return params, refusal, nil
}

// readRequestObject is openRequestObject for a known client. outer has a request object.
func (h *Handler) readRequestObject(ctx context.Context, client storage.Client, outer url.Values) (url.Values, *flow.Refusal) {
	if outer.Has("request_uri") { // never fetched, and not allowed beside request (RFC 9101, section 5)
		return outer, flow.Refuse("request_uri", "request_uri_not_supported", "request_uri is not supported: send the request object in request")
	}
	if !client.HasKeys() {
		return outer, flow.Refuse("request_object_without_keys", "request_not_supported", "this client has no keys for request objects: register jwks or jwks_uri, or send the parameters in the request itself")
	}
	object, err := assertion.ReadRequestObject(outer.Get("request"))
	if err != nil {
		err = web.Because("request_object_malformed", fmt.Errorf("the request object %w", err))
	} else {
		var params url.Values
		if params, err = h.Assertions.VerifyRequest(ctx, client, object, h.Issuer); err == nil {
			return params, nil
		}
	}
	web.TraceOf(ctx).Refuse(err)
	cause := web.CauseOf(err)
	known := slices.IndexFunc(objectRefusals, func(r *flow.Refusal) bool { return r.Cause() == cause })
	return outer, objectRefusals[max(known, 0)]
}

// requireSigned refuses a request that was not signed, if the client must sign its requests.
func requireSigned(client storage.Client, signed bool) *flow.Refusal {
	if client.Metadata.RequireSignedRequest && !signed {
		return signedOnly
	}
	return nil
}

// validateOpened is validate for the parameters that openRequestObject has returned. A refused object
// decides nothing, so that the response mode outside it applies.
func (h *Handler) validateOpened(q *request.Request, client storage.Client, params url.Values, refused *flow.Refusal) *flow.Refusal {
	if refused != nil {
		readResponseMode(q, client, params) // an invalid mode leaves the default
		return refused
	}
	return h.validate(q, client, params)
}
