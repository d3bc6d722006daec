package account

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"signet/provider/directory"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// emailState returns what the pages say about the address, with the ticket of the form that asks
// for a link, if the address can be proven by one.
func (h *Handler) emailState(current session.Current) (state templates.EmailState, err error) {
	u := current.User
	state.None, state.Verified = u.Email == "", u.EmailVerified
	if state.Provable = h.SendsMails && !state.None && !state.Verified; state.Provable {
		state.Ticket, err = h.ticket(current, "email.verify", u.Email)
	}
	return state, err
}

// showEmail shows the address, and the ways to sign in.
func (h *Handler) showEmail(w http.ResponseWriter, r *http.Request, current session.Current) error {
	return h.emailPage(w, r, http.StatusOK, current, nil)
}

func (h *Handler) emailPage(w http.ResponseWriter, r *http.Request, status int, current session.Current, problem *templates.FormError) error {
	attached, err := h.DB.AttachedTo(r.Context(), current.UserID, h.Now())
	if err != nil {
		return err
	}
	page := templates.AccountEmail{Account: h.frame(r, current, "email"), SendsMails: h.SendsMails, Error: web.WithReference(r, problem)}
	if page.Email, err = h.emailState(current); err != nil {
		return err
	}
	times := visit.MomentsFor(current.User, h.Now())
	codes := false
	for _, f := range attached.Factors {
		if f.Kind == storage.FactorRecovery { // all codes are one way
			if codes {
				continue
			}
			codes = true
		}
		if f.Kind == storage.FactorPassword {
			page.Password = times.Write(f.CreatedAt)
			continue
		}
		page.Factors = append(page.Factors, templates.FactorRow{Label: templates.FactorLabel(f.Kind), Name: f.Name, Since: times.Write(f.CreatedAt)})
	}
	for _, i := range attached.Identities {
		row, err := h.identityRow(current, i)
		if err != nil {
			return err
		}
		page.Identities = append(page.Identities, row)
	}
	return h.Site.ShowStatus(w, status, page)
}

// requestProof mails a link to the unverified address of the account.
func (h *Handler) requestProof(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r)
	if err != nil {
		return err
	}
	u := current.User
	if err := h.Visits.CheckForm(values, ticketOf(current, "email.verify", u.Email), emailPath); err != nil {
		return err
	}
	if !h.SendsMails || u.Email == "" || u.EmailVerified {
		return web.StaleForm(h.Site.Base+emailPath, storage.ErrConflict)
	}
	from := web.TraceOf(r.Context()).Origin()
	limits, err := h.Links.Limits(u.EmailCanonical, from.Address)
	if err != nil {
		return err
	}
	err = h.DB.RequestAddressProof(r.Context(), storage.AddressRequest{UserID: u.ID, SessionID: current.ID, Email: u.Email, Limits: limits, From: from}, h.Now())
	switch {
	case err == nil:
		return h.showDone(w, emailPath, "mail")
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrRevoked):
		return web.StaleForm(h.Site.Base+emailPath, err)
	}
	status, refusal := mailRefusal(r, w.Header(), err)
	if refusal == nil {
		return err
	}
	return h.emailPage(w, r, status, current, refusal)
}

// changeAct is the act of changing the address, for the step-up. typed is the sealed input of the
// form; "" for none.
func changeAct(typed string) visit.Act {
	return visit.Act{Name: "change-email", Page: changePath + "?" + url.Values{"typed": {typed}}.Encode(), Back: emailPath}
}

// askChange shows the form for a new address.
func (h *Handler) askChange(w http.ResponseWriter, r *http.Request, current session.Current) error {
	if !h.SendsMails {
		return h.changePage(w, r, http.StatusOK, current, templates.ChangeEmail{NoMails: true})
	}
	typed := r.URL.Query().Get("typed")
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, changeAct(typed))
	}
	kept := h.Visits.OpenForm(typed, ticketOf(current, "email.change", ""))
	return h.changePage(w, r, http.StatusOK, current, templates.ChangeEmail{Email: kept.Get("email"), Final: kept.Get("final") != ""})
}

