package flow

import (
	"signet/provider/request"
	"signet/storage"
)

// AcceptsTrust reports whether a sign-in for the request may leave out the second factor in a browser
// that the user trusts. It may not if the request or the client asks for an acr or for a new proof,
// or if the request is for an act that needs one. The client is the zero value for Signet's own pages.
func AcceptsTrust(q request.Request, client storage.Client) bool {
	return len(q.EssentialACR) == 0 && len(q.VoluntaryACR) == 0 && client.RequireACR == "" && !q.Prompts("login") && (q.MaxAge == nil || *q.MaxAge > 0) && q.Act == ""
}
