package directory

import (
	"fmt"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/provider/keys"
	"signet/provider/spelling"
	"signet/storage"
)

// signInFields are the fields that are read only when a person signs in to the client or
// out of it.
var signInFields = []string{
	"post_logout_redirect_uris", "logo_uri", "policy_uri", "tos_uri", "id_token_signed_response_alg", "userinfo_signed_response_alg", "default_max_age", "require_auth_time", "default_acr_values",
	"initiate_login_uri", "backchannel_logout_uri", "backchannel_logout_session_required", "frontchannel_logout_uri", "frontchannel_logout_session_required", "skip_consent", "pkce_optional",
	"unverified_email", "claims_in_id_token", "require_acr",
}

// effectRules returns the rules that refuse valid values without an effect. A value has no
// effect because of the client's type or grant types, or because the client does not
// authenticate. These rules come after clientRules.
func effectRules() []clientRule {
	rules := []clientRule{
		{"scope", checkScopeEffect, []string{"type", "token_endpoint_auth_method", "grant_types", "scope"}},
		{"subject_type", checkSubjectTypeEffect, []string{"type", "grant_types", "subject_type"}},
		{"introspect", checkIntrospectEffect, []string{"token_endpoint_auth_method"}},
		{"admin_api", checkAdminAPIEffect, []string{"type", "grant_types", "scope", "admin_api"}},
		{"prompt_login", checkPromptLoginEffect, []string{"type", "grant_types", "prompt_login"}},
		{"audiences", checkAudiencesEffect, []string{"type", "token_endpoint_auth_method", "audiences"}},
		{"refresh_grace", checkRefreshGraceEffect, []string{"type", "grant_types", "refresh_grace"}},
		{"default_acr_values", checkACREffect, []string{"default_acr_values"}},
		{"first_party", checkFirstPartyEffect, []string{"type"}},
		{"require_pushed_authorization_requests", checkRequestEffect(func(m storage.ClientMetadata) bool { return m.RequirePushed }), []string{"type", "grant_types"}},
		{"require_signed_request_object", checkRequestEffect(func(m storage.ClientMetadata) bool { return m.RequireSignedRequest }), []string{"type", "grant_types"}},
		{"jwks", checkKeysEffect(func(m storage.ClientMetadata) string { return m.JWKS }), []string{"token_endpoint_auth_method", "grant_types", "jwks"}},
		{"jwks", checkRequestKeysEffect, []string{"token_endpoint_auth_method", "grant_types", "jwks"}},
		{"jwks_uri", checkKeysEffect(func(m storage.ClientMetadata) string { return m.JWKSURI }), []string{"token_endpoint_auth_method", "grant_types", "jwks_uri"}},
		{"token_endpoint_auth_signing_alg", checkAuthAlgEffect, []string{"token_endpoint_auth_method", "token_endpoint_auth_signing_alg"}},
		{"request_object_signing_alg", checkRequestAlgEffect, []string{"grant_types", "jwks", "jwks_uri", "request_object_signing_alg"}},
		{federationsField, checkFederationsEffect, []string{"token_endpoint_auth_method"}},
	}
	for _, f := range clientFields {
		if slices.Contains(signInFields, f.Name) {
			rules = append(rules, clientRule{f.Name, checkSignInEffect(f), []string{"type", "grant_types", f.Name}})
		}
	}
	return rules
}

// frontchannelFields are the fields that have an effect only if front-channel logout is on.
var frontchannelFields = []string{"frontchannel_logout_uri", "frontchannel_logout_session_required"}

// audienceFields are the fields that name audiences of access tokens.
var audienceFields = []string{"resources", "audiences"}

