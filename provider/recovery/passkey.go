package recovery

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"signet/provider/factor"
	"signet/provider/link"
	"signet/provider/passkey"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

const passkeyPath = "/link/passkey"

// opened is a link for a passkey, with its account.
type opened struct {
	storage.MailLink
	sealed       string
	user         storage.User
	has          storage.SecondFactors
	factor       *storage.FactorUse // nil: none was given
	sealedFactor string
}

// needsFactor reports whether a second factor comes first. A link that evicts deletes all factors.
func (o opened) needsFactor() bool {
	return (o.has.Any() || len(o.has.Passkeys) > 0) && !o.Evicts(o.user)
}

// openPasskeyLink opens the link of a form or an address, and the second factor beside it. A factor of
// another link, or one that has expired, counts as none.
func (h *Handler) openPasskeyLink(r *http.Request, values url.Values) (opened, error) {
	o := opened{sealed: values.Get(link.Parameter)}
	var err error
	if o.MailLink, err = h.Links.Open(r.Context(), storage.LinkPasskey, o.sealed); err != nil {
		return o, h.Links.Problem(err)
	}
	web.TraceOf(r.Context()).NoteUser(o.UserID)
	o.user, err = h.DB.User(r.Context(), o.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return o, h.Links.Problem(&storage.DeadLinkError{Kind: o.Kind, Code: "link_ended"})
	}
	if err != nil {
		return o, err
	}
	if o.has, err = h.DB.SecondFactorsOf(r.Context(), o.UserID); err != nil {
		return o, err
	}
	err = h.openFactor(&o, values.Get(factorField))
	return o, err
}

// showPasskey shows the page of a link with which a person adds a passkey, or the page after that. It
// changes nothing.
func (h *Handler) showPasskey(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if query.Get("done") != "" && !query.Has(link.Parameter) {
		return h.Site.Show(w, templates.LinkPasskey{Common: h.Site.Common(), Done: true, SignIn: h.Site.Base + signInPath})
	}
	o, err := h.openPasskeyLink(r, query)
	if err != nil {
		return err
	}
	return h.passkeyPage(w, r, http.StatusOK, o, nil)
}

// passkeyPage asks for the second factor, or for the passkey.
func (h *Handler) passkeyPage(w http.ResponseWriter, r *http.Request, status int, o opened, refusal *templates.FormError) error {
	page := templates.LinkPasskey{
		Common: h.Site.Common(), Link: o.sealed, User: passkey.AccountName(o.user), Evicts: o.Evicts(o.user) && o.user.EmailCanonical != "", Error: web.WithReference(r, refusal),
	}
	list, err := h.DB.PasskeysOf(r.Context(), o.UserID)
	if err != nil {
		return err
	}
	var handles []string
	for _, p := range list {
		if p.BelongsTo(h.Passkeys.RPID()) && !page.Evicts {
			handles = append(handles, p.Handle)
		}
	}
	switch {
	case !h.Passkeys.Offered():
		page.Unable = words.Say("account-passkeys.not-offered")
	case len(handles) >= storage.MostPasskeys:
		page.Unable = words.Say("link-passkey.full")
	case !o.needsFactor() || o.factor != nil:
		challenge, err := h.Passkeys.Begin(ceremonyOf(o))
		if err != nil {
			return err
		}
		page.RPID, page.Challenge, page.Sealed, page.Factor = h.Passkeys.RPID(), challenge.Text, challenge.Sealed, o.sealedFactor
		page.UserHandle, page.AccountName, page.Algorithms = passkey.UserHandle(o.UserID), passkey.AccountName(o.user), passkey.AlgorithmList()
		page.Exclude = strings.Join(handles, ",")
	default:
		if page.Key, err = h.askKey(o); err != nil {
			return err
		}
		page.AskCode = o.has.TOTP != nil || len(o.has.Codes) > 0
		if !page.AskCode && page.Key == nil {
			page.Unable = words.Say("link-passkey.no-factor")
		}
	}
	return h.Site.ShowSecretURL(w, status, page)
}

