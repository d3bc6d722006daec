package interaction

import (
	"context"
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

// NewSetupLink returns a new setup link or emergency link, and the hash of its token for
// storage. storage.DB.OpenSetup or storage.DB.OpenEmergencyLink makes it valid.
func NewSetupLink(issuer string) (link, hash string) {
	token := rand.Text() + rand.Text()
	return issuer + "/setup?" + url.Values{"token": {token}}.Encode(), storage.SecretHash(token)
}

// showSetup shows the form of a valid link: a setup link or an emergency link.
func (h *Handler) showSetup(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	page, _, err := h.setupForm(r, token)
	if err != nil {
		return err
	}
	h.Visits.SetTestCookie(w, r)
	return h.setupPage(w, http.StatusOK, page)
}

func (h *Handler) setupPage(w http.ResponseWriter, status int, page templates.Setup) error {
	page.Common, page.MinLength = h.Site.Common(), h.Directory.MinPasswordLength()
	return h.Site.ShowSecretURL(w, status, page)
}

// setupForm returns the page of a link, and the emergency link if it is one. It refuses an
// invalid or used link. Callers check before they hash a password.
func (h *Handler) setupForm(r *http.Request, token string) (templates.Setup, *storage.EmergencyLink, error) {
	page, hash := templates.Setup{Token: token}, storage.SecretHash(token)
	open, err := h.DB.IsSetupOpen(r.Context(), hash, h.Now())
	if err != nil || open {
		return page, nil, err
	}
	link, err := h.DB.OpenLink(r.Context(), hash, h.Now())
	if errors.Is(err, storage.ErrNotFound) {
		err = h.invalidSetupLink()
	}
	if err != nil {
		return page, nil, err
	}
	page.Emergency = true
	if link.UserID == "" {
		return page, &link, nil
	}
	page.Renews, page.Email = true, link.Email
	identities, err := h.DB.IdentitiesOf(r.Context(), link.UserID)
	for _, i := range identities {
		page.Ways = append(page.Ways, templates.SetupWay{Connector: h.connectorName(i.Connector), Email: i.Email})
	}
	return page, &link, err
}

// connectorName returns the name of a connector, or its id if it is no longer configured.
func (h *Handler) connectorName(id string) string {
	for _, c := range h.Connectors {
		if c.ID() == id {
			return c.Name()
		}
	}
	return id
}

// invalidSetupLink returns the page for an invalid or used link. It leads to the admin
// pages, since the new administrator may open the used link again.
func (h *Handler) invalidSetupLink() error {
	return &web.Problem{
		Status: http.StatusGone, Code: "invalid_setup_link", Title: words.Say("set-up-problem.link-title"),
		Text:     words.Say("set-up-problem.link", "Command", "signet setup-link", "Emergency", "signet setup-link --break-glass"),
		StartURL: h.Site.Base + "/admin", StartText: words.Say("set-up-problem.administration"),
	}
}

// setup makes the administrator of the link, or sets the new password, and signs in. The token
// in the form proves that the form came from the page.
func (h *Handler) setup(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, "token", "email", "name", "new-password")
	if err != nil {
		return err
	}
	token := form.Get("token")
	page, link, err := h.setupForm(r, token)
	if err != nil {
		return err
	}
	if err := h.checkCookies(r, h.Site.Base+"/setup?"+url.Values{"token": {token}}.Encode()); err != nil {
		return err
	}
	user, err := h.useSetupLink(r, token, link, form)
	if err == nil {
		return h.signInAdmin(w, r, user)
	}
	status, wrong := setupRefusal(w.Header(), err)
	if wrong == nil {
		return err
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), wrong.Code, web.Because(wrong.Code, err))
	if !page.Renews {
		page.Email, page.Name = form.Get("email"), form.Get("name")
	}
	page.Error = web.WithReference(r, wrong)
	return h.setupPage(w, status, page)
}

// useSetupLink uses the link. link is nil for a setup link.
func (h *Handler) useSetupLink(r *http.Request, token string, link *storage.EmergencyLink, form url.Values) (user storage.User, err error) {
	switch {
	case link == nil:
		user, err = h.newAdmin(r, token, form, h.Directory.CreateFirstAdmin)
	case link.UserID == "":
		user, err = h.newAdmin(r, token, form, h.Directory.CreateEmergencyAdmin)
	default:
		var connectors []string
		for _, c := range h.Connectors {
			connectors = append(connectors, c.ID())
		}
		user, err = h.Directory.ResetEmergencyPassword(r.Context(), storage.SecretHash(token), link.UserID, form.Get("new-password"), connectors, web.TraceOf(r.Context()).Origin())
	}
	if errors.Is(err, storage.ErrNotFound) { // the link was used meanwhile
		return user, h.invalidSetupLink()
	}
	if err == nil && link != nil {
		trace := web.TraceOf(r.Context())
		h.Log.Warn("an emergency link was used: an administrator got access with it", "sub", user.ID, "new_user", link.UserID == "",
			"host_user", link.HostUser, "address", trace.Address, "request_id", trace.ID)
	}
	return user, err
}

var (
	errEmail = errors.New("not an email address") // the text is logged, so it has no address
	errName  = errors.New("not a valid name")
)

// newAdmin makes the user of the form with create, if all fields are valid.
func (h *Handler) newAdmin(r *http.Request, token string, form url.Values,
	create func(ctx context.Context, linkHash string, u storage.User, password string, from storage.Origin) (storage.User, error)) (storage.User, error) {
	user := storage.User{Email: form.Get("email"), Name: form.Get("name")}
	if directory.CheckEmail(user.Email) != nil {
		return user, errEmail
	}
	if directory.CheckName(user.Name) != nil {
		return user, errName
	}
	return create(r.Context(), storage.SecretHash(token), user, form.Get("new-password"), web.TraceOf(r.Context()).Origin())
}

// signInAdmin starts the session. The user has just chosen the password, so no further proof
// is needed.
func (h *Handler) signInAdmin(w http.ResponseWriter, r *http.Request, user storage.User) error {
	_, err := h.Sessions.Start(w, r, session.SignIn{UserID: user.ID, ACR: storage.ACROneFactor, AMR: session.ByPassword, NotBefore: &user.NotBefore})
	if due, isDue := errors.AsType[*storage.FactorDueError](err); isDue {
		return h.askAdminFactor(w, due)
	}
	if err != nil {
		return err
	}
	return h.Site.ContinueTo(w, h.Site.Base+adminPage)
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