// checkSettings refuses new values that have no effect with the settings of this server, or that
// belong to it. A value from a time when the setting was another one may stay. Errors: *ClientError.
func (d *Directory) checkSettings(before, after storage.Client) error {
	var found []*ClientFieldError
	for _, f := range clientFields {
		if slices.Contains(audienceFields, f.Name) && slices.Contains(*f.At(&after).(*[]string), storage.AdminAudience(d.issuer)) && !unchanged(f.Name, before, after) {
			found = append(found, newFieldError(f.Name, fmt.Errorf("%q is the administration API of this server: for a service with admin_api its scopes suffice, and no other client gets tokens for it", storage.AdminAudience(d.issuer))))
		}
		if d.frontchannelLogout {
			continue
		}
		if slices.Contains(frontchannelFields, f.Name) && !f.Empty(after) && !unchanged(f.Name, before, after) {
			found = append(found, newFieldError(f.Name, &noEffect{"does nothing while the setting frontchannel_logout is false: use backchannel_logout_uri, which works in every browser, or turn the setting on"}))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &ClientError{found}
}

// signsPeopleIn reports whether people can sign in to the client, with an authorization request
// or as the first-party app.
func signsPeopleIn(c storage.Client) bool {
	return c.Type != storage.Service && (c.FirstParty || usesAuthorize(c))
}

// usesAuthorize reports whether the client may send authorization requests.
func usesAuthorize(c storage.Client) bool {
	return slices.Contains(c.Metadata.GrantTypes, storage.GrantCode) || slices.Contains(c.Metadata.GrantTypes, storage.GrantImplicit)
}

// checkSignInEffect returns the rule of a field in signInFields.
func checkSignInEffect(f ClientField) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		if !signsPeopleIn(c) && !f.Empty(c) && !(f.Name == "require_acr" && slices.Contains(c.Metadata.GrantTypes, storage.GrantDevice)) {
			wrong("%w", &noEffect{"is for clients that people sign in to, and nobody can sign in to this client: remove it, or make a client of another type with the grant type " + storage.GrantCode})
		}
	}
}

func checkFirstPartyEffect(c storage.Client, wrong report) {
	if c.FirstParty && c.Type == storage.Service {
		wrong("%w", &noEffect{"is for an app that people sign in to, and a service acts for itself: remove it, or make a client of another type"})
	}
}

// checkACREffect refuses values of which no sign-in can have one. The first value is only preferred
// (OIDC Registration, section 2), so that others may be there too.
func checkACREffect(c storage.Client, wrong report) {
	list := c.Metadata.DefaultACRValues
	if len(list) > 0 && signsPeopleIn(c) && !slices.ContainsFunc(storage.ACRValues(), func(acr string) bool { return slices.Contains(list, acr) }) {
		wrong("%w", &noEffect{"has no value that a sign-in can have: add one of " + strings.Join(storage.ACRValues(), ", ") + ", or remove it"})
	}
}

func checkRefreshGraceEffect(c storage.Client, wrong report) {
	renews := c.FirstParty && c.Type != storage.Service || slices.Contains(c.Metadata.GrantTypes, storage.GrantRefresh)
	if c.RefreshGrace >= 0 && !renews {
		wrong("%w", &noEffect{"is for clients that get refresh tokens, and this client gets no refresh tokens: remove it, or add the grant type " + storage.GrantRefresh})
	}
}

// checkAudiencesEffect refuses audiences of a public client. They decide which tokens the
// client may introspect, and a public client cannot introspect (RFC 7662, section 2.1).
func checkAudiencesEffect(c storage.Client, wrong report) {
	if c.Public() && len(c.Audiences) > 0 {
		wrong("%w", &noEffect{"decides which tokens an API may introspect, and a client that does not authenticate cannot introspect (RFC 7662, section 2.1): " +
			"make a client of type service for the API and give it the audience; a client that requests tokens for the API lists it in resources"})
	}
}

// checkScopeEffect refuses the scopes that no endpoint can grant to the client. Scopes of
// people need a client that people sign in to. All other scopes need a client that gets
// tokens of its own.
func checkScopeEffect(c storage.Client, wrong report) {
	people := storage.PersonalScopes()
	for _, scope := range foreign.Distinct(strings.Fields(c.Metadata.Scope)) {
		personal := slices.Contains(people, scope)
		switch {
		case personal && c.Type == storage.Service:
			wrong("%w", &noEffect{scope + " is for clients that people sign in to, and a service acts for itself: remove it"})
		case personal && !signsPeopleIn(c):
			wrong("%w", &noEffect{scope + " is for clients that people sign in to, and nobody can sign in to this client: remove it, or add the grant type " + storage.GrantCode})
		case scope == storage.ScopeOfflineAccess && !slices.Contains(c.Metadata.GrantTypes, storage.GrantRefresh):
			wrong("%w", &noEffect{scope + " requests refresh tokens, and this client gets no refresh tokens: remove it, or add the grant type " + storage.GrantRefresh})
		case !personal && len(c.OwnGrantTypes()) == 0:
			wrong("%q %w", shortened(scope), &noEffect{"is never granted when people sign in: the scopes of sign-ins are " + strings.Join(people, ", ") +
				"; scopes of your APIs are for clients with the grant type " + storage.GrantClientCredentials + ", such as services" + spelling.DidYouMean(scope, people)})
		}
	}
}