// ceremonyOf binds a challenge to the link and its user.
func ceremonyOf(o opened) passkey.Ceremony {
	return passkey.Ceremony{Purpose: passkey.AddByLink, Browser: o.ID, UserID: o.UserID}
}

// addPasskey checks the second factor of the first form. With the second form, it adds the passkey, uses
// the second factor up, and spends the link.
func (h *Handler) addPasskey(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, link.Parameter, "code", factorField, factorWayField, "challenge", "credential")
	if err != nil {
		return err
	}
	o, err := h.openPasskeyLink(r, form)
	if err != nil {
		return err
	}
	switch {
	case form.Has("code"):
		return h.checkCode(w, r, o, form.Get("code"))
	case form.Get(factorWayField) == byKey:
		return h.checkKey(w, r, o, form.Get("challenge"), form.Get("credential"))
	}
	if !h.Passkeys.Offered() || o.needsFactor() && o.factor == nil {
		return h.passkeyPage(w, r, http.StatusConflict, o, nil)
	}
	challenge, err := h.Passkeys.Open(form.Get("challenge"), ceremonyOf(o))
	switch {
	case web.CauseOf(err) == passkey.Expired:
		return h.refusePasskey(w, r, o, passkey.Expired, words.Say("passkey.expired"), err)
	case errors.Is(err, passkey.ErrStale):
		return web.StaleForm(h.pageOf(o), err)
	case err != nil:
		return err
	}
	added, err := h.Passkeys.CheckNew(challenge, o.UserID, []byte(form.Get("credential")))
	if err == nil {
		err = h.DB.AddPasskeyByLink(r.Context(), storage.LinkedPasskey{
			Link: o.Ref(), UserID: o.UserID, Passkey: added, ChallengeID: challenge.Text, Until: challenge.Until, Factor: o.factor, From: web.TraceOf(r.Context()).Origin(),
		}, h.Now())
	}
	due := new(storage.FactorDueError)
	switch {
	case err == nil:
		return web.SeeOther(w, h.Site.Base+passkeyPath+"?done=passkey")
	case errors.As(err, &due): // the code was used meanwhile
		o.factor = nil
		return h.refuseCode(w, r, o, factor.ErrUsed)
	case errors.Is(err, passkey.ErrRefused):
		return h.refusePasskey(w, r, o, "passkey_refused", words.Say("passkey.add-refused"), err)
	case errors.Is(err, storage.ErrConflict):
		return h.refusePasskey(w, r, o, "passkey_exists", words.Say("passkey.added-elsewhere"), err)
	case errors.Is(err, storage.ErrOtherRPID):
		return h.refusePasskey(w, r, o, "passkey_of_other_host", words.Say("account-passkeys.moved"), err)
	case errors.Is(err, storage.ErrTooManyPasskeys):
		return h.refusePasskey(w, r, o, "too_many_passkeys", words.Say("link-passkey.full"), err)
	case errors.Is(err, storage.ErrReplayed):
		return web.StaleForm(h.pageOf(o), err)
	}
	return h.Links.Problem(err)
}

// pageOf returns the address of the page of a link.
func (h *Handler) pageOf(o opened) string {
	query := url.Values{link.Parameter: {o.sealed}}
	if o.sealedFactor != "" {
		query.Set(factorField, o.sealedFactor)
	}
	return h.Site.Base + passkeyPath + "?" + query.Encode()
}

// refusePasskey shows the page again, with a new challenge.
func (h *Handler) refusePasskey(w http.ResponseWriter, r *http.Request, o opened, code string, text words.Sentence, cause error) error {
	trace := web.TraceOf(r.Context())
	trace.Note("code", code)
	trace.Refuse(cause)
	return h.passkeyPage(w, r, http.StatusUnprocessableEntity, o, &templates.FormError{Code: code, Text: text})
}
