package directory_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/storage"
)

var clientTypes = []storage.ClientType{storage.Web, storage.SPA, storage.Native, storage.Service}

func unsupported(field string) bool {
	return slices.ContainsFunc(directory.ClientFields(), func(f directory.ClientField) bool { return f.Name == field && !f.Supported() })
}

// TestClientFields_EveryColumnIsInTheTable: a column that no field stands for could be
// neither set nor shown, and nobody would ask whether code reads it.
func TestClientFields_EveryColumnIsInTheTable(t *testing.T) {
	var c storage.Client
	at := map[any]string{}
	for _, f := range directory.ClientFields() {
		at[reflect.ValueOf(f.At(&c)).UnsafePointer()] = f.Name
	}
	elsewhere := []string{"ID", "Metadata", "Secrets", "DisabledAt", "CreatedAt", "UpdatedAt"} // the row's own
	for _, row := range []reflect.Value{reflect.ValueOf(&c).Elem(), reflect.ValueOf(&c.Metadata).Elem()} {
		for i := range row.NumField() {
			column := row.Type().Field(i)
			name, found := at[row.Field(i).Addr().UnsafePointer()]
			if !found && !slices.Contains(elsewhere, column.Name) {
				t.Errorf("%s.%s is no field of the table", row.Type().Name(), column.Name)
			}
			if tag, _, _ := strings.Cut(column.Tag.Get("json"), ","); tag != "" && name != tag {
				t.Errorf("%s.%s is stored as %s, and the table calls it %s", row.Type().Name(), column.Name, tag, name)
			}
		}
	}
}

// someValue puts a value into a field.
func someValue(t *testing.T, f directory.ClientField, c *storage.Client, text string) {
	t.Helper()
	switch value := f.At(c).(type) {
	case *string:
		*value = text
	case *directory.Words:
		*value = directory.Words(text)
	case *[]string:
		*value = []string{text}
	case *bool:
		*value = true
	case **int64:
		*value = new(int64(7))
	case *time.Duration:
		*value = time.Second
	case *storage.ClientType:
		*value = storage.ClientType(text)
	default:
		t.Fatalf("%s holds a %T", f.Name, value)
	}
}

// TestClientFields_WithoutEffectAreRefused: by every act on a client, with the stable code,
// but a value from an earlier release stays, and can be taken away.
func TestClientFields_WithoutEffectAreRefused(t *testing.T) {
	eachHouse(t, func(t *testing.T, h house) {
		made, _ := h.create(t, changedClient(storage.Web, nil))
		for _, f := range directory.ClientFields() {
			if f.Supported() {
				continue
			}
			with := func(text string) storage.Client {
				return changedClient(storage.Web, func(c *storage.Client) { someValue(t, f, c, text) })
			}
			_, _, created := h.CreateClient(t.Context(), with("x"), storage.Origin{})
			_, revised := h.ReviseClient(t.Context(), made.ID, func(c *storage.Client) error { someValue(t, f, c, "x"); return nil }, storage.Origin{})
			for act, err := range map[string]error{"create": created, "revise": revised} {
				problems, is := errors.AsType[*directory.ClientError](err)
				if !is || len(problems.Problems) != 1 || problems.Problems[0].Field != f.Name || problems.Problems[0].Code != directory.NotSupportedYet {
					t.Errorf("%s with %s: got %v", act, f.Name, err)
				}
			}
			old := with("x")
			if err := directory.CheckClientChange(old, with("x")); err != nil {
				t.Errorf("%s from an earlier release: %v", f.Name, err)
			}
			if err := directory.CheckClientChange(old, changedClient(storage.Web, nil)); err != nil {
				t.Errorf("%s cannot be taken away: %v", f.Name, err)
			}
			if !slices.Equal(directory.WithoutEffect(old), []string{f.Name}) {
				t.Errorf("%s is not said to have no effect: %v", f.Name, directory.WithoutEffect(old))
			}
			if _, is := f.At(&old).(*bool); is {
				continue // there is no other value to change it to
			}
			if err := directory.CheckClientChange(old, with("y")); err == nil {
				t.Errorf("%s may change its value", f.Name)
			}
		}
	})
}

