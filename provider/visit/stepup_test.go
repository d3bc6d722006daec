package visit_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// sensitiveActs are the acts that need a new proof: the page of their form, the text of the
// page that asks for the proof, the target of its Cancel link, and the result of the act.
var sensitiveActs = []struct {
	name, page, action string
	fill               []string
	asks, cancel       string
	kept               bool // the form is filled in again, so that one press finishes the act
	done               string
}{
	{"disconnect", "/account/identities", "/account/identities/unlink", nil, "before you disconnect an account", "/account/identities", true, "/account/identities?done=unlinked"},
	{"connect", "/account/identities", "/account/identities/link", nil, "before you connect another account", "/account/identities", true, ""},
	{"withdraw", "/account/apps/withdraw?client_id=app", "/account/apps/withdraw", nil, "before you remove an application’s access", "/account/apps", true, "/account/apps?done=app"},
	{"password", "/account/password", "/account/password", []string{"current-password", providertest.Password, "new-password", providertest.NewPassword}, "before you change your password", "/account", false, "/account/password?done=password"},
	{"rotate", "/admin/keys/rotate", "/admin/keys/rotate", nil, "before you rotate the signing keys", "/admin/keys", true, "/admin/keys?done=rotated"},
	{"revoke", "", "/admin/keys/revoke", []string{"reason", "it leaked <b>"}, "before you revoke a signing key", "/admin/keys", true, "/admin/keys?done=revoked"},
	{"sign out everywhere", "/account/sessions/end-all", "/account/sessions/end-all", nil, "before you sign out everywhere", "/account/sessions", true, ""},
}

// For every act, the page explains why it asks and its Cancel link leads back. After the
// proof, one press of the button finishes the act. No password is carried along.
func TestStepUp_InterruptedActCanBeFinished(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.CreateUser(t, storage.User{Email: "root@example.com", EmailVerified: true, Admin: true}, providertest.Password)
		for _, act := range sensitiveActs {
			v, who := b.Visitor(t), "root@example.com"
			v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "consent")), who, providertest.Password)
			allowed := v.Get(t, b.AuthorizeURL())
			if allowed.LeftTo == nil {
				v.Allow(t, allowed)
			}
			if act.name == "disconnect" {
				v.Connect(t, "google", "ada")
			}
			b.Advance(24 * time.Hour) // after that, the next keys may sign
			v = b.Visitor(t)
			v.SignIn(t, v.Get(t, b.Issuer+"/account"), who, providertest.Password)
			f := formOfAct(t, v, act.page, act.action)
			for i := 0; i < len(act.fill); i += 2 {
				f.Values.Set(act.fill[i], act.fill[i+1])
			}
			if f.Values.Has("confirm") {
				f.Values.Set("confirm", f.Values.Get("kid"))
			}
			b.Advance(6 * time.Minute)
			asked := v.Submit(t, f)
			asked.WantText(t, "Confirm it’s you", act.asks, "some time ago", who)
			if back := v.Get(t, asked.Link(t, "cancel")); back.At.Path != act.cancel || back.StatusCode != http.StatusOK {
				t.Errorf("%s: Cancel leads to %s, status %d", act.name, back.At, back.StatusCode)
			}
			page := v.SignIn(t, asked, who, providertest.Password)
			if strings.Contains(page.Body+page.At.String(), providertest.NewPassword) || strings.Contains(page.At.String(), url.QueryEscape(providertest.NewPassword)) {
				t.Errorf("%s: the password is carried along", act.name)
			}
			again := page.FormTo(t, act.action, "", "")
			if !act.kept {
				page.WantText(t, "weren’t stored")
				for i := 0; i < len(act.fill); i += 2 {
					again.Values.Set(act.fill[i], act.fill[i+1])
				}
			}
			for name, value := range f.Values {
				if name != "ticket" && name != "username" && again.Values.Get(name) != value[0] {
					t.Errorf("%s: %s is %q after the proof, want %q", act.name, name, again.Values.Get(name), value[0])
				}
			}
			end := v.Submit(t, again)
			switch {
			case act.name == "connect":
				if end.LeftTo == nil {
					t.Errorf("connect: at %s, status %d", end.At, end.StatusCode)
				}
			case act.name == "sign out everywhere":
				v.WantNoSession(t)
			case !strings.HasPrefix(end.At.String(), b.Issuer+act.done):
				t.Errorf("%s: at %s, status %d", act.name, end.At, end.StatusCode)
			}
			if act.name == "password" { // restore the old password
				setPassword(t, b, who, providertest.NewPassword, providertest.Password)
			}
		}
	})
}

// formOfAct opens the form of an act; for page "", the form that revokes the active ES256
// key.
func formOfAct(t *testing.T, v *providertest.Visitor, page, action string) providertest.Form {
	t.Helper()
	if page == "" {
		page = providertest.RevokePathOf(v.Bed.Kid(t, "ES256", storage.KeyActive))
	}
	f := v.Get(t, v.Bed.Issuer+page).FormTo(t, action, "", "")
	return f
}

func setPassword(t *testing.T, b *providertest.Testbed, email, from, to string) {
	t.Helper()
	v := b.Visitor(t)
	page := v.SignIn(t, v.Get(t, b.Issuer+"/account/password"), email, from)
	v.Submit(t, page.FormTo(t, "/account/password", "", ""), "current-password", from, "new-password", to).WantAt(t, "/account/password?done=password")
}

