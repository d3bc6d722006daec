package interaction_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signet/federation"
	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// unvouched are the combinations of settings and email_verified for which a connector does
// not vouch for the address.
var unvouched = map[string]struct {
	trust    federation.Trust
	domains  []string
	verified any
}{
	"verified by an upstream of unknown trust": {federation.Distrust, nil, true},
	"not verified":                     {federation.Verifies, nil, false},
	"nothing said":                     {federation.Verifies, nil, nil},
	"verified outside the domains":     {federation.Authoritative, []string{"elsewhere.example"}, true},
	"not verified inside the domains":  {federation.Authoritative, []string{"corp.example"}, false},
	"trusted everywhere, not verified": {federation.Authoritative, []string{"*"}, false},
}

// accounts makes one account of each kind and returns their addresses, and an address
// without an account. All addresses have the same length, so that the pages have it, too.
func accounts(t *testing.T, b *providertest.Testbed) map[string]string {
	t.Helper()
	proven := func(email string) storage.User {
		return b.CreateUser(t, storage.User{Email: email, EmailVerified: true}, providertest.Password)
	}
	proven("aaaa@corp.example")
	b.CreateUser(t, storage.User{Email: "bbbb@corp.example"}, providertest.Password)
	off := proven("cccc@corp.example")
	if err := b.DB.SetUserEnabled(context.Background(), off.ID, false, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.CreateUser(t, storage.User{Email: "dddd@corp.example", EmailVerified: true, Admin: true}, providertest.Password)
	return map[string]string{
		"no account": "eeee@corp.example", "an account that has proven it": "aaaa@corp.example", "an account that has not proven it": "bbbb@corp.example",
		"a disabled user": "cccc@corp.example", "an administrator": "dddd@corp.example",
	}
}

// arrives signs in through the liar with a new identity. It returns everything that the
// browser can see of the answer, and the number of reads and writes.
func arrives(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams, subject, email string, verified any) (seen string, v *providertest.Visitor) {
	t.Helper()
	f := providertest.ChangeClaims("sub", subject, "email", email)
	f.Claims["email_verified"] = verified
	up.Liar.SetFaults(f)
	v = b.Visitor(t)
	callback := v.ChooseAccount(t, v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "liar"), "victim")
	reads, writes := b.DB.Calls()
	answer := v.Fetch(t, callback)
	readsAfter, writesAfter := b.DB.Calls()
	var out strings.Builder
	fmt.Fprintf(&out, "status %d, %d reads, %d writes\n", answer.StatusCode, readsAfter-reads, writesAfter-writes)
	for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
		// The length of sealed messages depends on random data.
		if name != "Date" && name != "X-Request-Id" && name != "Content-Length" {
			fmt.Fprintf(&out, "%s: %s\n", name, sealed.ReplaceAllString(strings.Join(answer.Header[name], "\n"), "…"))
		}
	}
	out.WriteString(sealed.ReplaceAllString(answer.Body, "…"))
	return out.String(), v
}

// sealed matches random text: sealed messages, handles and ids.
var sealed = regexp.MustCompile(`[A-Za-z0-9_-]{22,}|[0-9A-Z]{26}|signet_for_[2-7A-Z]{8}`)

// For an address without a voucher, status, headers, body, reads and writes are the same for
// every kind of account with that address.
func TestTrust_AddressWithoutVoucherRevealsNothing(t *testing.T) {
	for name, c := range unvouched {
		for _, signUp := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, signup %v", name, signUp), func(t *testing.T) {
				providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
					var first, firstKind string
					accounts := accounts(t, b)
					for _, kind := range slices.Sorted(maps.Keys(accounts)) {
						seen, v := arrives(t, b, up, "somebody-"+accounts[kind][:4], accounts[kind], c.verified)
						if first == "" {
							first, firstKind = seen, kind
						}
						if seen != first {
							t.Errorf("the address of %s gives\n%s\nbut the address of %s gives\n%s", kind, seen, firstKind, first)
						}
						wantBare(t, b, v, signUp, accounts[kind])
					}
				}, providertest.ChangeConnector("liar", func(l *provider.Connector) {
					l.Trust, l.Domains, l.SignUp, l.AutoLink = c.trust, c.domains, signUp, c.trust > federation.Unknown
				}))
			})
		}
	}
}

