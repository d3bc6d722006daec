package interaction_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

// invited has an invitation mailed and returns its page.
func invited(t *testing.T, b *providertest.Testbed, s *mailtest.Server, v *providertest.Visitor, email string, i storage.Invitation) providertest.Stop {
	t.Helper()
	_, err := b.DB.Invite(t.Context(), storage.InvitationDraft{Email: email, Invitation: i, Mail: true}, storage.By{From: storage.Origin{Actor: "cli"}, At: b.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return v.Get(t, newestLink(t, b, s))
}

// leaves presses the button of a connector on the page of an invitation.
func leaves(t *testing.T, v *providertest.Visitor, page providertest.Stop, connector string) *url.URL {
	t.Helper()
	left := v.Submit(t, page.FormTo(t, "/link/invitation/connect", "connector", connector))
	if left.LeftTo == nil {
		t.Fatalf("%s leads to %s, status %d:\n%s", connector, left.At, left.StatusCode, left.Body)
	}
	return left.LeftTo
}

// eachInvitation runs the test on every database, with mails, and with connectors that make no
// accounts by themselves.
func eachInvitation(t *testing.T, f func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams, s *mailtest.Server)) {
	t.Helper()
	var s *mailtest.Server
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		f(t, b, up, s)
	}, func(_ *providertest.Upstreams, c *provider.Config) {
		s = mailtest.Start(t)
		providertest.WithMail(s)(c)
		for i := range c.Connectors {
			c.Connectors[i].SignUp = false
		}
	})
}

// An invited person continues with an upstream: the account has the address, the roles and the
// groups of the invitation, and the identity opens it from then on. Signup is closed.
func TestInvitation_AcceptedThroughAnUpstream(t *testing.T) {
	eachInvitation(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams, s *mailtest.Server) {
		v := b.Visitor(t)
		page := invited(t, b, s, v, "ada.at.work@corp.example", storage.Invitation{Name: "Suggested", Roles: []string{"dev"}, Groups: []string{"it"}})
		back := v.ChooseAccount(t, leaves(t, v, page, "google"), "ada")
		if b.UsersCreated(t) != 1 { // alice
			t.Fatal("there is an account before the person came back")
		}
		done := v.Get(t, back)
		done.WantAt(t, "/link/invitation?done=signed-in")
		if at := v.Get(t, b.Issuer+"/account").At.Path; at != "/account" {
			t.Errorf("the person is not signed in: %s", at)
		}
		u := b.UserByEmail(t, "ada.at.work@corp.example")
		if !u.EmailVerified || u.Admin || !slices.Equal(u.Roles, []string{"dev"}) || !slices.Equal(u.Groups, []string{"it"}) || u.Name == "Suggested" || u.Name == "" {
			t.Errorf("user %+v", u)
		}
		for _, event := range []storage.EventType{storage.UserCreated, storage.InvitationUsed, storage.IdentityLinked, storage.UserSignedIn} {
			b.WantEvent(t, event, u.ID)
		}
		// The invited person is told, because somebody to whom the link was forwarded may have used it.
		b.SendMails(t)
		mails := s.Received()
		if last := mails[len(mails)-1]; last.To[0] != u.Email || last.Subject() != "A Google account was connected" || !strings.Contains(last.Text, providertest.AdaEmail) {
			t.Errorf("the last mail goes to %q: %s\n%s", last.To, last.Subject(), last.Text)
		}
		again := b.Visitor(t)
		again.AuthorizeThrough(t, "google", "ada")
		if at := again.Get(t, b.Issuer+"/account").At.Path; at != "/account" {
			t.Errorf("the identity does not open the account: %s", at)
		}
		b.Visitor(t).Get(t, page.At.String()).WantPage(t, http.StatusGone, "link_used")
	})
}

// RC-21: an invitation that ended while the person was at the upstream creates no account and signs
// nobody in, and neither does a callback that is used twice.
func TestInvitation_EndedDuringTheTrip(t *testing.T) {
	eachInvitation(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams, s *mailtest.Server) {
		for code, end := range map[string]func(email string){
			"link_ended": func(email string) {
				if err := b.DB.RevokeInvitation(t.Context(), email, storage.By{At: b.Now()}); err != nil {
					t.Fatal(err)
				}
			},
			"link_replaced":      func(email string) { invited(t, b, s, b.Visitor(t), email, storage.Invitation{}) },
			"link_address_taken": func(email string) { b.CreateUser(t, storage.User{Email: email}, providertest.Password) },
		} {
			v, email := b.Visitor(t), storage.NewID("z")+"@corp.example"
			page := invited(t, b, s, v, email, storage.Invitation{Roles: []string{"dev"}})
			back := v.ChooseAccount(t, leaves(t, v, page, "google"), "ada")
			end(email)
			v.WantProblem(t, v.Get(t, back), http.StatusGone, code)
			if u, _, err := b.DB.UserByEmail(t.Context(), email); err == nil && len(u.Roles) > 0 {
				t.Errorf("%s: user %+v", code, u)
			}
		}
		v := b.Visitor(t)
		back := v.ChooseAccount(t, leaves(t, v, invited(t, b, s, v, "ada@corp.example", storage.Invitation{}), "google"), "ada")
		v.Get(t, back).WantAt(t, "/link/invitation?done=signed-in")
		if again := v.Get(t, back); again.StatusCode != http.StatusBadRequest {
			t.Errorf("a second callback answers %d", again.StatusCode)
		}
	})
}

// An identity of another account accepts no invitation, which stays valid, like one of a person who
// cancels at the upstream: the page leads back to the invitation.
func TestInvitation_StaysValidAfterARefusal(t *testing.T) {
	eachInvitation(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams, s *mailtest.Server) {
		newAccount(t, b, up, storage.User{Email: "other@corp.example"}, providertest.Password).attach(t, "google")
		v := b.Visitor(t)
		page := invited(t, b, s, v, "zoe@corp.example", storage.Invitation{})
		for i, c := range []struct {
			account string
			status  int
			code    string
		}{{"ada", http.StatusConflict, "identity_in_use"}, {"", http.StatusForbidden, "upstream_denied"}} {
			refused := v.Get(t, v.ChooseAccount(t, leaves(t, v, page, "google"), c.account))
			v.WantProblem(t, refused, c.status, c.code)
			if page = v.Get(t, refused.Link(t, "start")); page.At.Path != "/link/invitation" || !strings.Contains(page.Body, "zoe@corp.example") {
				t.Fatalf("%d: the page leads to %s", i, page.At)
			}
		}
		v.Submit(t, page.FormTo(t, "/link/invitation", "", ""), "new-password", providertest.NewPassword).WantAt(t, "/link/invitation?done=account")
	})
}

// The form of a connector needs a valid invitation, and names a connector that exists.
func TestInvitation_LeavesForNoUpstreamWithoutIt(t *testing.T) {
	eachInvitation(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams, s *mailtest.Server) {
		v := b.Visitor(t)
		form := invited(t, b, s, v, "zoe@corp.example", storage.Invitation{}).FormTo(t, "/link/invitation/connect", "connector", "google")
		v.Submit(t, form, "connector", "unknown").WantPage(t, http.StatusNotFound, "not_found")
		v.Submit(t, form, "link", "forged").WantPage(t, http.StatusBadRequest, "link_invalid")
		v.Submit(t, form, "role", "root").WantPage(t, http.StatusBadRequest, "invalid_request")
	})
}
