package visit

import (
	"context"
	"slices"

	"signet/federation"
	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

// Ways are the ways in which the signed-in user can prove their identity again.
type Ways struct {
	Password   bool
	Passkey    bool
	Connectors []federation.Connector
	Unable     []string // names of the user's connectors that failed to give a new proof, or never can

	Factor bool // a second factor after the proof that the session has; only from OnlyReaching

	passkeyACR string // strongest acr of a sign-in with a passkey
	secondACR  string // strongest acr of a sign-in with any other way and a second factor
}

// Any reports whether there is at least one way.
func (w Ways) Any() bool { return w.Password || w.Passkey || w.Factor || len(w.Connectors) > 0 }

// OnlyReaching returns the ways with which a sign-in reaches the acr. If the sign-in of the session
// is recent enough, its first proof need not be given again, and a second factor is enough.
func (w Ways) OnlyReaching(acr string, recent bool) Ways {
	second := storage.ACRReaches(w.secondACR, acr)
	w.Factor = second && recent && !storage.ACRReaches(storage.ACROneFactor, acr)
	w.Passkey = w.Passkey && (storage.ACRReaches(w.passkeyACR, acr) || second)
	if !second || w.Factor {
		w.Password, w.Connectors, w.Unable = false, nil, nil
	}
	return w
}

// WaysToProve reads the ways of a user that could answer a request for a newer proof.
func (v *Visits) WaysToProve(ctx context.Context, current session.Current, q request.Request) (Ways, error) {
	has, err := v.signInMethods(ctx, current.UserID)
	if err != nil {
		return Ways{}, err
	}
	return waysToProve(has, current, q, v.Connectors), nil
}

// ReachableACR returns the strongest acr that the signed-in user can reach here.
func (v *Visits) ReachableACR(ctx context.Context, userID string) (string, error) {
	has, err := v.signInMethods(ctx, userID)
	if err != nil {
		return "", err
	}
	return has.ReachableACR(), nil
}

// signInMethods reads the sign-in methods of a user, without passkeys where they cannot be used.
func (v *Visits) signInMethods(ctx context.Context, userID string) (storage.SignInMethods, error) {
	has, err := v.DB.SignInMethodsOf(ctx, userID)
	if err != nil {
		return has, err
	}
	if !v.Passkeys.Offered() {
		has.Passkeys, has.ProvenPasskeys = 0, 0
	}
	return has, nil
}

// waysToProve lists the ways that the user has, except connectors that can never give a new
// proof and the connector that was already tried for this request without success. One
// exception: for a request of our own pages, a connector that states auth_time may be tried
// again, after the user has signed out there. Such a request has no client to which the
// failure could be reported.
func waysToProve(has storage.SignInMethods, current session.Current, q request.Request, offered []federation.Connector) Ways {
	ways := Ways{
		Password: has.Password && current.User.Email != "", Passkey: has.Passkeys > 0,
		passkeyACR: storage.ACROneFactor, secondACR: has.SecondACR(),
	}
	if has.ProvenPasskeys > 0 {
		ways.passkeyACR = storage.ACRPhishingResistant
	}
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

// LatestArrival returns the last fact that the user came back through this connector for
// this request; false if there is none. Callers ask only about requests that still need a
// proof, so the arrival was not enough.
func LatestArrival(current session.Current, q request.Request, connector string) (storage.Fact, bool) {
	for _, f := range slices.Backward(current.Facts) {
		if f.Kind == storage.FactArrived && f.Request == q.ID && f.Connector == connector {
			return f, true
		}
	}
	return storage.Fact{}, false
}
