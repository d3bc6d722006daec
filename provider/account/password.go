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
	"signet/templates/words"
)

// showPassword shows the form for a new password, or a page for users without a password.
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

// hasPassword reports whether the user has a password.
func (h *Handler) hasPassword(ctx context.Context, user storage.User) (bool, error) {
	_, stored, err := h.DB.UserByEmail(ctx, user.Email)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return false, fmt.Errorf("read password: %w", err)
	}
	return stored != "", nil
}

// passwordPage returns the form for a new password.
func (h *Handler) passwordPage(r *http.Request, current session.Current) (templates.AccountPassword, error) {
	ticket, err := h.ticket(current, "password", "")
	return templates.AccountPassword{Account: h.frame(r, current, "password"), Ticket: ticket, MinLength: h.Passwords.MinLength()}, err
}

// changePassword replaces the password, and ends all other sessions and the access of all
// applications. It checks the current password like a sign-in: attackers can guess
// passwords here too, so the sign-in limits apply.
func (h *Handler) changePassword(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "username", "current-password", "new-password")
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "password", ""), passwordPath); err != nil {
		return err
	}
	act := visit.Act{Name: "password", Page: passwordPath + "?done=retype", Back: overviewPath}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, act)
	}
	err = h.replacePassword(w, r, current, values.Get("current-password"), values.Get("new-password"))
	if err == nil {
		return h.showDone(w, passwordPath, "password")
	}
	if errors.Is(err, storage.ErrNotFresh) {
		return h.Visits.NotFresh(w, r, current, act)
	}
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrRevoked) {
		return web.StaleForm(h.Site.Base+passwordPath, err)
	}
	status, message := passwordRefusal(w, err)
	if message == nil {
		return err
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), message.Code, err)
	page, err := h.passwordPage(r, current)
	if err != nil {
		return err
	}
	page.Error = web.WithReference(r, message)
	return h.Site.ShowStatus(w, status, page)
}

var errSamePassword = errors.New("the new password is the same as the old one")

// replacePassword checks the old password and stores the new one. storage.ErrConflict and
// storage.ErrRevoked: the form is out of date. storage.ErrNotFresh. passwordRefusal has a message for the errors
// that people can correct.
func (h *Handler) replacePassword(w http.ResponseWriter, r *http.Request, current session.Current, old, wanted string) error {
	ctx := r.Context()
	checked, err := h.Visits.CheckPassword(r, current.User.Email, old)
	if err != nil {
		return err
	}
	if checked.User.ID != current.UserID { // the email address now belongs to another user
		return storage.ErrRevoked
	}
	next := session.PasswordChange{OldHash: checked.Stored, GiveBack: checked.Reserved}
	if next.NewHash, err = h.newHash(ctx, old, wanted, current.User); err == nil {
		err = h.Sessions.ChangePassword(w, r, current, next)
	}
	if err != nil {
		// The current password was correct, so the attempt does not count.
		return errors.Join(err, h.giveBack(ctx, checked.Reserved))
	}
	return nil
}

// newHash hashes the new password, which must differ from the old one.
func (h *Handler) newHash(ctx context.Context, old, wanted string, user storage.User) (string, error) {
	if old == wanted {
		return "", errSamePassword
	}
	return h.Passwords.Hash(ctx, wanted, user)
}

// giveBack returns a reserved attempt, even if the browser has closed the connection.
func (h *Handler) giveBack(ctx context.Context, reserved storage.Reservation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return h.DB.GiveBack(ctx, reserved, h.Now())
}

// passwordRefusal returns the status and the message for the form, or nil if the error is
// not a refusal.
func passwordRefusal(w http.ResponseWriter, err error) (int, *templates.FormError) {
	switch {
	case errors.Is(err, credential.ErrWrong):
		return http.StatusUnprocessableEntity, &templates.FormError{
			Code: "invalid_credentials", Field: "current-password", Text: words.Say("account-password.wrong-current"),
		}
	case errors.Is(err, errSamePassword):
		return http.StatusUnprocessableEntity, &templates.FormError{
			Code: "weak_password", Field: "new-password", Text: words.Say("account-password.same"),
		}
	}
	if weak := credential.Weakness(err); weak != nil {
		return http.StatusUnprocessableEntity, weak
	}
	return web.FormRefusal(w.Header(), err)
}
