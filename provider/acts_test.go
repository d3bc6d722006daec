package provider_test

import (
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/provider"
	"signet/provider/directory"
	"signet/provider/mail/mailtest"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// act is one request of a user, an app or an attacker. There is an act for each kind of
// request that calls the database.
type act struct {
	name string
	// ready prepares the request, for a user and a browser of its own, and returns the
	// function that sends it. A second call sends the same request again.
	ready func(t *testing.T, s *scene) func() providertest.Answer
	// events are the audit events of the request.
	events []storage.EventType
	// once: if the answer is lost, the same request may be refused the next time.
	once bool
	// spendsUpstream: the request spends a value at an upstream before it calls the
	// database, so after any fault the user has to start again.
	spendsUpstream bool
	// nobody: no user and no client is known.
	nobody bool
}

// scene has everything that an act needs: a testbed with upstreams, a first-party app and
// clients, and a user with a password and a browser.
type scene struct {
	*providertest.Testbed
	upstream *providertest.Upstreams
	mails    *mailtest.Server
	trusted  *providertest.Testbed // a client that needs no consent
	strict   *providertest.Testbed // a client that requires a second factor
	tv       *providertest.Testbed // a client of devices
	user     storage.User
	browser  *providertest.Visitor
}

// newScene starts a testbed; faults may be nil.
func newScene(t *testing.T, backend storagetest.Backend, faults storage.Faults, change ...func(*providertest.Upstreams, *provider.Config)) *scene {
	t.Helper()
	up, option := providertest.WithUpstreams(t, change...)
	mails := mailtest.Start(t)
	b := providertest.Start(t, backend.OpenFaulty(t, faults), providertest.WithLocalhost, option, providertest.WithRegistration(directory.RegistrationOpen), providertest.WithMail(mails), providertest.WithSignUp, providertest.WithTrustedBrowsers, providertest.WithMadePasskeys)
	b.Backend = backend
	b.RegisterApp(t)
	s := &scene{Testbed: b, upstream: up, mails: mails}
	s.trusted = b.AsClient(b.RegisterWith(t, storage.Web, "trusted", func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.SkipConsent = []string{providertest.Callback}, true
	}))
	s.strict = b.AsClient(b.RegisterWith(t, storage.Web, "strict", func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.SkipConsent, c.RequireACR = []string{providertest.Callback}, true, storage.ACRTwoFactors
	}))
	s.tv = b.Televisions(t)
	return s
}

// newUser gives the scene another user, with a browser that is not signed in.
func (s *scene) newUser(t *testing.T) {
	t.Helper()
	s.user, s.browser = s.User(t, storage.NewID("p")+"@example.com", providertest.Password), s.Visitor(t)
}

// signIn signs the user in.
func (s *scene) signIn(t *testing.T) {
	t.Helper()
	providertest.WantStatus(t, s.browser.CallApp(t, "/login", s.credentials()), http.StatusOK)
}

// addPasskey signs the user in and adds a passkey.
func (s *scene) addPasskey(t *testing.T) *passkeytest.Authenticator {
	t.Helper()
	s.proveAddress(t)
	authenticator := s.Authenticator(t)
	s.browser.AddPasskey(t, authenticator).WantText(t, "The passkey was added.")
	return authenticator
}

// addKey signs the user in and adds a security key.
func (s *scene) addKey(t *testing.T) *passkeytest.Authenticator {
	t.Helper()
	s.signIn(t)
	key := s.SecurityKey(t)
	if page := s.browser.AddSecurityKey(t, key); len(providertest.CodesOn(page)) == 0 {
		t.Fatalf("no security key: status %d at %s", page.StatusCode, page.At)
	}
	return key
}

func (s *scene) credentials() string {
	return `{"username":"` + s.user.Email + `","password":"` + providertest.Password + `"}`
}

// tokens signs the user in and returns tokens of the client that needs no consent.
func (s *scene) tokens(t *testing.T) map[string]any {
	t.Helper()
	return s.trusted.Redeem(t, s.code(t))
}

// askedForCode adds an authenticator app to the account of the user. It returns the page that asks
// a new browser for its code.
func (s *scene) askedForCode(t *testing.T) (providertest.Stop, providertest.Authenticator) {
	t.Helper()
	s.proveAddress(t)
	app := s.browser.AddAuthenticator(t)
	s.browser = s.Visitor(t)
	return s.browser.SignIn(t, s.browser.Get(t, s.AuthorizeURL()), s.user.Email, providertest.Password), app
}

func (s *scene) code(t *testing.T) string {
	t.Helper()
	s.signIn(t)
	return s.browser.Get(t, s.trusted.AuthorizeURL()).Code(t)
}

// posts returns the function that posts a form each time it is called.
func (s *scene) posts(t *testing.T, f providertest.Form, pairs ...string) func() providertest.Answer {
	for i := 0; i < len(pairs); i += 2 {
		f.Values.Set(pairs[i], pairs[i+1])
	}
	return func() providertest.Answer { return providertest.Do(t, s.browser.Client, s.browser.FormRequest(t, f)) }
}

// postsAccountForm returns the function that posts a form of an account page.
func (s *scene) postsAccountForm(t *testing.T, page, path string, pairs ...string) func() providertest.Answer {
	t.Helper()
	return s.posts(t, s.browser.Get(t, s.Issuer+page).FormTo(t, path, "", ""), pairs...)
}

func (s *scene) gets(t *testing.T, path string) func() providertest.Answer {
	return func() providertest.Answer { return s.browser.Fetch(t, s.Issuer+path) }
}

func (s *scene) calls(t *testing.T, path, body string) func() providertest.Answer {
	return func() providertest.Answer { return s.browser.CallApp(t, path, body) }
}

const ownDocument = `{"redirect_uris":["https://rp.example.org/cb"]}`