func (h *Handler) changePage(w http.ResponseWriter, r *http.Request, status int, current session.Current, page templates.ChangeEmail) (err error) {
	page.Account, page.Error = h.frame(r, current, "email"), web.WithReference(r, page.Error)
	page.MayBeFinal = current.User.EmailVerified && storage.ACRReaches(current.ACR, storage.ACRTwoFactors)
	if page.Ticket, err = h.ticket(current, "email.change", ""); err != nil {
		return err
	}
	return h.Site.ShowStatus(w, status, page)
}

var (
	errEmail       = errors.New("not an email address") // the text is logged, so it has no address
	errSameAddress = errors.New("it is the user's own address")
)

// requestChange mails a link to the new address of the form. The answer is the same for every
// address, whether or not it has an account.
func (h *Handler) requestChange(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "email", "final")
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "email.change", ""), changePath); err != nil {
		return err
	}
	if !h.SendsMails {
		return web.StaleForm(h.Site.Base+emailPath, storage.ErrConflict)
	}
	if err = storage.ErrNotFresh; h.Visits.IsFresh(current) {
		err = h.mailChange(r, current, values.Get("email"), values.Get("final") != "")
	}
	switch {
	case err == nil:
		return h.showDone(w, emailPath, "mail-new")
	case errors.Is(err, storage.ErrNotFresh):
		typed, err := h.Visits.SealForm(ticketOf(current, "email.change", ""), url.Values{"email": values["email"], "final": values["final"]})
		if err != nil {
			return err
		}
		return h.Visits.NotFresh(w, r, current, changeAct(typed))
	case errors.Is(err, storage.ErrRevoked):
		return web.StaleForm(h.Site.Base+changePath, err)
	}
	status, refusal := mailRefusal(r, w.Header(), err)
	if refusal == nil {
		return err
	}
	return h.changePage(w, r, status, current, templates.ChangeEmail{Email: values.Get("email"), Final: values.Get("final") != "", Error: refusal})
}

// mailChange has the mail to the new address written. final: the change is not to be undone. errEmail, errSameAddress, storage.ErrRevoked,
// storage.ErrNotFresh, *storage.ThrottledError.
func (h *Handler) mailChange(r *http.Request, current session.Current, email string, final bool) error {
	email = strings.TrimSpace(email)
	canonical, err := storage.CanonicalEmail(email)
	switch {
	case err != nil || directory.CheckEmail(email) != nil:
		return errEmail
	case canonical == current.User.EmailCanonical:
		return errSameAddress
	}
	from := web.TraceOf(r.Context()).Origin()
	limits, err := h.Links.Limits(canonical, from.Address)
	if err != nil {
		return err
	}
	err = h.DB.RequestAddressChange(r.Context(), storage.AddressRequest{
		UserID: current.UserID, SessionID: current.ID, FreshFor: h.Visits.FreshFor, Email: email, Final: final, Limits: limits, From: from,
	}, h.Now())
	if errors.Is(err, storage.ErrConflict) { // another request has changed the address meanwhile
		return errSameAddress
	}
	return err
}

// mailRefusal returns the status and the message of a form that asks for a mail, or nil for an
// error that is not about the input. It notes the refusal in the log.
func mailRefusal(r *http.Request, header http.Header, err error) (status int, refusal *templates.FormError) {
	switch {
	case errors.Is(err, errEmail):
		status, refusal = http.StatusUnprocessableEntity, &templates.FormError{
			Code: "invalid_email", Field: "email", Text: words.Say("set-up-problem.email", "Example", "ada@example.com"),
		}
	case errors.Is(err, errSameAddress):
		status, refusal = http.StatusUnprocessableEntity, &templates.FormError{Code: "same_address", Field: "email", Text: words.Say("change-email.same")}
	default:
		if status, refusal = web.FormRefusal(header, err); refusal == nil {
			return 0, nil
		}
		if status == http.StatusTooManyRequests {
			refusal.Text = words.Say("reset.too-many")
		}
	}
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	trace.MarkRecorded()
	return status, refusal
}
