package interaction

import (
	"slices"

	"signet/provider/request"
	"signet/storage"
	"signet/templates"
)

// phrases tell in a person's words what a scope gives away; they follow
// "{App} wants to:".
var phrases = map[string]templates.Want{
	"openid":         {Text: "know who you are", Detail: "A permanent number that stands for you, and when you signed in."},
	"profile":        {Text: "see your profile", Detail: "Your name, picture and what else is in your profile."},
	"email":          {Text: "see your email address"},
	"phone":          {Text: "see your phone number"},
	"address":        {Text: "see your postal address"},
	"roles":          {Text: "see your roles"},
	"groups":         {Text: "see the groups you are in"},
	"offline_access": {Text: "keep access while you are away", Detail: "It goes on until you or an administrator end it, also after you sign out.", Offline: true},
}

// wants lists what a request asks for. Something is new if there is a consent to
// compare with and it is not in it.
func wants(q request.Request, given storage.Consent) []templates.Want {
	before := len(given.Scopes) > 0
	var list []templates.Want
	for _, scope := range q.Scopes {
		want := phrases[scope] // an unknown scope is shown by its name
		want.Scope, want.New = scope, before && !slices.Contains(given.Scopes, scope)
		list = append(list, want)
	}
	for _, resource := range q.Resources {
		list = append(list, templates.Want{
			Scope: resource, Text: "act for you at " + hostOf(resource), Detail: resource,
			New: before && !slices.Contains(given.Resources, resource),
		})
	}
	for _, claim := range q.ClaimNames() {
		list = append(list, templates.Want{
			Scope: claim, Text: "see your " + claim,
			New: before && !slices.Contains(given.Claims, claim),
		})
	}
	return list
}
