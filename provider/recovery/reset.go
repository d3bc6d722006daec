package recovery

import (
	"errors"
	"net/http"
	"net/url"

	"signet/provider/directory"
	"signet/provider/request"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// showReset shows the form for an address, or one of the pages that follow.
func (h *Handler) showReset(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	done := query.Get("done")
	if !h.SendsMails && done != "password" {
		return h.noMails()
	}
	opened, err := h.reopen(r, query.Get(requestField))
	if err != nil {
		return err
	}
	page := templates.Reset{Email: opened.LoginHint, Sent: done == "mail", Changed: done == "password"}
	if page.Changed && opened.Sealed == "" {
		if page.App, page.StartURL, err = h.Visits.StartOf(r.Context(), query.Get("client_id")); err != nil {
			return err
		}
	}
	return h.resetPage(w, http.StatusOK, opened, page)
}

const requestField = "request" // sealed authorization request

// reopen opens the authorization request in which the person forgot the password; the zero value
// if there is none, or if it expired.
func (h *Handler) reopen(r *http.Request, sealed string) (request.Opened, error) {
	return h.Visits.Reopen(r.Context(), visit.Origin{Request: sealed})
}

func (h *Handler) resetPage(w http.ResponseWriter, status int, opened request.Opened, page templates.Reset) error {
	page.Common, page.Request, page.SignIn = h.Visits.Common(opened), opened.Sealed, h.Site.Base+signInPath
	if opened.Sealed != "" {
		page.SignIn = h.Site.Base + request.StepPath(signInPath, opened.Sealed)
	}
	return h.Site.ShowStatus(w, status, page)
}

// after returns the address of the page after a step, in the same request.
func (h *Handler) after(done string, opened request.Opened) string {
	next := url.Values{"done": {done}}
	if opened.Sealed != "" {
		next.Set(requestField, opened.Sealed)
	}
	return h.Site.Base + resetPath + "?" + next.Encode()
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
	form, err := web.FormWithFields(w, r, "email", requestField)
	if err != nil {
		return err
	}
	if !h.SendsMails {
		return h.noMails()
	}
	opened, err := h.reopen(r, form.Get(requestField))
	if err != nil {
		return err
	}
	err = h.mailLink(w, r, opened, form.Get("email"))
	if err == nil {
		return web.SeeOther(w, h.after("mail", opened))
	}
	status, refusal := resetRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	trace.MarkRecorded()
	return h.resetPage(w, status, opened, templates.Reset{Email: form.Get("email"), Error: web.WithReference(r, refusal)})
}

// mailLink has the mail with the link written. errEmail, *storage.ThrottledError.
func (h *Handler) mailLink(w http.ResponseWriter, r *http.Request, opened request.Opened, email string) error {
	canonical, err := storage.CanonicalEmail(email)
	if err != nil || directory.CheckEmail(email) != nil {
		return errEmail
	}
	from := web.TraceOf(r.Context()).Origin()
	limits, err := h.Links.Limits(canonical, from.Address)
	if err != nil {
		return err
	}
	detail, err := h.Visits.NoteOrigin(w, r, opened)
	if err != nil {
		return err
	}
	userID, err := h.DB.RequestPasswordReset(r.Context(), storage.ForgottenPassword{Email: email, Limits: limits, Connectors: h.Connectors, Detail: detail, From: from}, h.Now())
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
