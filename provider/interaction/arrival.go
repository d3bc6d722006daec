package interaction

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"signet/federation"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// signInThrough decides by the identity that came back: it signs in, makes an account,
// asks for a proof, or refuses. Should another sign-in change the facts meanwhile, it
// decides again.
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
			return h.keepWaiting(w, t, owner.User)
		case connectFirst, closed, switchedOff:
			return h.refuseArrival(r, t, decided)
		}
		arrival, err := h.arrivalOf(r.Context(), decided, owner.User, t)
		if err != nil {
			return err
		}
		err = h.Sessions.StartThrough(w, r, started(t), arrival)
		switch {
		case err == nil:
			h.remember(w, t.connector)
			next, err := h.afterSignIn(w, r, t.step, owner.User.ID)
			if err != nil {
				return err
			}
			return web.SeeOther(w, next)
		case errors.Is(err, storage.ErrReplayed):
			return lostAttempt(err)
		case errors.Is(err, storage.ErrRevoked):
			return h.refuseArrival(r, t, switchedOff)
		case !errors.Is(err, storage.ErrConflict):
			return err
		}
	}
	return fmt.Errorf("sign in through %s: the account keeps changing", t.connector.ID())
}

// ownerOf finds the user that the identity is linked to, or else the one with its address.
// An address that nobody vouches for is not looked up: the time of the answer would tell.
func (h *Handler) ownerOf(ctx context.Context, i federation.Identity) (storage.Owner, error) {
	address := ""
	if i.HasTrustedEmail() {
		address = i.Email
	}
	return h.DB.OwnerOf(ctx, asStored(i, ""), address)
}

// started is the proof an upstream gives: one factor, whatever it says of its
// own methods. Whether it is fresh enough is for the dispatcher to say.
func started(t trip) session.Started {
	return session.Started{
		Request: t.ID, ClientID: t.Client.ID, ACR: session.OneFactor, AMR: amrUpstream,
		Asserted: &storage.AssertedFreshness{Connector: t.connector.ID(), AuthTime: storage.Millis(t.identity.AuthTime), Again: t.identity.Fresh},
	}
}

// amrUpstream: RFC 8176 has no value for another provider's word; "fed" is what
// the field uses.
var amrUpstream = []string{"fed"}

// arrivalOf is what storage does for a decision.
func (h *Handler) arrivalOf(ctx context.Context, decided outcome, user storage.User, t trip) (storage.ConnectorSignIn, error) {
	i := t.identity
	identity, err := h.withToken(i, user.ID)
	a := storage.ConnectorSignIn{
		Identity: identity, AttemptID: t.attempt.Upstream.ID, Until: storage.At(h.Now().Add(attemptRemembered)),
		Linked: decided == signIn, Fill: h.profileBrought(ctx, t), Groups: groupsBrought(ctx, i),
	}
	if decided == makeUser {
		a.NewUser = storage.User{Email: i.Email}
	}
	// Somebody who is known may bring the first proof, too: the operator has begun to
	// trust the connector, or the upstream has verified the address since.
	if decided == makeUser || decided == evictAndOwn || decided == signIn && !user.EmailVerified {
		a.Proof, a.FreshFor = voucherOf(i), ownProofFor
	}
	return a, err
}
