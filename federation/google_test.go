package federation_test

import (
	"testing"

	"signet/federation"
)

func TestGoogle_SignIn(t *testing.T) {
	g, c := google(t, nil)
	i := c.arrives(t, "ada")
	if i.Connector != "up" || i.Issuer != g.URL || i.Subject != "110169484474386276334" {
		t.Errorf("got identity %q of %q at %q", i.Subject, i.Issuer, i.Connector)
	}
	if i.Email != "ada.example@gmail.com" || !i.EmailVerified || i.Trust != federation.Authoritative {
		t.Errorf("got address %q, verified %v, trust %v", i.Email, i.EmailVerified, i.Trust)
	}
	if i.Name != "Ada Example" || i.GivenName != "Ada" || i.FamilyName != "Example" || i.Picture == "" {
		t.Errorf("got profile %+v", i)
	}
	if i.Token != nil || i.Groups != nil || i.Fresh {
		t.Errorf("got token %v, groups %v, fresh %v without asking", i.Token, i.Groups, i.Fresh)
	}
	if n := g.Count("GET /v1/userinfo"); n != 0 {
		t.Errorf("userinfo was asked %d times though the ID token says all", n)
	}
}
