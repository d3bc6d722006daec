package directory

import (
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/provider/spelling"
	"signet/storage"
)

// aboutSignIns are the fields that are read while a person signs in to the client or out of
// it, and at no other time.
var aboutSignIns = []string{
	"post_logout_redirect_uris", "policy_uri", "tos_uri", "id_token_signed_response_alg", "default_max_age", "require_auth_time",
	"initiate_login_uri", "backchannel_logout_uri", "backchannel_logout_session_required", "skip_consent", "pkce_optional",
	"unverified_email",
}

// effectRules are the rules of values that are right by themselves and would do nothing for
// the client, because of its type, its grant types or because it does not authenticate.
// They come after the rules of the values themselves.
func effectRules() []clientRule {
	rules := []clientRule{
		{"scope", checkScopeActs, []string{"type", "token_endpoint_auth_method", "grant_types", "scope"}},
		{"introspect", checkIntrospects, []string{"token_endpoint_auth_method"}},
		{"prompt_login", checkPromptLoginOfGrants, []string{"type", "grant_types", "prompt_login"}},
		{"audiences", checkAudiencesAct, []string{"type", "token_endpoint_auth_method", "audiences"}},
		{"refresh_grace", checkRefreshGraceActs, []string{"type", "grant_types", "refresh_grace"}},
		{"first_party", checkFirstPartyActs, []string{"type"}},
	}
	for _, f := range clientFields {
		if slices.Contains(aboutSignIns, f.Name) {
			rules = append(rules, clientRule{f.Name, actsAtSignIns(f), []string{"type", "grant_types", f.Name}})
		}
	}
	return rules
}

// signsPeopleIn reports whether a person can sign in to the client: by an authorization
// code, or in the pages of the first-party app.
func signsPeopleIn(c storage.Client) bool {
	return c.Type != storage.Service && (c.FirstParty || slices.Contains(c.Metadata.GrantTypes, storage.GrantCode))
}

// actsAtSignIns is the rule of a field that is about people who sign in.
func actsAtSignIns(f ClientField) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		if !signsPeopleIn(c) && !f.Empty(c) {
			wrong("%w", &noEffect{"is about people who sign in, and nobody signs in to this client: remove it, or make a client of another type with the grant type " + storage.GrantCode})
		}
	}
}

func checkFirstPartyActs(c storage.Client, wrong report) {
	if c.FirstParty && c.Type == storage.Service {
		wrong("%w", &noEffect{"is for an app that people sign in to, and a service acts for itself: remove it, or make a client of another type"})
	}
}

func checkRefreshGraceActs(c storage.Client, wrong report) {
	renews := c.FirstParty && c.Type != storage.Service || slices.Contains(c.Metadata.GrantTypes, storage.GrantRefresh)
	if c.RefreshGrace >= 0 && !renews {
		wrong("%w", &noEffect{"is about refresh tokens, and this client gets none: remove it, or add the grant type " + storage.GrantRefresh})
	}
}

// checkAudiencesAct: the audiences of a client decide which tokens it may introspect, and
// only a client that authenticates may (RFC 7662, section 2.1).
func checkAudiencesAct(c storage.Client, wrong report) {
	if c.Public() && len(c.Audiences) > 0 {
		wrong("%w", &noEffect{"is what an API introspects its tokens by, and a client that does not authenticate cannot introspect (RFC 7662, section 2.1): " +
			"make a client of type service for the API and give it the audience; a client that wants tokens for the API has it in resources"})
	}
}

// checkScopeActs refuses the scopes that no endpoint ever grants to such a client: those of
// people where nobody signs in, all others where the client has no tokens of its own.
func checkScopeActs(c storage.Client, wrong report) {
	people := storage.PersonalScopes()
	for _, scope := range foreign.Distinct(strings.Fields(c.Metadata.Scope)) {
		personal := slices.Contains(people, scope)
		switch {
		case personal && c.Type == storage.Service:
			wrong("%w", &noEffect{scope + " is about people: a service acts for itself"})
		case personal && !signsPeopleIn(c):
			wrong("%w", &noEffect{scope + " is about people, and nobody signs in to this client: remove it, or add the grant type " + storage.GrantCode})
		case scope == storage.ScopeOfflineAccess && !slices.Contains(c.Metadata.GrantTypes, storage.GrantRefresh):
			wrong("%w", &noEffect{scope + " asks for refresh tokens, and this client gets none: remove it, or add the grant type " + storage.GrantRefresh})
		case !personal && len(c.OwnGrantTypes()) == 0:
			wrong("%q %w", shortened(scope), &noEffect{"is never granted when people sign in: the scopes for that are " + strings.Join(people, ", ") +
				"; scopes of your APIs are for clients with the grant type " + storage.GrantClientCredentials + ", such as services" + spelling.DidYouMean(scope, people)})
		}
	}
}

func checkIntrospects(c storage.Client, wrong report) {
	if c.Public() && c.Introspects {
		wrong("%w", &noEffect{"only a client that authenticates can introspect tokens (RFC 7662, section 2.1)"})
	}
}

func checkPromptLoginOfGrants(c storage.Client, wrong report) {
	if c.PromptLogin != "" && !slices.Contains(c.Metadata.GrantTypes, storage.GrantCode) {
		wrong("%w", &noEffect{c.PromptLogin + " is for clients that people sign in to: this one may not use the grant type authorization_code"})
	}
}
