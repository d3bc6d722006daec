package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"signet/provider/credential"
	"signet/provider/factor"
	"signet/provider/keys"
	"signet/provider/passkey"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// factorPurpose is the purpose of the sealed second factor. factorField is its form field and query
// parameter. factorWayField has the value byKey in the form for a security key or passkey.
const (
	factorPurpose  = "second factor of a link"
	factorField    = "factor"
	factorWayField = "way"
	byKey          = "key"
)

// linkedFactor is a second factor that was right. It belongs to one link, and is used up together with
// it: if the browser makes no passkey, no recovery code is lost.
type linkedFactor struct {
	LinkID       string `json:"l"`
	CredentialID string `json:"c,omitempty"` // see storage.FactorUse
	Step         int64  `json:"s,omitempty"`
	CodeHash     []byte `json:"h,omitempty"`

	Key *storage.PasskeyUse `json:"k,omitempty"`
}

// openFactor opens the second factor of a link. A factor of another link, or one that has expired, counts
// as none.
func (h *Handler) openFactor(o *opened, sealed string) error {
	if sealed == "" || !o.needsFactor() {
		return nil
	}
	payload, err := h.Ring.Unseal(factorPurpose, sealed, h.Now())
	if errors.Is(err, keys.ErrExpired) || errors.Is(err, keys.ErrInvalid) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open second factor: %w", err)
	}
	var given linkedFactor
	if json.Unmarshal(payload, &given) == nil && given.LinkID == o.ID {
		o.factor = &storage.FactorUse{CredentialID: given.CredentialID, Step: given.Step, CodeHash: given.CodeHash, Key: given.Key}
		o.sealedFactor = sealed
	}
	return nil
}

// keepFactor seals a second factor that was right, and leads to the page for the passkey.
func (h *Handler) keepFactor(w http.ResponseWriter, o opened, given linkedFactor) error {
	given.LinkID = o.ID
	payload, err := json.Marshal(given)
	if err != nil {
		return fmt.Errorf("encode second factor: %w", err)
	}
	if o.sealedFactor, err = h.Ring.Seal(factorPurpose, payload, o.ExpiresAt.Time()); err != nil {
		return fmt.Errorf("seal second factor: %w", err)
	}
	return web.SeeOther(w, h.pageOf(o))
}

// checkCode checks a code and leads to the page for the passkey. It does not use the code up.
func (h *Handler) checkCode(w http.ResponseWriter, r *http.Request, o opened, code string) error {
	if !o.needsFactor() {
		return web.SeeOther(w, h.pageOf(o))
	}
	from := web.TraceOf(r.Context()).Origin()
	checked, err := h.Factors.Check(r.Context(), factor.Attempt{User: o.user, Code: code, Address: from.Address, Device: h.Sessions.Device(r)}, from)
	if err != nil {
		return h.refuseCode(w, r, o, err)
	}
	if err := h.DB.GiveBack(r.Context(), checked.Reserved, h.Now()); err != nil {
		return err
	}
	return h.keepFactor(w, o, linkedFactor{CredentialID: checked.Use.CredentialID, Step: checked.Use.Step, CodeHash: checked.Use.CodeHash})
}

// refuseCode shows the form for the code again.
func (h *Handler) refuseCode(w http.ResponseWriter, r *http.Request, o opened, cause error) error {
	status, refusal := web.FormRefusal(w.Header(), cause)
	if refusal == nil {
		return cause
	}
	trace := web.TraceOf(r.Context())
	credential.NoteRefusal(trace, refusal.Code, cause)
	trace.MarkRecorded()
	return h.passkeyPage(w, r, status, o, refusal)
}

// askKey returns the form for a security key or passkey of the account; nil if it has none that can be
// used.
func (h *Handler) askKey(o opened) (*templates.KeyAsk, error) {
	list := o.has.Signing()
	if len(list) == 0 {
		return nil, nil
	}
	challenge, err := h.Passkeys.Begin(keyCeremonyOf(o))
	if err != nil {
		return nil, err
	}
	ask := templates.KeyAsk{Page: passkeyPath, RPID: h.Passkeys.RPID(), Challenge: challenge.Text, Sealed: challenge.Sealed, Passkeys: len(o.has.Passkeys) > 0}
	ask.Allowed, ask.Verification = passkey.DescriptorsOf(list), passkey.SecondVerification(ask.Passkeys)
	return &ask, nil
}

// keyCeremonyOf binds the challenge of a second factor to the link and its user.
func keyCeremonyOf(o opened) passkey.Ceremony {
	return passkey.Ceremony{Purpose: passkey.SecondFactor, Browser: o.ID, UserID: o.UserID}
}

// checkKey checks the answer of a security key or passkey and leads to the page for the new passkey. It
// does not use the challenge up. The sealed answer lives as long as the link, so its challenge is
// remembered as long.
func (h *Handler) checkKey(w http.ResponseWriter, r *http.Request, o opened, sealed, answer string) error {
	if !o.needsFactor() {
		return web.SeeOther(w, h.pageOf(o))
	}
	challenge, err := h.Passkeys.Open(sealed, keyCeremonyOf(o))
	switch {
	case web.CauseOf(err) == passkey.Expired:
		return h.refusePasskey(w, r, o, passkey.Expired, words.Say("second-factor.key-expired"), err)
	case errors.Is(err, passkey.ErrStale):
		return web.StaleForm(h.pageOf(o), err)
	case err != nil:
		return err
	}
	checked, err := h.Passkeys.CheckSecondFactor(challenge, o.user, o.has.Signing(), []byte(answer))
	if errors.Is(err, passkey.ErrRefused) {
		return h.refusePasskey(w, r, o, "passkey_refused", words.Say("second-factor.key-refused"), err)
	}
	if err != nil {
		return err
	}
	use := checked.Use
	use.Until = max(use.Until, o.ExpiresAt)
	return h.keepFactor(w, o, linkedFactor{Key: &use})
}
