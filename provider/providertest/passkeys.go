package providertest

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"signet/provider"
	"signet/provider/link"
	"signet/provider/passkey/passkeytest"
	"signet/storage"
	"signet/storage/storagetest"
)

// EachWithPasskeys runs the test on every database, with an issuer that can have passkeys.
func EachWithPasskeys(t *testing.T, f func(t *testing.T, b *Testbed), options ...Option) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		f(t, StartOn(t, backend, append([]Option{WithIssuer(HTTPSIssuer)}, options...)...))
	})
}

// WithLocalhost gives the server the host localhost, so that it can have passkeys.
func WithLocalhost(c *provider.Config) {
	c.Issuer = strings.Replace(c.Issuer, "//127.0.0.1:", "//localhost:", 1)
}

// Authenticator returns a new authenticator for the pages of the testbed.
func (b *Testbed) Authenticator(t testing.TB) *passkeytest.Authenticator {
	t.Helper()
	return passkeytest.New(t, b.Issuer)
}

// PasskeyForm returns the form of the page on which the browser uses or makes a passkey, and the
// data attributes of the form.
func (s Stop) PasskeyForm(t *testing.T) (f Form, data map[string]string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || Attr(n, "data-passkey") == "" {
			continue
		}
		data = map[string]string{}
		for _, a := range n.Attr {
			if name, is := strings.CutPrefix(a.Key, "data-"); is {
				data[name] = a.Val
			}
		}
		u, err := url.Parse(Attr(n, "action"))
		if err != nil {
			t.Fatal(err)
		}
		return s.FormTo(t, u.Path, "", ""), data
	}
	t.Fatalf("no form for a passkey on %s (status %d):\n%s", s.At, s.StatusCode, s.Body)
	return Form{}, nil
}

// AddPasskey adds a passkey of the authenticator on the account pages. The browser must be signed
// in, or it signs in as Alice.
func (v *Visitor) AddPasskey(t *testing.T, a *passkeytest.Authenticator, change ...func(*passkeytest.Answer)) Stop {
	t.Helper()
	v.Account(t, "/account/passkeys")
	f, data := v.ProveFirst(t, v.Get(t, v.Bed.Issuer+"/account/passkeys/add")).PasskeyForm(t)
	user, err := base64.RawURLEncoding.DecodeString(data["user"])
	if err != nil {
		t.Fatal(err)
	}
	return v.Submit(t, f, "credential", a.Create(t, data["challenge"], string(user), change...))
}

// UsePasskey answers a page that asks for a sign-in with the newest passkey of the authenticator.
func (v *Visitor) UsePasskey(t *testing.T, page Stop, a *passkeytest.Authenticator, change ...func(*passkeytest.Answer)) Stop {
	t.Helper()
	f, data := page.PasskeyForm(t)
	return v.Submit(t, f, "credential", a.Get(t, data["challenge"], change...))
}

// PasskeysOf lists the passkeys of a user.
func (b *Testbed) PasskeysOf(t *testing.T, userID string) []storage.Passkey {
	t.Helper()
	list, err := b.DB.PasskeysOf(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// WithMadePasskeys lets browsers make a passkey by themselves.
func WithMadePasskeys(c *provider.Config) { c.MakesPasskeys = true }

// SignInTelling signs in with the usual password and returns the page that goes on. The browser tells
// with creates, "1" or "", whether it makes passkeys by itself.
func (v *Visitor) SignInTelling(t *testing.T, email, creates string) Answer {
	t.Helper()
	f := v.Get(t, v.Bed.AuthorizeURL("prompt", "login")).FormTo(t, "/login", "", "")
	f.Values.Set("username", email)
	f.Values.Set("password", Password)
	f.Values.Set("creates", creates)
	return Do(t, v.Client, v.FormRequest(t, f))
}

var creation = regexp.MustCompile(`(?s)data-creates data-challenge="([^"]+)".*name="challenge" value="([^"]+)"`)

// MadePasskeyForm returns what the script of a page sends after the browser has made a passkey by itself.
func (b *Testbed) MadePasskeyForm(t *testing.T, page Answer, a *passkeytest.Authenticator, userID string, change ...func(*passkeytest.Answer)) Form {
	t.Helper()
	found := creation.FindStringSubmatch(page.Body)
	if found == nil {
		t.Fatalf("the page asks for no passkey: %d %s", page.StatusCode, page.Body)
	}
	return Form{Action: b.Issuer + "/login/passkey/made", Values: url.Values{
		"challenge": {found[2]}, "credential": {a.Create(t, found[1], userID, change...)},
	}}
}

// AddSecurityKey adds a security key on the account pages. The browser must be signed in, or it signs
// in as Alice. With the first second factor, the page has the recovery codes.
func (v *Visitor) AddSecurityKey(t *testing.T, a *passkeytest.Authenticator, change ...func(*passkeytest.Answer)) Stop {
	t.Helper()
	v.Account(t, "/account/security")
	f, data := v.ProveFirst(t, v.Get(t, v.Bed.Issuer+"/account/security/keys/add")).PasskeyForm(t)
	return v.Submit(t, f, "credential", a.Create(t, data["challenge"], "", change...))
}

// SecurityKey returns a new security key for the pages of the testbed.
func (b *Testbed) SecurityKey(t testing.TB) *passkeytest.Authenticator {
	t.Helper()
	return passkeytest.NewKey(t, b.Issuer)
}

// PasskeyLink makes the link with which a user adds a passkey, as an operator does. The address of an
// unverified account counts as it is.
func (b *Testbed) PasskeyLink(t *testing.T, userID string) string {
	t.Helper()
	l, err := b.DB.IssuePasskeyLink(t.Context(), storage.PasskeyLink{UserID: userID, Reason: "by_administrator", Unproven: storage.KeepAttached}, storage.By{At: b.Now()})
	if err != nil {
		t.Fatal(err)
	}
	address, err := link.New(link.Config{DB: b.DB, Ring: b.OpenKeys(t), Issuer: b.Issuer, Now: b.Now}).URL(l.Ref(), l.ExpiresAt.Time())
	if err != nil {
		t.Fatal(err)
	}
	return address
}