// wrongValues are values that break a rule of their field alone, whatever the type of the
// client is.
var wrongValues = map[string]func(c *storage.Client){
	"client_id":                  func(c *storage.Client) { c.ID = "a/b" },
	"client_name":                func(c *storage.Client) { c.Name = "" },
	"type":                       func(c *storage.Client) { c.Type = "wbe" },
	"redirect_uris":              func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"https://a.example/#x"} },
	"post_logout_redirect_uris":  func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = []string{"/bye"} },
	"token_endpoint_auth_method": func(c *storage.Client) { c.Metadata.TokenEndpointAuthMethod = "basic" },
	"grant_types":                func(c *storage.Client) { c.Metadata.GrantTypes = []string{"authorisation_code"} },
	"response_types":             func(c *storage.Client) { c.Metadata.ResponseTypes = []string{"cod"} },
	"scope":                      func(c *storage.Client) { c.Metadata.Scope = `a"b` },
	"client_uri":                 func(c *storage.Client) { c.Metadata.ClientURI = "home" },
	"policy_uri":                 func(c *storage.Client) { c.Metadata.PolicyURI = "policy" },
	"tos_uri":                    func(c *storage.Client) { c.Metadata.TosURI = "terms" },
	"contacts":                   func(c *storage.Client) { c.Metadata.Contacts = []string{"a\x00"} },
	"subject_type":               func(c *storage.Client) { c.Metadata.SubjectType = "private" },
	"id_token_signed_response_alg": func(c *storage.Client) {
		c.Metadata.IDTokenSignedResponseAlg = "none"
	},
	"default_max_age":                     func(c *storage.Client) { c.Metadata.DefaultMaxAge = new(int64(-1)) },
	"initiate_login_uri":                  func(c *storage.Client) { c.Metadata.InitiateLoginURI = "login" },
	"backchannel_logout_uri":              func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = "out" },
	"backchannel_logout_session_required": func(c *storage.Client) { c.Metadata.BackchannelLogoutSession = true },
	"prompt_login":                        func(c *storage.Client) { c.PromptLogin = "never" },
	"resources":                           func(c *storage.Client) { c.Resources = []string{"api"} },
	"audiences":                           func(c *storage.Client) { c.Audiences = []string{"api"} },
	"allow_origins":                       func(c *storage.Client) { c.Origins = []string{"https://a.example/"} },
	"refresh_grace":                       func(c *storage.Client) { c.RefreshGrace = time.Hour },
}

// TestCheckClient_OneMistakeIsOneProblem: a rule that reads a field which is itself wrong
// is not asked, so that nobody has to find the cause among its consequences.
func TestCheckClient_OneMistakeIsOneProblem(t *testing.T) {
	for _, f := range directory.ClientFields() {
		_, truth := f.At(new(storage.Client)).(*bool)
		if _, covered := wrongValues[f.Name]; !covered && f.Supported() && !truth {
			t.Errorf("no wrong value of %s is tried", f.Name)
		}
	}
	for _, kind := range clientTypes {
		for field, change := range wrongValues {
			if kind == storage.Service && field == "redirect_uris" {
				continue // which has none at all
			}
			problems := problemsOf(changedClient(kind, change))
			if !strings.HasPrefix(problems, field+": ") || strings.Contains(problems, "\n") {
				t.Errorf("%s with a wrong %s: got %q, want one problem about it", kind, field, problems)
			}
		}
	}
	// As a command line leaves it: the type decides the defaults, and so there are none.
	bare := directory.NewClient("wbe", "app", "An app")
	bare.Metadata.RedirectURIs, bare.Metadata.Scope = []string{"com.example:/cb"}, "openid"
	if problems := problemsOf(bare); problems != `type: "wbe" is not web, spa, native or service` {
		t.Errorf("an unknown type alone: got %q", problems)
	}
}

// TestCheckClient_TwoMistakesAreTwoProblems: every pair of independent mistakes is told at
// once.
func TestCheckClient_TwoMistakesAreTwoProblems(t *testing.T) {
	follows := map[string][]string{ // fields whose rules read the one that is wrong
		"type":                   {"redirect_uris", "post_logout_redirect_uris"},
		"backchannel_logout_uri": {"backchannel_logout_session_required"},
	}
	for one, change := range wrongValues {
		for other, another := range wrongValues {
			if one >= other || slices.Contains(follows[one], other) || slices.Contains(follows[other], one) {
				continue
			}
			problems := "\n" + problemsOf(changedClient(storage.Web, func(c *storage.Client) { change(c); another(c) }))
			if !strings.Contains(problems, "\n"+one+": ") || !strings.Contains(problems, "\n"+other+": ") {
				t.Errorf("%s and %s: got %q", one, other, problems)
			}
		}
	}
}
