package account

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/provider/factor"
	"signet/provider/keys"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// showSecurity lists the ways in which the user proves their identity.
//
// The form below new recovery codes leads here with the request of a sign-in, if there is one. The page
// then goes on to it by a refresh: a form cannot be redirected to an application, because of form-action
// in our policy.
func (h *Handler) showSecurity(w http.ResponseWriter, r *http.Request, current session.Current) error {
	way, err := h.enrolmentIn(r, "", r.URL.Query())
	if err != nil {
		return err
	}
	if way.Request != "" {
		return h.Site.ContinueTo(w, h.Visits.Next(way.Request))
	}
	has, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	ways, err := h.DB.SignInMethodsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	page := templates.AccountSecurity{
		Account: h.frame(r, current, "security"), Password: ways.Password, Passkeys: ways.Passkeys, Offered: h.Passkeys.Offered(), Full: len(has.Keys) >= storage.MostPasskeys,
		Recovers: has.UseCodes(), Codes: len(has.Codes),
	}
	page.AlwaysAsk = h.alwaysAskChoice(has)
	if page.Keys, err = h.keyRows(current, has); err != nil {
		return err
	}
	if has.TOTP != nil {
		times := visit.MomentsFor(current.User, h.Now())
		page.App = &templates.AppState{Since: times.Write(has.TOTP.CreatedAt), LastUsed: times.Write(has.TOTP.UsedAt)}
	}
	return h.Site.Show(w, page)
}

// securityAct is the act of changing factors on the page with this path, for the step-up.
func securityAct(path string) visit.Act {
	return visit.Act{Name: "security", Page: path, Back: securityPath}
}

const (
	enrolmentPurpose = "authenticator app"
	enrolmentLife    = 30 * time.Minute
)

// enrolment is a new authenticator app before its first code. It is sealed into the form, so that
// only a confirmed app is stored.
type enrolment struct {
	Session string `json:"s"`
	ID      string `json:"i"` // of the credential
	Secret  []byte `json:"k"`
}

// showTOTP shows the secret of a new authenticator app and asks for a code.
func (h *Handler) showTOTP(w http.ResponseWriter, r *http.Request, current session.Current) error {
	way, err := h.enrolmentIn(r, "totp", r.URL.Query())
	if err != nil {
		return err
	}
	if answered, err := h.checkOwner(w, r, current, way); answered {
		return err
	}
	if !h.Visits.IsFreshToAdd(current) {
		return h.Visits.StepUp(w, r, securityAct(way.Path()))
	}
	has, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	if has.TOTP != nil {
		return web.SeeOther(w, h.Site.Base+securityPath+"?done=totp")
	}
	page, err := h.totpPage(r, current, enrolment{Session: current.ID, ID: storage.NewID("crd_"), Secret: factor.NewSecret()}, way)
	if err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// totpPage returns the form for the first code of a new authenticator app.
func (h *Handler) totpPage(r *http.Request, current session.Current, e enrolment, way visit.Enrolment) (templates.AccountTOTP, error) {
	page := templates.AccountTOTP{
		Account: h.frame(r, current, "security"), Secret: inGroups(factor.SecretText(e.Secret)),
		Request: way.Request, Cancel: h.cancelEnrolment(way, securityPath),
	}
	account := current.User.Email
	if account == "" {
		account = current.User.Name
	}
	page.URL = factor.SecretURL(e.Secret, h.Site.Issuer.Hostname(), account)
	picture, err := factor.NewPicture(page.URL)
	if err != nil {
		return page, err
	}
	page.Picture = templates.QRCode(picture)
	payload, err := json.Marshal(e)
	if err != nil {
		return page, fmt.Errorf("encode authenticator app: %w", err)
	}
	if page.Sealed, err = h.Ring.Seal(enrolmentPurpose, payload, h.Now().Add(enrolmentLife)); err != nil {
		return page, err
	}
	page.Ticket, err = h.ticket(current, "totp", "")
	return page, err
}

// inGroups divides a text into groups of four, which are easier to type.
func inGroups(text string) string {
	var groups []string
	for group := range slices.Chunk([]byte(text), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, " ")
}

// openEnrolment opens the sealed app of a form of this session.
func (h *Handler) openEnrolment(sealed string, current session.Current) (e enrolment, err error) {
	payload, err := h.Ring.Unseal(enrolmentPurpose, sealed, h.Now())
	if err != nil && !errors.Is(err, keys.ErrExpired) && !errors.Is(err, keys.ErrInvalid) {
		return e, err
	}
	if err != nil || json.Unmarshal(payload, &e) != nil || e.Session != current.ID {
		return e, web.StaleForm(h.Site.Base+totpPath, err)
	}
	return e, nil
}

// addTOTP adds the authenticator app if its code is right, and shows the recovery codes. They are
// part of this answer only.
func (h *Handler) addTOTP(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "secret", "code", "request")
	if err != nil {
		return err
	}
	way, err := h.enrolmentIn(r, "totp", values)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "totp", ""), way.Path()); err != nil {
		return err
	}
	e, err := h.openEnrolment(values.Get("secret"), current)
	if err != nil {
		return err
	}
	step := factor.ConfirmedStep(e.Secret, values.Get("code"), h.Now())
	if step == 0 {
		return h.refuseFirstCode(w, r, current, e, way)
	}
	added := storage.TOTPEnrolment{ID: e.ID, Step: step}
	if added.Secret, err = h.Ring.SealFactor(e.ID, e.Secret); err != nil {
		return err
	}
	codes, hashes, err := factor.NewCodes(h.Ring, current.UserID)
	if err != nil {
		return err
	}
	added.Codes = hashes
	newCodes := false
	err = h.Visits.ChangeFactors(w, r, current, func(c storage.FactorChange) (s storage.Session, err error) {
		added.FactorChange = c
		s, newCodes, err = h.DB.AddTOTP(r.Context(), added, h.Now())
		return s, err
	})
	if errors.Is(err, storage.ErrConflict) {
		return h.showDone(w, securityPath, "totp")
	}
	if errors.Is(err, storage.ErrAddressProofDue) {
		return h.addressProofDue(way, err)
	}
	if err != nil {
		return h.factorProblem(w, r, current, way.Path(), err)
	}
	if !newCodes && way.Request != "" { // the person has saved codes before
		return h.Site.ContinueTo(w, h.Visits.Next(way.Request))
	}
	if !newCodes {
		return h.showDone(w, securityPath, "app-added")
	}
	return h.Site.Show(w, templates.AccountCodes{Account: h.frame(r, current, "security"), Codes: codes, Added: words.Say("account-codes.added"), Request: way.Request})
}

