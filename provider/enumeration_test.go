package provider_test

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// addressForms are the forms that take an email address from anybody.
var addressForms = []struct {
	path, field string
	signedIn    bool // the form is for users who are signed in
}{
	{path: "/reset", field: "email"},
	{path: "/signup", field: "email"},
	{path: "/account/email/change", field: "email", signedIn: true},
}

// addressForm opens the form. For a form of signed-in users, the visitor signs in first.
func addressForm(t *testing.T, v *providertest.Visitor, path string, signedIn bool) providertest.Form {
	t.Helper()
	if !signedIn {
		return providertest.Form{Action: v.Bed.Issuer + path, Values: url.Values{}}
	}
	u := v.Bed.User(t, storage.NewID("asker")+"@example.com", providertest.Password)
	return v.SignIn(t, v.Get(t, v.Bed.Issuer+path), u.Email, providertest.Password).FormTo(t, path, "", "")
}

// nextPage returns the address to which the answer of a form sends the browser.
func nextPage(a providertest.Answer) string {
	_, refresh, _ := strings.Cut(a.Header.Get("Refresh"), "url=")
	return cmp.Or(a.Header.Get("Location"), refresh)
}

// Nobody learns whether an address has an account: the status, the headers, the page and the
// calls of the database are the same for every address. A form that hashed a password for some
// addresses only would be slower for them; these forms hash none.
//
// PW-03: sign-up and reset do not reveal who has an account.
// RC-13: a neutral answer for unknown, disabled, unproven and federated-only users.
func TestAddressForms_SameAnswerForEveryAddress(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		var seen recorder
		_, upstreams := providertest.WithUpstreams(t)
		b := providertest.Start(t, backend.OpenFaulty(t, seen.note), upstreams, providertest.WithMail(mailtest.Start(t)), providertest.WithSignUp)
		b.Backend = backend
		disabled := b.User(t, "disabled@example.com", providertest.Password)
		if err := b.DB.SetUserEnabled(t.Context(), disabled.ID, false, storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.CreateUser(t, storage.User{Email: "claimed@example.com"}, providertest.Password)
		b.Visitor(t).AuthorizeThrough(t, "google", "ada") // has no password
		b.ReserveAddress(t, "reserved@example.com")
		addresses := []string{providertest.Alice, "nobody@example.com", disabled.Email, "claimed@example.com", providertest.AdaEmail, "reserved@example.com"}
		for _, form := range addressForms {
			type answer struct {
				status int
				header http.Header
				body   string
				calls  []string
			}
			answers := map[string]answer{}
			v := b.Visitor(t)
			f := addressForm(t, v, form.path, form.signedIn)
			for _, email := range addresses {
				if !form.signedIn {
					v = b.Visitor(t)
				}
				f.Values.Set(form.field, email)
				r := v.FormRequest(t, f)
				seen.reset()
				got := providertest.Do(t, v.Client, r)
				calls := seen.reset()
				page := v.Get(t, b.Issuer+nextPage(got)[len(b.Path("")):])
				got.Header.Del("Date")
				for i, cookie := range got.Header["Set-Cookie"] { // its value is of the browser, not of the address
					got.Header["Set-Cookie"][i] = cookieValue.ReplaceAllString(cookie, "=;")
				}
				answers[email] = answer{got.StatusCode, got.Header, got.Body + page.Body, calls}
			}
			known := answers[providertest.Alice]
			if known.status >= http.StatusBadRequest || len(known.calls) == 0 {
				t.Fatalf("%s: status %d, calls %q", form.path, known.status, known.calls)
			}
			for _, email := range addresses[1:] {
				got := answers[email]
				for name := range known.header {
					if name != "X-Request-Id" && !slices.Equal(got.header[name], known.header[name]) {
						t.Errorf("%s, %s: header %s %q, want %q", form.path, email, name, got.header[name], known.header[name])
					}
				}
				if got.status != known.status || len(got.header) != len(known.header) || got.body != known.body {
					t.Errorf("%s, %s: status %d and another page or other headers than for a known address", form.path, email, got.status)
				}
				if !slices.Equal(got.calls, known.calls) {
					t.Errorf("%s, %s: calls %q, want %q", form.path, email, got.calls, known.calls)
				}
			}
			b.Advance(15 * time.Minute)
		}
	})
}

var cookieValue = regexp.MustCompile(`=[^;]*;`)

// recorder notes the calls of the database.
type recorder struct {
	mu    sync.Mutex
	calls []string
}

func (r *recorder) note(name string) storage.Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, name)
	return storage.Fault{}
}

// reset returns the calls since the last reset.
func (r *recorder) reset() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}
