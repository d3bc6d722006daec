package flow

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"signet/federation/foreign"
	"signet/provider/request"
	"signet/storage"
)

// PreviewRequest describes a sign-in that did not happen, to show the claims that it would give
// the client.
type PreviewRequest struct {
	Issuer       string
	Client       storage.Client
	User         storage.User
	Subject      string   // of the user at the client, see subject.Subjects
	Scopes       []string // those of the authorization request; none: all that the client may have
	Claims       string   // the claims parameter of the authorization request; "": none
	ResponseType string   // "": code, or the first response type of a client that has no code
}

// Preview holds the claims of each token and of the UserInfo endpoint, without those about the
// sign-in itself: acr, amr, auth_time, sid, gid, nonce, jti, iat, exp, at_hash and c_hash. A place that the
// client does not get has no claims.
type Preview struct {
	IDToken     map[string]any `json:"id_token"`
	AccessToken map[string]any `json:"access_token"`
	UserInfo    map[string]any `json:"userinfo"`
	Why         PreviewReasons `json:"why"`
}

// PreviewReasons holds a sentence for each claim about the user at each place: its source, or why
// it is absent. Scopes has those of the request that the client does not get.
type PreviewReasons struct {
	IDToken     map[string]string `json:"id_token"`
	AccessToken map[string]string `json:"access_token"`
	UserInfo    map[string]string `json:"userinfo"`
	Scopes      map[string]string `json:"scopes"`
}

// Errors of PreviewClaims.
var (
	ErrNoSignIn                 = errors.New("the client signs nobody in: it has none of the grant types authorization_code, implicit and device_code")
	ErrUnregisteredResponseType = errors.New("the client is not registered for the response type")
)

// PreviewClaims returns the claims that a sign-in would release now. They are made by the functions
// that make those of tokens and of the UserInfo endpoint.
//
// ErrNoSignIn, ErrUnregisteredResponseType, ErrNothingLeft: the client may have none of the scopes.
// *ListTooLongError: no token is issued either. ErrMalformedClaims. It does not check that the client and the user are enabled.
func PreviewClaims(p PreviewRequest) (Preview, error) {
	t, err := p.responseType()
	if err != nil {
		return Preview{}, err
	}
	scopes := p.Scopes
	if len(scopes) == 0 {
		scopes = slices.DeleteFunc(slices.Clone(request.ScopeNames), func(scope string) bool { return !request.MayAsk(p.Client, scope) })
	}
	asked, rights := ClaimsRequest{}, request.Rights{Scopes: foreign.Distinct(scopes)}
	if p.Claims != "" {
		if asked, err = ParseClaimsRequest(p.Claims); err != nil {
			return Preview{}, err
		}
		if rights.Claims, err = json.Marshal(asked); err != nil {
			return Preview{}, err
		}
	}
	left, err := NarrowToClient(rights, p.Client)
	if err != nil {
		return Preview{}, err
	}
	shown := p.claims(t, left)
	for _, claims := range []map[string]any{shown.IDToken, shown.AccessToken, shown.UserInfo} {
		if err := CheckLists(claims); err != nil {
			return Preview{}, err
		}
	}
	shown.Why = p.reasons(t, shown, left.Scopes, asked)
	for _, scope := range rights.Scopes {
		if !slices.Contains(left.Scopes, scope) {
			shown.Why.Scopes[scope] = scopeRefusal(scope)
		}
	}
	return shown, nil
}

// responseType returns the response type that decides where the claims are.
func (p PreviewRequest) responseType() (storage.ResponseType, error) {
	code, _ := storage.FindResponseType(storage.ResponseTypeCode)
	grants, registered := p.Client.Metadata.GrantTypes, p.Client.Metadata.ResponseTypes
	if p.ResponseType != "" {
		t, known := storage.FindResponseType(p.ResponseType)
		if !known || !p.Client.AllowsResponseType(t) {
			return t, ErrUnregisteredResponseType
		}
		return t, nil
	}
	if p.Client.AllowsResponseType(code) || slices.Contains(grants, storage.GrantDevice) {
		return code, nil
	}
	for _, name := range registered {
		if t, known := storage.FindResponseType(name); known && p.Client.AllowsResponseType(t) {
			return t, nil
		}
	}
	return storage.ResponseType{}, ErrNoSignIn
}

