package account

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"signet/provider/factor"
	"signet/provider/passkey"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

const (
	addKeyPath    = "/account/security/keys/add"
	removeKeyPath = "/account/security/keys/remove"
)

// removeKeyPage is the page that asks whether to remove a security key.
func removeKeyPage(id string) string {
	return removeKeyPath + "?" + url.Values{"key": {id}}.Encode()
}

// keyRows returns the security keys of the person for the list, those of another RP ID too.
func (h *Handler) keyRows(current session.Current, has storage.SecondFactors) ([]templates.PasskeyRow, error) {
	var rows []templates.PasskeyRow
	for _, k := range slices.Concat(has.Keys, has.LostKeys) {
		row := h.passkeyRow(current, k)
		var err error
		if row.Ticket, err = h.ticket(current, "keys.rename", k.ID); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// addKeyCeremony binds a challenge to the session and its user.
func addKeyCeremony(current session.Current) passkey.Ceremony {
	return passkey.Ceremony{Purpose: passkey.AddKey, Browser: current.ID, UserID: current.UserID}
}

// askAddKey shows the page on which the browser makes a security key.
func (h *Handler) askAddKey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	way, err := h.enrolmentIn(r, "key", r.URL.Query())
	if err != nil {
		return err
	}
	if h.Passkeys.Offered() {
		if answered, err := h.checkOwner(w, r, current, way); answered {
			return err
		}
	}
	return h.showAddKey(w, r, current, way, http.StatusOK, nil)
}

func (h *Handler) showAddKey(w http.ResponseWriter, r *http.Request, current session.Current, way visit.Enrolment, status int, refusal *templates.FormError) error {
	has, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	page := templates.AccountAddPasskey{
		Account: h.frame(r, current, "security"), SecurityKey: true, Error: web.WithReference(r, refusal), Request: way.Request, Cancel: h.cancelEnrolment(way, securityPath),
	}
	switch {
	case !h.Passkeys.Offered():
		page.Unable = words.Say("account-security.keys-not-offered")
	case len(has.Keys) >= storage.MostPasskeys:
		page.Unable = words.Say("account-security.keys-full")
	}
	if !page.Unable.IsZero() {
		return h.Site.ShowStatus(w, status, page)
	}
	if !h.Visits.IsFreshToAdd(current) {
		return h.Visits.StepUp(w, r, securityAct(way.Path()))
	}
	challenge, err := h.Passkeys.Begin(addKeyCeremony(current))
	if err != nil {
		return err
	}
	page.RPID, page.Challenge, page.Sealed = h.Passkeys.RPID(), challenge.Text, challenge.Sealed
	page.UserHandle, page.AccountName, page.Exclude, page.Algorithms = passkey.UserHandle(current.UserID), passkey.AccountName(current.User), handlesOf(has.Keys), passkey.AlgorithmList()
	if page.Ticket, err = h.ticket(current, "keys.add", ""); err != nil {
		return err
	}
	return h.Site.ShowStatus(w, status, page)
}

// addKey stores the security key that the browser has made. With the first second factor it shows the
// recovery codes, which are part of this answer only.
func (h *Handler) addKey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "challenge", "credential", "request")
	if err != nil {
		return err
	}
	way, err := h.enrolmentIn(r, "key", values)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "keys.add", ""), way.Path()); err != nil {
		return err
	}
	opened, err := h.Passkeys.Open(values.Get("challenge"), addKeyCeremony(current))
	switch {
	case web.CauseOf(err) == passkey.Expired:
		return h.refuseKey(w, r, current, way, passkey.Expired, words.Say("second-factor.key-expired"), err)
	case errors.Is(err, passkey.ErrStale):
		return web.StaleForm(h.Site.Base+way.Path(), err)
	case err != nil:
		return err
	}
	key, err := h.Passkeys.CheckNewKey(opened, current.UserID, []byte(values.Get("credential")))
	if errors.Is(err, passkey.ErrRefused) {
		return h.refuseKey(w, r, current, way, "key_refused", words.Say("account-add-key.refused"), err)
	}
	if err != nil {
		return err
	}
	codes, hashes, err := factor.NewCodes(h.Ring, current.UserID)
	if err != nil {
		return err
	}
	newCodes := false
	err = h.Visits.ChangeFactors(w, r, current, func(c storage.FactorChange) (s storage.Session, err error) {
		s, newCodes, err = h.DB.AddSecurityKey(r.Context(), storage.SecurityKeyAddition{FactorChange: c, Key: key, Codes: hashes, ChallengeID: opened.Text, Until: opened.Until}, h.Now())
		return s, err
	})
	switch {
	case err == nil && newCodes:
		return h.Site.Show(w, templates.AccountCodes{Account: h.frame(r, current, "security"), Codes: codes, Added: words.Say("account-codes.added-key"), Request: way.Request})
	case err == nil && way.Request != "":
		return h.Site.ContinueTo(w, h.Visits.Next(way.Request))
	case err == nil:
		return h.showDone(w, securityPath, "key")
	case errors.Is(err, storage.ErrAddressProofDue):
		return h.addressProofDue(way, err)
	case errors.Is(err, storage.ErrConflict):
		return h.refuseKey(w, r, current, way, "key_exists", words.Say("account-add-key.elsewhere"), err)
	case errors.Is(err, storage.ErrOtherRPID):
		return h.refuseKey(w, r, current, way, "passkey_of_other_host", words.Say("account-passkeys.moved"), err)
	case errors.Is(err, storage.ErrTooManyPasskeys):
		return h.refuseKey(w, r, current, way, "too_many_keys", words.Say("account-security.keys-full"), err)
	case errors.Is(err, storage.ErrReplayed):
		return web.StaleForm(h.Site.Base+way.Path(), err)
	}
	return h.factorProblem(w, r, current, way.Path(), err)
}

