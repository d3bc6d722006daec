package interaction

import (
	"errors"
	"net/http"
	"net/url"

	"signet/provider/link"
	"signet/provider/web"
	"signet/storage"
)

// acceptInvitation creates the account of an invitation, links the identity from the upstream to
// it and signs in. The person has just signed in at the upstream in this browser, so this signs in
// no other person. The setting signup does not count: an operator has invited the person.
func (h *Handler) acceptInvitation(w http.ResponseWriter, r *http.Request, t trip) error {
	invitation, err := h.DB.OpenMailLink(r.Context(), *t.attempt.Invited, h.Now())
	if err != nil {
		return h.Links.Problem(err)
	}
	invited, err := invitation.Invitation()
	if err != nil {
		return err
	}
	identity, err := h.identityWithToken(t.identity, "")
	if err != nil {
		return err
	}
	err = h.Sessions.StartThrough(w, r, h.upstreamSignIn(t), storage.ConnectorSignIn{
		Identity: identity, AttemptID: t.attempt.Upstream.ID, Until: storage.At(h.Now().Add(usedAttemptLife)),
		Invitation: t.attempt.Invited, Proof: voucherOf(t.identity), Profile: h.profileFrom(r.Context(), t), Groups: groupsFrom(r.Context(), t.identity),
	})
	switch {
	case errors.Is(err, storage.ErrReplayed):
		return unknownAttempt(err)
	case errors.Is(err, storage.ErrConflict):
		return identityInUse(t.connector, h.invitationPage(*t.attempt.Invited), backText)
	case err != nil:
		return h.Links.Problem(err)
	}
	h.rememberConnector(w, t.connector)
	next := url.Values{"done": {"signed-in"}}
	if invited.ClientID != "" {
		next.Set("client_id", invited.ClientID)
	}
	return web.SeeOther(w, h.Site.Base+link.Path(storage.LinkInvitation)+"?"+next.Encode())
}

// invitationPage returns the address of the page of an invitation, for people who came from it;
// "" if no key can seal the link now. The row says when it expires.
func (h *Handler) invitationPage(r storage.LinkRef) string {
	address, err := h.Links.URL(r, h.Now().Add(r.Kind.Life()))
	if err != nil {
		return ""
	}
	return address
}
