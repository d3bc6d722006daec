package providertest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/storage"
)

// NewPassword is the password to which tests change alice's password.
const NewPassword = "staple battery horse"

// ChangePassword changes alice's password on the account page.
func (v *Visitor) ChangePassword(t *testing.T, old, wanted string) Stop {
	t.Helper()
	f := v.Account(t, "/account/password").FormTo(t, "/account/password", "", "")
	return v.Submit(t, f, "current-password", old, "new-password", wanted)
}

// ConsentTo stores alice's consent to these scopes for the testbed's client. She must have a
// session.
func (b *Testbed) ConsentTo(t *testing.T, scopes string) {
	t.Helper()
	err := b.DB.AllowConsent(context.Background(), storage.ConsentAnswer{
		Consent: storage.Consent{
			UserID: b.Alice.ID, ClientID: b.Client.ID, Scopes: strings.Fields(scopes),
			GrantedAt: storage.At(b.Now()), ExpiresAt: storage.At(b.Now().Add(time.Hour)),
		},
		SessionID: b.SessionsOf(t, b.Alice.ID)[0].ID, RequestID: "consented in a test", Remember: true,
	}, b.Now())
	if err != nil {
		t.Fatalf("allow: %v", err)
	}
}

// CountEvents adds up how often the event happened. Equal refusals within a minute are one
// row with a counter.
func CountEvents(events []storage.Event, kind storage.EventType) int {
	n := 0
	for _, e := range events {
		if e.Type == kind {
			n += int(e.Times)
		}
	}
	return n
}

// AliceNow reads alice's row as it is now.
func (b *Testbed) AliceNow(t *testing.T) storage.User {
	t.Helper()
	user, err := b.DB.User(context.Background(), b.Alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// AsJSON encodes a row as JSON, so that a test can compare and print it.
func AsJSON(t *testing.T, row any) string {
	t.Helper()
	text, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// SetUserAgent sets the User-Agent header of the browser.
func (v *Visitor) SetUserAgent(name string) *Visitor {
	v.Client.Transport = userAgentTransport{name}
	return v
}

type userAgentTransport struct{ agent string }

func (n userAgentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", n.agent)
	return http.DefaultTransport.RoundTrip(r)
}

// Account opens an account page. It signs alice in if the sign-in page comes first.
func (v *Visitor) Account(t *testing.T, path string) Stop {
	t.Helper()
	page := v.Get(t, v.Bed.Issuer+path)
	if page.At.Path == v.Bed.Path("/login") {
		page = v.SignIn(t, page, Alice, Password)
	}
	if got := page.At.RequestURI(); got != v.Bed.Path(path) || page.StatusCode != http.StatusOK {
		t.Fatalf("the page is %s with status %d, want %s with 200:\n%s", got, page.StatusCode, path, page.Body)
	}
	return page
}

// FormTo finds the form of the page whose action ends with the path and whose button or
// field name has the value. For the name "" it returns the first form with the action.
func (s Stop) FormTo(t *testing.T, path, name, value string) Form {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || !strings.HasSuffix(Attr(n, "action"), path) {
			continue
		}
		action, err := s.At.Parse(Attr(n, "action"))
		if err != nil {
			t.Fatal(err)
		}
		f := Form{action.String(), url.Values{}}
		for c := range n.Descendants() {
			if c.Type == html.ElementNode && (c.Data == "input" || c.Data == "button") && Attr(c, "name") != "" {
				f.Values.Set(Attr(c, "name"), Attr(c, "value"))
			}
			if c.Type == html.ElementNode && c.Data == "textarea" {
				f.Values.Set(Attr(c, "name"), "")
				if c.FirstChild != nil {
					f.Values.Set(Attr(c, "name"), c.FirstChild.Data)
				}
			}
		}
		if name == "" || f.Values.Get(name) == value {
			return f
		}
	}
	t.Fatalf("no form to %s with %s=%q on %s:\n%s", path, name, value, s.At.Path, s.Body)
	return Form{}
}

// WantText fails the test if the page lacks one of these texts.
func (s Stop) WantText(t *testing.T, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(s.Body, text) {
			t.Errorf("%s does not contain %q:\n%s", s.At.Path, text, s.Body)
		}
	}
}

// WantAt fails the test unless the walk ended at this path with status 200.
func (s Stop) WantAt(t *testing.T, path string) {
	t.Helper()
	if s.LeftTo != nil || s.StatusCode != http.StatusOK || s.At.RequestURI() != path {
		t.Fatalf("the walk ended at %s (left to %v) with status %d, want %s with 200:\n%s", s.At.RequestURI(), s.LeftTo, s.StatusCode, path, s.Body)
	}
}

// SessionsOf lists the sessions of a user that have not ended.
func (b *Testbed) SessionsOf(t *testing.T, user string) []storage.Session {
	t.Helper()
	list, err := b.DB.SessionsOf(context.Background(), user, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// DisableUser disables the user with this id in the database, as an operator does.
func (b *Testbed) DisableUser(t *testing.T, user string) {
	t.Helper()
	if err := b.DB.SetUserEnabled(context.Background(), user, false, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
}
