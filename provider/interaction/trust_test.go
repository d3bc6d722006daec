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

// unvouched are the ways in which an address arrives for which nobody vouches: what the
// connector's settings say, and what the upstream says.
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

// accounts are what can stand behind an address, each with one of its own of the same
// length, so that the pages are of one length, too.
func accounts(t *testing.T, b *providertest.Testbed) map[string]string {
	t.Helper()
	proven := func(email string) storage.User {
		return b.Local(t, storage.User{Email: email, EmailVerified: true}, providertest.Password)
	}
	proven("aaaa@corp.example")
	b.Local(t, storage.User{Email: "bbbb@corp.example"}, providertest.Password)
	off := proven("cccc@corp.example")
	if err := b.DB.SetUserEnabled(context.Background(), off.ID, false, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Local(t, storage.User{Email: "dddd@corp.example", EmailVerified: true, Admin: true}, providertest.Password)
	return map[string]string{
		"nobody's": "eeee@corp.example", "proven": "aaaa@corp.example", "claimed": "bbbb@corp.example",
		"of a disabled user": "cccc@corp.example", "of an administrator": "dddd@corp.example",
	}
}

// arrives walks through the liar with an identity that nobody has seen, and gives all
// that the browser can see of the answer and all that it cost.
func arrives(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams, subject, email string, verified any) (seen string, v *providertest.Visitor) {
	t.Helper()
	f := providertest.LieOf("sub", subject, "email", email)
	f.Claims["email_verified"] = verified
	up.Liar.SetFaults(f)
	v = b.Visitor(t)
	callback := v.Choose(t, v.Press(t, v.Get(t, b.AuthorizeURL()), "liar"), "victim")
	reads, writes := b.DB.Calls()
	answer := v.Fetch(t, callback)
	readsAfter, writesAfter := b.DB.Calls()
	var out strings.Builder
	fmt.Fprintf(&out, "status %d, %d reads, %d writes\n", answer.StatusCode, readsAfter-reads, writesAfter-writes)
	for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
		// Sealed messages are as long as what is random in them lets them be.
		if name != "Date" && name != "X-Request-Id" && name != "Content-Length" {
			fmt.Fprintf(&out, "%s: %s\n", name, sealed.ReplaceAllString(strings.Join(answer.Header[name], "\n"), "…"))
		}
	}
	out.WriteString(sealed.ReplaceAllString(answer.Body, "…"))
	return out.String(), v
}

// sealed matches what is random: sealed messages, handles and ids.
var sealed = regexp.MustCompile(`[A-Za-z0-9_-]{22,}|[0-9A-Z]{26}|signet_for_[2-7A-Z]{8}`)

// TestTrust_AddressNobodyVouchesForTellsNothing: status, headers, body, look-ups and
// write transactions are the same, whatever account has the address.
func TestTrust_AddressNobodyVouchesForTellsNothing(t *testing.T) {
	for name, c := range unvouched {
		for _, signUp := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, signup %v", name, signUp), func(t *testing.T) {
				providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
					var first, of string
					accounts := accounts(t, b)
					for _, whose := range slices.Sorted(maps.Keys(accounts)) {
						seen, v := arrives(t, b, up, "somebody-"+accounts[whose][:4], accounts[whose], c.verified)
						if first == "" {
							first, of = seen, whose
						}
						if seen != first {
							t.Errorf("an address %s answers\n%s\nand one %s\n%s", whose, seen, of, first)
						}
						wantBare(t, b, v, signUp, accounts[whose])
					}
				}, providertest.Alter("liar", func(l *provider.Connector) {
					l.Trust, l.Domains, l.SignUp, l.AutoLink = c.trust, c.domains, signUp, c.trust > federation.Unknown
				}))
			})
		}
	}
}

// wantBare wants the browser signed in to a new account that has no address, or to
// none where there is no sign-up.
func wantBare(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, signUp bool, email string) {
	t.Helper()
	if !signUp {
		v.WantNobody(t)
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

// TestTrust_AuthoritativeNeedsNoWord in its domains: an address there makes and takes
// an account as one that is called verified.
func TestTrust_AuthoritativeNeedsNoWord(t *testing.T) {
	inDomain := providertest.Alter("liar", func(c *provider.Connector) { c.Trust, c.Domains = federation.Authoritative, []string{"corp.example"} })
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		_, v := arrives(t, b, up, "new-one", "new@corp.example", nil)
		v.Allow(t, v.Get(t, b.AuthorizeURL()))
		if u := b.UserBy(t, "new@corp.example"); !u.EmailVerified {
			t.Error("the address counts as claimed")
		}
		claimed := b.Local(t, storage.User{Email: "claimed@corp.example"}, providertest.Password)
		_, v = arrives(t, b, up, "its-owner", "claimed@corp.example", nil)
		if got := v.Subject(t, v.Get(t, b.AuthorizeURL())); got != claimed.ID {
			t.Errorf("signed in as %s, want the account of the address", got)
		}
		b.WantEvent(t, storage.UserEvicted, claimed.ID)
	}, inDomain)
}

