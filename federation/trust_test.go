package federation_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
)

// trustSetting holds the settings trust and domains of a connector.
type trustSetting struct {
	level   federation.Trust
	domains []string
}

func (w trustSetting) set(c *federation.Config) { c.Trust, c.Domains = w.level, w.domains }

// emailVerifiedValues lists the values of email_verified, in each document that can contain it.
var emailVerifiedValues = map[string]struct {
	faults  federationtest.Faults
	yes, no bool
}{
	"yes":                               {federationtest.Faults{}, true, false},
	"yes, as text":                      {federationtest.Faults{Claims: claims{"email_verified": "true"}}, true, false},
	"no":                                {federationtest.Faults{Claims: claims{"email_verified": false}}, false, true},
	"no, as text":                       {federationtest.Faults{Claims: claims{"email_verified": "false"}}, false, true},
	"nothing":                           {federationtest.Faults{Claims: claims{"email_verified": nil}}, false, false},
	"null":                              {federationtest.Faults{Payload: payload(`"email_verified":true`, `"email_verified":null`).Payload}, false, false},
	"yes at userinfo":                   {federationtest.Faults{LeanIDToken: true}, true, false},
	"no at userinfo":                    {federationtest.Faults{LeanIDToken: true, UserInfo: claims{"email_verified": false}}, false, true},
	"nothing at userinfo":               {federationtest.Faults{LeanIDToken: true, UserInfo: claims{"email_verified": nil}}, false, false},
	"nothing at userinfo, no elsewhere": {federationtest.Faults{LeanIDToken: true, Claims: claims{"email_verified": false}, UserInfo: claims{"email_verified": nil}}, false, true},
	"nothing at userinfo, yes elsewhere": {
		federationtest.Faults{LeanIDToken: true, Claims: claims{"email_verified": true}, UserInfo: claims{"email_verified": nil}}, false, false},
	"nothing at userinfo, nonsense elsewhere": {
		federationtest.Faults{LeanIDToken: true, Claims: claims{"email_verified": 1}, UserInfo: claims{"email_verified": nil}}, false, true},
}

// TestTrust_ForEachValueOfEmailVerified combines every trust setting with every value of
// email_verified, for an address inside and outside the domains.
func TestTrust_ForEachValueOfEmailVerified(t *testing.T) {
	own, others, every := []string{"Corp.Example"}, []string{"other.example"}, []string{"*"}
	for name, c := range map[string]struct {
		trust   trustSetting
		yes     federation.Trust // the trust if email_verified is true
		nothing federation.Trust // the trust if email_verified is missing
	}{
		"not set":                       {trustSetting{}, federation.Unknown, federation.Unknown},
		"unknown":                       {trustSetting{level: federation.Distrust}, federation.Unknown, federation.Unknown},
		"verifies":                      {trustSetting{level: federation.Verifies}, federation.Verifies, federation.Unknown},
		"authoritative for it":          {trustSetting{federation.Authoritative, own}, federation.Authoritative, federation.Authoritative},
		"authoritative for another":     {trustSetting{federation.Authoritative, others}, federation.Unknown, federation.Unknown},
		"authoritative for everything":  {trustSetting{federation.Authoritative, every}, federation.Authoritative, federation.Authoritative},
		"authoritative for a subdomain": {trustSetting{federation.Authoritative, []string{"sub.corp.example"}}, federation.Unknown, federation.Unknown},
	} {
		for said, w := range emailVerifiedValues {
			t.Run(name+", "+said, func(t *testing.T) {
				l, up := lying(t, c.trust.set)
				l.SetFaults(w.faults)
				want := c.nothing
				if w.yes {
					want = c.yes
				} else if w.no {
					want = federation.Unknown
				}
				i := up.mustSignIn(t, "victim")
				if i.Email != "victim@corp.example" || i.Trust != want || i.HasTrustedEmail() != (want > federation.Unknown) {
					t.Errorf("got %q, verified %v, trust %v, HasTrustedEmail %v; want trust %v", i.Email, i.EmailVerified, i.Trust, i.HasTrustedEmail(), want)
				}
				if i.EmailVerified && w.no {
					t.Error("email_verified false counts as verified")
				}
				if i.DescribeTrust() == "" || strings.Contains(i.DescribeTrust(), "@") {
					t.Errorf("DescribeTrust is empty or contains the address: %q", i.DescribeTrust())
				}
			})
		}
	}
}

// TestTrust_EmailVerifiedIsAboutClaimEmail: if the settings map email to another claim,
// email_verified is still about the claim email.
func TestTrust_EmailVerifiedIsAboutClaimEmail(t *testing.T) {
	for name, c := range map[string]struct {
		mapped map[string]string
		said   claims
		vouch  bool
	}{
		"another address":             {map[string]string{"email": "upn"}, claims{"upn": "boss@corp.example"}, false},
		"another one at userinfo":     {map[string]string{"email": "upn"}, claims{"upn": "boss@corp.example", "email": nil, "name": nil}, false},
		"the same one at userinfo":    {map[string]string{"email": "upn"}, claims{"upn": "victim@corp.example", "email": nil, "name": nil}, true},
		"the same address":            {map[string]string{"email": "upn"}, claims{"upn": "Victim@corp.example"}, true},
		"no claim email":              {map[string]string{"email": "upn"}, claims{"upn": "boss@corp.example", "email": nil}, true},
		"its own word, of another":    {map[string]string{"email": "upn", "email_verified": "upn_ok"}, claims{"upn": "boss@corp.example", "upn_ok": true}, true},
		"its own word is not said":    {map[string]string{"email": "upn", "email_verified": "upn_ok"}, claims{"upn": "boss@corp.example"}, false},
		"the word alone has its name": {map[string]string{"email_verified": "mail_ok"}, claims{"mail_ok": true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l, up := lying(t, func(config *federation.Config) { config.Claims, config.Trust = c.mapped, federation.Verifies })
			l.SetFaults(federationtest.Faults{Claims: c.said})
			if i := up.mustSignIn(t, "victim"); i.Email == "" || i.HasTrustedEmail() != c.vouch {
				t.Errorf("got %q, HasTrustedEmail %v, want %v", i.Email, i.HasTrustedEmail(), c.vouch)
			}
		})
	}
}

