package interaction

import (
	"errors"
	"net/http"

	"signet/federation"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

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
