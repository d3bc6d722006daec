package request

import (
	"bytes"
	"encoding/json"
	"slices"

	"signet/storage"
)

// Rights are the scopes, resources and claims that an authorization gives a client, from
// the request to the code, the grant and its tokens. Each step narrows them to the current
// rights of the client. So a client that loses a right also loses it in all codes, grants
// and tokens issued before.
type Rights struct {
	Scopes    []string
	Resources []string
	Claims    json.RawMessage // the claims parameter, as accepted
}

// NarrowedTo returns the rights of r that the client may still have. It never adds a right
// and does not change r.
func (r Rights) NarrowedTo(client storage.Client) Rights {
	return Rights{
		Scopes:    filter(r.Scopes, func(scope string) bool { return MayAsk(client, scope) }),
		Resources: filter(r.Resources, func(resource string) bool { return slices.Contains(client.Resources, resource) }),
		Claims:    filterClaims(r.Claims, func(name string) bool { return mayAskClaim(client, name) }),
	}
}

// Only returns the rights of a token that is limited to these scopes. If a scope is
// removed, the individually requested claims that it releases are removed too. If only
// openid is left, the claims of all scopes are removed.
func (r Rights) Only(scopes []string) Rights {
	has := func(scope string) bool { return slices.Contains(scopes, scope) }
	left, dropped := filter(r.Scopes, has), filter(r.Scopes, func(scope string) bool { return !has(scope) })
	if len(dropped) == 0 {
		return r
	}
	openidOnly := len(left) == 1 && left[0] == ScopeOpenID
	r.Scopes = left
	r.Claims = filterClaims(r.Claims, func(name string) bool {
		scope := ScopeOf(name)
		return scope == "" || !openidOnly && !slices.Contains(dropped, scope)
	})
	return r
}

// filter returns the values for which keep is true, in their order; the list itself if it
// is true for all.
func filter(list []string, keep func(string) bool) []string {
	remove := func(value string) bool { return !keep(value) }
	if !slices.ContainsFunc(list, remove) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), remove)
}

// filterClaims removes the claims for which keep is false from an accepted claims parameter.
func filterClaims(claims json.RawMessage, keep func(name string) bool) json.RawMessage {
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
			if !keep(name) {
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

// Rights returns the rights that the request asks for.
func (q Request) Rights() Rights { return Rights{q.Scopes, q.Resources, q.Claims} }

// NarrowedTo returns the request, narrowed to the current rights of the client. Its field
// Lost reports which rights were removed.
func (q Request) NarrowedTo(client storage.Client) Request {
	left := q.Rights().NarrowedTo(client)
	q.Lost = Lost{
		Any:       len(left.Scopes) < len(q.Scopes) || len(left.Resources) < len(q.Resources) || !bytes.Equal(left.Claims, q.Claims),
		AllScopes: len(left.Scopes) == 0, AllResources: len(q.Resources) > 0 && len(left.Resources) == 0,
	}
	q.Scopes, q.Resources, q.Claims = left.Scopes, left.Resources, left.Claims
	return q
}
