package interaction

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"

	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// NewSetupLink returns a new link that makes the first administrator, and the hash of its
// token for storage.
func NewSetupLink(issuer string) (link, hash string) {
	token := rand.Text() + rand.Text()
	return issuer + "/setup?" + url.Values{"token": {token}}.Encode(), storage.SecretHash(token)
}

// showSetup shows the setup form to a browser with a valid link.
func (h *Handler) showSetup(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	if err := h.checkSetupLink(r, token); err != nil {
		return err
	}
	h.setTestCookie(w, r)
	return h.setupPage(w, http.StatusOK, templates.Setup{Token: token})
}

func (h *Handler) setupPage(w http.ResponseWriter, status int, page templates.Setup) error {
	page.Common, page.MinLength = h.Site.Common(), h.Directory.MinPasswordLength()
	return h.Site.ShowSecretURL(w, status, page)
}

// checkSetupLink refuses an invalid or used link. Callers check before they hash a password.
func (h *Handler) checkSetupLink(r *http.Request, token string) error {
	open, err := h.DB.IsSetupOpen(r.Context(), storage.SecretHash(token), h.Now())
	if err == nil && !open {
		err = h.invalidSetupLink()
	}
	return err
}

// invalidSetupLink returns the page for an invalid or used link. It leads to the admin
// pages, since the new administrator may open the used link again.
func (h *Handler) invalidSetupLink() error {
	return &web.Problem{
		Status: http.StatusGone, Code: "invalid_setup_link", Title: words.Say("set-up-problem.link-title"),
		Text:     words.Say("set-up-problem.link", "Command", "signet setup-link"),
		StartURL: h.Site.Base + "/admin", StartText: words.Say("set-up-problem.administration"),
	}
}

// setup makes the first administrator and signs in. The token in the form proves that the
// form came from the page.
func (h *Handler) setup(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, "token", "email", "name", "new-password")
	if err != nil {
		return err
	}
	token := form.Get("token")
	if err := h.checkSetupLink(r, token); err != nil {
		return err
	}
	if err := h.checkCookies(r, h.Site.Base+"/setup?"+url.Values{"token": {token}}.Encode()); err != nil {
		return err
	}
	user, err := h.firstAdmin(r, token, form)
	if err == nil {
		return h.signInAdmin(w, r, user)
	}
	status, wrong := setupRefusal(w.Header(), err)
	if wrong == nil {
		return err
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), wrong.Code, web.Because(wrong.Code, err))
	return h.setupPage(w, status, templates.Setup{Token: token, Email: form.Get("email"), Name: form.Get("name"), Error: web.WithReference(r, wrong)})
}

var (
	errEmail = errors.New("not an email address") // the text is logged, so it has no address
	errName  = errors.New("not a valid name")
)

// firstAdmin makes the user of the form, if all fields are valid.
func (h *Handler) firstAdmin(r *http.Request, token string, form url.Values) (storage.User, error) {
	user := storage.User{Email: form.Get("email"), Name: form.Get("name")}
	if directory.CheckEmail(user.Email) != nil {
		return user, errEmail
	}
	if directory.CheckName(user.Name) != nil {
		return user, errName
	}
	user, err := h.Directory.CreateFirstAdmin(r.Context(), storage.SecretHash(token), user, form.Get("new-password"), web.TraceOf(r.Context()).Origin())
	if errors.Is(err, storage.ErrNotFound) { // the link was used meanwhile
		err = h.invalidSetupLink()
	}
	return user, err
}

// signInAdmin starts the session. The user has just chosen the password, so no further proof
// is needed.
func (h *Handler) signInAdmin(w http.ResponseWriter, r *http.Request, user storage.User) error {
	_, err := h.Sessions.Start(w, r, session.SignIn{UserID: user.ID, ACR: session.OneFactor, AMR: session.ByPassword, NotBefore: &user.NotBefore})
	if err != nil {
		return err
	}
	return h.Site.ContinueTo(w, h.Site.Base+"/admin")
}

// setupRefusal returns the status and the message of the form for an error, with the field
// it concerns; nil for an error that is not about the input.
func setupRefusal(header http.Header, err error) (int, *templates.FormError) {
	switch weak := credential.Weakness(err); {
	case weak != nil:
		return http.StatusUnprocessableEntity, weak
	case errors.Is(err, errEmail):
		return http.StatusUnprocessableEntity, &templates.FormError{
			Code: "invalid_email", Field: "email", Text: words.Say("set-up-problem.email", "Example", "ada@example.com"),
		}
	case errors.Is(err, errName):
		return http.StatusUnprocessableEntity, &templates.FormError{Code: "invalid_name", Text: words.Say("set-up-problem.name")}
	case errors.Is(err, storage.ErrConflict):
		return http.StatusConflict, &templates.FormError{
			Code: "email_taken", Field: "email", Text: words.Say("set-up-problem.email-taken"),
		}
	}
	return web.FormRefusal(header, err)
}
