package interaction

import (
	"errors"
	"net/http"
	"net/url"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates/words"
)

// linkIdentity links the identity from the upstream to the user that started the trip on the
// account page. It refuses unless the same user is still signed in, in the same session.
func (h *Handler) linkIdentity(w http.ResponseWriter, r *http.Request, t trip) error {
	link, err := h.linkOf(r, t)
	if err != nil {
		return err
	}
	current, err := h.Visits.SignedIn(r)
	switch {
	case err != nil:
		return err
	case current == nil:
		return web.StaleForm(h.Site.Base+identitiesPage, session.ErrNone)
	case current.ID != link.SessionID || current.UserID != link.Identity.UserID:
		return web.StaleForm(h.Site.Base+identitiesPage, nil)
	}
	err = h.DB.LinkIdentity(r.Context(), link, h.Now())
	switch {
	case errors.Is(err, storage.ErrConflict):
		return identityInUse(t.connector, h.Site.Base+identitiesPage, backText)
	case errors.Is(err, storage.ErrNotFresh):
		again := identitiesPage + "/link?" + url.Values{"connector": {t.connector.ID()}}.Encode()
		return h.Visits.NotFresh(w, r, *current, visit.Act{Name: "link", Page: again, Back: identitiesPage})
	case errors.Is(err, storage.ErrReplayed):
		return unknownAttempt(err)
	case err != nil:
		return h.sessionEnded(t.step, err)
	}
	return web.SeeOther(w, h.next(t.step))
}

// identityInUse returns the page for an identity that is linked to another user.
func identityInUse(c Connector, wayOn string, text words.Sentence) *web.Problem {
	return &web.Problem{
		Status: http.StatusConflict, Code: "identity_in_use", Title: words.Say("sign-in-problem.identity-in-use-title", "Connector", c.Name()),
		Text: words.Say("sign-in-problem.identity-in-use"), StartURL: wayOn, StartText: text,
	}
}

// linkOf returns the input of storage for linking the identity.
func (h *Handler) linkOf(r *http.Request, t trip) (storage.IdentityLink, error) {
	identity, err := h.identityWithToken(t.identity, t.attempt.Link.UserID)
	return storage.IdentityLink{
		Identity: identity, ProofID: t.attempt.Upstream.ID,
		Until: storage.At(h.Now().Add(usedAttemptLife)), SessionID: t.attempt.Link.SessionID,
		Groups: groupsFrom(r.Context(), t.identity),
		Proof:  voucherOf(t.identity), FreshFor: ownProofLife, From: web.TraceOf(r.Context()).Origin(),
	}, err
}
