package visit

import (
	"context"
	"slices"

	"signet/federation"
	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

// Ways are how the signed-in user can prove anew who they are.
type Ways struct {
	Password   bool
	Connectors []federation.Connector
	Unable     []string // names of the connectors that the user has and that did not help, or cannot
}

// Any reports whether there is one.
func (w Ways) Any() bool { return w.Password || len(w.Connectors) > 0 }

// WaysToProve reads the ways of a user that could answer a request which wants a newer
// proof.
func (v *Visits) WaysToProve(ctx context.Context, current session.Current, q request.Request) (Ways, error) {
	has, err := v.DB.SignInMethodsOf(ctx, current.UserID)
	if err != nil {
		return Ways{}, err
	}
	return waysToProve(has, current, q, v.Connectors), nil
}

// waysToProve leaves out what the user does not have, what cannot prove anything anew,
// and the connector that was tried for this request in vain. On the way to a page of
// ours one that says when may be tried again, after signing out there: nobody else can
// be told that it did not help.
func waysToProve(has storage.SignInMethods, current session.Current, q request.Request, offered []federation.Connector) Ways {
	ways := Ways{Password: has.Password && current.User.Email != ""}
	for _, c := range offered {
		fact, tried := LatestArrival(current, q, c.ID())
		switch {
		case !slices.Contains(has.Connectors, c.ID()):
		case c.Reauthenticates() == federation.NeverReauthenticates, tried && (q.Kind == request.Code || fact.Proved == 0):
			ways.Unable = append(ways.Unable, c.Name())
		default:
			ways.Connectors = append(ways.Connectors, c)
		}
	}
	return ways
}

// LatestArrival finds the arrival through a connector that answered the request and proved
// nothing new; the latest of several.
func LatestArrival(current session.Current, q request.Request, connector string) (storage.Fact, bool) {
	for _, f := range slices.Backward(current.Facts) {
		if f.Kind == storage.FactArrived && f.Request == q.ID && f.Connector == connector {
			return f, true
		}
	}
	return storage.Fact{}, false
}
