package request

import (
	"bytes"
	"encoding/json"
	"slices"

	"signet/storage"
)

// Rights are what an authorization gives a client, from the request to the code, the
// grant and its tokens. Each step narrows them to what the client may have now: a client
// that lost a right has lost it in everything that was issued before.
type Rights struct {
	Scopes    []string
	Resources []string
	Claims    json.RawMessage // the claims parameter, as accepted
}

// NarrowedTo gives the rights that the client may still have. It never widens them and
// leaves r as it is.
func (r Rights) NarrowedTo(client storage.Client) Rights {
	return Rights{
		Scopes:    kept(r.Scopes, func(scope string) bool { return MayAsk(client, scope) }),
		Resources: kept(r.Resources, func(resource string) bool { return slices.Contains(client.Resources, resource) }),
		Claims:    keptClaims(r.Claims, func(name string) bool { return mayAskClaim(client, name) }),
	}
}

// Only gives the rights of a token that has no other scopes than these. A claim asked
// for by itself goes with the scope that releases it, and every such claim where openid
// alone is left of more.
func (r Rights) Only(scopes []string) Rights {
	has := func(scope string) bool { return slices.Contains(scopes, scope) }
	left, dropped := kept(r.Scopes, has), kept(r.Scopes, func(scope string) bool { return !has(scope) })
	if len(dropped) == 0 {
		return r
	}
	nothing := len(left) == 1 && left[0] == ScopeOpenID
	r.Scopes = left
	r.Claims = keptClaims(r.Claims, func(name string) bool {
		scope := scopeOf(name)
		return scope == "" || !nothing && !slices.Contains(dropped, scope)
	})
	return r
}

// kept gives the values that stay, in their order; the list itself if all of them do.
func kept(list []string, stays func(string) bool) []string {
	goes := func(value string) bool { return !stays(value) }
	if !slices.ContainsFunc(list, goes) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), goes)
}

// keptClaims removes claims from a claims parameter that was accepted.
func keptClaims(claims json.RawMessage, stays func(name string) bool) json.RawMessage {
	if len(claims) == 0 {
		return claims
	}
	var asked map[string]map[string]json.RawMessage
	if json.Unmarshal(claims, &asked) != nil {
		return nil
	}
	removed := false
	for _, set := range asked {
		for name := range set {
			if !stays(name) {
				delete(set, name)
				removed = true
			}
		}
	}
	if !removed {
		return claims
	}
	left, err := json.Marshal(asked)
	if err != nil {
		return nil
	}
	return left
}

// Rights are what the request asks for.
func (q Request) Rights() Rights { return Rights{q.Scopes, q.Resources, q.Claims} }

// NarrowedTo is the request with what the client may have now. Lost says which of its
// lists has nothing left.
func (q Request) NarrowedTo(client storage.Client) Request {
	left := q.Rights().NarrowedTo(client)
	q.Lost = Lost{
		Any:       len(left.Scopes) < len(q.Scopes) || len(left.Resources) < len(q.Resources) || !bytes.Equal(left.Claims, q.Claims),
		AllScopes: len(left.Scopes) == 0, AllResources: len(q.Resources) > 0 && len(left.Resources) == 0,
	}
	q.Scopes, q.Resources, q.Claims = left.Scopes, left.Resources, left.Claims
	return q
}
