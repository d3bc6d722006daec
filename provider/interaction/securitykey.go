package interaction

import (
	"errors"
	"net/http"

	"signet/provider/credential"
	"signet/provider/passkey"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// askKey returns the form for a security key or passkey as second factor; nil if the user has none
// that can be used here. It lists the keys of the user, which only a person who gave the first proof
// may learn.
func (h *Handler) askKey(w http.ResponseWriter, r *http.Request, s step, user storage.User, has storage.SecondFactors) (*templates.KeyAsk, error) {
	if !h.Passkeys.Offered() || len(has.Signing()) == 0 {
		return nil, nil
	}
	challenge, err := h.Passkeys.Begin(keyCeremony(s, h.Sessions.Browser(w, r), user))
	if err != nil {
		return nil, err
	}
	ask := &templates.KeyAsk{
		Page: factorPath, RPID: h.Passkeys.RPID(), Challenge: challenge.Text, Sealed: challenge.Sealed, Passkeys: len(has.Passkeys) > 0,
		Allowed: passkey.DescriptorsOf(has.Signing()), Verification: passkey.SecondVerification(len(has.Passkeys) > 0),
	}
	return ask, nil
}

// keyCeremony binds a challenge to the browser, the request and the user of the first proof.
func keyCeremony(s step, browser string, user storage.User) passkey.Ceremony {
	return passkey.Ceremony{Purpose: passkey.SecondFactor, Browser: browser, Request: s.ID, UserID: user.ID}
}

// checkKey checks the answer of a security key or passkey as second factor, and starts the session.
func (h *Handler) checkKey(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r, "request", "challenge", "credential", "trust")
	if err != nil {
		return err
	}
	half, user, err := h.half(r, s)
	if errors.Is(err, visit.ErrNoHalf) {
		return h.signInAgain(w, r, s, err)
	}
	if err != nil {
		return err
	}
	browser, _ := h.Sessions.SentBrowser(r)
	opened, err := h.Passkeys.Open(form.Get("challenge"), keyCeremony(s, browser, user))
	switch {
	case web.CauseOf(err) == passkey.Expired:
		refusal := &templates.FormError{Code: passkey.Expired, Text: words.Say("second-factor.key-expired")}
		credential.NoteRefusal(web.TraceOf(r.Context()), refusal.Code, err)
		return h.showFactorAgain(w, r, s, user, http.StatusConflict, templates.SecondFactor{Error: refusal})
	case errors.Is(err, passkey.ErrStale):
		return h.stale(r, h.factorPageOf(s), err)
	case err != nil:
		return err
	}
	has, err := h.DB.SecondFactorsOf(r.Context(), user.ID)
	if err != nil {
		return err
	}
	checked, err := h.Passkeys.CheckSecondFactor(opened, user, has.Signing(), []byte(form.Get("credential")))
	if errors.Is(err, passkey.ErrRefused) {
		return h.refuseKey(w, r, s, user, err)
	}
	if err != nil {
		return err
	}
	err = h.Visits.FinishHalf(w, r, half, user, visit.Second{
		Key: &checked.Use, Trust: form.Get("trust") != "", RequestID: s.ID, ClientID: s.Client.ID, KeepStronger: h.keepStronger(s),
	})
	switch {
	case errors.Is(err, visit.ErrNoHalf):
		return h.signInAgain(w, r, s, err)
	case errors.Is(err, storage.ErrReplayed):
		return h.stale(r, h.next(s), err)
	case err != nil:
		return err
	}
	if checked.IsSuspect() {
		h.Log.Warn("the signature counter of a security key did not grow: a copy of its key may exist", "sub", user.ID, "passkey", checked.Passkey.ID)
	}
	next, err := h.pageAfterSignIn(w, r, s, user.ID)
	if err != nil {
		return err
	}
	return h.Site.ContinueTo(w, next)
}

// refuseKey shows the page again. It counts the refusal against the network, as for a passkey.
func (h *Handler) refuseKey(w http.ResponseWriter, r *http.Request, s step, user storage.User, cause error) error {
	status, refusal, cause, err := h.countRefusedPasskey(w, r, user, words.Say("second-factor.key-refused"), cause)
	if err != nil {
		return err
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), refusal.Code, cause)
	return h.showFactorAgain(w, r, s, user, status, templates.SecondFactor{Error: refusal})
}