// TestTrust_ContradictionsAreRefused for every kind: the error names the setting.
func TestTrust_ContradictionsAreRefused(t *testing.T) {
	for _, kind := range federation.Kinds() {
		for name, c := range map[string]struct {
			change func(*federation.Config)
			key    string
		}{
			"authoritative without domains": {trustSetting{level: federation.Authoritative}.set, "domains is missing"},
			"domains that trust nothing":    {trustSetting{federation.Verifies, []string{"corp.example"}}.set, "domains is set"},
			"domains of the unknown":        {trustSetting{federation.Distrust, []string{"corp.example"}}.set, "domains is set"},
			"no domain":                     {trustSetting{federation.Authoritative, []string{"a b"}}.set, "domains holds"},
			"an address":                    {trustSetting{federation.Authoritative, []string{"ada@corp.example"}}.set, "domains holds"},
			"a wildcard within":             {trustSetting{federation.Authoritative, []string{"*.corp.example"}}.set, "domains h"},
			"all and some":                  {trustSetting{federation.Authoritative, []string{"*", "corp.example"}}.set, `domains has "*"`},
			"no address is verified":        {func(c *federation.Config) { c.Trust, c.RequireEmail = federation.Distrust, true }, "require_email would refuse everybody"},
		} {
			config := minimalConfig(t, kind)
			c.change(&config)
			_, err := federation.New(config, http.DefaultClient, time.Now)
			if !errors.Is(err, federation.ErrMisconfigured) || !strings.Contains(err.Error(), c.key) {
				t.Errorf("%s, %s: got %v", kind, name, err)
			}
		}
	}
}

// TestTrust_Presets checks the default trust of each kind.
func TestTrust_Presets(t *testing.T) {
	want := map[federation.Kind]federation.Trust{
		federation.Google: federation.Authoritative, federation.GitHub: federation.Verifies, federation.GitLab: federation.Verifies,
		federation.Apple: federation.Verifies, federation.Microsoft: federation.Unknown, federation.OIDC: federation.Unknown,
	}
	for _, kind := range federation.Kinds() {
		c := minimalConfig(t, kind)
		made, err := federation.New(c, http.DefaultClient, time.Now)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if made.Trust() != want[kind] {
			t.Errorf("%s: got %v, want %v", kind, made.Trust(), want[kind])
		}
		c.Trust = federation.Distrust
		if made, err = federation.New(c, http.DefaultClient, time.Now); err != nil || made.Trust() != federation.Unknown {
			t.Errorf("%s, trust: unknown: got %v, %v", kind, made.Trust(), err)
		}
	}
}

// TestTrust_MicrosoftTenantVerifiesNoAddress: email_verified of its token does not count. Only the
// settings trust and domains make an address trusted.
func TestTrust_MicrosoftTenantVerifiesNoAddress(t *testing.T) {
	for name, c := range map[string]struct {
		trust trustSetting
		more  claims
		want  federation.Trust
	}{
		"as it is":                      {trustSetting{}, nil, federation.Unknown},
		"another domain":                {trustSetting{federation.Authoritative, []string{"other.example"}}, nil, federation.Unknown},
		"the operator's word":           {trustSetting{federation.Authoritative, []string{"corp.example"}}, claims{"email_verified": nil}, federation.Authoritative},
		"the operator's, against a no":  {trustSetting{federation.Authoritative, []string{"corp.example"}}, claims{"email_verified": false}, federation.Unknown},
		"verifies, and nothing is said": {trustSetting{level: federation.Verifies}, claims{"email_verified": nil}, federation.Unknown},
	} {
		l, up := lying(t, func(config *federation.Config) {
			config.Kind, config.Tenants = federation.Microsoft, []string{tenantA}
			c.trust.set(config)
		})
		l.SetFaults(fromTenant(l, tenantA, tenantA, c.more))
		if i := up.mustSignIn(t, "victim"); i.Trust != c.want || i.HasTrustedEmail() != (c.want > 0) {
			t.Errorf("%s: trust %v, HasTrustedEmail %v; want trust %v", name, i.Trust, i.HasTrustedEmail(), c.want)
		}
	}
}

// TestTrust_GoogleKnowsItsOwnDomains: the setting domains limits the domains for which Google is
// authoritative. It does not make Google authoritative for other addresses of consumer accounts.
func TestTrust_GoogleKnowsItsOwnDomains(t *testing.T) {
	for account, c := range map[string]struct {
		domains []string
		want    federation.Trust
	}{
		"ada":     {[]string{"corp.example"}, federation.Unknown},       // gmail.com
		"grace":   {[]string{"corp.example"}, federation.Authoritative}, // by hd
		"mallory": {[]string{"*"}, federation.Verifies},                 // no hd
		"newbie":  {[]string{"*"}, federation.Unknown},                  // email_verified is false
	} {
		_, up := google(t, trustSetting{federation.Authoritative, c.domains}.set)
		if got := up.mustSignIn(t, account).Trust; got != c.want {
			t.Errorf("%s: got %v, want %v", account, got, c.want)
		}
	}
}
