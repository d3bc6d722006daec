package federation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/federation"
	"signet/federation/federationtest"
)

const (
	tenantA = "11111111-2222-3333-4444-555555555555"
	tenantB = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	person  = "99999999-8888-7777-6666-555555555555"
)

func microsoft(t *testing.T, tenants ...string) (*federationtest.Lying, *trial) {
	return lying(t, func(c *federation.Config) { c.Kind, c.Tenants = federation.Microsoft, tenants })
}

func fromTenant(l *federationtest.Lying, document, tenant string, more claims) federationtest.Faults {
	f := federationtest.Faults{
		Discovery: claims{"issuer": l.URL + "/" + document + "/v2.0", "authorization_response_iss_parameter_supported": nil},
		Callback:  map[string]string{"iss": ""},
		Claims:    claims{"iss": l.URL + "/" + tenant + "/v2.0", "tid": tenant, "oid": person},
	}
	for name, value := range more {
		f.Claims[name] = value
	}
	return f
}

// TestMicrosoft_SubjectIsTenantAndObject: the subject is tenant and object id, and the address is not
// verified.
// FD-15: Entra ID: email can change; several tenants share an issuer template.
func TestMicrosoft_SubjectIsTenantAndObject(t *testing.T) {
	l, up := microsoft(t, tenantA)
	l.SetFaults(fromTenant(l, tenantA, tenantA, nil))
	i := up.mustSignIn(t, "victim")
	if i.Subject != tenantA+"/"+person || i.Issuer != l.URL+"/"+tenantA+"/v2.0" {
		t.Errorf("got %q of %q", i.Subject, i.Issuer)
	}
	if i.Email != "victim@corp.example" || i.EmailVerified || i.Trust != federation.Unknown {
		t.Errorf("got address %q, verified %v, trust %v", i.Email, i.EmailVerified, i.Trust)
	}
}

// FD-15: Entra ID: email can change; several tenants share an issuer template.
func TestMicrosoft_SeveralTenants(t *testing.T) {
	l, up := microsoft(t, tenantA, tenantB)
	l.SetFaults(fromTenant(l, "{tenantid}", tenantB, nil))
	if i := up.mustSignIn(t, "victim"); i.Issuer != l.URL+"/"+tenantB+"/v2.0" {
		t.Errorf("got issuer %q", i.Issuer)
	}
	other := "00000000-0000-0000-0000-000000000000"
	for name, f := range map[string]federationtest.Faults{
		"tenant not listed":      fromTenant(l, "{tenantid}", other, nil),
		"tid of another tenant":  fromTenant(l, "{tenantid}", tenantB, claims{"tid": tenantA}),
		"iss of another tenant":  fromTenant(l, "{tenantid}", other, claims{"tid": tenantB}),
		"iss is the placeholder": fromTenant(l, "{tenantid}", "{tenantid}", claims{"tid": tenantB}),
		"no tid":                 fromTenant(l, "{tenantid}", tenantB, claims{"tid": nil}),
		"no oid":                 fromTenant(l, "{tenantid}", tenantB, claims{"oid": nil}),
		"oid with a slash":       fromTenant(l, "{tenantid}", tenantB, claims{"oid": "a/b"}),
	} {
		t.Run(name, func(t *testing.T) {
			l.SetFaults(f)
			up.mustRefuse(t, "victim", federation.ErrUntrusted)
		})
	}
}

// keyPEM makes a P-256 key in the form of Apple's key files.
func keyPEM(t *testing.T) (federation.Secret, *ecdsa.PublicKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return federation.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), &key.PublicKey
}

