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
)

const (
	waitingCookie  = "_pending"
	waitingPurpose = "waiting identity"
	waitingLife    = 10 * time.Minute
	longestLabel   = 64 // bytes
)

// waiting is an identity that waits until its owner has proven the account that has its
// address. It names one identity, one account, one address and one request, and travels
// sealed in the browser that the identity came to. A browser holds one: a later one
// replaces it.
type waiting struct {
	note waitingNote

	connector Connector
	issuer    string       // of the identity, one of the connector's
	account   storage.User // that has the address
}

// identity is the identity as it is linked. Name and address are read again from the
// upstream at its next sign-in.
func (p waiting) identity() storage.Identity {
	return storage.Identity{Connector: p.connector.ID(), Issuer: p.issuer, Subject: p.note.Subject, Email: p.account.Email, Name: p.note.Label}
}

// labelOf is the name that people know an account of an upstream by; "" for none.
func labelOf(i federation.Identity) string {
	label := i.Username
	if label == "" {
		label = i.Name
	}
	if len(label) > longestLabel {
		label = ""
	}
	return label
}

// keepWaiting seals the identity into the browser and shows the page that asks for the
// proof of the account.
func (h *Handler) keepWaiting(w http.ResponseWriter, t trip, account storage.User) error {
	note := waitingNote{
		AttemptID: t.attempt.Upstream.ID, At: storage.At(h.Now()), UserID: account.ID, Vouched: voucherOf(t.identity),
		Subject: t.identity.Subject, Label: labelOf(t.identity),
		request: noteHash(t.ID), upstream: noteHash(t.connector.ID(), t.identity.Issuer), address: noteHash(account.EmailCanonical),
	}
	payload := note.encode()
	if keys.SealedSize(len(payload)) > session.MostPending {
		note.Label = "" // the next sign-in through the upstream brings it again
		payload = note.encode()
	}
	sealed, err := h.Ring.Seal(waitingPurpose, payload, h.Now().Add(waitingLife))
	if err != nil {
		return fmt.Errorf("seal waiting identity: %w", err)
	}
	h.Sessions.Cookies.Set(w, waitingCookie, sealed, waitingLife)
	return web.SeeOther(w, h.linkPageOf(t.step))
}

// drop forgets the identity that waits in the browser.
func (h *Handler) drop(w http.ResponseWriter) { h.Sessions.Cookies.Clear(w, waitingCookie) }

// errNoneWaits: the browser holds no identity that waits for this request, or it cannot be
// connected any more: it is too old, its connector was removed, or the account has another address now.
var errNoneWaits = web.Because("no_identity_waits", errors.New("no identity waits for this request"))

// waitingFor gives the identity that waits in the browser for this request, and the
// account that has its address. errNoneWaits.
func (h *Handler) waitingFor(r *http.Request, s step) (waiting, error) {
	var p waiting
	sealed, ok := h.Sessions.Cookies.Read(r, waitingCookie)
	if !ok {
		return p, errNoneWaits
	}
	payload, err := h.Ring.Unseal(waitingPurpose, sealed, h.Now())
	if errors.Is(err, keys.ErrExpired) || errors.Is(err, keys.ErrInvalid) {
		return p, errNoneWaits
	}
	if err != nil {
		return p, fmt.Errorf("open waiting identity: %w", err)
	}
	if p.note, ok = readNote(payload); !ok || p.note.request != noteHash(s.ID) {
		return p, errNoneWaits
	}
	if p.connector, p.issuer, ok = h.upstreamOf(p.note); !ok {
		return p, errNoneWaits
	}
	p.account, err = h.DB.User(r.Context(), p.note.UserID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && p.note.address != noteHash(p.account.EmailCanonical) {
		return p, errNoneWaits
	}
	return p, err
}

// upstreamOf finds the connector and the issuer that a waiting identity came from, among
// those that there are now.
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

// waitingOf is waitingFor for a page that needs one.
func (h *Handler) waitingOf(r *http.Request, s step) (waiting, error) {
	p, err := h.waitingFor(r, s)
	if errors.Is(err, errNoneWaits) {
		err = h.stale(r, h.next(s), err)
	}
	return p, err
}

// afterSignIn is where a step leads that has just signed this user in: to the page that
// connects a waiting identity, if the account is the one of its address, and else to the
// dispatcher. A person who signed in to another account has decided against connecting.
func (h *Handler) afterSignIn(w http.ResponseWriter, r *http.Request, s step, userID string) (string, error) {
	p, err := h.waitingFor(r, s)
	switch {
	case errors.Is(err, errNoneWaits):
		return h.Visits.NextAfterSignIn(s.Sealed), nil
	case err != nil:
		return "", err
	case p.account.ID == userID:
		return h.linkPageOf(s), nil
	}
	h.drop(w)
	return h.Visits.NextAfterSignIn(s.Sealed), nil
}

// checkProof refuses what came back from a trip that was to prove the account of the
// waiting identity, unless it opens that very account: no other one is entered or made.
func (h *Handler) checkProof(r *http.Request, t trip, decided outcome, owner storage.Owner) error {
	p, err := h.waitingFor(r, t.step)
	opens := decided == signIn || decided == linkUser
	switch {
	case err != nil && !errors.Is(err, errNoneWaits):
		return err
	case opens && (err != nil || owner.User.ID == p.account.ID):
		return nil // an identity that waits no more is no reason to refuse a sign-in
	case err != nil:
		return web.StaleForm(h.next(t.step), err)
	case decided == switchedOff && owner.User.ID == p.account.ID:
		return nil
	}
	name := t.connector.Name()
	return &web.Problem{
		Status: http.StatusForbidden, Code: "other_account", Title: "That is another account",
		Text: "The " + name + " account that you have just used does not open the account with the address " + p.account.Email +
			". Nothing was changed. Use the " + name + " account that is connected to it, or choose another way.",
		StartURL: h.linkPageOf(t.step), StartText: backText,
	}
}
