package interaction

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"signet/federation"
	"signet/provider/flow"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// signInThrough handles the identity that came back from the upstream: it signs in, makes
// an account, asks for a proof of the account, or refuses, as decideArrival says. If another
// sign-in changes the facts at the same time, it decides again.
func (h *Handler) signInThrough(w http.ResponseWriter, r *http.Request, t trip) error {
	trace := web.TraceOf(r.Context())
	for range 3 {
		owner, err := h.ownerOf(r.Context(), t.identity)
		if err != nil {
			return err
		}
		decided := decideArrival(factsOf(t, owner))
		trace.Note("arrival", string(decided))
		trace.Note("upstream_address", t.identity.DescribeTrust())
		if t.attempt.Prove {
			if err := h.checkProof(r, t, decided, owner); err != nil {
				return err
			}
		}
		switch decided {
		case proveFirst:
			return h.storeWaiting(w, t, owner.User)
		case connectFirst, signUpClosed, switchedOff:
			return h.refuseArrival(r, t, decided)
		}
		arrival, err := h.arrivalOf(r.Context(), decided, owner.User, t)
		if err != nil {
			return err
		}
		err = h.Sessions.StartThrough(w, r, h.upstreamSignIn(t), arrival)
		switch {
		case err == nil:
			h.rememberConnector(w, t.connector)
			next, err := h.pageAfterSignIn(w, r, t.step, owner.User.ID)
			if err != nil {
				return err
			}
			return web.SeeOther(w, next)
		case isFactorDue(err):
			return h.askFactorOf(w, r, t, arrival, err)
		case errors.Is(err, storage.ErrReplayed):
			return unknownAttempt(err)
		case errors.Is(err, storage.ErrRevoked):
			return h.refuseArrival(r, t, switchedOff)
		case !errors.Is(err, storage.ErrConflict):
			return err
		}
	}
	return fmt.Errorf("sign in through %s: the account keeps changing", t.connector.ID())
}

// ownerOf finds the user that the identity is linked to, or else the user with its email
// address. An address that the upstream does not vouch for is not looked up: the response
// time would show whether an account has it.
func (h *Handler) ownerOf(ctx context.Context, i federation.Identity) (storage.Owner, error) {
	address := ""
	if i.HasTrustedEmail() {
		address = i.Email
	}
	return h.DB.OwnerOf(ctx, identityWithoutToken(i, ""), address)
}

// upstreamSignIn returns the sign-in that an upstream proves. It counts as one factor,
// regardless of the methods that the upstream states. The dispatcher decides whether it is
// recent enough.
func (h *Handler) upstreamSignIn(t trip) session.SignIn {
	return session.SignIn{
		Request: t.ID, ClientID: t.Client.ID, ACR: storage.ACROneFactor, AMR: visit.ByUpstream, KeepStronger: h.keepStronger(t.step),
		Asserted:     &storage.AssertedFreshness{Connector: t.connector.ID(), AuthTime: storage.Millis(t.identity.AuthTime), Reauthenticated: t.identity.Fresh},
		AcceptsTrust: flow.AcceptsTrust(t.Request, t.Client),
	}
}

// arrivalOf returns the input of storage for a decision that signs in.
func (h *Handler) arrivalOf(ctx context.Context, decided outcome, user storage.User, t trip) (storage.ConnectorSignIn, error) {
	i := t.identity
	identity, err := h.identityWithToken(i, user.ID)
	a := storage.ConnectorSignIn{
		Identity: identity, AttemptID: t.attempt.Upstream.ID, Until: storage.At(h.Now().Add(usedAttemptLife)),
		Linked: decided == signIn, Profile: h.profileFrom(ctx, t), Groups: groupsFrom(ctx, i),
	}
	if decided == makeUser {
		a.NewUser = storage.User{Email: i.Email}
	}
	// A linked user may bring the first proof of the address, too: the operator may trust
	// the connector now, or the upstream may have verified the address since.
	if decided == makeUser || decided == evictAndOwn || decided == signIn && !user.EmailVerified {
		a.Proof, a.FreshFor = voucherOf(i), ownProofLife
	}
	return a, err
}