// verifiedClaims returns the claims of a token, which must be signed by the key.
func verifiedClaims(t *testing.T, proof string, key *ecdsa.PublicKey, keyID string) claims {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := parsed.Verify(key)
	if err != nil || parsed.Signatures[0].Header.KeyID != keyID {
		t.Fatalf("proof under key %q: %v", parsed.Signatures[0].Header.KeyID, err)
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestApple(t *testing.T) {
	text, public := keyPEM(t)
	l, up := lying(t, func(c *federation.Config) {
		c.Kind, c.ClientSecret, c.ClientKey, c.ClientKeyID, c.TeamID = federation.Apple, federation.Secret{}, text, "KEY1", "TEAM1"
	})
	if !up.AnswersByPOST() {
		t.Error("Apple's callback is a POST")
	}
	l.SetFaults(federationtest.Faults{
		Claims:   claims{"email_verified": "true", "name": nil, "given_name": nil, "family_name": nil},
		Callback: map[string]string{"user": `{"name":{"firstName":"Vic","lastName":"Tim"},"email":"boss@corp.example"}`},
	})
	i := up.mustSignIn(t, "victim")
	if i.Name != "Vic Tim" || i.GivenName != "Vic" || i.FamilyName != "Tim" {
		t.Errorf("got name %q", i.Name)
	}
	if i.Email != "victim@corp.example" || !i.EmailVerified {
		t.Errorf("got address %q, verified %v, want that of the ID token", i.Email, i.EmailVerified)
	}
	form, _ := l.LastTokenRequest()
	proof := verifiedClaims(t, form.Get("client_secret"), public, "KEY1")
	if proof["iss"] != "TEAM1" || proof["sub"] != l.ClientID || proof["aud"] != "https://appleid.apple.com" {
		t.Errorf("got client secret of %v", proof)
	}
	l.SetFaults(federationtest.Faults{Claims: claims{"name": nil}}) // the second time
	up.mustSignIn(t, "victim")
	for _, malformed := range []string{`{"name":1,"name":2}`, `{"name":`, `[]`, `{"name":{"firstName":1}}`, `x`} {
		l.SetFaults(federationtest.Faults{Callback: map[string]string{"user": malformed}})
		if i := up.mustSignIn(t, "victim"); i.GivenName != "Vic" || i.FamilyName == "" {
			t.Errorf("user=%s: got names %q and %q, want those of the ID token", malformed, i.GivenName, i.FamilyName)
		}
	}
}

func TestClientAuthentication(t *testing.T) {
	text, public := keyPEM(t)
	l, up := lying(t, func(c *federation.Config) {
		c.ClientSecret, c.ClientKey, c.ClientKeyID = federation.Secret{}, text, "k1"
	})
	up.mustSignIn(t, "victim")
	form, header := l.LastTokenRequest()
	first := verifiedClaims(t, form.Get("client_assertion"), public, "k1")
	if first["iss"] != l.ClientID || first["sub"] != l.ClientID || first["aud"] != l.URL+"/token" || header.Get("Authorization") != "" {
		t.Errorf("got proof of %v", first)
	}
	up.mustSignIn(t, "victim")
	form, _ = l.LastTokenRequest()
	if again := verifiedClaims(t, form.Get("client_assertion"), public, "k1"); again["jti"] == first["jti"] {
		t.Error("two client assertions have the same jti")
	}

	l, up = lying(t, func(c *federation.Config) { c.ClientSecret = federation.NewSecret("a:b&c") })
	up.mustSignIn(t, "victim")
	form, header = l.LastTokenRequest()
	if got := header.Get("Authorization"); !strings.HasPrefix(got, "Basic ") || form.Has("client_secret") {
		t.Errorf("basic: got header %q, form %v", got, form)
	}
	l.SetFaults(federationtest.Faults{Discovery: claims{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}})
	up = connect(t, federation.Config{Kind: federation.OIDC, Issuer: l.URL, ClientID: l.ClientID, ClientSecret: federation.NewSecret("a:b&c")}, up.clock)
	up.mustSignIn(t, "victim")
	form, header = l.LastTokenRequest()
	if form.Get("client_secret") != "a:b&c" || header.Get("Authorization") != "" {
		t.Errorf("post: got header %q, form %v", header.Get("Authorization"), form)
	}
}

func TestClaimMapping(t *testing.T) {
	l, up := lying(t, func(c *federation.Config) {
		c.Claims = map[string]string{"email": "mail", "email_verified": "mail_ok", "preferred_username": "uid", "groups": "roles"}
	})
	l.SetFaults(federationtest.Faults{Claims: claims{"mail": "vic@mail.example", "mail_ok": true, "uid": "vt", "roles": []string{"admins"}}})
	i := up.mustSignIn(t, "victim")
	if i.Email != "vic@mail.example" || !i.EmailVerified || i.Username != "vt" || fmt.Sprint(i.Groups) != "[admins]" {
		t.Errorf("got %+v", i)
	}
	_, plain := lying(t, nil)
	if g := plain.mustSignIn(t, "victim").Groups; g != nil {
		t.Errorf("got groups %v although the settings map none", g)
	}
}

func TestNew_InvalidSettingsAreRefused(t *testing.T) {
	good := federation.Config{ID: "up", Kind: federation.OIDC, Issuer: "https://idp.example", ClientID: "c", ClientSecret: federation.NewSecret("hush-hush")}
	for name, change := range map[string]func(*federation.Config){
		"type":           func(c *federation.Config) { c.Kind = "saml" },
		"id":             func(c *federation.Config) { c.ID = "../x" },
		"client_id":      func(c *federation.Config) { c.ClientID = "" },
		"issuer":         func(c *federation.Config) { c.Issuer = "" },
		"issuer must":    func(c *federation.Config) { c.Issuer = "http://idp.example" },
		"issuer must be": func(c *federation.Config) { c.Issuer = "https://a:b@idp.example" },
		"allowed_domain": func(c *federation.Config) { c.AllowedDomains = []string{"@corp.example"} },
		"claims":         func(c *federation.Config) { c.Claims = map[string]string{"sub": "email"} },
		"algorithms":     func(c *federation.Config) { c.Algorithms = []string{"none"} },
		"HS256":          func(c *federation.Config) { c.Algorithms = []string{"HS256"} },
		"client_auth":    func(c *federation.Config) { c.ClientAuth = "tls" },
		"client_key":     func(c *federation.Config) { c.ClientAuth = "private_key_jwt" },
		"PEM":            func(c *federation.Config) { c.ClientKey = federation.NewSecret("x") },
		"tenants":        func(c *federation.Config) { c.Kind = federation.Microsoft },
		"GUID":           func(c *federation.Config) { c.Kind, c.Tenants = federation.Microsoft, []string{"common"} },
		"team_id":        func(c *federation.Config) { c.Kind = federation.Apple; c.ClientKey, _ = keyPEM(t); c.ClientKeyID = "k" },
		"base_url":       func(c *federation.Config) { c.Kind, c.Issuer, c.BaseURL = federation.GitHub, "", "http://git.example" },
	} {
		c := good
		change(&c)
		_, err := federation.New(c, client(t), newClock().now)
		if !errors.Is(err, federation.ErrMisconfigured) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v", good, good, good); strings.Contains(shown, "hush-hush") {
		t.Errorf("printing the settings shows the secret: %s", shown)
	}
}

// TestNew_MissingCredentialIsRefused if the kind of upstream does not support public clients: every
// sign-in would fail.
func TestNew_MissingCredentialIsRefused(t *testing.T) {
	for kind, public := range map[federation.Kind]bool{federation.Google: false, federation.GitHub: false, federation.Microsoft: false, federation.OIDC: true, federation.GitLab: true} {
		for _, method := range []string{"", "none"} {
			c := federation.Config{ID: "corp", Kind: kind, ClientID: "signet", ClientAuth: method, Issuer: map[federation.Kind]string{federation.OIDC: "https://login.example.net"}[kind]}
			if kind == federation.Microsoft {
				c.Tenants = []string{"9188040d-6c67-4c5b-b112-36a304b66dad"}
			}
			_, err := federation.New(c, http.DefaultClient, time.Now)
			if public && err != nil {
				t.Errorf("%s, client_auth %q: %v", kind, method, err)
			}
			if !public && (!errors.Is(err, federation.ErrMisconfigured) || !strings.Contains(err.Error(), "client_")) {
				t.Errorf("%s without a secret, client_auth %q: got %v", kind, method, err)
			}
		}
	}
}