// claims returns the claims of each place.
func (p PreviewRequest) claims(t storage.ResponseType, left request.Rights) Preview {
	shown := Preview{IDToken: map[string]any{}, AccessToken: map[string]any{}, UserInfo: map[string]any{}}
	v, openID := VisibleTo(p.Client, p.User), slices.Contains(left.Scopes, request.ScopeOpenID)
	if openID {
		shown.IDToken = map[string]any{"iss": p.Issuer, "sub": p.Subject, "aud": []string{p.Client.ID}}
		maps.Copy(shown.IDToken, idTokenClaims(left, scopesInIDToken(p.Client, t, left.Scopes), v))
	}
	if !t.Code && !t.Token {
		return shown
	}
	shown.AccessToken = map[string]any{
		"iss": p.Issuer, "sub": p.Subject, "aud": audienceOf(p.Issuer, Issuance{Rights: left}), "client_id": p.Client.ID, "scope": joinScopes(left.Scopes),
	}
	roles, groups := accessTokenLists(left.Scopes, v)
	if len(roles) > 0 {
		shown.AccessToken["roles"] = roles
	}
	if len(groups) > 0 {
		shown.AccessToken["groups"] = groups
	}
	if openID {
		shown.UserInfo = UserInfoClaims(p.Subject, left, v)
	}
	return shown
}

// reasons returns the sentences for the claims of each place. asked is the claims parameter before
// it was narrowed to the client.
func (p PreviewRequest) reasons(t storage.ResponseType, shown Preview, scopes []string, asked ClaimsRequest) PreviewReasons {
	why := PreviewReasons{IDToken: map[string]string{}, AccessToken: map[string]string{}, UserInfo: map[string]string{}, Scopes: map[string]string{}}
	if len(shown.IDToken) > 0 {
		why.IDToken = p.explain(shown.IDToken, scopesInIDToken(p.Client, t, scopes), asked.IDToken)
		for name, scope := range claimsOf(scopes) {
			if _, explained := why.IDToken[name]; !explained {
				why.IDToken[name] = "left out: scope " + scope + " releases it at userinfo; the claims parameter or the client setting claims_in_id_token adds it to the ID token"
			} else if _, there := shown.IDToken[name]; there && p.Client.Metadata.ClaimsInIDToken {
				why.IDToken[name] += "; client setting claims_in_id_token"
			}
		}
	}
	if len(shown.AccessToken) > 0 {
		inAccess := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s != request.ScopeRoles && s != request.ScopeGroups })
		why.AccessToken = p.explain(shown.AccessToken, inAccess, nil)
	}
	if len(shown.UserInfo) > 0 {
		why.UserInfo = p.explain(shown.UserInfo, scopes, asked.UserInfo)
	}
	if !slices.Contains(scopes, request.ScopeOpenID) {
		why.Scopes[request.ScopeOpenID] = "not requested: without it there is no ID token, and userinfo refuses the access token"
	}
	return why
}

// explain returns the reason for each claim about the user that the scopes or the claims parameter
// name at one place.
func (p PreviewRequest) explain(claims map[string]any, scopes []string, asked map[string]*AskedClaim) map[string]string {
	why := map[string]string{"sub": "every client gets it"}
	if p.Client.Metadata.SubjectType == storage.SubjectPairwise {
		why["sub"] = "client setting subject_type pairwise, for the sector " + p.Client.Sector
	}
	released := claimsOf(scopes)
	for name, scope := range released {
		why[name] = "scope " + scope
	}
	for name := range asked {
		scope := request.ScopeOf(name)
		switch {
		case scope == "": // describes the sign-in
		case !request.MayAsk(p.Client, scope):
			why[name] = "left out: scope " + scope + ": " + scopeRefusal(scope)
		case released[name] != "":
			why[name] += " and claims parameter"
		default:
			why[name] = "claims parameter"
		}
	}
	for name := range why {
		if _, there := claims[name]; !there && (released[name] != "" || request.MayAsk(p.Client, request.ScopeOf(name))) {
			why[name] = "left out: " + p.absence(name)
		}
	}
	if p.Client.UnverifiedEmail && !p.User.EmailVerified {
		for _, name := range request.ScopeClaims[request.ScopeEmail] {
			if _, there := claims[name]; there {
				why[name] += "; the address is not verified, but the client setting unverified_email is on"
			}
		}
	}
	return why
}

// absence says why the user has no value of the claim for the client: see VisibleTo.
func (p PreviewRequest) absence(name string) string {
	switch {
	case p.User.Email != "" && request.ScopeOf(name) == request.ScopeEmail:
		return "the address is not verified, and the client setting unverified_email is off"
	case p.User.PreferredUsername != "" && name == "preferred_username":
		return "another user has a name that looks the same"
	}
	return "the user has no value"
}

// claimsOf returns the claims that the scopes release, each with its scope.
func claimsOf(scopes []string) map[string]string {
	found := map[string]string{}
	for _, scope := range scopes {
		for _, name := range request.ScopeClaims[scope] {
			found[name] = scope
		}
	}
	return found
}

// scopeRefusal says why a client may not have a scope: see request.MayAsk.
func scopeRefusal(scope string) string {
	switch {
	case !slices.Contains(request.ScopeNames, scope):
		return "the scope does not exist, so it is ignored"
	case scope == request.ScopeOfflineAccess:
		return "the client needs this scope in its list, and the grant type refresh_token"
	}
	return "the client is not registered for this scope"
}