// refuseKey shows the page again, with a new challenge.
func (h *Handler) refuseKey(w http.ResponseWriter, r *http.Request, current session.Current, way visit.Enrolment, code string, text words.Sentence, cause error) error {
	trace := web.TraceOf(r.Context())
	trace.Note("code", code)
	trace.Refuse(cause)
	return h.showAddKey(w, r, current, way, http.StatusUnprocessableEntity, &templates.FormError{Code: code, Text: text})
}

// renameKey changes the name of a security key.
func (h *Handler) renameKey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	return h.rename(w, r, current, renaming{field: "key", purpose: "keys.rename", page: securityPath, done: "key-name", missing: h.noKey})
}

func (h *Handler) noKey() *web.Problem {
	return notFound(words.Say("account-error.no-key.title"), words.Say("account-error.no-key.text"), h.Site.Base+securityPath)
}

// askRemoveKey asks whether to remove a security key, and says what follows.
func (h *Handler) askRemoveKey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	has, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	id, list := r.URL.Query().Get("key"), slices.Concat(has.Keys, has.LostKeys)
	at := slices.IndexFunc(list, func(k storage.Passkey) bool { return k.ID == id })
	if at < 0 {
		return h.noKey()
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, securityAct(removeKeyPage(id)))
	}
	has.Keys = slices.DeleteFunc(has.Keys, func(k storage.Passkey) bool { return k.ID == id })
	page := templates.AccountRemoveKey{Account: h.frame(r, current, "security"), Key: h.passkeyRow(current, list[at]), Last: !has.Any(), LosesCodes: !has.UseCodes()}
	if page.Ticket, err = h.ticket(current, "keys.remove", id); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// removeKey removes a security key.
func (h *Handler) removeKey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "key")
	if err != nil {
		return err
	}
	id := values.Get("key")
	if err := h.Visits.CheckForm(values, ticketOf(current, "keys.remove", id), securityPath); err != nil {
		return err
	}
	err = h.Visits.ChangeFactors(w, r, current, func(c storage.FactorChange) (storage.Session, error) {
		return h.DB.RemoveSecondFactor(r.Context(), c, id, h.Now())
	})
	if errors.Is(err, storage.ErrNotFound) { // another request has removed it meanwhile
		return h.noKey()
	}
	if err != nil {
		return h.factorProblem(w, r, current, removeKeyPage(id), err)
	}
	return h.showDone(w, securityPath, "no-key")
}