// TestTrust_AdministratorIsOpenedByNoUpstream, proven or not, whatever the connector
// may do: the account's own password is asked for.
func TestTrust_AdministratorIsOpenedByNoUpstream(t *testing.T) {
	for _, proven := range []bool{true, false} {
		for _, trust := range []federation.Trust{federation.Verifies, federation.Authoritative} {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				admin := b.Local(t, storage.User{Email: providertest.VictimMail, EmailVerified: proven, Admin: true}, providertest.Password)
				v := b.Visitor(t)
				if page := v.ComeBy(t, "liar", "victim"); page.At.Path != "/login/link" {
					t.Errorf("%v, proven %v: at %s", trust, proven, page.At)
				}
				v.WantNobody(t)
				b.WantIdentities(t, admin.ID)
			}, providertest.Alter("liar", func(c *provider.Connector) {
				c.AutoLink, c.Trust = true, trust
				if trust == federation.Authoritative {
					c.Domains = []string{"corp.example"}
				}
			}))
		}
	}
}

// TestTrust_AccountWithoutAddressWorks: every page shows it, applications get no
// address of it, it comes back, and an operator can give it one.
func TestTrust_AccountWithoutAddressWorks(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"with a name": {"email_verified": false}, "without one": {"email_verified": false, "name": nil, "given_name": nil, "family_name": nil},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				up.Liar.SetFaults(federationtest.Faults{Claims: claims})
				v := b.Visitor(t)
				page := v.ComeBy(t, "liar", "victim", "scope", "openid email profile")
				page.WantText(t, "Signed in as")
				tokens := b.Redeem(t, v.Allow(t, page).Code(t))
				sub := providertest.ClaimsOf(t, tokens["id_token"])["sub"].(string)
				info := b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
				if info["email"] != nil || info["email_verified"] != nil {
					t.Errorf("userinfo: %v", info)
				}
				for _, path := range append(providertest.Pages(t, "/account"), "/", "/end_session") {
					page := v.Get(t, b.Issuer+path)
					if page.StatusCode != http.StatusOK || strings.Contains(page.Body, "<bdi></bdi>") || strings.Contains(page.Body, providertest.VictimMail) && path != "/account/identities" {
						t.Errorf("%s: status %d:\n%s", path, page.StatusCode, page.Body)
					}
				}
				v.Get(t, b.AuthorizeURL("prompt", "login")).WantText(t, "Confirm it’s you")
				f := v.Get(t, b.Issuer+"/account/profile").FormTo(t, "/account/profile", "", "")
				v.Submit(t, f, "nickname", "Vic").WantAt(t, "/account/profile?done=profile")
				// A second of the kind is somebody else; the same identity is the same person.
				up.Liar.SetFaults(federationtest.Faults{Claims: map[string]any{"sub": "another", "email": "not an address"}})
				other := b.Visitor(t)
				if other.Subject(t, other.ComeBy(t, "liar", "victim")) == sub {
					t.Error("two people share an account")
				}
				up.Liar.SetFaults(federationtest.Faults{Claims: claims})
				again := b.Visitor(t)
				if got := again.Subject(t, again.ComeBy(t, "liar", "victim")); got != sub {
					t.Errorf("came back as %s, want %s", got, sub)
				}
				r := storage.UserRevision{UserID: sub, Revise: func(u *storage.User) error { u.Email = "vic@corp.example"; return nil }}
				verified := true
				r.Verified = &verified
				if _, err := b.DB.ReviseUser(context.Background(), r, b.Now()); err != nil {
					t.Errorf("an operator gives it an address: %v", err)
				}
				// Nobody had claimed one before: the person's way in stays.
				again = b.Visitor(t)
				if got := again.Subject(t, again.ComeBy(t, "liar", "victim")); got != sub {
					t.Errorf("after that they came back as %s, want %s", got, sub)
				}
			})
		})
	}
}
