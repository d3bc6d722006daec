package interaction

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/federation"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// attemptRemembered is how long a used attempt is known: longer than its cookie
// can live.
const attemptRemembered = 2 * attemptLife

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

// ownProofFor is how long after a sign-in a proof that comes in the same browser
// counts as brought by the account's owner.
const ownProofFor = 5 * time.Minute

// voucherOf says what the upstream's word proves of the address; "" for nothing.
func voucherOf(i federation.Identity) storage.Voucher {
	switch {
	case !i.Vouched():
		return ""
	case i.Trust == federation.Authoritative:
		return storage.ByAuthority
	}
	return storage.ByUpstream
}

func (h *Handler) refuseArrival(s step, c Connector, why fate) *web.Problem {
	p := &web.Problem{Status: http.StatusForbidden, Code: string(why), StartURL: h.wayBack(s)}
	switch why {
	case connectFirst:
		p.Title = c.Name() + " is not connected to an account here"
		p.Text = "Sign in another way, and connect " + c.Name() + " on your account page. If you have no other way to sign in, ask the operator of this service for an account."
	case closed:
		p.Title = "There is no account for you here yet"
		p.Text = "This service does not make accounts on its own. Ask its operator for one; then sign in, and connect " + c.Name() + " on your account page."
	default:
		p.Title = "This account is switched off"
		p.Text = "Ask the operator of this service."
	}
	return p
}

// linkHere gives the user who started the trip on the account page the identity
// that came back: the same user, in the same session of the same browser, or
// nothing happens.
func (h *Handler) linkHere(w http.ResponseWriter, r *http.Request, s step, c Connector, a attempt, i federation.Identity) error {
	current, err := h.Sessions.Current(r)
	if errors.Is(err, session.ErrNone) || err == nil && (current.ID != a.Link.SessionID || current.UserID != a.Link.UserID) {
		return web.Stale(h.Site.Base+"/account/identities", err)
	}
	if err != nil {
		return err
	}
	identity, err := h.withToken(i, current.UserID)
	if err != nil {
		return err
	}
	err = h.DB.LinkIdentity(r.Context(), storage.IdentityLink{
		Identity: identity, ProofID: a.Upstream.ID,
		Until: storage.At(h.Now().Add(attemptRemembered)), SessionID: current.ID,
		Proof: voucherOf(i), FreshFor: ownProofFor, From: web.TraceOf(r.Context()).Origin(),
	}, h.Now())
	switch {
	case errors.Is(err, storage.ErrConflict):
		return &web.Problem{
			Status: http.StatusConflict, Code: "identity_in_use", Title: "This " + c.Name() + " account belongs to someone else here",
			Text: "It is connected to another account of this service. Disconnect it there first.", StartURL: h.Site.Base + "/account/identities",
		}
	case errors.Is(err, storage.ErrReplayed):
		return lostAttempt(err)
	case err != nil:
		return h.ended(s, err)
	}
	return web.SeeOther(w, h.next(s))
}
