package interaction

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/federation"
	"signet/provider/keys"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates/words"
)

const (
	waitingCookie  = "_pending"
	waitingPurpose = "waiting identity"
	waitingLife    = 10 * time.Minute
	maxLabel       = 64 // bytes
)

// waitingIdentity is an identity that waits until the person has proven the account with
// its email address. It is for one identity, account, address and request, and is sealed
// into a cookie of the browser. A browser has only one: a later one replaces it.
type waitingIdentity struct {
	note waitingNote

	connector Connector
	issuer    string       // issuer of the identity, one of the connector's issuers
	account   storage.User // user with the address
}

// identity returns the identity to link. The next sign-in reads name and address from the
// upstream again.
func (p waitingIdentity) identity() storage.Identity {
	return storage.Identity{Connector: p.connector.ID(), Issuer: p.issuer, Subject: p.note.Subject, Email: p.account.Email, Name: p.note.Label}
}

// labelOf returns the name that the person knows the upstream account by; "" if there is
// none, or if it is too long.
func labelOf(i federation.Identity) string {
	label := i.Username
	if label == "" {
		label = i.Name
	}
	if len(label) > maxLabel {
		label = ""
	}
	return label
}

// storeWaiting seals the identity into a cookie and redirects to the page that asks for a
// proof of the account.
func (h *Handler) storeWaiting(w http.ResponseWriter, t trip, account storage.User) error {
	note := waitingNote{
		AttemptID: t.attempt.Upstream.ID, At: storage.At(h.Now()), UserID: account.ID, Vouched: voucherOf(t.identity),
		Subject: t.identity.Subject, Label: labelOf(t.identity),
		request: noteHash(t.ID), upstream: noteHash(t.connector.ID(), t.identity.Issuer), address: noteHash(account.EmailCanonical),
	}
	payload := note.encode()
	if keys.SealedSize(len(payload)) > session.MaxPendingSize {
		note.Label = "" // no room; the next sign-in through the upstream reads it again
		payload = note.encode()
	}
	sealed, err := h.Ring.Seal(waitingPurpose, payload, h.Now().Add(waitingLife))
	if err != nil {
		return fmt.Errorf("seal waiting identity: %w", err)
	}
	h.Sessions.Cookies.Set(w, waitingCookie, sealed, waitingLife)
	return web.SeeOther(w, h.linkPageOf(t.step))
}

// dropWaiting removes the waiting identity from the browser.
func (h *Handler) dropWaiting(w http.ResponseWriter) { h.Sessions.Cookies.Clear(w, waitingCookie) }

// errNoWaitingIdentity: the browser has no waiting identity for this request, or the identity
// cannot be connected any more: it is too old, its connector was removed, or the account has
// another address now.
var errNoWaitingIdentity = web.Because("no_identity_waits", errors.New("no identity waits for this request"))

// readWaiting returns the waiting identity of this browser and this request, with the account
// that has its address. errNoWaitingIdentity: there is none.
func (h *Handler) readWaiting(r *http.Request, s step) (waitingIdentity, error) {
	var p waitingIdentity
	sealed, ok := h.Sessions.Cookies.Read(r, waitingCookie)
	if !ok {
		return p, errNoWaitingIdentity
	}
	payload, err := h.Ring.Unseal(waitingPurpose, sealed, h.Now())
	if errors.Is(err, keys.ErrExpired) || errors.Is(err, keys.ErrInvalid) {
		return p, errNoWaitingIdentity
	}
	if err != nil {
		return p, fmt.Errorf("open waiting identity: %w", err)
	}
	if p.note, ok = decodeNote(payload); !ok || p.note.request != noteHash(s.ID) {
		return p, errNoWaitingIdentity
	}
	if p.connector, p.issuer, ok = h.upstreamOf(p.note); !ok {
		return p, errNoWaitingIdentity
	}
	p.account, err = h.DB.User(r.Context(), p.note.UserID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && p.note.address != noteHash(p.account.EmailCanonical) {
		return p, errNoWaitingIdentity
	}
	return p, err
}

// upstreamOf finds the connector and the issuer of a waiting identity among the present
// connectors.
func (h *Handler) upstreamOf(note waitingNote) (c Connector, issuer string, ok bool) {
	for _, c := range h.Connectors {
		for _, issuer := range c.Issuers() {
			if note.upstream == noteHash(c.ID(), issuer) {
				return c, issuer, true
			}
		}
	}
	return Connector{}, "", false
}

// requireWaiting is readWaiting for a page that needs a waiting identity: without one, the
// error is a page.
func (h *Handler) requireWaiting(r *http.Request, s step) (waitingIdentity, error) {
	p, err := h.readWaiting(r, s)
	if errors.Is(err, errNoWaitingIdentity) {
		err = h.stale(r, h.next(s), err)
	}
	return p, err
}

// pageAfterSignIn returns the address to go to after this user has signed in: the page that
// connects a waiting identity if it is for this account, and otherwise the dispatcher. A
// sign-in to another account drops the waiting identity.
func (h *Handler) pageAfterSignIn(w http.ResponseWriter, r *http.Request, s step, userID string) (string, error) {
	p, err := h.readWaiting(r, s)
	switch {
	case errors.Is(err, errNoWaitingIdentity):
		return h.Visits.NextAfterSignIn(s.Sealed), nil
	case err != nil:
		return "", err
	case p.account.ID == userID:
		return h.linkPageOf(s), nil
	}
	h.dropWaiting(w)
	return h.Visits.NextAfterSignIn(s.Sealed), nil
}

// checkProof checks the result of a trip that was started to prove the account of the waiting
// identity. It refuses a result that would sign in to another account or make one.
func (h *Handler) checkProof(r *http.Request, t trip, decided outcome, owner storage.Owner) error {
	p, err := h.readWaiting(r, t.step)
	opens := decided == signIn || decided == linkUser
	switch {
	case err != nil && !errors.Is(err, errNoWaitingIdentity):
		return err
	case opens && (err != nil || owner.User.ID == p.account.ID):
		return nil // without a waiting identity, a sign-in to a linked account is still fine
	case err != nil:
		return web.StaleForm(h.next(t.step), err)
	case decided == switchedOff && owner.User.ID == p.account.ID:
		return nil
	}
	return &web.Problem{
		Status: http.StatusForbidden, Code: "other_account", Title: words.Say("sign-in-problem.other-account-title"),
		Text:     words.Say("sign-in-problem.other-account", "Connector", t.connector.Name(), "Email", p.account.Email),
		StartURL: h.linkPageOf(t.step), StartText: backText,
	}
}