// wantBare fails unless the browser is signed in to a new account without an address, or,
// without sign-up, not signed in.
func wantBare(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, signUp bool, email string) {
	t.Helper()
	if !signUp {
		v.WantNoSession(t)
		return
	}
	claims := providertest.ClaimsOf(t, b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL())).Code(t))["id_token"])
	u, err := b.DB.User(context.Background(), claims["sub"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if u.Email != "" || u.EmailCanonical != "" || u.EmailVerified {
		t.Errorf("the new account has the address %q, verified %v", u.Email, u.EmailVerified)
	}
	if had, _, err := b.DB.UserByEmail(context.Background(), email); err == nil && len(b.IdentitiesOf(t, had.ID)) > 0 {
		t.Errorf("%s was linked", email)
	}
}

// In the domains of an authoritative connector, an address counts as verified without
// email_verified.
func TestTrust_AuthoritativeNeedsNoEmailVerified(t *testing.T) {
	inDomain := providertest.ChangeConnector("liar", func(c *provider.Connector) { c.Trust, c.Domains = federation.Authoritative, []string{"corp.example"} })
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		_, v := arrives(t, b, up, "new-one", "new@corp.example", nil)
		v.Allow(t, v.Get(t, b.AuthorizeURL()))
		if u := b.UserByEmail(t, "new@corp.example"); !u.EmailVerified {
			t.Error("the address is not proven")
		}
		unproven := b.CreateUser(t, storage.User{Email: "unproven@corp.example"}, providertest.Password)
		_, v = arrives(t, b, up, "its-owner", "unproven@corp.example", nil)
		if got := v.Subject(t, v.Get(t, b.AuthorizeURL())); got != unproven.ID {
			t.Errorf("signed in as %s, want the account of the address", got)
		}
		b.WantEvent(t, storage.UserEvicted, unproven.ID)
	}, inDomain)
}

// No connector opens the account of a user with a role of administration by its address, with any trust and with a
// proven or unproven address: a proof of the account itself is asked for.
func TestTrust_NoUpstreamOpensAdministratorAccount(t *testing.T) {
	for _, proven := range []bool{true, false} {
		for i, trust := range []federation.Trust{federation.Verifies, federation.Authoritative} {
			role := storage.AdminRoles()[i]
			if !proven {
				role = storage.AdminRoles()[2-i]
			}
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				u := storage.User{Email: providertest.VictimMail, EmailVerified: proven}
				u.SetAdminRole(role)
				admin := b.CreateUser(t, u, providertest.Password)
				v := b.Visitor(t)
				if page := v.AuthorizeThrough(t, "liar", "victim"); page.At.Path != "/login/link" {
					t.Errorf("%v, proven %v: at %s", trust, proven, page.At)
				}
				v.WantNoSession(t)
				b.WantIdentities(t, admin.ID)
			}, providertest.ChangeConnector("liar", func(c *provider.Connector) {
				c.AutoLink, c.Trust = true, trust
				if trust == federation.Authoritative {
					c.Domains = []string{"corp.example"}
				}
			}))
		}
	}
}

// Every page works for an account without an address, applications get no address, the next
// sign-in opens the same account, and an operator can give it an address.
func TestTrust_AccountWithoutAddressWorks(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"with a name": {"email_verified": false}, "without one": {"email_verified": false, "name": nil, "given_name": nil, "family_name": nil},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				up.Liar.SetFaults(federationtest.Faults{Claims: claims})
				v := b.Visitor(t)
				page := v.AuthorizeThrough(t, "liar", "victim", "scope", "openid email profile")
				page.WantText(t, "Signed in as")
				tokens := b.Redeem(t, v.Allow(t, page).Code(t))
				sub := providertest.ClaimsOf(t, tokens["id_token"])["sub"].(string)
				info := b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
				if info["email"] != nil || info["email_verified"] != nil {
					t.Errorf("userinfo: %v", info)
				}
				for _, path := range append(providertest.Pages(t, "/account"), "/", "/end_session") {
					page := v.Get(t, b.Issuer+path)
					if page.StatusCode != http.StatusOK || strings.Contains(page.Body, "<bdi></bdi>") || strings.Contains(page.Body, providertest.VictimMail) && path != "/account/identities" && path != "/account/email" {
						t.Errorf("%s: status %d:\n%s", path, page.StatusCode, page.Body)
					}
				}
				v.Get(t, b.AuthorizeURL("prompt", "login")).WantText(t, "Confirm it’s you")
				f := v.Get(t, b.Issuer+"/account/profile").FormTo(t, "/account/profile", "", "")
				v.Submit(t, f, "nickname", "Vic").WantAt(t, "/account/profile?done=profile")
				// Another identity gets another account; the same identity gets the same account.
				up.Liar.SetFaults(federationtest.Faults{Claims: map[string]any{"sub": "another", "email": "not an address"}})
				other := b.Visitor(t)
				if other.Subject(t, other.AuthorizeThrough(t, "liar", "victim")) == sub {
					t.Error("two people share an account")
				}
				up.Liar.SetFaults(federationtest.Faults{Claims: claims})
				again := b.Visitor(t)
				if got := again.Subject(t, again.AuthorizeThrough(t, "liar", "victim")); got != sub {
					t.Errorf("came back as %s, want %s", got, sub)
				}
				r := storage.UserRevision{UserID: sub, Revise: func(u *storage.User) error { u.Email = "vic@corp.example"; return nil }}
				verified := true
				r.Verified = &verified
				if _, err := b.DB.ReviseUser(context.Background(), r, b.Now()); err != nil {
					t.Errorf("an operator gives it an address: %v", err)
				}
				// The account had no address before, so its identity stays.
				again = b.Visitor(t)
				if got := again.Subject(t, again.AuthorizeThrough(t, "liar", "victim")); got != sub {
					t.Errorf("after that, the identity opens %s, want %s", got, sub)
				}
			})
		})
	}
}