// managesItself returns the function with which a client that registered itself calls its own
// endpoint.
func (s *scene) managesItself(t *testing.T, method string) func() providertest.Answer {
	made := s.RegisterItself(t, "", ownDocument)
	return func() providertest.Answer {
		document := `{"client_id":"` + made["client_id"].(string) + `","redirect_uris":["https://rp.example.org/other"]}`
		return s.SendRegistration(t, method, made["registration_client_uri"].(string), made["registration_access_token"].(string), document)
	}
}

// acts lists all acts except those that open a page of the account, see allActs. A route
// that no act requests fails TestAudit_EachActLeavesItsEvent.
var acts = []act{
	{name: "a request without a session", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return func() providertest.Answer { return s.browser.Fetch(t, s.AuthorizeURL()) }
	}},
	{name: "a request with a session", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return func() providertest.Answer { return s.browser.Fetch(t, s.trusted.AuthorizeURL()) }
	}},
	{name: "a request that asks for consent", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return func() providertest.Answer { return s.browser.Fetch(t, s.AuthorizeURL()) }
	}},
	{name: "sign-in page", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		to := s.browser.Get(t, s.AuthorizeURL()).At.RequestURI()
		return s.gets(t, to)
	}},
	{name: "sign-in", events: []storage.EventType{storage.UserSignedIn}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		f := s.browser.Get(t, s.AuthorizeURL()).FormTo(t, "/login", "", "")
		return s.posts(t, f, "username", s.user.Email, "password", providertest.Password)
	}},
	{name: "sign-in with a wrong password", events: []storage.EventType{storage.UserSignInFailed}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		f := s.browser.Get(t, s.AuthorizeURL()).FormTo(t, "/login", "", "")
		return s.posts(t, f, "username", s.user.Email, "password", "a wrong password")
	}},
	{name: "sign-in of the app", events: []storage.EventType{storage.UserSignedIn}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.calls(t, "/login", s.credentials())
	}},
	{name: "refresh of the app, its first", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.browser.SignIn(t, s.browser.Get(t, s.Issuer+"/account"), s.user.Email, providertest.Password)
		return s.calls(t, "/refresh", "")
	}},
	{name: "refresh of the app", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.calls(t, "/refresh", "")
	}},
	{name: "who is signed in", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.calls(t, "/session", "")
	}},
	{name: "sign-out of the app", events: []storage.EventType{storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.calls(t, "/logout", "")
	}},
	{name: "sign-out page", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.gets(t, "/end_session")
	}},
	{name: "sign-out", events: []storage.EventType{storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.posts(t, s.browser.Get(t, s.EndSessionURL()).Form(t), "decision", "allow")
	}},
	{name: "consent", events: []storage.EventType{storage.ConsentGiven}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.posts(t, s.browser.Get(t, s.AuthorizeURL()).Form(t), "decision", "allow")
	}},
	{name: "consent denied", events: []storage.EventType{storage.ConsentDenied}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.posts(t, s.browser.Get(t, s.AuthorizeURL()).Form(t), "decision", "deny")
	}},
	{name: "account chosen", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		f := s.browser.Get(t, s.trusted.AuthorizeURL("prompt", "select_account")).Form(t)
		return s.posts(t, f, "decision", "continue")
	}},
	{name: "no new proof", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.posts(t, s.browser.Get(t, s.trusted.AuthorizeURL("prompt", "login")).FormTo(t, "/decline", "", ""))
	}},
	{name: "next step", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		request := s.browser.Get(t, s.trusted.AuthorizeURL()).FormTo(t, "/login", "", "").Values.Get("request")
		s.signIn(t)
		return s.gets(t, "/authorize/next?request="+url.QueryEscape(request))
	}},
	{name: "identity to be connected", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.postsAccountForm(t, "/account/identities", "/account/identities/link")
	}},
	{name: "page for the code", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		page, _ := s.askedForCode(t)
		return func() providertest.Answer { return s.browser.Fetch(t, page.At.String()) }
	}},
	{name: "sign-in with a code", events: []storage.EventType{storage.UserSignedIn}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		page, app := s.askedForCode(t)
		return s.posts(t, page.FormTo(t, "/login/factor", "", ""), "code", app.Code(t, s.Now()))
	}},
	{name: "sign-in with a recovery code", events: []storage.EventType{storage.RecoveryCodeUsed, storage.UserSignedIn}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		page, app := s.askedForCode(t)
		return s.posts(t, page.FormTo(t, "/login/factor", "", ""), "code", app.Codes[0])
	}},
	{name: "sign-in with a wrong code", events: []storage.EventType{storage.UserSignInFailed}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		page, app := s.askedForCode(t)
		return s.posts(t, page.FormTo(t, "/login/factor", "", ""), "code", app.Code(t, s.Now().Add(time.Hour)))
	}},
	{name: "first factor of the app", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.askedForCode(t)
		return s.calls(t, "/login", s.credentials())
	}},
	{name: "page that asks for a factor", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		to := s.browser.Get(t, s.strict.AuthorizeURL()).At
		if to.Path != "/login/enrol" {
			t.Fatalf("the request leads to %s", to)
		}
		return s.gets(t, to.RequestURI())
	}},
	{name: "mail before the first factor", events: []storage.EventType{storage.EnrolmentRequested}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.postsAccountForm(t, "/account/security/proof?for=totp", "/account/security/proof")
	}},
	{name: "link before the first factor", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		address := s.enrolmentLink(t)
		return func() providertest.Answer { return s.browser.Fetch(t, address) }
	}},
	{name: "first factor allowed by a link", events: []storage.EventType{storage.EnrolmentConfirmed}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.enrolmentLink(t)).FormTo(t, "/link/enrol", "", ""), "act", "confirm")
	}},
	{name: "authenticator app added", events: []storage.EventType{storage.FactorAdded, storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.proveAddress(t)
		page := s.browser.Get(t, s.Issuer+"/account/security/totp")
		app := providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
		return s.posts(t, page.FormTo(t, "/account/security/totp", "", ""), "code", app.Code(t, s.Now()))
	}},
	{name: "authenticator app removed", events: []storage.EventType{storage.FactorRemoved, storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.proveAddress(t)
		s.browser.AddAuthenticator(t)
		return s.postsAccountForm(t, "/account/security/totp/remove", "/account/security/totp/remove")
	}},
	{name: "recovery codes replaced", events: []storage.EventType{storage.RecoveryCodesReplaced, storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.proveAddress(t)
		s.browser.AddAuthenticator(t)
		return s.postsAccountForm(t, "/account/security/codes", "/account/security/codes")
	}},
	{name: "mail for a forgotten password", events: []storage.EventType{storage.PasswordResetRequested}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.Issuer+"/reset").Form(t), "email", s.user.Email)
	}},
	{name: "link for a new password", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		address := s.resetLink(t)
		return func() providertest.Answer { return s.browser.Fetch(t, address) }
	}},
	{name: "new password by a link", events: []storage.EventType{storage.PasswordChanged, storage.SessionsEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.resetLink(t)).Form(t), "new-password", providertest.NewPassword)
	}},
	{name: "mail for a new account", events: []storage.EventType{storage.SignUpRequested}, nobody: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.Issuer+"/signup").FormTo(t, "/signup", "", ""), "email", storage.NewID("n")+"@example.com")
	}},
	{name: "link for a new account", nobody: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		address := s.signUpLink(t)
		return func() providertest.Answer { return s.browser.Fetch(t, address) }
	}},
	{name: "new account by a link", events: []storage.EventType{storage.UserCreated}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.signUpLink(t)).Form(t), "name", "Zoe", "new-password", providertest.NewPassword)
	}},
	{name: "page of the email address", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.gets(t, "/account/email")
	}},
	{name: "mail that proves an address", events: []storage.EventType{storage.AddressProofRequested}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.claimAddress(t)
		return s.postsAccountForm(t, "/account/email", "/account/email/verify")
	}},
	{name: "link that proves an address", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		address := s.proofLink(t)
		return func() providertest.Answer { return s.browser.Fetch(t, address) }
	}},
	{name: "proof of an address by a link", events: []storage.EventType{storage.AddressProven}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.proofLink(t)).FormTo(t, "/link/verify", "", ""), "act", "verify")
	}},
	{name: "invitation", nobody: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		address := s.invitation(t, storage.NewID("n")+"@example.com")
		return func() providertest.Answer { return s.browser.Fetch(t, address) }
	}},
	{name: "new account by an invitation", events: []storage.EventType{storage.UserCreated, storage.InvitationUsed}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.invitation(t, storage.NewID("n")+"@example.com")).FormTo(t, "/link/invitation", "", ""), "name", "Zoe", "new-password", providertest.NewPassword)
	}},
	{name: "invitation through a connector", nobody: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.invitation(t, storage.NewID("n")+"@example.com")).FormTo(t, "/link/invitation/connect", "connector", "google"))
	}},
	{name: "invitation accepted through a connector", events: []storage.EventType{storage.UserCreated, storage.InvitationUsed, storage.IdentityLinked, storage.UserSignedIn}, spendsUpstream: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		const email = "mallory.invited@example.com"
		if earlier, _, err := s.DB.UserByEmail(t.Context(), email); err == nil { // has the identity
			if err := s.DB.DeleteUser(t.Context(), earlier.ID, storage.By{From: providertest.TestOrigin, At: s.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		left := s.browser.Submit(t, s.browser.Get(t, s.invitation(t, email)).FormTo(t, "/link/invitation/connect", "connector", "google"))
		back := s.browser.ChooseAccount(t, left.LeftTo, "mallory")
		return func() providertest.Answer { return s.browser.Fetch(t, back) }
	}},
	{name: "form for a new address", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.gets(t, "/account/email/change")
	}},
	{name: "mail to a new address", events: []storage.EventType{storage.AddressChangeRequested}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.postsAccountForm(t, "/account/email/change", "/account/email/change", "email", storage.NewID("n")+"@example.com")
	}},
	{name: "new address by a link", events: []storage.EventType{storage.AddressChanged, storage.AddressProven, storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.changeLink(t)).FormTo(t, "/link/verify", "", ""), "act", "verify")
	}},
	{name: "link that undoes a change", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		address := s.undoLink(t)
		return func() providertest.Answer { return s.browser.Fetch(t, address) }
	}},
	{name: "undo of a change by its link", events: []storage.EventType{storage.AddressChangeUndone, storage.AddressProven, storage.SessionsEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.undoLink(t)).FormTo(t, "/link/undo", "", ""))
	}},
	{name: "connector's button", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.posts(t, s.browser.Get(t, s.AuthorizeURL()).FormTo(t, "/login/google", "", ""))
	}},
	{name: "connector's callback", events: []storage.EventType{storage.UserSignedIn}, spendsUpstream: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		if _, _, err := s.DB.UserByEmail(t.Context(), providertest.AdaEmail); err != nil { // at her first visit
			s.Visitor(t).AuthorizeThrough(t, "google", "ada")
		}
		back := s.browser.ChooseAccount(t, s.browser.PressConnector(t, s.browser.Get(t, s.AuthorizeURL()), "google"), "ada")
		return func() providertest.Answer { return s.browser.Fetch(t, back) }
	}},
	{name: "code", once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		code := s.code(t)
		return func() providertest.Answer { return s.trusted.TokenRequest(t, s.trusted.CodeForm(code)) }
	}},
	{name: "code replayed", events: []storage.EventType{storage.GrantReplayed}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		code := s.code(t)
		s.trusted.Redeem(t, code)
		return func() providertest.Answer { return s.trusted.TokenRequest(t, s.trusted.CodeForm(code)) }
	}},
	{name: "code with a wrong verifier", events: []storage.EventType{storage.GrantRefused}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		form := s.trusted.CodeForm(s.code(t), "code_verifier", strings.Repeat("w", 43))
		return func() providertest.Answer { return s.trusted.TokenRequest(t, form) }
	}},
	{name: "device code", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return func() providertest.Answer { return s.tv.RequestDevice(t) }
	}},
	{name: "poll of a device that waits", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		d := s.tv.StartDevice(t)
		return func() providertest.Answer { return s.tv.Poll(t, d) }
	}},
	{name: "page for the code of a device", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		d := s.tv.StartDevice(t)
		s.signIn(t)
		return s.gets(t, "/device?user_code="+d.UserCode)
	}},
	{name: "code of a device", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		d := s.tv.StartDevice(t)
		s.signIn(t)
		return s.posts(t, s.browser.Get(t, d.Complete).Form(t))
	}},
	{name: "wrong code of a device", events: []storage.EventType{storage.UserRefused}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.posts(t, s.browser.Get(t, s.Issuer+"/device").Form(t), "user_code", "BCDF-GHJK")
	}},
	{name: "page of a device", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		d := s.tv.StartDevice(t)
		s.signIn(t)
		return s.gets(t, s.browser.OpenDevice(t, d).At.RequestURI())
	}},
	{name: "device allowed", events: []storage.EventType{storage.DeviceApproved}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		d := s.tv.StartDevice(t)
		s.signIn(t)
		return s.posts(t, s.browser.OpenDevice(t, d).Form(t), "decision", "allow")
	}},
	{name: "device denied", events: []storage.EventType{storage.DeviceDenied}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		d := s.tv.StartDevice(t)
		s.signIn(t)
		return s.posts(t, s.browser.OpenDevice(t, d).Form(t), "decision", "deny")
	}},
	{name: "device code redeemed", once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		d := s.allowedDevice(t)
		return func() providertest.Answer { return s.tv.Poll(t, d) }
	}},
	{name: "device code replayed", events: []storage.EventType{storage.GrantReplayed}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		d := s.allowedDevice(t)
		providertest.WantStatus(t, s.tv.Poll(t, d), http.StatusOK)
		return func() providertest.Answer { return s.tv.Poll(t, d) }
	}},
	{name: "refresh", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		token := s.tokens(t)["refresh_token"]
		return func() providertest.Answer { return s.trusted.Refresh(t, token) }
	}},
	{name: "refresh within the grace", events: []storage.EventType{storage.GrantRetried}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		token := s.tokens(t)["refresh_token"]
		s.trusted.MustRefresh(t, token)
		return func() providertest.Answer { return s.trusted.Refresh(t, token) }
	}},
	{name: "refresh replayed", events: []storage.EventType{storage.GrantReplayed}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		token := s.tokens(t)["refresh_token"]
		s.trusted.MustRefresh(t, s.trusted.MustRefresh(t, token)["refresh_token"])
		return func() providertest.Answer { return s.trusted.Refresh(t, token) }
	}},
	{name: "wrong client secret", events: []storage.EventType{storage.ClientRefused}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return func() providertest.Answer {
			return s.TokenRequest(t, s.CodeForm("code"), func(r *http.Request) { r.SetBasicAuth(s.Client.ID, "a wrong secret") })
		}
	}},
	{name: "userinfo", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		token := s.tokens(t)["access_token"].(string)
		return func() providertest.Answer { return s.Userinfo(t, token) }
	}},
	{name: "client registers itself", events: []storage.EventType{storage.ClientRegistered}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return func() providertest.Answer {
			return s.SendRegistration(t, http.MethodPost, s.Issuer+"/register", "", ownDocument)
		}
	}},
	{name: "client reads itself", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.managesItself(t, http.MethodGet)
	}},
	{name: "client changes itself", events: []storage.EventType{storage.ClientUpdated}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.managesItself(t, http.MethodPut)
	}},
	{name: "client deletes itself", events: []storage.EventType{storage.ClientDeleted}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.managesItself(t, http.MethodDelete)
	}},
	{name: "introspection", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.postsToken(t, "/introspect", "access_token")
	}},
	{name: "revocation", events: []storage.EventType{storage.TokenRevoked}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.postsToken(t, "/revoke", "access_token")
	}},
	{name: "revocation of a refresh token", events: []storage.EventType{storage.GrantRevoked}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.postsToken(t, "/revoke", "refresh_token")
	}},
	{name: "profile", events: []storage.EventType{storage.UserUpdated}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.postsAccountForm(t, "/account/profile", "/account/profile", "name", "Another name")
	}, once: true},
	{name: "password changed", events: []storage.EventType{storage.PasswordChanged, storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.postsAccountForm(t, "/account/password", "/account/password", "current-password", providertest.Password, "new-password", providertest.NewPassword)
	}},
	{name: "passkey added", events: []storage.EventType{storage.PasskeyAdded, storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.proveAddress(t)
		f, data := s.browser.Get(t, s.Issuer+"/account/passkeys/add").PasskeyForm(t)
		return s.posts(t, f, "credential", s.Authenticator(t).Create(t, data["challenge"], s.user.ID))
	}},
	{name: "link for a passkey", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		address := s.PasskeyLink(t, s.user.ID)
		return func() providertest.Answer { return s.browser.Fetch(t, address) }
	}},
	{name: "passkey added by a link", events: []storage.EventType{storage.PasskeyAdded, storage.SessionsEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		f, data := s.browser.Get(t, s.PasskeyLink(t, s.user.ID)).PasskeyForm(t)
		return s.posts(t, f, "credential", s.Authenticator(t).Create(t, data["challenge"], s.user.ID))
	}},
	{name: "page after a passkey was added", nobody: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		return s.gets(t, "/link/passkey?done=passkey")
	}},
	{name: "passkey made by the browser", events: []storage.EventType{storage.PasskeyAdded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		page := s.browser.SignInTelling(t, s.user.Email, "1")
		return s.posts(t, s.MadePasskeyForm(t, page, s.Authenticator(t), s.user.ID))
	}},
	{name: "passkey renamed", events: []storage.EventType{storage.PasskeyRenamed}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.addPasskey(t)
		return s.postsAccountForm(t, "/account/passkeys", "/account/passkeys/rename", "name", "Phone")
	}},
	{name: "passkey removed", events: []storage.EventType{storage.PasskeyRemoved}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		authenticator := s.addPasskey(t)
		s.browser = s.Visitor(t)
		s.browser.UsePasskey(t, s.browser.Get(t, s.Issuer+"/account"), authenticator).WantAt(t, "/account")
		return s.postsAccountForm(t, "/account/passkeys/remove?passkey="+s.PasskeysOf(t, s.user.ID)[0].ID, "/account/passkeys/remove")
	}},
	{name: "sign-in with a passkey", events: []storage.EventType{storage.UserSignedIn}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		authenticator := s.addPasskey(t)
		s.browser = s.Visitor(t)
		f, data := s.browser.Get(t, s.AuthorizeURL()).PasskeyForm(t)
		return s.posts(t, f, "credential", authenticator.Get(t, data["challenge"]))
	}},
	{name: "security key added", events: []storage.EventType{storage.FactorAdded, storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.proveAddress(t)
		f, data := s.browser.Get(t, s.Issuer+"/account/security/keys/add").PasskeyForm(t)
		return s.posts(t, f, "credential", s.SecurityKey(t).Create(t, data["challenge"], ""))
	}},
	{name: "security key renamed", events: []storage.EventType{storage.FactorRenamed}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.addKey(t)
		return s.postsAccountForm(t, "/account/security", "/account/security/keys/rename", "name", "Desk")
	}},
	{name: "security key removed", events: []storage.EventType{storage.FactorRemoved, storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.addKey(t)
		has, err := s.DB.SecondFactorsOf(t.Context(), s.user.ID)
		if err != nil || len(has.Keys) != 1 {
			t.Fatalf("factors %+v, %v", has, err)
		}
		return s.postsAccountForm(t, "/account/security/keys/remove?key="+has.Keys[0].ID, "/account/security/keys/remove")
	}},
	{name: "asked for a passkey at every sign-in", events: []storage.EventType{storage.AlwaysAskChanged, storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		authenticator := s.addPasskey(t)
		s.browser = s.Visitor(t)
		s.browser.UsePasskey(t, s.browser.Get(t, s.Issuer+"/account/security"), authenticator)
		page := s.browser.Get(t, s.Issuer+"/account/security/always-ask")
		return s.posts(t, page.FormTo(t, "/account/security/always-ask", "", ""))
	}},
	{name: "sign-in with a security key", events: []storage.EventType{storage.UserSignedIn}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		key := s.addKey(t)
		s.browser = s.Visitor(t)
		page := s.browser.SignIn(t, s.browser.Get(t, s.AuthorizeURL()), s.user.Email, providertest.Password)
		f, data := page.PasskeyForm(t)
		return s.posts(t, f, "credential", key.Get(t, data["challenge"]))
	}},
	{name: "session ended", events: []storage.EventType{storage.SessionEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.postsAccountForm(t, "/account/sessions", "/account/sessions/end")
	}},
	{name: "other sessions ended", events: []storage.EventType{storage.SessionEnded}, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		other := s.Visitor(t)
		providertest.WantStatus(t, other.CallApp(t, "/login", s.credentials()), http.StatusOK)
		s.signIn(t)
		return s.postsAccountForm(t, "/account/sessions", "/account/sessions/end-others")
	}},
	{name: "trust in a browser ended", events: []storage.EventType{storage.BrowserTrustEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		page, app := s.askedForCode(t)
		s.browser.Submit(t, page.FormTo(t, "/login/factor", "", ""), "code", app.Code(t, s.Now()), "trust", "on")
		return s.postsAccountForm(t, "/account/sessions", "/account/sessions/end-trust")
	}},
	{name: "browser trusted", events: []storage.EventType{storage.UserSignedIn, storage.BrowserTrusted}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		page, app := s.askedForCode(t)
		return s.posts(t, page.FormTo(t, "/login/factor", "", ""), "code", app.Code(t, s.Now()), "trust", "on")
	}},
	{name: "all sessions ended", events: []storage.EventType{storage.SessionsEnded}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		return s.postsAccountForm(t, "/account/sessions/end-all", "/account/sessions/end-all")
	}},
	{name: "application disconnected", events: []storage.EventType{storage.ConsentWithdrawn}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.tokens(t)
		return s.postsAccountForm(t, "/account/apps/withdraw?client_id=trusted", "/account/apps/withdraw")
	}},
	{name: "identity connected after a proof", events: []storage.EventType{storage.IdentityLinked}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.upstream.Liar.SetFaults(providertest.ChangeClaims("sub", s.user.ID, "email", s.user.Email))
		proof := s.browser.AuthorizeThrough(t, "liar", "victim").FormTo(t, "/login/link", "", "")
		return s.posts(t, s.browser.Submit(t, proof, "password", providertest.Password).FormTo(t, "/login/link/confirm", "", ""), "decision", "connect")
	}},
	{name: "identity disconnected", events: []storage.EventType{storage.IdentityUnlinked}, once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		link := storage.IdentityLink{
			Identity: storage.Identity{Connector: "google", Issuer: s.upstream.Google.URL, Subject: storage.NewID("s"), UserID: s.user.ID},
			ProofID:  storage.NewID("p"), Until: storage.At(s.Now().Add(time.Hour)), SessionID: s.SessionsOf(t, s.user.ID)[0].ID,
		}
		if err := s.DB.LinkIdentity(t.Context(), link, s.Now()); err != nil {
			t.Fatal(err)
		}
		return s.posts(t, s.browser.Get(t, s.Issuer+"/account/identities").UnlinkForms(t)[0])
	}},
}

