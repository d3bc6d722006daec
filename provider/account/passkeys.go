package account

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signet/provider/factor"
	"signet/provider/passkey"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

const removePasskeyPath = "/account/passkeys/remove"

// addPasskeyAct is the act of adding a passkey, for the step-up.
func addPasskeyAct(way visit.Enrolment) visit.Act {
	return visit.Act{Name: "passkey", Page: way.Path(), Back: passkeysPath}
}

// removePasskeyAct is the act of removing a passkey, for the step-up.
func removePasskeyAct(id string) visit.Act {
	return visit.Act{Name: "passkey", Page: removePasskeyPath + "?" + url.Values{"passkey": {id}}.Encode(), Back: passkeysPath}
}

// showPasskeys lists the passkeys of the person. The page also tells the browser which passkeys it
// may still offer.
func (h *Handler) showPasskeys(w http.ResponseWriter, r *http.Request, current session.Current) error {
	list, err := h.DB.PasskeysOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	has, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	usable := h.usable(list)
	page := templates.AccountPasskeys{
		Account: h.frame(r, current, "passkeys"), Offered: h.Passkeys.Offered(), Full: len(usable) >= storage.MostPasskeys,
		// A browser forgets the credentials that are not listed, a security key in it too.
		AcceptedIDs: handlesOf(slices.Concat(usable, has.Keys)), RPID: h.Passkeys.RPID(), UserHandle: passkey.UserHandle(current.UserID), AccountName: passkey.AccountName(current.User),
	}
	for _, p := range list {
		row := h.passkeyRow(current, p)
		if row.Ticket, err = h.ticket(current, "passkeys.rename", p.ID); err != nil {
			return err
		}
		page.Passkeys = append(page.Passkeys, row)
	}
	return h.Site.Show(w, page)
}

func (h *Handler) passkeyRow(current session.Current, p storage.Passkey) templates.PasskeyRow {
	times := visit.MomentsFor(current.User, h.Now())
	return templates.PasskeyRow{
		ID: p.ID, Name: p.Name, BackedUp: p.Detail.BackedUp, Automatic: p.Detail.Automatic, Unproven: p.ProvenAt == 0, Unusable: !p.BelongsTo(h.Passkeys.RPID()),
		Suspect: times.Write(p.Detail.SuspectAt), Since: times.Write(p.CreatedAt), LastUsed: times.Write(p.UsedAt),
	}
}

// usable returns the passkeys that belong to the present host.
func (h *Handler) usable(list []storage.Passkey) []storage.Passkey {
	return slices.DeleteFunc(slices.Clone(list), func(p storage.Passkey) bool { return !p.BelongsTo(h.Passkeys.RPID()) })
}

// handlesOf returns the handles of passkeys with commas.
func handlesOf(list []storage.Passkey) string {
	handles := make([]string, len(list))
	for i, p := range list {
		handles[i] = p.Handle
	}
	return strings.Join(handles, ",")
}

// askAddPasskey shows the page on which the browser makes a passkey.
func (h *Handler) askAddPasskey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	way, err := h.enrolmentIn(r, "passkey", r.URL.Query())
	if err != nil {
		return err
	}
	if h.Passkeys.Offered() {
		if answered, err := h.checkOwner(w, r, current, way); answered {
			return err
		}
	}
	return h.showAddPasskey(w, r, current, way, http.StatusOK, nil)
}

func (h *Handler) showAddPasskey(w http.ResponseWriter, r *http.Request, current session.Current, way visit.Enrolment, status int, refusal *templates.FormError) error {
	list, err := h.DB.PasskeysOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	list = h.usable(list)
	page := templates.AccountAddPasskey{
		Account: h.frame(r, current, "passkeys"), Error: web.WithReference(r, refusal), Request: way.Request, Cancel: h.cancelEnrolment(way, passkeysPath),
	}
	switch {
	case !h.Passkeys.Offered():
		page.Unable = words.Say("account-passkeys.not-offered")
	case len(list) >= storage.MostPasskeys:
		page.Unable = words.Say("account-passkeys.full")
	}
	if !page.Unable.IsZero() {
		return h.Site.ShowStatus(w, status, page)
	}
	if !h.Visits.IsFreshToAdd(current) {
		return h.Visits.StepUp(w, r, addPasskeyAct(way))
	}
	challenge, err := h.Passkeys.Begin(addCeremony(current))
	if err != nil {
		return err
	}
	page.RPID, page.Challenge, page.Sealed = h.Passkeys.RPID(), challenge.Text, challenge.Sealed
	page.UserHandle, page.AccountName, page.Exclude, page.Algorithms = passkey.UserHandle(current.UserID), passkey.AccountName(current.User), handlesOf(list), passkey.AlgorithmList()
	if page.Ticket, err = h.ticket(current, "passkeys.add", ""); err != nil {
		return err
	}
	return h.Site.ShowStatus(w, status, page)
}

