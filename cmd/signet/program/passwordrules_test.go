package program_test

import (
	"bytes"
	"strings"
	"testing"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
)

// Every place that sets a password has the same rules, and its error names the rule.
func TestPasswords_SameRulesEverywhere(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.Serve(t)
	var setup struct{ URL string }
	i.Command(t, "", &setup, "setup-link", "--json")
	owner := signedInToAccount(t, i)
	command := func(args ...string) func(t *testing.T, password string) string {
		return func(t *testing.T, password string) string {
			t.Helper()
			var output bytes.Buffer
			if code := program.Run(t.Context(), signettest.Surroundings(i.Env, password+"\n", &output, &output), args); code != exit.Denied {
				t.Errorf("exit code %d, want %d", code, exit.Denied)
			}
			return output.String()
		}
	}
	callers := map[string]func(t *testing.T, password string) string{
		"user create":       command("user", "create", "--email", "ada@example.com", "--name", "Ada Lovelace", "--password-stdin"),
		"user set-password": command("user", "set-password", i.Email, "--password-stdin"),
		"setup page": func(t *testing.T, password string) string {
			b := signettest.NewFormBrowser(t)
			b.Open(setup.URL)
			b.Send("setup", "", map[string]string{"email": "ada@example.com", "name": "Ada Lovelace", "new-password": password})
			return b.Text()
		},
		"account page": func(t *testing.T, password string) string {
			owner.Open(i.Issuer + "/account/password")
			owner.Send("password-form", "change-password", map[string]string{"current-password": i.Password, "new-password": password})
			return owner.Text()
		},
	}
	i.Command(t, "", nil, "user", "update", i.Email, "--name", "Ada Lovelace", "--json")
	address := map[string]string{"user create": "ada@example.com", "setup page": "ada@example.com"}
	for caller, set := range callers {
		for password, wants := range map[string]struct{ command, page string }{
			"9 letters":                  {"at least 10 characters", "at least 10 characters"},
			"        ":                   {"not only spaces", "has only spaces"},
			"\u200b\u200b\u3164":         {"not only spaces", "has only spaces"},
			"zzzzzzzzzzzz":               {"do not only repeat", "only repeats"},
			"ADDRESS":                    {"do not use the email address", "is your email address"},
			"lovelace 1815":              {"do not use the name of the user", "is your name"},
			"signet signet":              {"do not use the name of this service", "is the name of this service"},
			"password1234":               {"attackers try", "attackers try"},
			strings.Repeat("long ", 300): {"at most 1024 characters", "at most 1024 characters"},
		} {
			want := wants.command
			if strings.HasSuffix(caller, "page") {
				want = wants.page
			}
			if password == "ADDRESS" {
				if password = address[caller]; password == "" {
					password = i.Email
				}
			}
			if output := set(t, password); !strings.Contains(output, want) {
				t.Errorf("%s: %.40q: %q does not contain %q", caller, password, output, want)
			}
		}
	}
}

// signedInToAccount returns a browser that has just signed in.
func signedInToAccount(t *testing.T, i *signettest.Instance) *signettest.FormBrowser {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Visit(i.Issuer + "/account/password")
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	return b
}
