package signup_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

var operator = storage.Origin{Actor: "cli"}

// invite mails an invitation, as an operator does, and returns its link.
func invite(t *testing.T, b *providertest.Testbed, s *mailtest.Server, email string, i storage.Invitation) (address, sealed string) {
	t.Helper()
	_, err := b.DB.Invite(t.Context(), storage.InvitationDraft{Email: email, Invitation: i, Mail: true}, storage.By{From: operator, At: b.Now()})
	if err != nil {
		t.Fatal(err)
	}
	b.SendMails(t)
	for _, m := range slices.Backward(s.Received()) {
		if m.To[0] == email && strings.HasPrefix(m.Subject(), "Your invitation to ") {
			return providertest.LinkIn(t, m)
		}
	}
	t.Fatalf("no invitation was mailed to %s", email)
	return "", ""
}

// An invited person chooses a name and a password, and goes on to the application of the
// invitation. The link is in no place that others can read, and signs nobody in.
func TestInvitation_FromMailToApplication(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		app := storage.Client{ID: "photos", Name: "Photos", Type: storage.Web}
		app.Metadata.RedirectURIs = []string{"https://photos.example.com/callback"}
		app.Metadata.InitiateLoginURI = "https://photos.example.com/login"
		if err := b.DB.CreateClient(t.Context(), app, storage.By{From: operator, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		address, sealed := invite(t, b, s, newcomer, storage.Invitation{Name: "Zoe", Roles: []string{"dev"}, ClientID: app.ID})
		b.WantNowhere(t, sealed)
		v := b.Visitor(t)
		page := v.Get(t, address)
		page.WantText(t, newcomer)
		if got := page.Header.Get("Referrer-Policy"); got != "strict-origin" {
			t.Errorf("Referrer-Policy %q: the address holds a secret", got)
		}
		form := page.Form(t)
		if got := form.Values.Get("name"); got != "Zoe" {
			t.Errorf("the form has the name %q", got)
		}
		page = v.Submit(t, form, "name", "Zoë", "new-password", "short")
		page.WantPage(t, http.StatusUnprocessableEntity, "weak_password")
		wantNobody(t, b, newcomer)
		page = v.Submit(t, page.Form(t), "new-password", providertest.NewPassword)
		page.WantAt(t, "/link/invitation?client_id=photos&done=account")
		if got := page.Link(t, "continue"); !strings.HasPrefix(got, "https://photos.example.com/login?iss=") {
			t.Errorf("the page leads to %s", got)
		}
		if at := v.Get(t, b.Issuer+"/account").At.Path; at == "/account" {
			t.Error("the link signed the browser in")
		}
		v.SignIn(t, v.Get(t, page.Link(t, "back")), newcomer, providertest.NewPassword)
		if at := v.Get(t, b.Issuer+"/account").At.Path; at != "/account" {
			t.Errorf("the new account cannot sign in: %s", at)
		}
		u, _, err := b.DB.UserByEmail(t.Context(), newcomer)
		if err != nil || u.Name != "Zoë" || !u.EmailVerified || !slices.Equal(u.Roles, []string{"dev"}) {
			t.Errorf("user %+v, %v", u, err)
		}
		b.WantEvent(t, storage.InvitationUsed, u.ID)
		b.WantNowhere(t, sealed)
	})
}

// The page after an invitation leads to no application that registered itself, and to none that
// does not exist.
func TestInvitation_LeadsToNoUnapprovedApplication(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, _ *mailtest.Server) {
		stranger := storage.Client{ID: "stranger", Name: "Stranger", Type: storage.Web}
		stranger.RegisteredAt = storage.At(b.Now())
		stranger.Metadata.RedirectURIs = []string{"https://evil.example/callback"}
		stranger.Metadata.InitiateLoginURI, stranger.Metadata.ClientURI = "https://evil.example/login", "https://evil.example/"
		if err := b.DB.CreateClient(t.Context(), stranger, storage.By{From: operator, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		for _, id := range []string{stranger.ID, "unknown", "https://evil.example", ""} {
			page := b.Visitor(t).Get(t, b.Issuer+"/link/invitation?done=account&client_id="+id)
			if page.StatusCode != http.StatusOK || strings.Contains(page.Body, "evil.example") {
				t.Errorf("%q: %d %s", id, page.StatusCode, page.Body)
			}
		}
	})
}

