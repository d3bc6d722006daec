package templates_test

import (
	"strings"
	"testing"

	"signet/templates"
)

// Password managers, scripts and handlers use the ids and names of the forms, so these stay
// the same in every release.
func TestForms_KeepTheirNames(t *testing.T) {
	pages, _ := newPages(t)
	known := samples()
	for _, form := range []struct {
		sample, selector string
		attributes       map[string]string
	}{
		{"signin-plain", "login", map[string]string{"method": "post", "action": "/auth/login"}},
		{"signin", "username", map[string]string{"name": "username", "type": "text", "inputmode": "email", "autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "value": ""}},
		{"signin-wrong", "username", map[string]string{"value": "alice@example.com"}},
		{"signin-wrong", "password", map[string]string{"aria-invalid": "true", "aria-describedby": "password-wrong"}},
		{"signin-wrong", "problem", map[string]string{"role": "alert", "tabindex": "-1"}},
		{"confirm", "username", map[string]string{"value": "alice@example.com", "autocomplete": "username"}},
		{"confirm", "password", map[string]string{"name": "password", "type": "password", "autocomplete": "current-password"}},
		{"confirm-app", "decline", map[string]string{"method": "post", "action": "/decline"}},
		{"confirm", "cancel", map[string]string{"href": "/auth/account/identities"}},
		{"signin", "password", map[string]string{"name": "password", "type": "password", "autocomplete": "current-password", "autocapitalize": "none", "spellcheck": "false"}},
		{"signin", "keep", map[string]string{"name": "keep", "type": "checkbox"}},
		{"signin", "sign-in", map[string]string{"type": "submit"}},
		{"consent", "consent", map[string]string{"method": "post", "action": "/consent"}},
		{"consent", "allow", map[string]string{"name": "decision", "value": "allow", "class": "quiet"}},
		{"consent", "deny", map[string]string{"name": "decision", "value": "deny", "class": "quiet"}},
		{"consent", "switch", map[string]string{"href": "/select?request=sealed.request"}},
		{"choose", "select", map[string]string{"method": "post", "action": "/select"}},
		{"choose", "continue", map[string]string{"name": "decision", "value": "continue"}},
		{"choose", "other", map[string]string{"name": "decision", "value": "other"}},
		{"reset", "reset", map[string]string{"method": "post", "action": "/reset"}},
		{"reset", "email", map[string]string{"name": "email", "type": "email", "autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}},
		{"reset-wrong", "email", map[string]string{"value": "alice", "aria-invalid": "true", "aria-describedby": "email-wrong"}},
		{"signin-forgot", "forgot", map[string]string{"href": "/reset?request=sealed.request"}},
		{"confirm-app", "forgot", map[string]string{"href": "/reset?request=sealed.request"}},
		{"prove-wrong", "forgot", map[string]string{"href": "/reset?request=sealed.request"}},
		{"signup", "signup", map[string]string{"method": "post", "action": "/auth/signup"}},
		{"signup", "email", map[string]string{"name": "email", "type": "email", "autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}},
		{"signup-wrong", "email", map[string]string{"value": "alice", "aria-invalid": "true", "aria-describedby": "email-wrong"}},
		{"signup-app", "back", map[string]string{"href": "/login?request=sealed.request"}},
		{"signup-app", "connector-google", map[string]string{"type": "submit"}},
		{"signup-sent", "back", map[string]string{"href": "/auth/login"}},
		{"signup-created", "back", map[string]string{"href": "/auth/login"}},
		{"signin-sign-up", "create-account", map[string]string{"href": "/signup?request=sealed.request"}},
		{"newaccount", "new-account", map[string]string{"method": "post", "action": "/auth/link/signup"}},
		{"newaccount", "name", map[string]string{"name": "name", "autocomplete": "name"}},
		{"newaccount", "new-password", map[string]string{"name": "new-password", "type": "password", "autocomplete": "new-password"}},
		{"newaccount-name", "name", map[string]string{"aria-invalid": "true", "aria-describedby": "name-wrong"}},
		{"reset-changed", "back", map[string]string{"href": "/auth/login"}},
		{"newpassword", "new-password-form", map[string]string{"method": "post", "action": "/auth/link/reset"}},
		{"newpassword", "new-password", map[string]string{"name": "new-password", "type": "password", "autocomplete": "new-password"}},
		{"account-unverified", "verify-email", map[string]string{"method": "post", "action": "/auth/account/email/verify"}},
		{"account-email-unverified", "send-link", map[string]string{"type": "submit"}},
		{"verifyemail", "verify-email", map[string]string{"method": "post", "action": "/auth/link/verify"}},
		{"verifyemail", "verify", map[string]string{"name": "act", "value": "verify"}},
		{"verifyemail-out", "sign-in", map[string]string{"name": "act", "value": "sign-in"}},
		{"verifyemail-out", "evict", map[string]string{"name": "act", "value": "evict"}},
		{"account-email-change", "change-email", map[string]string{"method": "post", "action": "/auth/account/email/change"}},
		{"account-email-change", "email", map[string]string{"name": "email", "type": "email", "autocomplete": "email"}},
		{"undoemail", "undo-email", map[string]string{"method": "post", "action": "/auth/link/undo"}},
		{"undoemail-done", "reset", map[string]string{"href": "/auth/reset"}},
		{"verifyemail-done", "reset", map[string]string{"href": "/auth/reset"}},
		{"newaccount-invited", "new-account", map[string]string{"method": "post", "action": "/auth/link/invitation"}},
		{"newaccount-invited", "name", map[string]string{"name": "name", "value": "Alice Liddell", "autocomplete": "name"}},
		{"newaccount-invited", "connector-google", map[string]string{"type": "submit"}},
		{"invited-signed-in", "account", map[string]string{"href": "/auth/account"}},
		{"invited", "back", map[string]string{"href": "/auth/login"}},
		{"invited-app", "continue", map[string]string{"href": "https://photos.example.com/login?iss=https%3A%2F%2Fid.example.com"}},
		{"setup", "setup", map[string]string{"method": "post", "action": "/auth/setup"}},
		{"setup", "email", map[string]string{"name": "email", "type": "email", "autocomplete": "username"}},
		{"setup", "new-password", map[string]string{"name": "new-password", "type": "password", "autocomplete": "new-password", "aria-describedby": "new-password-hint"}},
		{"setup", "set-up", map[string]string{"type": "submit"}},
		{"signout", "signout", map[string]string{"method": "post", "action": "/end_session"}},
		{"signout", "allow", map[string]string{"name": "decision", "value": "allow"}},
		{"signout", "deny", map[string]string{"name": "decision", "value": "deny"}},
		{"signedout-continue", "continue", map[string]string{"href": "https://photos.example.com/bye?state=1&x=2"}},
		{"continue", "continue", map[string]string{"href": "/authorize/next?request=sealed.request"}},
		{"formpost", "response", map[string]string{"method": "post", "action": "https://photos.example.com/callback?tenant=7&x=%2F"}},
		{"formpost", "continue", map[string]string{"type": "submit"}},
		{"error", "start", map[string]string{"href": "/auth/authorize?client_id=photos&scope=openid"}},
		{"demo", "demo-sign-in", map[string]string{"href": "/demo/login"}},
		{"demo-in", "demo-sign-out", map[string]string{"type": "submit"}},
		{"home-in", "sign-out", map[string]string{"href": "/end_session"}},
	} {
		e := parse(t, render(t, pages, known[form.sample])).byID(form.selector)
		if e == nil {
			t.Errorf("%s has no #%s", form.sample, form.selector)
			continue
		}
		for name, want := range form.attributes {
			if got, ok := lookup(e, name); !ok || got != want {
				t.Errorf("%s: #%s: got %s=%q, want %q", form.sample, form.selector, name, got, want)
			}
		}
	}
}

func TestForms_HaveHiddenFields(t *testing.T) {
	pages, _ := newPages(t)
	known := samples()
	for sample, want := range map[string]string{
		"signin":        "request=sealed.request",
		"signin-plain":  "return_to=/auth/account",
		"signin-bare":   "",
		"consent":       "request=sealed.request ticket=sealed.ticket",
		"choose":        "request=sealed.request ticket=sealed.ticket",
		"setup":         "token=secret.token",
		"newpassword":   "link=sealed.link",
		"signout":       "logout=sealed.logout ticket=sealed.ticket",
		"formpost":      `code=sealed.code iss=https://auth.example.com state=a"b<c>&d`,
		"signout-plain": "logout= ticket=sealed.ticket",
	} {
		var got []string
		for _, input := range parse(t, render(t, pages, known[sample])).all("input") {
			if attr(input, "type") == "hidden" {
				got = append(got, attr(input, "name")+"="+attr(input, "value"))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got hidden fields %q, want %q", sample, got, want)
		}
	}
}

// Password managers save a new password together with the text field before it, and ignore
// fields of the type hidden. That field is therefore always the user name.
func TestForms_UserNameStandsBeforeNewPassword(t *testing.T) {
	pages, _ := newPages(t)
	forms := 0
	for sample, page := range samples() {
		before := ""
		for _, input := range parse(t, render(t, pages, page)).all("input") {
			switch kind := attr(input, "type"); {
			case attr(input, "autocomplete") == "new-password":
				forms++
				if before != "username" {
					t.Errorf("%s: the text field before the new password has the autocomplete %q, want username", sample, before)
				}
			case kind == "text" || kind == "email":
				before = attr(input, "autocomplete")
			case kind == "hidden" && attr(input, "autocomplete") != "":
				t.Errorf("%s: the hidden field %s is for a password manager, which ignores it", sample, attr(input, "name"))
			}
		}
	}
	if forms == 0 {
		t.Error("no form sets a password")
	}
}

// A sealed message must come back unchanged: only visible text is cleaned.
func TestForms_HiddenFieldsAreNotCleaned(t *testing.T) {
	pages, _ := newPages(t)
	sealed := strings.Repeat("aB-_.9", 2000) + " é\u200b<\"'&"
	d := parse(t, render(t, pages, templates.SignIn{Request: sealed}))
	if got := attr(d.all("input")[0], "value"); got != sealed {
		t.Errorf("got %d bytes back, want the %d sent", len(got), len(sealed))
	}
}

func TestSignIn_TitleSaysError(t *testing.T) {
	pages, _ := newPages(t)
	known := samples()
	for sample, want := range map[string]string{
		"signin":       "Sign in – Photos",
		"signin-wrong": "Error: Sign in – Photos",
		"signin-plain": "Sign in – auth.example.com",
		"signin-bare":  "Sign in – Signet",
		"error":        "Error: This sign-in took too long – auth.example.com",
	} {
		if got := textOf(parse(t, render(t, pages, known[sample])).all("title")[0]); got != want {
			t.Errorf("%s: got title %q, want %q", sample, got, want)
		}
	}
}

// P-87: an error page shows the code of the error.
func TestErrors_ShowTheirCode(t *testing.T) {
	pages, _ := newPages(t)
	known := samples()
	for sample, code := range map[string]string{
		"signin-wrong":     "invalid_credentials",
		"signin-throttled": "too_many_attempts",
		"error":            "expired_request",
	} {
		if page := textOf(parse(t, render(t, pages, known[sample])).all("main")[0]); !strings.Contains(page, code) {
			t.Errorf("%s does not say %s: %s", sample, code, page)
		}
	}
}

func TestSignIn_KeepIsHiddenWithoutDays(t *testing.T) {
	pages, _ := newPages(t)
	if parse(t, render(t, pages, templates.SignIn{})).byID("keep") != nil {
		t.Error("the box is shown, want none for 0 days")
	}
}

func TestError_MarksDifferences(t *testing.T) {
	pages, _ := newPages(t)
	for _, c := range []struct {
		received, registered string
		marked               string // texts of the two marks
		note                 string
	}{
		{"https://a.example/cb", "https://a.example/cb/", "|/", "“/” is missing."},
		{"https://a.example/cb?x", "https://a.example/cb", "?x|", "There’s an extra “?x”."},
		{"http://a.example/cb", "https://a.example/cb", "|s", "“s” is missing."},
		{"aaa", "aa", "a|", "There’s an extra “a”."},
		{"/b\u202e", "/b", "\\u202e|", "There’s an extra “\\u202e”."},
		{"x", "y", "x|y", "“x” was received, but “y” is registered."},
		{"same", "same", "", ""},
	} {
		page := templates.Error{Detail: []templates.Difference{{Label: "URI", Received: c.received, Registered: []string{c.registered}}}}
		d := parse(t, render(t, pages, page))
		var marks []string
		for _, m := range d.all("mark") {
			marks = append(marks, textOf(m))
		}
		if got := strings.Join(marks, "|"); got != c.marked {
			t.Errorf("%q and %q: got marks %q, want %q", c.received, c.registered, got, c.marked)
		}
		note := ""
		if p := d.all("p"); len(p) > 0 && attr(p[0], "class") == "small" {
			note = textOf(p[0])
		}
		if note != c.note {
			t.Errorf("%q and %q: got note %q, want %q", c.received, c.registered, note, c.note)
		}
	}
}

// A missing parameter has no row, and nothing is compared with it.
func TestError_MissingValueHasNoRow(t *testing.T) {
	pages, _ := newPages(t)
	for registered, values := range map[string][]string{"two": {"https://a.example/cb", "https://b.example/cb"}, "none": nil} {
		page := templates.Error{Detail: []templates.Difference{{Label: "redirect_uri", Registered: values}}}
		d := parse(t, render(t, pages, page))
		for _, row := range d.all("dd") {
			if textOf(row) == "" {
				t.Errorf("%s registered: the page has an empty row", registered)
			}
		}
		var shown []string
		for _, row := range d.all("dd") {
			shown = append(shown, textOf(row))
		}
		if got := strings.Join(shown, " "); !strings.Contains(got, strings.Join(values, " ")) || len(d.all("mark")) != 0 {
			t.Errorf("%s registered: the page shows %q with %d marks", registered, got, len(d.all("mark")))
		}
	}
}