// resetLink returns the link of a mail for a new password of the user.
func (s *scene) resetLink(t *testing.T) string {
	t.Helper()
	return s.mailedLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: s.user.ID, UserID: s.user.ID, Address: s.user.Email}, storage.MailPasswordReset)
}

// signUpLink returns the link of a mail for a new account.
func (s *scene) signUpLink(t *testing.T) string {
	t.Helper()
	email := storage.NewID("n") + "@example.com"
	return s.mailedLink(t, storage.LinkDraft{Kind: storage.LinkSignUp, Holder: email, Address: email}, storage.MailSignUp)
}

// proofLink signs the user in, whose address becomes unverified, and returns the link of a mail
// that proves it.
func (s *scene) proofLink(t *testing.T) string {
	t.Helper()
	s.claimAddress(t)
	return s.mailedLink(t, storage.LinkDraft{Kind: storage.LinkVerify, Holder: s.user.ID, UserID: s.user.ID, Address: s.user.Email}, storage.MailAddressProof)
}

// enrolmentLink signs the user in and returns the link of the mail that comes before the first factor.
func (s *scene) enrolmentLink(t *testing.T) string {
	t.Helper()
	s.signIn(t)
	return s.mailedLink(t, storage.LinkDraft{Kind: storage.LinkEnrol, Holder: s.user.ID, UserID: s.user.ID, Address: s.user.Email}, storage.MailEnrolment)
}

