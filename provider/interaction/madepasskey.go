package interaction

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"signet/provider/passkey"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

const (
	// madePasskeyLife is the time after a sign-in in which its browser can make a passkey by itself.
	madePasskeyLife = 5 * time.Minute

	// createCookie is the suffix of the cookie of a browser that was asked for a passkey within createEvery.
	createCookie = "_create"
	createEvery  = 24 * time.Hour

	passkeysPage = "/account/passkeys"
)

// takesMadePasskeys reports whether browsers may make a passkey by themselves.
func (h *Handler) takesMadePasskeys() bool { return h.MakesPasskeys && h.Passkeys.Offered() }

// finishPassword is finish for a sign-in with a password. A browser that creates passkeys by itself is
// asked for one, at most once a day, if the user has none.
func (h *Handler) finishPassword(w http.ResponseWriter, r *http.Request, current session.Current, creates bool, next string) error {
	page := h.continuePage(current.User, "", next)
	if _, asked := h.Sessions.Cookies.Read(r, createCookie); creates && !asked && h.takesMadePasskeys() {
		var err error
		if page.Create, err = h.askToCreate(r, current); err != nil {
			return err
		}
		h.Sessions.Cookies.Set(w, createCookie, "1", createEvery)
	}
	return h.Site.ContinueWith(w, page)
}

// askToCreate returns the form for a passkey that the browser makes by itself; nil if the user has a
// passkey.
func (h *Handler) askToCreate(r *http.Request, current session.Current) (*templates.PasskeyCreate, error) {
	list, err := h.DB.PasskeysOf(r.Context(), current.UserID)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(list, func(p storage.Passkey) bool { return p.BelongsTo(h.Passkeys.RPID()) }) {
		return nil, nil
	}
	challenge, err := h.Passkeys.Begin(madeCeremony(current))
	if err != nil {
		return nil, err
	}
	return &templates.PasskeyCreate{Challenge: challenge.Text, Sealed: challenge.Sealed, Algorithms: passkey.AlgorithmList()}, nil
}

// madeCeremony binds a challenge to the session and its user.
func madeCeremony(current session.Current) passkey.Ceremony {
	return passkey.Ceremony{Purpose: passkey.AddByItself, Browser: current.ID, UserID: current.UserID}
}

var errMakesNone = web.Because("passkeys_not_made", errors.New("browsers make no passkeys by themselves here"))

// madePasskeyRefusals are the reasons to refuse such a passkey. The person never sees the answer: the
// script of the page only tells the browser to forget the passkey.
var madePasskeyRefusals = []error{
	errMakesNone, session.ErrNone, passkey.ErrStale, passkey.ErrRefused,
	storage.ErrNotFresh, storage.ErrRevoked, storage.ErrReplayed, storage.ErrConflict, storage.ErrOtherRPID, storage.ErrTooManyPasskeys,
}

// addMadePasskey stores the passkey that a browser made by itself after a sign-in. The script of the page
// sends the form. The challenge protects it like a ticket: it is for this session and its user.
func (h *Handler) addMadePasskey(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, "challenge", "credential")
	if err != nil {
		return err
	}
	err = h.storeMadePasskey(r, form.Get("challenge"), []byte(form.Get("credential")))
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case slices.ContainsFunc(madePasskeyRefusals, func(refusal error) bool { return errors.Is(err, refusal) }):
		return web.StaleForm(h.Site.Base+passkeysPage, err)
	}
	return err
}

func (h *Handler) storeMadePasskey(r *http.Request, challenge string, answer []byte) error {
	if !h.takesMadePasskeys() {
		return errMakesNone
	}
	current, err := h.Sessions.Current(r)
	if err != nil {
		return err
	}
	opened, err := h.Passkeys.Open(challenge, madeCeremony(current))
	if err != nil {
		return err
	}
	made, err := h.Passkeys.CheckMade(opened, current.UserID, answer)
	if err != nil {
		return err
	}
	return h.DB.AddAutomaticPasskey(r.Context(), storage.PasskeyAddition{
		FactorChange: storage.FactorChange{UserID: current.UserID, SessionID: current.ID, FreshFor: madePasskeyLife, From: web.TraceOf(r.Context()).Origin()},
		Passkey:      made, ChallengeID: opened.Text, Until: opened.Until,
	}, h.Now())
}
