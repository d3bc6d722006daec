package federation_test

import "testing"

func TestOIDC_SignIn(t *testing.T) {
	l, c := lying(t, nil)
	i := c.mustSignIn(t, "victim")
	if i.Issuer != l.URL || i.Subject != "victim-1" || i.Email != "victim@corp.example" || !i.EmailVerified || i.Trust != 0 {
		t.Errorf("got %+v", i)
	}
	if i.Username != "vic" || i.ACR != "urn:elsewhere:pwd" || len(i.AMR) != 1 || i.AuthTime == 0 {
		t.Errorf("got %+v", i)
	}
}