// proveAddress signs the user in and opens the mailed link that comes before the first factor.
func (s *scene) proveAddress(t *testing.T) {
	t.Helper()
	s.posts(t, s.browser.Get(t, s.enrolmentLink(t)).FormTo(t, "/link/enrol", "", ""), "act", "confirm")()
}

// changeLink signs the user in and returns the link of a mail to a new address.
func (s *scene) changeLink(t *testing.T) string {
	t.Helper()
	s.signIn(t)
	email := storage.NewID("n") + "@example.com"
	return s.mailedLink(t, storage.LinkDraft{Kind: storage.LinkVerify, Holder: s.user.ID, UserID: s.user.ID, Address: email, Detail: "change"}, storage.MailAddressChange)
}

// undoLink changes the address of the user, and returns the link that the former one gets.
func (s *scene) undoLink(t *testing.T) string {
	t.Helper()
	s.posts(t, s.browser.Get(t, s.changeLink(t)).FormTo(t, "/link/verify", "", ""), "act", "verify")()
	return s.newestLink(t, s.user.Email, storage.LinkUndo)
}

// claimAddress makes the address of the user unverified, and signs the user in.
func (s *scene) claimAddress(t *testing.T) {
	t.Helper()
	unverified := false
	_, err := s.DB.ReviseUser(t.Context(), storage.UserRevision{UserID: s.user.ID, Verified: &unverified, Revise: func(*storage.User) error { return nil }}, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.signIn(t)
}

// invitation returns the link of a mailed invitation.
func (s *scene) invitation(t *testing.T, email string) string {
	t.Helper()
	return s.mailedLink(t, storage.LinkDraft{Kind: storage.LinkInvitation, Holder: email, Address: email}, storage.MailInvitation)
}

// mailedLink returns the link of a mail. The mail does not count towards the limits.
func (s *scene) mailedLink(t *testing.T, d storage.LinkDraft, kind storage.MailKind) string {
	t.Helper()
	err := s.DB.RequestMail(t.Context(), storage.MailRequest{Link: &d, Mail: &storage.MailDraft{Kind: kind, Recipient: d.Address, UserID: d.UserID}}, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s.newestLink(t, d.Address, d.Kind)
}

// newestLink sends the mails and returns the link of the newest one with a link of the kind.
func (s *scene) newestLink(t *testing.T, to string, kind storage.LinkKind) string {
	t.Helper()
	for range 20 { // mails of other acts may wait too, and a node sends only some at once
		s.SendMails(t)
		for _, m := range slices.Backward(s.mails.Received()) {
			if m.To[0] == to && strings.Contains(m.Text, "/link/"+string(kind)+"?") {
				address, _ := providertest.LinkIn(t, m)
				return address
			}
		}
	}
	t.Fatalf("no mail with a link for %s", to)
	return ""
}

// allowedDevice returns a device that the user has allowed.
func (s *scene) allowedDevice(t *testing.T) providertest.Device {
	t.Helper()
	d := s.tv.StartDevice(t)
	s.signIn(t)
	s.browser.AnswerDevice(t, d, "allow")
	return d
}

// allActs returns acts, and one act for each page of the account.
func allActs(t *testing.T) []act {
	t.Helper()
	all := slices.Clone(acts)
	for _, path := range providertest.Pages(t, "/account") {
		all = append(all, act{name: "page " + path, ready: func(t *testing.T, s *scene) func() providertest.Answer {
			s.signIn(t)
			return s.gets(t, path)
		}})
	}
	return all
}

// postsToken returns the function with which a client posts one of its tokens.
func (s *scene) postsToken(t *testing.T, path, kind string) func() providertest.Answer {
	token := s.tokens(t)[kind].(string)
	return func() providertest.Answer {
		return s.trusted.Post(t, path, providertest.FormType, strings.NewReader(url.Values{"token": {token}}.Encode()))
	}
}

// TestAudit_EachActLeavesItsEvent: the event has the actor, the object, the address, and
// the id of the request in the log.
func TestAudit_EachActLeavesItsEvent(t *testing.T) {
	s, requested := newScene(t, storagetest.SQLite(t), nil), map[string]bool{}
	for _, a := range allActs(t) {
		t.Run(a.name, func(t *testing.T) {
			s.newUser(t)
			send := a.ready(t, s)
			before := len(s.Events(t))
			path := send().Request.URL.Path
			if strings.HasPrefix(path, "/register/") {
				path = "/register/client_id"
			}
			requested[path] = true
			s.Drain()
			s.NoteRefusals(t)
			all := s.Events(t)
			fresh := all[:len(all)-before]
			var types []storage.EventType
			for _, e := range fresh {
				types = append(types, e.Type)
				s.wantComplete(t, e)
			}
			slices.Sort(types)
			if want := slices.Sorted(slices.Values(a.events)); !slices.Equal(types, want) {
				t.Errorf("events %q, want %q", types, want)
			}
		})
	}
	for _, path := range providertest.Routes(t) {
		if !requested[strings.ReplaceAll(path, "connector", "google")] && !slices.Contains(withoutAct, path) && !strings.HasPrefix(path, "/admin") {
			t.Errorf("no act requests %s", path)
		}
	}
}

// withoutAct are routes that no act requests: documents, pages that only prepare an act, and
// routes with tests of their own.
var withoutAct = []string{
	"/", "/jwks", "/healthz", "/favicon.ico", "/readyz", "/setup", "/login/link", "/login/connector/start",
	"/.well-known/change-password", "/.well-known/passkey-endpoints", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server",
	"/par", "/check_session", "/client-logo/client/version",
}

// aboutClients are the types of events that name a client.
var aboutClients = []storage.EventType{
	storage.ConsentGiven, storage.ConsentDenied, storage.ConsentWithdrawn, storage.GrantReplayed, storage.GrantRetried,
	storage.GrantRevoked, storage.TokenRevoked, storage.ClientRefused, storage.DeviceApproved, storage.DeviceDenied,
	storage.ClientRegistered, storage.ClientUpdated, storage.ClientDeleted,
}

// wantComplete checks that the event has everything that an operator looks for.
func (s *scene) wantComplete(t *testing.T, e storage.Event) {
	t.Helper()
	if e.From.Address != "127.0.0.1" || e.From.Agent == "" || e.From.RequestID == "" || e.Outcome == "" {
		t.Errorf("%s lacks its origin or its outcome: %+v", e.Type, e)
	}
	if !strings.Contains(s.Log.String(), `"request_id":"`+e.From.RequestID+`"`) {
		t.Errorf("%s: the log has no request %s", e.Type, e.From.RequestID)
	}
	if slices.Contains(aboutClients, e.Type) && e.ClientID == "" {
		t.Errorf("%s names no client", e.Type)
	}
	if e.From.Actor == "" && e.Type != storage.ClientRefused && e.Type != storage.TokenRevoked && e.Type != storage.GrantRevoked && e.Type != storage.SignUpRequested {
		t.Errorf("%s names no actor", e.Type)
	}
}

// injector makes the n-th call of the database fail.
type injector struct {
	mu sync.Mutex
	injection
}

type injection struct {
	on     bool
	at     int // number of the call that fails; 0: none
	when   storage.FaultMoment
	calls  []string
	failed string
}

func (i *injector) decide(name string) storage.Fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.on {
		return storage.Fault{}
	}
	if i.calls = append(i.calls, name); len(i.calls) != i.at {
		return storage.Fault{}
	}
	i.failed = name
	return storage.Fault{When: i.when, Err: storage.ErrUnavailable}
}

// during makes the n-th call fail while f runs. It returns all calls of f, and the one that
// failed.
func (i *injector) during(n int, when storage.FaultMoment, f func()) (calls []string, failed string) {
	i.set(injection{on: true, at: n, when: when})
	f()
	done := i.set(injection{})
	return done.calls, done.failed
}

func (i *injector) set(to injection) injection {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.injection
	i.injection = to
	return before
}

// afterCommit are calls that follow a committed act, such as a sign-out. If one fails, the
// next periodic job of the node repeats it.
var afterCommit = []string{"list notices"}

// TestFaults_EachActSurvivesEachFailingCall sends each request once for every call of the
// database that it makes, and lets that call fail: at once, before its commit, or after it
// with the answer lost. The answer is 503 with Retry-After and deletes no cookie. The same
// request is then answered as if nothing had happened, since nothing was spent without an
// answer. If the answer was lost after the commit, the request may also be refused.
//
// ST-14: a failing database gives 503, never a decision.
func TestFaults_EachActSurvivesEachFailingCall(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		var broken injector
		s, faults, all := newScene(t, backend, broken.decide), 0, allActs(t)
		for _, a := range all {
			if strings.HasPrefix(a.name, "mail ") {
				s.Advance(15 * time.Minute) // the window in which mails are limited
			}
			faults += s.failEachCall(t, &broken, a)
		}
		if faults < 2*len(all) { // some acts make no call, most of them several
			t.Errorf("%d faults in %d acts: the calls do not pass the injector", faults, len(acts))
		}
	})
}

