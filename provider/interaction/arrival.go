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
	for range 3 {
		user, facts, err := h.arrivalFacts(r.Context(), t)
		if err != nil {
			return err
		}
		decided := decideArrival(facts)
		trace := web.TraceOf(r.Context())
		trace.Note("arrival", string(decided))
		trace.Note("upstream_address", t.identity.Standing())
		switch decided {
		case proveFirst:
			return h.askProof(w, t)
		case connectFirst, closed, switchedOff:
			return h.refuseArrival(t, decided)
		}
		arrival, err := h.arrivalOf(decided, user, t)
		if err != nil {
			return err
		}
		err = h.Sessions.StartThrough(w, r, started(t), arrival)
		switch {
		case err == nil:
			h.remember(w, t.connector)
			return web.SeeOther(w, h.next(t.step))
		case errors.Is(err, storage.ErrReplayed):
			return lostAttempt(err)
		case errors.Is(err, storage.ErrRevoked):
			return h.refuseArrival(t, switchedOff)
		case !errors.Is(err, storage.ErrConflict):
			return err
		}
	}
	return fmt.Errorf("sign in through %s: the account keeps changing", t.connector.ID())
}

// arrivalFacts reads the facts of the decision, and the user it is about. An address that
// nobody vouches for is not looked up: the time of the answer would tell.
func (h *Handler) arrivalFacts(ctx context.Context, t trip) (storage.User, arrivalFacts, error) {
	facts := arrivalFacts{Vouched: t.identity.Vouched(), AutoLink: t.connector.AutoLink, SignUp: t.connector.SignUp}
	user, err := h.linkedUser(ctx, t.identity)
	if err == nil && user.ID == "" && facts.Vouched {
		return h.addressFacts(ctx, t.identity, facts)
	}
	return user, facts.known(user), err
}

// addressFacts adds what is known of the user with the identity's address.
func (h *Handler) addressFacts(ctx context.Context, i federation.Identity, facts arrivalFacts) (storage.User, arrivalFacts, error) {
	found, _, err := h.DB.UserByEmail(ctx, i.Email)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.User{}, facts, nil
	case err != nil:
		return storage.User{}, facts, fmt.Errorf("read user: %w", err)
	}
	// The same person may have come in another tab meanwhile: the account that the
	// address finds is then the one just made, and linked.
	user, err := h.linkedUser(ctx, i)
	if err != nil || user.ID != "" {
		return user, facts.known(user), err
	}
	facts.Local, facts.Proven, facts.Admin, facts.Disabled = true, found.EmailVerified, found.Admin, !found.Enabled()
	return found, facts, nil
}

// linkedUser is the user that the identity is linked to; the zero User for none.
func (h *Handler) linkedUser(ctx context.Context, i federation.Identity) (storage.User, error) {
	user, err := h.DB.LinkedUser(ctx, i.Connector, i.Issuer, i.Subject)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.User{}, nil
	}
	if err != nil {
		return user, fmt.Errorf("read linked user: %w", err)
	}
	return user, nil
}

// started is the proof an upstream gives: one factor, whatever it says of its
// own methods. Whether it is fresh enough is for the dispatcher to say.
func started(t trip) session.Started {
	return session.Started{
		Request: t.ID, ClientID: t.Client.ID, ACR: session.OneFactor, AMR: amrUpstream,
		Asserted: &storage.Asserted{Connector: t.connector.ID(), AuthTime: storage.Millis(t.identity.AuthTime), Again: t.identity.Fresh},
	}
}

// amrUpstream: RFC 8176 has no value for another provider's word; "fed" is what
// the field uses.
var amrUpstream = []string{"fed"}

// arrivalOf is what storage does for a decision.
func (h *Handler) arrivalOf(decided outcome, user storage.User, t trip) (storage.Arrival, error) {
	i := t.identity
	identity, err := h.withToken(i, user.ID)
	a := storage.Arrival{
		Identity: identity, AttemptID: t.attempt.Upstream.ID, Until: storage.At(h.Now().Add(attemptRemembered)),
		Known: decided == signIn,
		Fill:  storage.Profile{Name: i.Name, GivenName: i.GivenName, FamilyName: i.FamilyName, Picture: i.Picture, Locale: i.Locale},
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
