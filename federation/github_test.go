package federation_test

import (
	"testing"

	"signet/federation"
)

func TestGitHub_SignIn(t *testing.T) {
	g, c := gitHub(t, nil)
	i := c.arrives(t, "octo")
	if i.Issuer != g.URL || i.Subject != "583231" || i.Username != "octo" || i.Name != "Octo Cat" {
		t.Errorf("got %+v", i)
	}
	if i.Email != "octo@octo.example" || !i.EmailVerified || i.Trust != federation.Verifies {
		t.Errorf("got address %q, verified %v, trust %v", i.Email, i.EmailVerified, i.Trust)
	}
}