// TestFaults_KeyRotationIsAllOrNothing: an administrator rotates keys while calls fail. If
// only the answer was lost, the rotation does not happen twice.
//
// ST-14: a failing database gives 503, never a decision.
func TestFaults_KeyRotationIsAllOrNothing(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		var broken injector
		s := newScene(t, backend, broken.decide, func(_ *providertest.Upstreams, c *provider.Config) { c.Algorithms = []string{"ES256"} })
		faults := s.failEachCall(t, &broken, act{name: "keys rotated", once: true, ready: func(t *testing.T, s *scene) func() providertest.Answer {
			operator := storage.NewID("o") + "@example.com"
			s.CreateUser(t, storage.User{Email: operator, EmailVerified: true, Admin: true}, providertest.Password)
			s.Advance(24 * time.Hour) // until the next keys may sign
			page := s.browser.SignIn(t, s.browser.Get(t, s.Issuer+"/admin/keys/rotate"), operator, providertest.Password)
			return s.posts(t, page.FormTo(t, "/admin/keys/rotate", "", ""))
		}})
		if faults == 0 {
			t.Error("no call failed")
		}
		s.newUser(t)
		s.signIn(t)
		s.browser.WantApp(t, true)
		s.browser.RefreshApp(t)
	})
}

// failEachCall performs an act once for each of its calls of the database and each way in
// which that call can fail. It returns the number of faults.
func (s *scene) failEachCall(t *testing.T, broken *injector, a act) (faults int) {
	t.Helper()
	s.newUser(t)
	send := a.ready(t, s)
	var good providertest.Answer
	calls, _ := broken.during(0, storage.AtOnce, func() { good = send(); s.Drain() })
	for n := 1; n <= len(calls); n++ {
		for _, when := range momentsOf(calls[n-1]) {
			s.Advance(2 * time.Minute) // mails are limited, and many acts begin with one
			s.newUser(t)
			send := a.ready(t, s)
			var got providertest.Answer
			_, failed := broken.during(n, when, func() { got = send(); s.Drain() })
			if failed == "" {
				t.Errorf("%s: call %d of %q was not made the second time", a.name, n, calls)
				continue
			}
			faults++
			fault := a.name + ": " + failed + map[storage.FaultMoment]string{
				storage.AtOnce: " fails", storage.BeforeCommit: " fails at its commit", storage.AfterCommit: " is committed and its answer lost",
			}[when]
			if slices.Contains(afterCommit, failed) {
				if got.StatusCode != good.StatusCode || nextPath(got) != nextPath(good) {
					t.Errorf("%s: got %d to %q, want %d to %q", fault, got.StatusCode, nextPath(got), good.StatusCode, nextPath(good))
				}
				continue
			}
			wantTryAgain(t, fault, got)
			again := send()
			switch {
			case again.StatusCode == good.StatusCode && nextPath(again) == nextPath(good):
			case (a.spendsUpstream || a.once && when == storage.AfterCommit) && again.StatusCode < http.StatusInternalServerError:
			default:
				t.Errorf("%s: then got %d to %q, want %d to %q: %s", fault, again.StatusCode, nextPath(again), good.StatusCode, nextPath(good), text(again))
			}
		}
	}
	return faults
}