func checkIntrospectEffect(c storage.Client, wrong report) {
	if c.Public() && c.Introspects {
		wrong("%w", &noEffect{"only a client that authenticates can introspect tokens (RFC 7662, section 2.1)"})
	}
}

// checkAdminAPIEffect refuses admin_api for a client that could not get a token for the API.
func checkAdminAPIEffect(c storage.Client, wrong report) {
	switch {
	case !c.AdminAPI:
	case len(c.OwnGrantTypes()) == 0:
		wrong("%w", &noEffect{"needs tokens of the client's own, and this client gets none: add the grant type " + storage.GrantClientCredentials + ", or remove it"})
	case !slices.ContainsFunc(strings.Fields(c.Metadata.Scope), storage.IsAdminScope):
		wrong("%w", &noEffect{"needs a scope of the administration API: add one of " + strings.Join(storage.AdminScopes(), ", ") + " to scope, or remove it"})
	}
}

func checkPromptLoginEffect(c storage.Client, wrong report) {
	if c.PromptLogin != "" && !usesAuthorize(c) {
		wrong("%w", &noEffect{c.PromptLogin + " is for clients that people sign in to: remove it, or add the grant type authorization_code"})
	}
}

const forKeyClients = "is for clients that authenticate with a key of their own: set token_endpoint_auth_method to " + storage.AuthPrivateKey + ", or remove it"

// checkKeysEffect returns the rule of a field with the keys of the client. They verify client
// assertions and request objects.
func checkKeysEffect(value func(storage.ClientMetadata) string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		if value(c.Metadata) != "" && !c.AllowsAuthMethod(storage.AuthPrivateKey) && !usesAuthorize(c) {
			wrong("%w", &noEffect{forKeyClients})
		}
	}
}

// checkRequestKeysEffect refuses keys that could verify no request object, of a client for which they
// have no other use.
func checkRequestKeysEffect(c storage.Client, wrong report) {
	if c.Metadata.JWKS == "" || c.AllowsAuthMethod(storage.AuthPrivateKey) || !usesAuthorize(c) {
		return
	}
	set, _ := foreign.ReadKeySet([]byte(c.Metadata.JWKS)) // checkJWKS reports the error
	if !hasKeyFor(set, keys.SigningAlgorithms()) {
		wrong("%w", &noEffect{"has no key for signatures with " + strings.Join(keys.SigningAlgorithms(), ", ") + ": add one, or remove it"})
	}
}

func checkAuthAlgEffect(c storage.Client, wrong report) {
	if c.Metadata.TokenEndpointAuthAlg != "" && !c.AllowsAuthMethod(storage.AuthPrivateKey) {
		wrong("%w", &noEffect{forKeyClients})
	}
}

func checkRequestAlgEffect(c storage.Client, wrong report) {
	switch {
	case c.Metadata.RequestObjectAlg == "":
	case !usesAuthorize(c):
		wrong("%w", &noEffect{forRequests})
	case !c.HasKeys():
		wrong("%w", &noEffect{"is for clients that sign their requests: set jwks or jwks_uri, or remove it"})
	}
}

const forRequests = "is for clients that send authorization requests: remove it, or add the grant type " + storage.GrantCode

// checkRequestEffect returns the rule of a field that restricts authorization requests.
func checkRequestEffect(restricts func(storage.ClientMetadata) bool) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		if restricts(c.Metadata) && !usesAuthorize(c) {
			wrong("%w", &noEffect{forRequests})
		}
	}
}