// addCeremony binds a challenge to the session and its user.
func addCeremony(current session.Current) passkey.Ceremony {
	return passkey.Ceremony{Purpose: passkey.Add, Browser: current.ID, UserID: current.UserID}
}

// addPasskey stores the passkey that the browser has made.
func (h *Handler) addPasskey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "challenge", "credential", "request")
	if err != nil {
		return err
	}
	way, err := h.enrolmentIn(r, "passkey", values)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "passkeys.add", ""), way.Path()); err != nil {
		return err
	}
	if !h.Visits.IsFreshToAdd(current) {
		return h.Visits.StepUp(w, r, addPasskeyAct(way))
	}
	opened, err := h.Passkeys.Open(values.Get("challenge"), addCeremony(current))
	switch {
	case web.CauseOf(err) == passkey.Expired:
		return h.refusePasskey(w, r, current, way, passkey.Expired, words.Say("passkey.expired"), err)
	case errors.Is(err, passkey.ErrStale):
		return web.StaleForm(h.Site.Base+way.Path(), err)
	case err != nil:
		return err
	}
	codes, hashes, err := factor.NewCodes(h.Ring, current.UserID)
	if err != nil {
		return err
	}
	newCodes := false
	added, err := h.Passkeys.CheckNew(opened, current.UserID, []byte(values.Get("credential")))
	if err == nil {
		err = h.Visits.ChangeFactors(w, r, current, func(c storage.FactorChange) (s storage.Session, err error) {
			s, newCodes, err = h.DB.AddPasskey(r.Context(), storage.PasskeyAddition{FactorChange: c, Passkey: added, Codes: hashes, ChallengeID: opened.Text, Until: opened.Until}, h.Now())
			return s, err
		})
	}
	switch {
	case err == nil && newCodes:
		return h.Site.Show(w, templates.AccountCodes{Account: h.frame(r, current, "security"), Codes: codes, Added: words.Say("account-codes.passkey-added"), Request: way.Request})
	case err == nil && way.Request != "":
		return h.Site.ContinueTo(w, h.Visits.Next(way.Request))
	case err == nil:
		return h.showDone(w, passkeysPath, "passkey")
	case errors.Is(err, storage.ErrAddressProofDue):
		return h.addressProofDue(way, err)
	case errors.Is(err, storage.ErrNotFresh):
		return h.Visits.NotFresh(w, r, current, addPasskeyAct(way))
	case errors.Is(err, storage.ErrUnproven):
		return h.proveFirst(err)
	case errors.Is(err, passkey.ErrRefused):
		return h.refusePasskey(w, r, current, way, "passkey_refused", words.Say("passkey.add-refused"), err)
	case errors.Is(err, storage.ErrConflict):
		return h.refusePasskey(w, r, current, way, "passkey_exists", words.Say("passkey.added-elsewhere"), err)
	case errors.Is(err, storage.ErrOtherRPID):
		return h.refusePasskey(w, r, current, way, "passkey_of_other_host", words.Say("account-passkeys.moved"), err)
	case errors.Is(err, storage.ErrTooManyPasskeys):
		return h.refusePasskey(w, r, current, way, "too_many_passkeys", words.Say("account-passkeys.full"), err)
	case errors.Is(err, storage.ErrReplayed), errors.Is(err, storage.ErrRevoked):
		return web.StaleForm(h.Site.Base+way.Path(), err)
	}
	return err
}

