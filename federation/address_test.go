package federation_test

import (
	"testing"

	"signet/federation"
	"signet/federation/federationtest"
)

// TestIdentity_AmbiguousAddressesAreIgnored sends each text as a verified address to a connector
// that allows only the domain corp.example.
// FD-12: addresses that two programs read in different ways: a second @, comments, lists, IDN.
func TestIdentity_AmbiguousAddressesAreIgnored(t *testing.T) {
	none, refused := federation.ErrNoEmail, federation.ErrNotAllowed
	for sent, c := range map[string]struct {
		email string
		want  error
	}{
		"a@corp.example":                  {"a@corp.example", nil},
		"a@CORP.Example":                  {"a@corp.example", nil},
		"Ann.O'Hara+x@corp.example":       {"Ann.O'Hara+x@corp.example", nil},
		"a@ｃｏｒｐ.example":                  {"a@corp.example", nil}, // full-width letters: the same name to people and resolvers
		"a@x@corp.example":                {"", none},
		"a@corp.example@evil.example":     {"", none},
		"a@corp.example,b@evil.example":   {"", none},
		"a@evil.example,b@corp.example":   {"", none},
		`"a@evil.example"@corp.example`:   {"", none},
		`"a b"@corp.example`:              {"", none},
		"a(comment)@corp.example":         {"", none},
		"a@corp.example(comment)":         {"", none},
		"Boss <a@corp.example>":           {"", none},
		"a@corp.example.":                 {"", none},
		"a@.corp.example":                 {"", none},
		"a@corp..example":                 {"", none},
		".a@corp.example":                 {"", none},
		" a@corp.example":                 {"", none},
		"a@corp.example ":                 {"", none},
		"a@corp.example\x00.evil.example": {"", none},
		"a\r\nBcc: b@corp.example":        {"", none},
		"ａ@corp.example":                  {"", none},
		"a@[127.0.0.1]":                   {"", none},
		"a@":                              {"", none},
		"@corp.example":                   {"", none},
		"corp.example":                    {"", none},
		"a@xn--corp-.example":             {"", none},
		"a@corp.exampleı":                 {"", refused},
		"a@münchen.example":               {"", refused},
		"a@sub.corp.example":              {"", refused},
		"a@corp.example.evil.example":     {"", refused},
		"a@notcorp.example":               {"", refused},
	} {
		t.Run(sent, func(t *testing.T) {
			l, up := lying(t, allowDomains("corp.example"))
			l.SetFaults(federationtest.Faults{Claims: claims{"email": sent}})
			if c.want != nil {
				up.mustRefuse(t, "victim", c.want)
				return
			}
			if i := up.mustSignIn(t, "victim"); i.Email != c.email {
				t.Errorf("got %q, want %q", i.Email, c.email)
			}
		})
	}
}

// TestIdentity_InternationalDomainHasOneForm: a domain is converted to A-labels.
// FD-12: addresses that two programs read in different ways: a second @, comments, lists, IDN.
func TestIdentity_InternationalDomainHasOneForm(t *testing.T) {
	for _, sent := range []string{"a@münchen.example", "a@MÜNCHEN.example", "a@xn--mnchen-3ya.example"} {
		l, up := lying(t, allowDomains("München.example"))
		l.SetFaults(federationtest.Faults{Claims: claims{"email": sent}})
		if i := up.mustSignIn(t, "victim"); i.Email != "a@xn--mnchen-3ya.example" {
			t.Errorf("%q: got %q", sent, i.Email)
		}
	}
}

// TestIdentity_AddressIsVerifiedOnlyByItsOwnDocument: email_verified counts only if it is in the
// document that contains the address. If it is missing, the address is not verified.
// FD-01: an upstream account with an unverified address of another person.
func TestIdentity_AddressIsVerifiedOnlyByItsOwnDocument(t *testing.T) {
	for name, f := range notVerified {
		t.Run(name, func(t *testing.T) {
			l, up := lying(t, func(c *federation.Config) { c.Trust = federation.Verifies })
			l.SetFaults(f)
			i := up.mustSignIn(t, "victim")
			if i.Email != "victim@corp.example" || i.EmailVerified || i.Trust != federation.Unknown || i.HasTrustedEmail() {
				t.Errorf("got %q, verified %v, trust %v", i.Email, i.EmailVerified, i.Trust)
			}
		})
	}
}

// notVerified lists answers that do not say that the address is verified.
var notVerified = map[string]federationtest.Faults{
	"missing":                     {Claims: claims{"email_verified": nil}},
	"null":                        {Payload: payload(`"email_verified":true`, `"email_verified":null`).Payload},
	"false":                       {Claims: claims{"email_verified": false}},
	"false, as text":              {Claims: claims{"email_verified": "false"}},
	"only in the ID token":        {LeanIDToken: true, Claims: claims{"email_verified": true}, UserInfo: claims{"email_verified": nil}},
	"only in userinfo":            {Claims: claims{"email_verified": nil}, UserInfo: claims{"email_verified": true}},
	"other spelling of the claim": {Payload: payload(`"email_verified"`, `"Email_Verified"`).Payload},
}

func TestIdentity_AddressMayBeMissing(t *testing.T) {
	l, up := lying(t, nil)
	l.SetFaults(federationtest.Faults{LeanIDToken: true, UserInfo: claims{"email": nil}})
	if i := up.mustSignIn(t, "victim"); i.Email != "" || i.EmailVerified || i.Subject != "victim-1" {
		t.Errorf("got %+v", i)
	}
}
