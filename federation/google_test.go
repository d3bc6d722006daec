package federation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
)

func TestGoogle_SignIn(t *testing.T) {
	g, c := google(t, nil)
	i := c.mustSignIn(t, "ada")
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
		t.Errorf("got token %v, groups %v, fresh %v, although none was requested", i.Token, i.Groups, i.Fresh)
	}
	if n := g.CountRequests("GET /v1/userinfo"); n != 0 {
		t.Errorf("userinfo was called %d times although the ID token has all claims", n)
	}
}

func allowDomains(domains ...string) func(*federation.Config) {
	return func(c *federation.Config) { c.AllowedDomains = domains }
}

// TestGoogle_MembershipByHostedDomainClaim: only the claim hd shows membership in an organization.
// Neither an address of its domain nor the callback parameter hd is enough.
// FD-14: Google's hd only as a request parameter, consumer accounts, values of wrong types.
func TestGoogle_MembershipByHostedDomainClaim(t *testing.T) {
	_, up := google(t, allowDomains("Corp.Example"))
	up.mustSignIn(t, "grace")
	for _, outsider := range []string{"ada", "mallory", "newbie"} {
		a, back := up.visit(t, outsider)
		back.Set("hd", "corp.example")
		if i, err := up.finish(t, a, back); !errors.Is(err, federation.ErrNotAllowed) {
			t.Errorf("%s: got %+v, %v; want ErrNotAllowed", outsider, i, err)
		}
	}
	if _, to := up.start(t, federation.Options{}); !strings.Contains(to, "hd=corp.example") {
		t.Errorf("the parameter hd is not in %s", to)
	}
}

// FD-14: Google's hd only as a request parameter, consumer accounts, values of wrong types.
func TestGoogle_ConsumerAccountsByAddress(t *testing.T) {
	_, up := google(t, allowDomains("gmail.com"))
	up.mustSignIn(t, "ada")
	up.mustRefuse(t, "grace", federation.ErrNotAllowed)
	up.mustRefuse(t, "mallory", federation.ErrNotAllowed)
	if _, to := up.start(t, federation.Options{}); strings.Contains(to, "hd=") {
		t.Errorf("gmail.com is not an organization, but hd is in %s", to)
	}
}

// TestGoogle_TrustDependsOnAddress: Google is authoritative for its own mailboxes and for those of
// its organizations. It has only verified other addresses.
// FD-14: Google's hd only as a request parameter, consumer accounts, values of wrong types.
func TestGoogle_TrustDependsOnAddress(t *testing.T) {
	_, up := google(t, nil)
	for account, want := range map[string]federation.Trust{
		"ada": federation.Authoritative, "grace": federation.Authoritative,
		"mallory": federation.Verifies, "newbie": federation.Unknown,
	} {
		if got := up.mustSignIn(t, account).Trust; got != want {
			t.Errorf("%s: got %v, want %v", account, got, want)
		}
	}
}

func TestGoogle_UnverifiedAddressWhereOneIsRequired(t *testing.T) {
	_, up := google(t, func(c *federation.Config) { c.RequireEmail = true })
	up.mustSignIn(t, "ada")
	up.mustRefuse(t, "newbie", federation.ErrNoEmail)
}

// FD-14: Google's hd only as a request parameter, consumer accounts, values of wrong types.
func TestGoogle_HostedDomainOfWrongTypeIsRefused(t *testing.T) {
	l, _ := lying(t, nil)
	l.SetFaults(federationtest.Faults{Claims: claims{"hd": []string{"corp.example"}}})
	_, up := lying(t, func(c *federation.Config) {
		c.Kind, c.Issuer, c.ClientSecret, c.AllowedDomains = federation.Google, l.URL, federation.NewSecret(l.ClientSecret), []string{"corp.example"}
	})
	up.mustRefuse(t, "victim", federation.ErrUntrusted)
}

// TestGoogle_IssuerWithoutScheme: only tokens of the real Google may have an iss without a scheme.
func TestGoogle_IssuerWithoutScheme(t *testing.T) {
	l, _ := lying(t, nil)
	l.SetFaults(federationtest.Faults{Claims: claims{"iss": "accounts.google.com"}})
	_, up := lying(t, func(c *federation.Config) {
		c.Kind, c.Issuer, c.ClientSecret = federation.Google, l.URL, federation.NewSecret(l.ClientSecret)
	})
	up.mustRefuse(t, "victim", federation.ErrUntrusted)
}

func TestGoogle_WrongSecret(t *testing.T) {
	_, up := google(t, func(c *federation.Config) { c.ClientSecret = federation.NewSecret("wrong") })
	up.mustRefuse(t, "ada", federation.ErrMisconfigured)
}

func TestGoogle_TokenIsReturnedOnlyIfConfigured(t *testing.T) {
	_, up := google(t, func(c *federation.Config) { c.KeepToken = true })
	token := up.mustSignIn(t, "ada").Token
	if token == nil || token.AccessToken == "" || token.ExpiresAt != up.clock.now().Add(3599*time.Second).UnixMilli() {
		t.Fatalf("got %#v, expiry %+v", token, token)
	}
	if shown := fmt.Sprintf("%v %+v %#v %v", token, token, *token, *token); strings.Contains(shown, token.AccessToken) {
		t.Errorf("printing shows the token: %s", shown)
	}
}
