package providertest

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"signet/provider/credential"
	"signet/provider/keys"
	"signet/storage"
)

// EndSession ends alice's session with this sid in the database, as the command line does.
// The provider is not informed.
func (b *Testbed) EndSession(t *testing.T, sid any) {
	t.Helper()
	if err := b.DB.EndSession(context.Background(), b.Alice.ID, sid.(string), "asked", storage.By{From: storage.Origin{Actor: "cli"}, At: b.Now()}); err != nil {
		t.Fatal(err)
	}
}

// SidOf returns the sid claim of the ID token in a token response.
func SidOf(t *testing.T, tokens map[string]any) any {
	t.Helper()
	return ClaimsOf(t, tokens["id_token"])["sid"]
}

// SessionEndings are all the ways in which a session can end, by name. End ends the session
// of v, whose token response is tokens. All means that alice's other sessions end as well.
var SessionEndings = map[string]struct {
	End func(t *testing.T, b *Testbed, v *Visitor, tokens map[string]any)
	All bool
}{
	"end_session with a hint": {End: func(t *testing.T, b *Testbed, v *Visitor, tokens map[string]any) {
		v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string)))
	}},
	"end_session confirmed": {End: func(t *testing.T, b *Testbed, v *Visitor, _ map[string]any) {
		v.Submit(t, v.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
	}},
	"the app's logout": {End: func(t *testing.T, b *Testbed, v *Visitor, _ map[string]any) {
		WantStatus(t, v.CallApp(t, "/logout", ""), http.StatusNoContent)
	}},
	"account, this session": {End: func(t *testing.T, b *Testbed, v *Visitor, tokens map[string]any) {
		v.Submit(t, v.Account(t, "/account/sessions").FormTo(t, "/account/sessions/end", "sid", SidOf(t, tokens).(string)))
	}},
	"account, from another browser": {End: func(t *testing.T, b *Testbed, _ *Visitor, tokens map[string]any) {
		w := b.Visitor(t)
		w.Submit(t, w.Account(t, "/account/sessions").FormTo(t, "/account/sessions/end", "sid", SidOf(t, tokens).(string)))
	}},
	"account, all but another browser": {All: true, End: func(t *testing.T, b *Testbed, _ *Visitor, _ map[string]any) {
		w := b.Visitor(t)
		w.Submit(t, w.Account(t, "/account/sessions").FormTo(t, "/account/sessions/end-others", "", ""))
	}},
	"account, everywhere": {All: true, End: func(t *testing.T, b *Testbed, v *Visitor, _ map[string]any) {
		v.Submit(t, v.Account(t, "/account/sessions/end-all").FormTo(t, "/account/sessions/end-all", "", ""))
	}},
	"password changed": {All: true, End: func(t *testing.T, b *Testbed, v *Visitor, _ map[string]any) {
		v.ChangePassword(t, Password, NewPassword)
	}},
	"password reset": {All: true, End: func(t *testing.T, b *Testbed, _ *Visitor, _ map[string]any) {
		hash, err := credential.New(credential.Config{DB: b.DB, Params: CheapHash}).Hash(context.Background(), NewPassword, b.Alice)
		if err == nil {
			_, err = b.DB.ResetPassword(context.Background(), storage.PasswordReset{UserID: b.Alice.ID, Hash: hash, Reason: "set", From: TestOrigin}, b.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
	}},
	"user disabled": {All: true, End: func(t *testing.T, b *Testbed, _ *Visitor, _ map[string]any) { b.SetAliceEnabled(t, false) }},
	"user deleted": {All: true, End: func(t *testing.T, b *Testbed, _ *Visitor, _ map[string]any) {
		if err := b.DB.DeleteUser(context.Background(), b.Alice.ID, storage.By{From: TestOrigin, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
	}},
	"email address changed by an administrator": {All: true, End: func(t *testing.T, b *Testbed, _ *Visitor, _ map[string]any) {
		_, err := b.DB.ReviseUser(context.Background(), storage.UserRevision{
			UserID: b.Alice.ID, From: TestOrigin, Revise: func(u *storage.User) error { u.Email = "new@example.com"; return nil },
		}, b.Now())
		if err != nil {
			t.Fatal(err)
		}
	}},
	"restored from a backup": {All: true, End: func(t *testing.T, b *Testbed, _ *Visitor, _ map[string]any) {
		if _, err := b.DB.MarkRestored(context.Background(), storage.By{From: TestOrigin, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
	}},
	"command line, everywhere": {All: true, End: func(t *testing.T, b *Testbed, _ *Visitor, _ map[string]any) {
		if err := b.DB.SignOutEverywhere(context.Background(), b.Alice.ID, "asked", storage.By{From: storage.Origin{Actor: "cli"}, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
	}},
	"command line, one session": {End: func(t *testing.T, b *Testbed, _ *Visitor, tokens map[string]any) { b.EndSession(t, SidOf(t, tokens)) }},
	"another user in the browser": {End: func(t *testing.T, b *Testbed, v *Visitor, _ map[string]any) {
		b.User(t, "bob@example.com", Password)
		v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "login")), "bob@example.com", Password)
	}},
	"replay in the app": {End: func(t *testing.T, b *Testbed, v *Visitor, _ map[string]any) {
		first := v.RefreshApp(t)
		b.Advance(31 * time.Second)
		v.RefreshApp(t)
		b.Advance(31 * time.Second)
		v.ReplaceRefreshToken(first.Refresh.Value)
		WantStatus(t, v.CallApp(t, "/refresh", ""), http.StatusUnauthorized)
	}},
}

// LogoutToken signs a back-channel logout token for the session of the bench.
func (s *Bench) LogoutToken(t *testing.T) string {
	t.Helper()
	at := s.Bed.Now()
	token, err := s.Bed.OpenKeys(t).SignLogout("RS256", keys.LogoutToken{
		Subject: s.Bed.Alice.ID, Audience: s.Bed.Client.ID, SessionID: SidOf(t, s.Tokens).(string), ID: "jti",
		IssuedAt: at.Unix(), Expires: at.Add(2 * time.Minute).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// PostLogoutURI is the post-logout redirect URI of the tests.
const PostLogoutURI = "https://app.example.com/goodbye?from=signet"

// EndSessionURL returns the URL of the end_session endpoint with these parameters, as pairs
// of name and value.
func (b *Testbed) EndSessionURL(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return b.Issuer + "/end_session?" + v.Encode()
}

// RegisterPostLogoutURI registers PostLogoutURI for the testbed's client.
func (b *Testbed) RegisterPostLogoutURI(t *testing.T) {
	t.Helper()
	b.Client.Metadata.PostLogoutRedirectURIs = []string{PostLogoutURI}
	b.ChangeClient(t, func(*storage.Client) {})
}

// SignInAndRedeem signs the user with this email address in (with Password), consents if
// asked, and returns the token response.
func (v *Visitor) SignInAndRedeem(t *testing.T, email string) map[string]any {
	t.Helper()
	page := v.SignIn(t, v.Get(t, v.Bed.AuthorizeURL("prompt", "login")), email, Password)
	if page.LeftTo == nil {
		page = v.Allow(t, page)
	}
	return v.Bed.Redeem(t, page.Code(t))
}

// WantSignedOut fails the test unless a request with prompt=none gets login_required.
func (v *Visitor) WantSignedOut(t *testing.T) {
	t.Helper()
	v.Get(t, v.Bed.AuthorizeURL("prompt", "none")).WantError(t, "login_required")
}

// WantSignedIn fails the test unless a request with prompt=none gets a code.
func (v *Visitor) WantSignedIn(t *testing.T) {
	t.Helper()
	v.Get(t, v.Bed.AuthorizeURL("prompt", "none")).Code(t)
}

// SetCookie puts a cookie into the browser, for example one that was copied earlier.
func (v *Visitor) SetCookie(name, value string) {
	u, _ := url.Parse(v.Bed.Issuer)
	v.Client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// SignInAnswer posts alice's right password on the sign-in page and returns the answer before
// any redirect is followed. pairs add or change fields of the form.
func (v *Visitor) SignInAnswer(t *testing.T, pairs ...string) Answer {
	t.Helper()
	f := v.Get(t, v.Bed.AuthorizeURL()).Form(t)
	f.Values.Set("username", Alice)
	f.Values.Set("password", Password)
	for i := 0; i < len(pairs); i += 2 {
		f.Values.Set(pairs[i], pairs[i+1])
	}
	return Do(t, v.Client, v.FormRequest(t, f))
}