// refusePasskey shows the page again, with a new challenge.
func (h *Handler) refusePasskey(w http.ResponseWriter, r *http.Request, current session.Current, way visit.Enrolment, code string, text words.Sentence, cause error) error {
	trace := web.TraceOf(r.Context())
	trace.Note("code", code)
	trace.Refuse(cause)
	return h.showAddPasskey(w, r, current, way, http.StatusUnprocessableEntity, &templates.FormError{Code: code, Text: text})
}

// renamePasskey changes the name of a passkey.
func (h *Handler) renamePasskey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	return h.rename(w, r, current, renaming{field: "passkey", purpose: "passkeys.rename", page: passkeysPath, done: "renamed", missing: h.noPasskey})
}

// renaming is a form that changes the name of a passkey or security key.
type renaming struct {
	field   string // with the ID
	purpose string // of its ticket
	page    string // path of the list
	done    string // the act that the list shows as done
	missing func() *web.Problem
}

// longestPasskeyName is in characters.
const longestPasskeyName = 64

// rename changes the name of a passkey or security key.
func (h *Handler) rename(w http.ResponseWriter, r *http.Request, current session.Current, of renaming) error {
	values, err := readForm(w, r, of.field, "name")
	if err != nil {
		return err
	}
	id := values.Get(of.field)
	if err := h.Visits.CheckForm(values, ticketOf(current, of.purpose, id), of.page); err != nil {
		return err
	}
	name := []rune(strings.TrimSpace(values.Get("name")))
	err = h.DB.RenamePasskey(r.Context(), current.UserID, id, string(name[:min(len(name), longestPasskeyName)]), web.TraceOf(r.Context()).By(h.Now()))
	if errors.Is(err, storage.ErrNotFound) {
		return of.missing()
	}
	if err != nil {
		return err
	}
	return h.showDone(w, of.page, of.done)
}

func (h *Handler) noPasskey() *web.Problem {
	return notFound(words.Say("account-error.no-passkey.title"), words.Say("account-error.no-passkey.text"), h.Site.Base+passkeysPath)
}

// askRemovePasskey shows the confirmation page for removing a passkey. People continue there after
// a step-up.
func (h *Handler) askRemovePasskey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	list, err := h.DB.PasskeysOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	id := r.URL.Query().Get("passkey")
	at := slices.IndexFunc(list, func(p storage.Passkey) bool { return p.ID == id })
	if at < 0 {
		return h.noPasskey()
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, removePasskeyAct(id))
	}
	page := templates.AccountRemovePasskey{Account: h.frame(r, current, "passkeys"), Passkey: h.passkeyRow(current, list[at])}
	if page.Ticket, err = h.ticket(current, "passkeys.remove", id); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// removePasskey removes a passkey, unless it is the last way to sign in.
func (h *Handler) removePasskey(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "passkey")
	if err != nil {
		return err
	}
	id := values.Get("passkey")
	if err := h.Visits.CheckForm(values, ticketOf(current, "passkeys.remove", id), passkeysPath); err != nil {
		return err
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, removePasskeyAct(id))
	}
	err = h.DB.RemovePasskey(r.Context(), storage.PasskeyRemoval{
		FactorChange: storage.FactorChange{UserID: current.UserID, SessionID: current.ID, FreshFor: h.Visits.FreshFor, From: web.TraceOf(r.Context()).Origin()},
		PasskeyID:    id, Connectors: h.connectorIDs(),
	}, h.Now())
	switch {
	case err == nil:
		return h.showDone(w, passkeysPath, "removed")
	case errors.Is(err, storage.ErrNotFresh):
		return h.Visits.NotFresh(w, r, current, removePasskeyAct(id))
	case errors.Is(err, storage.ErrNotFound): // another request has removed it meanwhile
		return h.noPasskey()
	case errors.Is(err, storage.ErrRevoked):
		return web.StaleForm(h.Site.Base+passkeysPath, err)
	case errors.Is(err, storage.ErrConflict):
		return &web.Problem{
			Status: http.StatusConflict, Code: "last_way_in", Title: words.Say("account-error.last-passkey.title"),
			Text: words.Say("account-error.last-passkey.text"), StartURL: h.Site.Base + passkeysPath, StartText: words.Say("account-error.last-passkey.link"),
		}
	}
	return err
}
