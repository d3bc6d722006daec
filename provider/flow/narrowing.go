package flow

import (
	"encoding/json"
	"errors"
	"slices"

	"signet/federation/foreign"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// Errors of narrowing: nothing of the granted rights remains, or the request wants more. Each
// has a stable cause code.
var (
	ErrNothingLeft        = because("nothing_left", "the client may not have any of the granted scopes any more")
	ErrResourcesLost      = because("resources_lost", "the client has lost every resource that was granted")
	ErrResourceNotGranted = because("resource_not_granted", "resource was not granted")
	ErrScopeWidened       = because("scope_widened", "scope is wider than the granted scope")
	ErrScopeLost          = because("scope_lost", "the client may not have any of the scopes in the request any more")
)

func because(code, text string) error { return web.Because(code, errors.New(text)) }

// NarrowToClient narrows rights to those that the client may have now
// (request.Rights.NarrowedTo).
//
// ErrNothingLeft: the client may have none of the scopes. ErrResourcesLost: the client may
// have none of the granted resources.
func NarrowToClient(granted request.Rights, client storage.Client) (request.Rights, error) {
	left := granted.NarrowedTo(client)
	switch {
	case len(left.Scopes) == 0:
		return left, ErrNothingLeft
	case len(granted.Resources) > 0 && len(left.Resources) == 0:
		return left, ErrResourcesLost
	}
	return left, nil
}

// GrantRights returns the rights of a grant. A grant that became online because its client
// lost offline_access does not get that scope back.
func GrantRights(g storage.Grant) request.Rights {
	scopes := g.Scopes
	if !g.Offline && slices.Contains(scopes, request.ScopeOfflineAccess) {
		scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == request.ScopeOfflineAccess })
	}
	return request.Rights{Scopes: scopes, Resources: g.Resources, Claims: json.RawMessage(g.Claims)}
}

// Issuance describes the tokens of one answer: the rights of the grant, or fewer.
type Issuance struct {
	request.Rights        // Resources are the audiences; without any, the audience is this provider
	Named          bool   // the token request names the resources, so that there is no other audience (RFC 8707, section 2.2)
	Nonce          string // of the authorization request; a refreshed ID token has none
}

// NarrowToResources returns the rights for a token request: with the resources that the
// request names, or with all of them if it names none (RFC 8707, section 2.2).
//
// ErrResourceNotGranted: the request names another resource.
func NarrowToResources(left request.Rights, resources []string) (Issuance, error) {
	issuance := Issuance{Rights: left, Named: len(resources) > 0}
	for _, resource := range resources {
		if !slices.Contains(left.Resources, resource) {
			return issuance, ErrResourceNotGranted
		}
	}
	if issuance.Named {
		issuance.Resources = foreign.Distinct(resources)
	}
	return issuance, nil
}

// NarrowGrant returns the rights for a refresh request: those that the client may have now,
// narrowed to the scopes and resources that the request names. The request may name fewer
// than were granted, never more (RFC 6749, section 6; RFC 8707, section 2.2). It may name one
// that the client has lost. The grant itself is not narrowed. The errors are those of this
// file.
func NarrowGrant(g storage.Grant, client storage.Client, scopes, resources []string) (Issuance, error) {
	left, err := NarrowToClient(GrantRights(g), client)
	if err != nil {
		return Issuance{}, err
	}
	if len(scopes) > 0 {
		for _, scope := range scopes {
			if !slices.Contains(g.Scopes, scope) {
				return Issuance{}, ErrScopeWidened
			}
		}
		if left = left.Only(scopes); len(left.Scopes) == 0 {
			return Issuance{}, ErrScopeLost
		}
	}
	return NarrowToResources(left, resources)
}
