package recovery

import (
	"errors"
	"net/http"

	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// showReset shows the form for an address, or one of the pages that follow.
func (h *Handler) showReset(w http.ResponseWriter, r *http.Request) error {
	done := r.URL.Query().Get("done")
	if !h.SendsMails && done != "password" {
		return h.noMails()
	}
	return h.Site.Show(w, templates.Reset{Common: h.Site.Common(), Sent: done == "mail", Changed: done == "password"})
}

// noMails returns the page of a server that sends no mails.
func (h *Handler) noMails() error {
	return &web.Problem{
		Status: http.StatusForbidden, Code: "no_mails", Title: words.Say("reset.heading"), Text: words.Say("reset.no-mails"),
		StartURL: h.Site.Base + signInPath, StartText: words.Say("reset.to-sign-in"),
	}
}

var errEmail = errors.New("not an email address") // the text is logged, so it has no address

// requestReset sends a link to the address of the form, if it has an account. The answer is the
// same for every address.
func (h *Handler) requestReset(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, "email")
	if err != nil {
		return err
	}
	if !h.SendsMails {
		return h.noMails()
	}
	err = h.mailLink(r, form.Get("email"))
	if err == nil {
		return web.SeeOther(w, h.Site.Base+resetPath+"?done=mail")
	}
	status, refusal := resetRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	trace.MarkRecorded()
	return h.Site.ShowStatus(w, status, templates.Reset{Common: h.Site.Common(), Email: form.Get("email"), Error: web.WithReference(r, refusal)})
}

// mailLink has the mail with the link written. errEmail, *storage.ThrottledError.
func (h *Handler) mailLink(r *http.Request, email string) error {
	canonical, err := storage.CanonicalEmail(email)
	if err != nil || directory.CheckEmail(email) != nil {
		return errEmail
	}
	from := web.TraceOf(r.Context()).Origin()
	limits, err := h.Links.Limits(canonical, from.Address)
	if err != nil {
		return err
	}
	userID, err := h.DB.RequestPasswordReset(r.Context(), storage.ForgottenPassword{Email: email, Limits: limits, Connectors: h.Connectors, From: from}, h.Now())
	web.TraceOf(r.Context()).NoteUser(userID)
	return err
}

// resetRefusal returns the status and the message of the form for an error, or nil for an error
// that is not about the input.
func resetRefusal(header http.Header, err error) (int, *templates.FormError) {
	if errors.Is(err, errEmail) {
		return http.StatusUnprocessableEntity, &templates.FormError{
			Code: "invalid_email", Field: "email", Text: words.Say("set-up-problem.email", "Example", "ada@example.com"),
		}
	}
	status, refusal := web.FormRefusal(header, err)
	if status == http.StatusTooManyRequests {
		refusal.Text = words.Say("reset.too-many")
	}
	return status, refusal
}
