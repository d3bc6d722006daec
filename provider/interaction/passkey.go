package interaction

import (
	"errors"
	"net/http"

	"signet/provider/credential"
	"signet/provider/flow"
	"signet/provider/passkey"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// askPasskey returns the form for a passkey on a page of the step; nil if there can be no passkeys.
// The page does not say which passkeys there are, so it tells a stranger nothing.
func (h *Handler) askPasskey(w http.ResponseWriter, r *http.Request, s step) (*templates.PasskeyAsk, error) {
	if !h.Passkeys.Offered() {
		return nil, nil
	}
	challenge, err := h.Passkeys.Begin(passkeyCeremony(s, h.Sessions.Browser(w, r)))
	if err != nil {
		return nil, err
	}
	return &templates.PasskeyAsk{Page: signInPath, RPID: h.Passkeys.RPID(), Challenge: challenge.Text, Sealed: challenge.Sealed, Other: s.wantsOther}, nil
}

// knownPasskey returns the form of a page, with the passkey that was refused because this server
// does not know it.
func knownPasskey(ask, refused *templates.PasskeyAsk) *templates.PasskeyAsk {
	if ask != nil && refused != nil {
		ask.Unknown = refused.Unknown
	}
	return ask
}

// passkeyCeremony binds a challenge to the browser and to the request of the step.
func passkeyCeremony(s step, browser string) passkey.Ceremony {
	return passkey.Ceremony{Purpose: passkey.SignIn, Browser: browser, Request: s.ID}
}

// signInWithPasskey serves the form of a passkey on the pages that ask for a sign-in or for a new
// proof: it checks the signature of the challenge and starts the session.
func (h *Handler) signInWithPasskey(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r, "request", "challenge", "credential", "stay", "other")
	if err != nil {
		return err
	}
	if err := h.checkCookies(r, h.signInPage(s)); err != nil {
		return err
	}
	s.wantsOther = form.Get("other") != ""
	browser, _ := h.Sessions.SentBrowser(r)
	opened, err := h.Passkeys.Open(form.Get("challenge"), passkeyCeremony(s, browser))
	switch {
	case web.CauseOf(err) == passkey.Expired:
		return h.askPasskeyAgain(w, r, s, err)
	case errors.Is(err, passkey.ErrStale):
		return h.stale(r, h.next(s), err)
	case err != nil:
		return err
	}
	checked, err := h.Passkeys.CheckSignIn(r.Context(), opened, []byte(form.Get("credential")), h.DB.PasskeyByHandle)
	if errors.Is(err, passkey.ErrRefused) {
		return h.refusePasskey(w, r, s, checked, err)
	}
	if err != nil {
		return err
	}
	_, err = h.Sessions.Start(w, r, session.SignIn{
		UserID: checked.User.ID, Request: s.ID, ClientID: s.Client.ID, Keep: form.Get("stay") != "",
		NotBefore: &checked.User.NotBefore, Passkey: &checked.Use,
		KeepStronger: h.keepStronger(s), AcceptsTrust: flow.AcceptsTrust(s.Request, s.Client),
	})
	if due, is := errors.AsType[*storage.FactorDueError](err); is {
		half := visit.HalfSignIn{UserID: due.UserID, NotBefore: due.NotBefore, Keep: form.Get("stay") != "", Through: checked.Passkey.ID}
		if err := h.Visits.StoreHalf(w, half, s.ID); err != nil {
			return err
		}
		return h.Site.ContinueTo(w, h.factorPageOf(s))
	}
	switch {
	case errors.Is(err, storage.ErrReplayed):
		return h.stale(r, h.next(s), err)
	case errors.Is(err, storage.ErrRevoked): // disabled or removed since it was read
		return h.refusePasskey(w, r, s, checked, err)
	case err != nil:
		return err
	}
	if checked.IsSuspect() {
		h.Log.Warn("the signature counter of a passkey did not grow: a copy of its key may exist", "sub", checked.User.ID, "passkey", checked.Passkey.ID)
	}
	next, err := h.pageAfterSignIn(w, r, s, checked.User.ID)
	if err != nil {
		return err
	}
	return h.finish(w, checked.User, checked.Passkey.Handles, next)
}

// finish leads from the last form of a sign-in to the next page. The page between them tells the browser
// about the passkeys of the user: their handles, with commas, if they are known, and the present name.
func (h *Handler) finish(w http.ResponseWriter, user storage.User, handles, next string) error {
	return h.Site.ContinueWith(w, h.continuePage(user, handles, next))
}

func (h *Handler) continuePage(user storage.User, handles, next string) templates.Continue {
	page := templates.Continue{URL: next}
	if h.Passkeys.Offered() {
		page.Passkeys = &templates.KnownPasskeys{
			RPID: h.Passkeys.RPID(), UserHandle: passkey.UserHandle(user.ID), AccountName: passkey.AccountName(user), AcceptedIDs: handles,
		}
	}
	return page
}

// askPasskeyAgain shows the page of the step with a new challenge. The script of the page takes a new
// one before it uses an old one, so people rarely see this.
func (h *Handler) askPasskeyAgain(w http.ResponseWriter, r *http.Request, s step, cause error) error {
	refusal := &templates.FormError{Code: passkey.Expired, Text: words.Say("passkey.expired")}
	credential.NoteRefusal(web.TraceOf(r.Context()), refusal.Code, cause)
	return h.showSignIn(w, r, s, http.StatusConflict, templates.SignIn{Error: refusal})
}

// refusePasskey shows the page of the step again.
func (h *Handler) refusePasskey(w http.ResponseWriter, r *http.Request, s step, checked passkey.Checked, cause error) error {
	status, refusal, cause, err := h.countRefusedPasskey(w, r, checked.User, words.Say("passkey.refused"), cause)
	if err != nil {
		return err
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), refusal.Code, cause)
	page := templates.SignIn{Error: refusal}
	if web.CauseOf(cause) == "passkey_unknown" {
		page.Passkey = &templates.PasskeyAsk{Unknown: checked.Passkey.Handle}
	}
	return h.showSignIn(w, r, s, status, page)
}

// countRefusedPasskey counts the refusal of a passkey or security key against the network, so that
// refusals of known users do not fill the database with events. It returns the answer: text, or that
// there were too many.
func (h *Handler) countRefusedPasskey(w http.ResponseWriter, r *http.Request, user storage.User, text words.Sentence, cause error) (int, *templates.FormError, error, error) {
	trace := web.TraceOf(r.Context())
	var event storage.Event
	if user.ID != "" {
		event = storage.Event{Type: storage.UserSignInFailed, Outcome: storage.Refused, Reason: web.CauseOf(cause), UserID: user.ID, From: trace.Origin()}
	}
	err := h.DB.CountFailure(r.Context(), h.WrongCodes.For("passkeynet", trace.Address), event, h.Now())
	if err == nil {
		trace.MarkRecorded()
		return http.StatusUnprocessableEntity, &templates.FormError{Code: "passkey_refused", Text: text}, cause, nil
	}
	var throttled *storage.ThrottledError
	if !errors.As(err, &throttled) {
		return 0, nil, nil, err
	}
	status, refusal := web.FormRefusal(w.Header(), err)
	refusal.Text = words.Say("passkey.too-many")
	return status, refusal, err, nil
}
