package interaction

import (
	"slices"

	"signet/provider/request"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// wantsOf lists the scopes, resources and claims of a request for the consent page. An item
// is new if there is an earlier consent that does not contain it.
func wantsOf(q request.Request, given storage.Consent) []templates.Want {
	before := len(given.Scopes) > 0
	var list []templates.Want
	for _, scope := range q.Scopes {
		want := templates.WantOf(scope)
		want.New = before && !slices.Contains(given.Scopes, scope)
		list = append(list, want)
	}
	for _, resource := range q.Resources {
		list = append(list, templates.Want{
			Scope: resource, Text: words.Say("consent-request.resource", "Host", templates.HostOf(resource)), Detail: words.Say("consent-request.resource-address", "Address", resource),
			New: before && !slices.Contains(given.Resources, resource),
		})
	}
	for _, claim := range q.ClaimNames() {
		list = append(list, templates.Want{
			Scope: claim, Text: words.Say("consent-request.claim", "Claim", claim),
			New: before && !slices.Contains(given.Claims, claim),
		})
	}
	return list
}
