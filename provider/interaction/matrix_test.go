package interaction_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/federation"
	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

const tenant = "11111111-2222-3333-4444-555555555555"

// trusted is a connector of the matrix, with its settings.
type trusted struct {
	kind    federation.Kind
	trust   federation.Trust // Unknown: not set
	domains []string
	signUp  bool
}

// matrix returns the connectors: each type of upstream with each trust, domains and sign-up.
func matrix() []trusted {
	var all []trusted
	for _, kind := range []federation.Kind{federation.OIDC, federation.Microsoft, federation.Google} {
		for _, c := range []trusted{
			{trust: federation.Unknown}, {trust: federation.Verifies},
			{trust: federation.Authoritative, domains: []string{"corp.example"}}, {trust: federation.Authoritative, domains: []string{"other.example"}},
		} {
			for _, signUp := range []bool{true, false} {
				all = append(all, trusted{kind, c.trust, c.domains, signUp})
			}
		}
	}
	return all
}

// vouches reports whether the connector vouches for an address at corp.example, as the
// README promises; said is the email_verified of the upstream: "true", "false" or "" for
// none.
func (c trusted) vouches(said string) bool {
	switch {
	case said == "false":
		return false
	case c.trust == federation.Unknown:
		return c.kind == federation.Google && said == "true" // verified once, but not in a domain of Google
	case c.trust == federation.Verifies:
		return said == "true"
	case c.domains[0] != "corp.example":
		return false
	case c.kind == federation.Google:
		return said == "true" // without hd, Google does not run the mailbox
	}
	return true
}

// says makes the liar send address and email_verified in the form of the connector's type.
func (c trusted) says(up *providertest.Upstreams, n int, email string, verified any) {
	f := federationtest.Faults{Claims: map[string]any{"sub": fmt.Sprint("m-", n), "email": any(email), "email_verified": verified}}
	if email == "" {
		f.Claims["email"] = nil
	}
	if c.kind == federation.Microsoft {
		issuer := up.Liar.URL + "/" + tenant + "/v2.0"
		f.Discovery = map[string]any{"issuer": issuer, "authorization_response_iss_parameter_supported": nil}
		f.Callback = map[string]string{"iss": ""}
		f.Claims["iss"], f.Claims["tid"], f.Claims["oid"] = issuer, tenant, fmt.Sprintf("99999999-8888-7777-6666-%012d", n)
	}
	f.UserInfo = maps.Clone(f.Claims)
	up.Liar.SetFaults(f)
}

// Every connector of the matrix is combined with every email_verified and every address.
// Nobody is asked for the password of an account that does not exist. An address without a
// voucher gives the same page as no address.
func TestMatrix_OutcomeOfEveryArrival(t *testing.T) {
	said := map[string]any{"true": true, "false": false, "": nil, "true as text": "true"}
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.CreateUser(t, storage.User{Email: "k00000@corp.example", EmailVerified: true}, providertest.Password)
		n := 0
		for i, c := range matrix() {
			id := fmt.Sprintf("liar-%d", i)
			if b.Backend.Name != "sqlite" && i%5 != 0 {
				continue // the database makes no difference, so a sample is enough
			}
			for _, word := range slices.Sorted(maps.Keys(said)) {
				if word == "true as text" && i%3 != 0 {
					continue // it is read as true, so a sample is enough
				}
				bare := map[string]string{}
				for _, address := range []string{"known", "unknown", "none"} {
					n++
					email := map[string]string{"known": "k00000@corp.example", "unknown": fmt.Sprintf("n%05d@corp.example", n), "none": ""}[address]
					c.says(up, n, email, said[word])
					what := fmt.Sprintf("%+v, email_verified %q, address %s", c, word, address)
					v := b.Visitor(t)
					page := v.AuthorizeThrough(t, id, "victim")
					vouched := email != "" && c.vouches(strings.TrimSuffix(word, " as text"))
					switch {
					case vouched && address == "known":
						wantPage(t, what, page, "/login/link", "Is this account yours?")
					case vouched && c.signUp:
						wantPage(t, what, page, "/consent", email)
					case vouched:
						wantPage(t, what, page, "", "signup_closed")
					case c.signUp:
						wantPage(t, what, page, "/consent", "Vic Tim")
						if strings.Contains(page.Body, "@corp.example") {
							t.Errorf("%s: the account has an address:\n%s", what, page.Body)
						}
					default:
						wantPage(t, what, page, "", "identity_not_connected")
						page.WantText(t, "connect", "ask the operator")
						wantWayBack(t, v, page)
					}
					if !vouched {
						bare[address] = sealed.ReplaceAllString(page.Body, "…")
					}
				}
				for address, body := range bare {
					if body != bare["none"] {
						t.Errorf("%+v, email_verified %q: with address %q the page is\n%s\nbut without an address it is\n%s", c, word, address, body, bare["none"])
					}
				}
			}
		}
	}, connectMatrix)
}

// connectMatrix adds the connectors of the matrix to the settings.
func connectMatrix(up *providertest.Upstreams, c *provider.Config) {
	for i, m := range matrix() {
		config := federation.Config{
			ID: fmt.Sprintf("liar-%d", i), Kind: m.kind, Name: "Elsewhere", Issuer: up.Liar.URL, Trust: m.trust, Domains: m.domains,
			ClientID: up.Liar.ClientID, ClientSecret: federation.NewSecret(up.Liar.ClientSecret),
		}
		if m.kind == federation.Microsoft {
			config.Tenants = []string{tenant}
		}
		c.Connectors = append(c.Connectors, provider.Connector{SignUp: m.signUp, Config: config})
	}
}

// wantPage fails unless the page is at path and contains text; for path "", it must be a
// refusal that contains text.
func wantPage(t *testing.T, what string, page providertest.Stop, path, text string) {
	t.Helper()
	at, status := path, http.StatusOK
	if path == "" {
		at, status = page.At.Path, http.StatusForbidden
	}
	if page.At.Path != at || page.StatusCode != status || !strings.Contains(page.Body, text) {
		t.Fatalf("%s: at %s with status %d, want %s with %d and %q:\n%s", what, page.At, page.StatusCode, at, status, text, page.Body)
	}
}