// RC-21: an invitation is refused if it was used, replaced or revoked, or if it has expired, and
// from before a restore. A form that names another address or a role gets neither.
func TestInvitation_RC21(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		by := func() storage.By { return storage.By{From: operator, At: b.Now()} }
		for _, c := range []struct {
			name   string
			before func(email string, form providertest.Form)
			fields []string
			status int
			code   string
		}{
			{name: "reuse", status: http.StatusGone, code: "link_used", before: func(_ string, form providertest.Form) {
				v := b.Visitor(t)
				v.Submit(t, form, "new-password", providertest.NewPassword).WantAt(t, "/link/invitation?done=account")
			}},
			{name: "after a newer one", status: http.StatusGone, code: "link_replaced", before: func(email string, _ providertest.Form) {
				invite(t, b, s, email, storage.Invitation{})
			}},
			{name: "after expiry", status: http.StatusGone, code: "link_expired", before: func(string, providertest.Form) { b.Advance(7 * 24 * time.Hour) }},
			{name: "after revocation", status: http.StatusGone, code: "link_ended", before: func(email string, _ providertest.Form) {
				if err := b.DB.RevokeInvitation(t.Context(), email, by()); err != nil {
					t.Fatal(err)
				}
			}},
			{name: "address that got an account", status: http.StatusGone, code: "link_address_taken", before: func(email string, _ providertest.Form) {
				b.CreateUser(t, storage.User{Email: email}, providertest.Password)
			}},
			{name: "other email", fields: []string{"email", "eve@example.com"}, status: http.StatusBadRequest, code: "invalid_request"},
			{name: "raised role", fields: []string{"role", "root"}, status: http.StatusBadRequest, code: "invalid_request"},
			{name: "raised rights", fields: []string{"admin", "true"}, status: http.StatusBadRequest, code: "invalid_request"},
			{name: "other user name", fields: []string{"username", "eve@example.com"}, status: http.StatusOK},
			{name: "before a restore", status: http.StatusGone, code: "link_ended", before: func(string, providertest.Form) {
				if _, err := b.DB.MarkRestored(t.Context(), by()); err != nil {
					t.Fatal(err)
				}
			}},
		} {
			email := storage.NewID("z") + "@example.com"
			address, _ := invite(t, b, s, email, storage.Invitation{Roles: []string{"dev"}})
			v := b.Visitor(t)
			form := v.Get(t, address).Form(t)
			if c.before != nil {
				c.before(email, form)
			}
			page := v.Submit(t, form, append([]string{"new-password", providertest.NewPassword}, c.fields...)...)
			if c.code == "" {
				page.WantAt(t, "/link/invitation?done=account")
			} else {
				page.WantPage(t, c.status, c.code)
			}
			if page.StatusCode == http.StatusGone {
				v.Get(t, address).WantPage(t, c.status, c.code)
			}
			u, _, err := b.DB.UserByEmail(t.Context(), email)
			if err == nil && (u.Admin || slices.Contains(u.Roles, "root") || c.code == "link_address_taken" && len(u.Roles) > 0) {
				t.Errorf("%s: user %+v", c.name, u)
			}
			if _, _, err := b.DB.UserByEmail(t.Context(), "eve@example.com"); err == nil {
				t.Errorf("%s: the form chose the address", c.name)
			}
		}
	})
}

// RC-05: the link of a sign-up opens no invitation, and the other way round.
func TestInvitation_LinksOfOtherKindsDoNotOpenIt(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		invited, _ := invite(t, b, s, newcomer, storage.Invitation{Roles: []string{"dev"}})
		asked, _ := mailLink(t, b, s, newcomer)
		v := b.Visitor(t)
		v.Get(t, strings.Replace(invited, "/link/invitation", "/link/signup", 1)).WantPage(t, http.StatusBadRequest, "link_invalid")
		v.Get(t, strings.Replace(asked, "/link/signup", "/link/invitation", 1)).WantPage(t, http.StatusBadRequest, "link_invalid")
	})
}
