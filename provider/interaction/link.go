package interaction

import (
	"errors"
	"net/http"

	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// linkIdentity gives the user who started the trip on the account page the identity
// that came back: the same user, in the same session of the same browser, or
// nothing happens.
func (h *Handler) linkIdentity(w http.ResponseWriter, r *http.Request, t trip) error {
	current, err := h.Sessions.Current(r)
	if errors.Is(err, session.ErrNone) || err == nil && (current.ID != t.attempt.Link.SessionID || current.UserID != t.attempt.Link.UserID) {
		return web.Stale(h.Site.Base+identitiesPage, err)
	}
	if err != nil {
		return err
	}
	identity, err := h.withToken(t.identity, current.UserID)
	if err != nil {
		return err
	}
	err = h.DB.LinkIdentity(r.Context(), storage.IdentityLink{
		Identity: identity, ProofID: t.attempt.Upstream.ID,
		Until: storage.At(h.Now().Add(attemptRemembered)), SessionID: current.ID,
		Proof: voucherOf(t.identity), FreshFor: ownProofFor, From: web.TraceOf(r.Context()).Origin(),
	}, h.Now())
	switch {
	case errors.Is(err, storage.ErrConflict):
		return &web.Problem{
			Status: http.StatusConflict, Code: "identity_in_use", Title: "This " + t.connector.Name() + " account belongs to someone else here",
			Text: "It is connected to another account of this service. Disconnect it there first.", StartURL: h.Site.Base + identitiesPage,
		}
	case errors.Is(err, storage.ErrReplayed):
		return lostAttempt(err)
	case err != nil:
		return h.sessionEnded(t.step, err)
	}
	return web.SeeOther(w, h.next(t.step))
}