// The sealed input of an administrator's form is shown in no other session, for no other
// key, and not after half an hour.
func TestStepUp_SealedInputIsForOneSession(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.CreateUser(t, storage.User{Email: "root@example.com", EmailVerified: true, Admin: true}, providertest.Password)
		enter := func() *providertest.Visitor {
			v := b.Visitor(t)
			v.SignIn(t, v.Get(t, b.Issuer+"/admin"), "root@example.com", providertest.Password)
			return v
		}
		v := enter()
		f := formOfAct(t, v, "", "/admin/keys/revoke")
		f.Values.Set("reason", "it leaked")
		b.Advance(6 * time.Minute)
		mine := v.SignIn(t, v.Submit(t, f), "root@example.com", providertest.Password)
		mine.WantText(t, "it leaked")
		typed := mine.At.Query().Get("typed")
		for what, s := range map[string]providertest.Stop{
			"another session": enter().Get(t, mine.At.String()),
			"another key":     v.Get(t, b.Issuer+providertest.RevokePathOf(b.Kid(t, "RS256", storage.KeyActive))+"&typed="+typed),
			"nonsense":        v.Get(t, b.Issuer+providertest.RevokePathOf(f.Values.Get("kid"))+"&typed=x"),
		} {
			if s.StatusCode != http.StatusOK || strings.Contains(s.Body, "it leaked") {
				t.Errorf("%s: status %d, shows the input: %v", what, s.StatusCode, strings.Contains(s.Body, "it leaked"))
			}
		}
		b.Advance(31 * time.Minute)
		late := v.SignIn(t, v.Get(t, mine.At.String()), "root@example.com", providertest.Password)
		if late.StatusCode != http.StatusOK || strings.Contains(late.Body, "it leaked") {
			t.Errorf("half an hour later: status %d", late.StatusCode)
		}
		// Input that does not fit into a URL must be typed again.
		f = formOfAct(t, v, "", "/admin/keys/revoke")
		f.Values.Set("reason", strings.Repeat("long ", 1000))
		b.Advance(6 * time.Minute)
		if page := v.SignIn(t, v.Submit(t, f), "root@example.com", providertest.Password); page.StatusCode != http.StatusOK || page.At.Query().Has("typed") {
			t.Errorf("a long reason: at %s, status %d", page.At, page.StatusCode)
		}
	})
}

// For an account that has only GitHub, the page explains the next step, before and after a
// trip to GitHub, and never allows the act.
func TestStepUp_AccountWithGitHubOnly(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "github", "octo", "prompt", "consent")).Code(t)
		for _, path := range []string{"/account/sessions/end-all", "/account/apps/withdraw?client_id=app"} {
			page := v.Get(t, b.Issuer+path)
			page.WantText(t, "Confirm it’s you", "GitHub can’t confirm that it’s you", "Ask the operator of this service to give your account a password")
			if strings.Contains(page.Body, `id="connector-`) || strings.Contains(page.Body, `id="decline"`) {
				t.Errorf("%s offers a way that cannot help", path)
			}
			// The button of another page does not help either.
			f := providertest.Form{Action: b.Issuer + "/login/github", Values: url.Values{"request": {requestOf(t, page)}}}
			left := v.Submit(t, f)
			if tried := v.Get(t, v.ChooseAccount(t, left.LeftTo, "octo")); tried.At.Path != "/login" {
				t.Errorf("%s: a silent arrival opens %s", path, tried.At)
			} else {
				tried.WantText(t, "signed you in without asking", "Ask the operator")
			}
		}
		// An upstream that states auth_time may be tried again, and a recent time counts.
		setAuthTime(up, b, time.Hour)
		w := b.Visitor(t)
		w.Allow(t, w.AuthorizeThrough(t, "liar", "victim", "prompt", "consent")).Code(t)
		page := w.SignInThrough(t, w.Get(t, b.Issuer+"/account/sessions/end-all"), "liar", "victim")
		page.WantText(t, "Confirm it’s you", "Sign out there first and try again")
		setAuthTime(up, b, time.Minute)
		w.SignInThrough(t, page, "liar", "victim").WantAt(t, "/account/sessions/end-all")
	})
}

// requestOf returns the sealed request in the address of a page.
func requestOf(t *testing.T, s providertest.Stop) string {
	t.Helper()
	sealed := s.At.Query().Get("request")
	if sealed == "" {
		t.Fatalf("no request at %s", s.At)
	}
	return sealed
}

// Where no mails are sent, an account that has only GitHub cannot add a first factor by itself: each page
// that adds one names the operator. A passkey by a link of the operator is the way on.
func TestStepUp_GitHubAloneAddsAFactorByTheOperator(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		_, upstreams := providertest.WithUpstreams(t)
		b := providertest.StartOn(t, backend.WithoutMails(), providertest.WithLocalhost, upstreams)
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "github", "octo", "prompt", "consent")).Code(t)
		events, err := b.DB.Events(t.Context(), storage.EventFilter{Type: storage.UserCreated}, 1)
		if err != nil || len(events) != 1 {
			t.Fatalf("%+v, %v", events, err)
		}
		owner := events[0].UserID
		adding := []string{"/account/security/totp", "/account/security/keys/add", "/account/passkeys/add"}
		for _, path := range adding {
			page := v.Get(t, b.Issuer+path)
			if page.At.Path != "/login" {
				t.Errorf("%s opens at %s", path, page.At)
			}
			page.WantText(t, "Ask the operator of this service to give your account a password or a passkey")
		}
		own := b.Authenticator(t)
		f, data := b.Visitor(t).Get(t, b.PasskeyLink(t, owner)).PasskeyForm(t)
		b.Visitor(t).Submit(t, f, "credential", own.Create(t, data["challenge"], owner)).WantAt(t, "/link/passkey?done=passkey")
		v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), own)
		for _, path := range adding {
			v.Get(t, b.Issuer+path).WantAt(t, path)
		}
	})
}
