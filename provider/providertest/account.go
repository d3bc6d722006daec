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

// NewPassword is what a test changes alice's password to.
const NewPassword = "staple battery horse"

// ChangePassword changes alice's password on the account page.
func (v *Visitor) ChangePassword(t *testing.T, old, wanted string) Stop {
	t.Helper()
	f := v.Account(t, "/account/password").FormTo(t, "/account/password", "", "")
	return v.Submit(t, f, "current-password", old, "new-password", wanted)
}

// ConsentTo makes alice allow the client these scopes.
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

// CountEvents is how often it happened: equal refusals of a minute are one event.
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

// AsJSON is a row in a form that can be compared and read.
func AsJSON(t *testing.T, row any) string {
	t.Helper()
	text, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// SetUserAgent makes the browser call itself so.
func (v *Visitor) SetUserAgent(name string) *Visitor {
	v.Client.Transport = named{name}
	return v
}

type named struct{ agent string }

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", n.agent)
	return http.DefaultTransport.RoundTrip(r)
}

// Account opens an account page, signing alice in if it is asked for.
func (v *Visitor) Account(t *testing.T, path string) Stop {
	t.Helper()
	page := v.Get(t, v.Bed.Issuer+path)
	if page.At.Path == v.Bed.Path("/login") {
		page = v.SignIn(t, page, Alice, Password)
	}
	if got := page.At.RequestURI(); got != v.Bed.Path(path) || page.StatusCode != http.StatusOK {
		t.Fatalf("at %s with status %d, want %s:\n%s", got, page.StatusCode, path, page.Body)
	}
	return page
}

// FormTo finds the form of a page that goes to this path and has this value for a
// button or field; name "" takes the first.
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

// WantText wants the page to hold each of these texts.
func (s Stop) WantText(t *testing.T, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(s.Body, text) {
			t.Errorf("%s does not say %q:\n%s", s.At.Path, text, s.Body)
		}
	}
}

// WantAt wants the walk to have ended at this path with 200.
func (s Stop) WantAt(t *testing.T, path string) {
	t.Helper()
	if s.LeftTo != nil || s.StatusCode != http.StatusOK || s.At.RequestURI() != path {
		t.Fatalf("at %s (left to %v) with status %d, want %s:\n%s", s.At.RequestURI(), s.LeftTo, s.StatusCode, path, s.Body)
	}
}

// SessionsOf lists a user's live sessions.
func (b *Testbed) SessionsOf(t *testing.T, user string) []storage.Session {
	t.Helper()
	list, err := b.DB.SessionsOf(context.Background(), user, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// DisableUser is an operator's act between two steps of a person.
func (b *Testbed) DisableUser(t *testing.T, user string) {
	t.Helper()
	if err := b.DB.SetUserEnabled(context.Background(), user, false, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
}
