package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/provider/credential"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// showPassword shows the form, or that there is no password to change.
func (h *Handler) showPassword(w http.ResponseWriter, r *http.Request, current session.Current) error {
	has, err := h.hasPassword(r.Context(), current.User)
	if err != nil {
		return err
	}
	if !has {
		return h.Site.Show(w, templates.AccountPassword{Account: h.frame(r, current, "password"), None: true})
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, visit.Act{Name: "password", Page: passwordPath, Back: overviewPath})
	}
	page, err := h.passwordPage(r, current)
	if err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// hasPassword reports whether the person has a password beside connected accounts.
func (h *Handler) hasPassword(ctx context.Context, user storage.User) (bool, error) {
	_, stored, err := h.DB.UserByEmail(ctx, user.Email)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return false, fmt.Errorf("read password: %w", err)
	}
	return stored != "", nil
}

// passwordPage is the form for a new password.
func (h *Handler) passwordPage(r *http.Request, current session.Current) (templates.AccountPassword, error) {
	ticket, err := h.ticket(current, "password", "")
	return templates.AccountPassword{Account: h.frame(r, current, "password"), Ticket: ticket, MinLength: h.Passwords.MinLength()}, err
}

// changePassword replaces the password and ends all else that the person has. The
// current one is checked as at a sign-in: it is a door to be guessed at like any.
func (h *Handler) changePassword(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "username", "current-password", "new-password")
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "password", ""), passwordPath); err != nil {
		return err
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, visit.Act{Name: "password", Page: passwordPath + "?done=retype", Back: overviewPath})
	}
	err = h.replacePassword(w, r, current, values.Get("current-password"), values.Get("new-password"))
	if err == nil {
		return h.showDone(w, passwordPath, "password")
	}
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrRevoked) {
		return web.StaleForm(h.Site.Base+passwordPath, err)
	}
	status, wrong := passwordRefusal(w, err)
	if wrong == nil {
		return err
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), wrong.Code, err)
	page, err := h.passwordPage(r, current)
	if err != nil {
		return err
	}
	page.Error = web.WithReference(r, wrong)
	return h.Site.ShowStatus(w, status, page)
}

var errSamePassword = errors.New("the new password is the old one")

// replacePassword checks the old password and stores the new one. An error is a refusal for
// passwordRefusal, storage.ErrConflict or storage.ErrRevoked for a form that is out of date.
func (h *Handler) replacePassword(w http.ResponseWriter, r *http.Request, current session.Current, old, wanted string) error {
	ctx := r.Context()
	checked, err := h.Visits.CheckPassword(r, current.User.Email, old)
	if err != nil {
		return err
	}
	if checked.User.ID != current.UserID { // the address has moved to somebody else meanwhile
		return storage.ErrRevoked
	}
	next := session.NewPassword{OldHash: checked.Stored, GiveBack: checked.Reserved}
	if next.NewHash, err = h.newHash(ctx, old, wanted, current.User); err == nil {
		err = h.Sessions.ChangePassword(w, r, current, next)
	}
	if err != nil {
		// The current password was right: nobody guessed.
		return errors.Join(err, h.giveBack(ctx, checked.Reserved))
	}
	return nil
}

// newHash hashes the wanted password, which must be another than the old one.
func (h *Handler) newHash(ctx context.Context, old, wanted string, user storage.User) (string, error) {
	if old == wanted {
		return "", errSamePassword
	}
	return h.Passwords.Hash(ctx, wanted, user)
}

// giveBack undoes a reservation even though the browser may have gone.
func (h *Handler) giveBack(ctx context.Context, reserved storage.Reservation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return h.DB.GiveBack(ctx, reserved, h.Now())
}

// passwordRefusal is what the form says, at the field it is about; nil for an
// error that is no refusal.
func passwordRefusal(w http.ResponseWriter, err error) (int, *templates.FormError) {
	switch {
	case errors.Is(err, credential.ErrWrong):
		return http.StatusUnprocessableEntity, &templates.FormError{
			Code: "invalid_credentials", Field: "current-password", Text: "That is not your current password.",
		}
	case errors.Is(err, errSamePassword):
		return http.StatusUnprocessableEntity, &templates.FormError{
			Code: "weak_password", Field: "new-password", Text: "That is the password you have. Choose another.",
		}
	}
	if weak := credential.Weakness(err); weak != nil {
		return http.StatusUnprocessableEntity, weak
	}
	return web.FormRefusal(w.Header(), err)
}