// refuseFirstCode shows the form again, with the same secret: the person has it in the app.
func (h *Handler) refuseFirstCode(w http.ResponseWriter, r *http.Request, current session.Current, e enrolment, way visit.Enrolment) error {
	status, refusal := web.FormRefusal(w.Header(), factor.ErrWrong)
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	trace.Refuse(factor.ErrWrong)
	page, err := h.totpPage(r, current, e, way)
	if err != nil {
		return err
	}
	page.Error = web.WithReference(r, refusal)
	return h.Site.ShowStatus(w, status, page)
}

// factorProblem maps the error of a change of factors: the person signs in again and continues on
// the page with the path, or the form is out of date.
func (h *Handler) factorProblem(w http.ResponseWriter, r *http.Request, current session.Current, path string, err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFresh):
		return h.Visits.NotFresh(w, r, current, securityAct(path))
	case errors.Is(err, storage.ErrUnproven):
		return h.proveFirst(err)
	case errors.Is(err, storage.ErrRevoked), errors.Is(err, storage.ErrNotFound):
		return web.StaleForm(h.Site.Base+securityPath, err)
	}
	return err
}

// mustProveFirst reports whether storage refuses new factors of the user with ErrUnproven.
func (h *Handler) mustProveFirst(u storage.User) bool {
	return h.SendsMails && u.Email != "" && !u.EmailVerified
}

// proveFirst is the page for a new factor of a user whose address is not verified. It leads to the
// page that mails a link.
func (h *Handler) proveFirst(cause error) *web.Problem {
	return &web.Problem{
		Status: http.StatusForbidden, Code: "unverified_email", Title: words.Say("account-error.prove-first.title"),
		Text: words.Say("account-error.prove-first.text"), StartURL: h.Site.Base + emailPath, StartText: words.Say("account-error.prove-first.link"), Cause: cause,
	}
}

// askRemoveTOTP asks whether to remove the authenticator app.
func (h *Handler) askRemoveTOTP(w http.ResponseWriter, r *http.Request, current session.Current) error {
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, securityAct(removeTOTPPath))
	}
	has, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	if has.TOTP == nil { // another request has removed it meanwhile
		return h.showSecurity(w, r, current)
	}
	page := templates.AccountRemoveTOTP{Account: h.frame(r, current, "security"), App: has.TOTP.ID, Last: len(has.Keys) == 0, LosesCodes: len(has.Signing()) == 0}
	if page.Ticket, err = h.ticket(current, "totp.remove", has.TOTP.ID); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// removeTOTP removes the authenticator app.
func (h *Handler) removeTOTP(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "app")
	if err != nil {
		return err
	}
	id := values.Get("app")
	if err := h.Visits.CheckForm(values, ticketOf(current, "totp.remove", id), removeTOTPPath); err != nil {
		return err
	}
	err = h.Visits.ChangeFactors(w, r, current, func(c storage.FactorChange) (storage.Session, error) {
		return h.DB.RemoveSecondFactor(r.Context(), c, id, h.Now())
	})
	if err != nil {
		return h.factorProblem(w, r, current, removeTOTPPath, err)
	}
	return h.showDone(w, securityPath, "no-totp")
}

// askCodes asks whether to replace the recovery codes.
func (h *Handler) askCodes(w http.ResponseWriter, r *http.Request, current session.Current) error {
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, securityAct(codesPath))
	}
	has, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	if !has.UseCodes() {
		return h.showSecurity(w, r, current)
	}
	page := templates.AccountCodes{Account: h.frame(r, current, "security"), Left: len(has.Codes)}
	if page.Ticket, err = h.ticket(current, "codes", ""); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// replaceCodes makes new recovery codes and shows them. They are part of this answer only.
func (h *Handler) replaceCodes(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "codes", ""), codesPath); err != nil {
		return err
	}
	codes, hashes, err := factor.NewCodes(h.Ring, current.UserID)
	if err != nil {
		return err
	}
	err = h.Visits.ChangeFactors(w, r, current, func(c storage.FactorChange) (storage.Session, error) {
		return h.DB.ReplaceRecoveryCodes(r.Context(), c, hashes, h.Now())
	})
	if err != nil {
		return h.factorProblem(w, r, current, codesPath, err)
	}
	return h.Site.Show(w, templates.AccountCodes{Account: h.frame(r, current, "security"), Codes: codes})
}
