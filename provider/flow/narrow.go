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

// Why nothing useful is left of what a person granted, or more is asked for. Each has
// the stable code of its cause.
var (
	ErrNothingLeft   = because("nothing_left", "the client may have nothing of what was granted any more")
	ErrResourcesLost = because("resources_lost", "the client has lost every resource that was granted")
	ErrResource      = because("resource_not_granted", "resource was not granted")
	ErrScopeWidened  = because("scope_widened", "scope is wider than what was granted")
	ErrScopeLost     = because("scope_lost", "the client may not have the scopes any more that the request names")
)

func because(code, text string) error { return web.Because(code, errors.New(text)) }

// Left narrows rights to what the client may have now (request.Rights.NarrowedTo).
//
// ErrNothingLeft: it may have none of the scopes. ErrResourcesLost: it may have none of
// the resources that were granted.
func Left(granted request.Rights, client storage.Client) (request.Rights, error) {
	left := granted.NarrowedTo(client)
	switch {
	case len(left.Scopes) == 0:
		return left, ErrNothingLeft
	case len(granted.Resources) > 0 && len(left.Resources) == 0:
		return left, ErrResourcesLost
	}
	return left, nil
}

// GrantRights are the rights of a grant. One that counts as online, because its client
// lost offline_access once, does not get it back.
func GrantRights(g storage.Grant) request.Rights {
	scopes := g.Scopes
	if !g.Offline && slices.Contains(scopes, request.ScopeOfflineAccess) {
		scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == request.ScopeOfflineAccess })
	}
	return request.Rights{Scopes: scopes, Resources: g.Resources, Claims: json.RawMessage(g.Claims)}
}

// Issuance is what one answer carries of what a grant allows.
type Issuance struct {
	request.Rights        // the grant's or fewer; Resources are the audiences, none: this provider alone
	Named          bool   // the token request itself names the resources: no others (RFC 8707, section 2.2)
	Nonce          string // of the authorization request; a refreshed ID token has none
}

// Narrow gives what a token request gets of the rights that are left: the resources that
// it names, and all of them when it names none (RFC 8707, section 2.2).
//
// ErrResource: it names one that is not among them.
func Narrow(left request.Rights, resources []string) (Issuance, error) {
	what := Issuance{Rights: left, Named: len(resources) > 0}
	for _, resource := range resources {
		if !slices.Contains(left.Resources, resource) {
			return what, ErrResource
		}
	}
	if what.Named {
		what.Resources = foreign.Distinct(resources)
	}
	return what, nil
}

// NarrowGrant gives what a refresh request gets of a grant: what the client may have
// now, and of that what the request names. It may name fewer scopes and resources than
// were granted, never more (RFC 6749, section 6; RFC 8707, section 2.2); to name one
// that the client has lost is no mistake. The grant itself keeps all of them for the
// next time. The errors are those of this file.
func NarrowGrant(g storage.Grant, client storage.Client, scopes, resources []string) (Issuance, error) {
	left, err := Left(GrantRights(g), client)
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
	return Narrow(left, resources)
}