// momentsOf returns the ways in which a call can fail. A read, which its name shows, fails
// in one way only.
func momentsOf(call string) []storage.FaultMoment {
	for _, reading := range []string{"read ", "list ", "look "} {
		if strings.HasPrefix(call, reading) {
			return []storage.FaultMoment{storage.AtOnce}
		}
	}
	return []storage.FaultMoment{storage.AtOnce, storage.BeforeCommit, storage.AfterCommit}
}

// wantTryAgain checks that the answer is 503 with Retry-After, deletes no cookie, and blames
// neither the client nor the user.
func wantTryAgain(t *testing.T, fault string, a providertest.Answer) {
	t.Helper()
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: got %d, Retry-After %q, Cache-Control %q: %s", fault, a.StatusCode, a.Header.Get("Retry-After"), a.Header.Get("Cache-Control"), text(a))
	}
	for _, c := range a.Cookies() {
		if strings.HasPrefix(c.Name, "signet_up_") || strings.HasPrefix(c.Name, "signet_for_") {
			continue // the user has to start the upstream sign-in again
		}
		if c.Value == "" || c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			t.Errorf("%s: the answer deletes the cookie %s", fault, c.Name)
		}
	}
	for _, wrong := range []string{"invalid_grant", "invalid_client", "invalid_credentials", "login_required", `"active":false`} {
		if strings.Contains(a.Body, wrong) {
			t.Errorf("%s: the answer contains %s", fault, wrong)
		}
	}
}

