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

// arrive finds out who has come and signs in, makes an account, asks for a proof,
// or refuses. Should another sign-in change the facts meanwhile, it looks again.
func (h *Handler) arrive(w http.ResponseWriter, r *http.Request, s step, c Connector, attemptID string, i federation.Identity) error {
	for range 3 {
		user, facts, err := h.facts(r.Context(), c, i)
		if err != nil {
			return err
		}
		became := decideArrival(facts)
		web.TraceOf(r.Context()).Note("arrival", string(became))
		web.TraceOf(r.Context()).Note("upstream_address", i.Standing())
		switch became {
		case proveFirst:
			return h.askProof(w, s, c, attemptID, i)
		case connectFirst, closed, switchedOff:
			return h.refuseArrival(s, c, became)
		}
		arrival, err := h.arrivalOf(became, user, attemptID, i)
		if err != nil {
			return err
		}
		err = h.Sessions.StartThrough(w, r, started(s, c, i), arrival)
		switch {
		case err == nil:
			h.remember(w, c)
			return web.SeeOther(w, h.next(s))
		case errors.Is(err, storage.ErrReplayed):
			return lostAttempt(err)
		case errors.Is(err, storage.ErrRevoked):
			return h.refuseArrival(s, c, switchedOff)
		case !errors.Is(err, storage.ErrConflict):
			return err
		}
	}
	return fmt.Errorf("sign in through %s: the account keeps changing", c.ID())
}

// facts reads what the decision is made of, and the user it is about. An address that
// nobody vouches for is not looked up: the time of the answer would tell.
func (h *Handler) facts(ctx context.Context, c Connector, i federation.Identity) (storage.User, arrival, error) {
	facts := arrival{Vouched: i.Vouched(), AutoLink: c.AutoLink, SignUp: c.SignUp}
	user, err := h.linked(ctx, i, &facts)
	if err != nil || facts.Known || !facts.Vouched {
		return user, facts, err
	}
	found, _, err := h.DB.UserByEmail(ctx, i.Email)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.User{}, facts, nil
	case err != nil:
		return storage.User{}, facts, fmt.Errorf("read user: %w", err)
	}
	// The same person may have come in another tab meanwhile: the account that the
	// address finds is then the one just made, and linked.
	if user, err = h.linked(ctx, i, &facts); err != nil || facts.Known {
		return user, facts, err
	}
	facts.Local, facts.Proven, facts.Admin, facts.Disabled = true, found.EmailVerified, found.Admin, !found.Enabled()
	return found, facts, nil
}

// linked notes the identity's user in facts, if it has one.
func (h *Handler) linked(ctx context.Context, i federation.Identity, facts *arrival) (storage.User, error) {
	user, err := h.DB.LinkedUser(ctx, i.Connector, i.Issuer, i.Subject)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.User{}, nil
	}
	if err != nil {
		return user, fmt.Errorf("read linked user: %w", err)
	}
	facts.Known, facts.Disabled = true, !user.Enabled()
	return user, nil
}

// started is the proof an upstream gives: one factor, whatever it says of its
// own methods. Whether it is fresh enough is for the dispatcher to say.
func started(s step, c Connector, i federation.Identity) session.Started {
	return session.Started{
		Request: s.ID, ClientID: s.Client.ID, ACR: session.OneFactor, AMR: amrUpstream,
		Asserted: &storage.Asserted{Connector: c.ID(), AuthTime: storage.Millis(i.AuthTime), Again: i.Fresh},
	}
}

// amrUpstream: RFC 8176 has no value for another provider's word; "fed" is what
// the field uses.
var amrUpstream = []string{"fed"}

// arrivalOf is what storage does for a decision.
func (h *Handler) arrivalOf(became fate, user storage.User, attemptID string, i federation.Identity) (storage.Arrival, error) {
	identity, err := h.withToken(i, user.ID)
	a := storage.Arrival{
		Identity: identity, AttemptID: attemptID, Until: storage.At(h.Now().Add(attemptRemembered)),
		Known: became == signIn,
		Fill:  storage.Profile{Name: i.Name, GivenName: i.GivenName, FamilyName: i.FamilyName, Picture: i.Picture, Locale: i.Locale},
	}
	if became == makeUser {
		a.NewUser = storage.User{Email: i.Email}
	}
	// Somebody who is known may bring the first proof, too: the operator has begun to
	// trust the connector, or the upstream has verified the address since.
	if became == makeUser || became == evictAndOwn || became == signIn && !user.EmailVerified {
		a.Proof, a.FreshFor = voucherOf(i), ownProofFor
	}
	return a, err
}