// nextPath returns the path that an answer leads to.
func nextPath(a providertest.Answer) string {
	to := a.Header.Get("Location")
	if refresh := a.Header.Get("Refresh"); refresh != "" {
		to = strings.TrimPrefix(refresh, "0;url=")
	}
	path, _, _ := strings.Cut(to, "?")
	return path
}

// text returns the first words of an answer.
func text(a providertest.Answer) string {
	doc, err := html.Parse(strings.NewReader(a.Body))
	if err != nil {
		return err.Error()
	}
	var words []string
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "script" {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words[:min(len(words), 60)], " ")
}

// TestFaults_EachActSurvivesClockJumps sends each request after the clock has jumped by an
// hour, a day or a year, in both directions, and again after the clock is right. The request
// may be refused, but is never a server error. Users that were signed in stay signed in.
//
// ST-11: jumps of the clock revive and delete nothing.
func TestFaults_EachActSurvivesClockJumps(t *testing.T) {
	s := newScene(t, storagetest.SQLite(t), nil)
	s.newUser(t)
	witness, tokens := s.browser, s.tokens(t)
	for i, a := range allActs(t) {
		jumps := []time.Duration{time.Hour, 24 * time.Hour, 365 * 24 * time.Hour}
		if os.Getenv("SIGNET_SOAK") == "" { // the acts take turns
			jumps = jumps[i%3 : i%3+1]
		}
		for _, jump := range jumps {
			for _, d := range []time.Duration{jump, -jump} {
				s.newUser(t)
				send := a.ready(t, s)
				s.Advance(d)
				for _, when := range []string{"at once", "when the clock is right again"} {
					// 502: the upstream's token is not valid at this time.
					if got := send(); got.StatusCode >= http.StatusInternalServerError && got.StatusCode != http.StatusBadGateway {
						t.Errorf("%s, %s after a jump by %s: %d: %s", a.name, when, d, got.StatusCode, text(got))
					}
					if when == "at once" {
						s.Advance(-d)
					}
				}
			}
		}
	}
	witness.WantApp(t, true)
	s.trusted.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
	tokens = s.trusted.MustRefresh(t, tokens["refresh_token"])
	s.Advance(365 * 24 * time.Hour)
	s.trusted.RefuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	witness.WantApp(t, false)
	s.Advance(-365 * 24 * time.Hour)
	s.trusted.MustRefresh(t, tokens["refresh_token"])
	witness.WantApp(t, true)
}
