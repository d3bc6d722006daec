package providertest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/keys"
	"signet/provider/keys/vault"
	"signet/storage"
)

// Decoded returns the payload of a JWT, byte for byte, without checking the JWT.
func Decoded(t *testing.T, token any) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token.(string), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Bench is a signed-in visitor with the tokens of one redeemed code. Tests take a value of
// each kind (token, code, ticket, cookie …) from a Bench and offer it to all Consumers.
type Bench struct {
	Bed     *Testbed
	Visitor *Visitor
	Tokens  map[string]any

	workload *Testbed // see Workload
	foreign  *WorkloadIssuer
}

// Bench signs alice in with a new browser and redeems a code for her tokens.
func (b *Testbed) Bench(t *testing.T) *Bench {
	t.Helper()
	v := b.Visitor(t)
	page := v.SignIn(t, v.Get(t, b.AuthorizeURL()), Alice, Password)
	if page.LeftTo == nil {
		page = v.Allow(t, page)
	}
	return &Bench{Bed: b, Visitor: v, Tokens: b.Redeem(t, page.Code(t))}
}

// Workload returns the testbed as a client that tokens of a foreign issuer prove, and the issuer.
// The client also names this server as an issuer, with every audience that our tokens have. The
// rules of clients refuse that, so that only the check of the tokens is left.
func (s *Bench) Workload(t *testing.T) (*Testbed, *WorkloadIssuer) {
	t.Helper()
	if s.workload != nil {
		return s.workload, s.foreign
	}
	s.foreign = ServeIssuer(t)
	federations := []storage.Federation{{Name: "foreign", Kind: storage.FederationKubernetes, Issuer: s.foreign.URL, Subject: KubernetesSubject}}
	for _, audience := range []string{"", s.Bed.Client.ID} {
		for _, subject := range []string{s.Bed.Alice.ID, s.Bed.Client.ID} {
			federations = append(federations, storage.Federation{
				Name: "own", Kind: storage.FederationOIDC, Issuer: s.Bed.Issuer, JWKSURI: s.Bed.Issuer + "/jwks", Audience: audience, Subject: subject,
			})
		}
	}
	s.workload = s.Bed.WorkloadClient(t, storage.NewID("workload-"), federations...)
	return s.workload, s.foreign
}

// Consumers are the endpoints and parameters that take a signed or sealed value, by name.
// Each function reports whether the provider accepted the value.
var Consumers = map[string]func(t *testing.T, s *Bench, value string) bool{
	"bearer": func(t *testing.T, s *Bench, value string) bool {
		return s.Bed.Userinfo(t, value).StatusCode == http.StatusOK
	},
	"bearer in the body": func(t *testing.T, s *Bench, value string) bool {
		a := s.Bed.RequestUserinfo(t, http.MethodPost, "", url.Values{"access_token": {value}}.Encode(), "Content-Type", FormType)
		return a.StatusCode == http.StatusOK
	},
	"introspect": func(t *testing.T, s *Bench, value string) bool {
		a := s.Bed.Post(t, "/introspect", FormType, strings.NewReader(url.Values{"token": {value}}.Encode()))
		return a.StatusCode == http.StatusOK && a.JSON(t)["active"] == true
	},
	"hint at authorize": func(t *testing.T, s *Bench, value string) bool {
		page := s.Visitor.Get(t, s.Bed.AuthorizeURL("id_token_hint", value, "prompt", "none"))
		if page.LeftTo == nil && page.StatusCode == http.StatusBadRequest {
			return false // the request is too long
		}
		return page.Response(t).Get("error") != "invalid_request"
	},
	"hint at end_session": func(t *testing.T, s *Bench, value string) bool {
		if !s.Visitor.SignedIn(t) {
			t.Fatal("alice is not signed in, so no session can end")
		}
		s.Visitor.Fetch(t, s.Bed.Issuer+"/end_session?"+url.Values{"id_token_hint": {value}}.Encode())
		return !s.Visitor.SignedIn(t)
	},
	"logout": func(t *testing.T, s *Bench, value string) bool {
		return s.Visitor.Fetch(t, s.Bed.Issuer+"/end_session?"+url.Values{"logout": {value}}.Encode()).StatusCode == http.StatusOK
	},
	"code": func(t *testing.T, s *Bench, value string) bool {
		return s.Bed.TokenRequest(t, s.Bed.CodeForm(value)).StatusCode == http.StatusOK
	},
	"refresh": func(t *testing.T, s *Bench, value string) bool {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {value}}
		return s.Bed.TokenRequest(t, form).StatusCode == http.StatusOK
	},
	"next":         func(t *testing.T, s *Bench, value string) bool { return s.opens(t, "/authorize/next", value) },
	"login":        func(t *testing.T, s *Bench, value string) bool { return s.opens(t, "/login", value) },
	"consent page": func(t *testing.T, s *Bench, value string) bool { return s.opens(t, "/consent", value) },
	"select page":  func(t *testing.T, s *Bench, value string) bool { return s.opens(t, "/select", value) },
	"consent": func(t *testing.T, s *Bench, value string) bool {
		return s.takesTicket(t, s.Form(t, "/consent"), value, "allow")
	},
	"select": func(t *testing.T, s *Bench, value string) bool {
		return s.takesTicket(t, s.Form(t, "/select"), value, "continue")
	},
	"logout ticket": func(t *testing.T, s *Bench, value string) bool {
		return s.takesTicket(t, s.SignOutForm(t), value, "deny")
	},
	"cookie": func(t *testing.T, s *Bench, value string) bool {
		r, _ := http.NewRequest(http.MethodGet, s.Bed.Issuer+"/", nil)
		r.AddCookie(&http.Cookie{Name: "signet", Value: value})
		return strings.Contains(Do(t, Direct, r).Body, Alice)
	},
	"workload token": func(t *testing.T, s *Bench, value string) bool {
		client, _ := s.Workload(t)
		return client.PostWorkload(t, "/token", OwnToken(), value).StatusCode == http.StatusOK
	},
	"client secret": func(t *testing.T, s *Bench, value string) bool {
		a := s.Bed.TokenRequest(t, s.Bed.CodeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", Basic(s.Bed.Client.ID, value)) })
		return a.StatusCode == http.StatusBadRequest && a.JSON(t)["error"] == "invalid_grant"
	},
}

// Request starts an authorization request and returns its sealed form, the query parameter
// request of the pages.
func (s *Bench) Request(t *testing.T, pairs ...string) string {
	t.Helper()
	u, err := url.Parse(s.Bed.NextURL(t, s.Visitor, pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("request")
}

func (s *Bench) opens(t *testing.T, path, sealed string) bool {
	t.Helper()
	a := s.Visitor.Fetch(t, s.Bed.Issuer+path+"?"+url.Values{"request": {sealed}}.Encode())
	return a.StatusCode < 400
}

// Form opens the page of a step (/consent, /select) and returns its form. All forms of a
// Bench belong to one request, so that their tickets differ only in their purpose.
func (s *Bench) Form(t *testing.T, path string) Form {
	t.Helper()
	if s.Tokens["request"] == nil {
		s.Tokens["request"] = s.Request(t, "prompt", "select_account consent")
	}
	page := s.Visitor.Get(t, s.Bed.Issuer+path+"?"+url.Values{"request": {s.Tokens["request"].(string)}}.Encode())
	return page.Form(t)
}

// Ticket returns the ticket in the form of a step, see Form.
func (s *Bench) Ticket(t *testing.T, path string) string { return s.Form(t, path).Values.Get("ticket") }

// SignOutForm returns the form that asks whether to sign out. The page is opened once per
// Bench, since a ticket is bound to the message on the page.
func (s *Bench) SignOutForm(t *testing.T) Form {
	t.Helper()
	if s.Tokens["confirm"] == nil {
		s.Tokens["confirm"] = s.Visitor.Get(t, s.Bed.Issuer+"/end_session").Form(t)
	}
	f := s.Tokens["confirm"].(Form)
	return Form{f.Action, maps.Clone(f.Values)}
}

func (s *Bench) takesTicket(t *testing.T, f Form, ticket, decision string) bool {
	t.Helper()
	f.Values.Set("ticket", ticket)
	f.Values.Set("decision", decision)
	a := Do(t, s.Visitor.Client, s.Visitor.FormRequest(t, f))
	if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusConflict {
		t.Fatalf("%s with a ticket: got %d %s", f.Action, a.StatusCode, a.Body)
	}
	return a.StatusCode == http.StatusOK
}

// SignedIn reports whether the home page shows that alice is signed in.
func (v *Visitor) SignedIn(t *testing.T) bool {
	t.Helper()
	return strings.Contains(v.Fetch(t, v.Bed.Issuer+"/").Body, Alice)
}

// Signer returns the id and the private key of the active key of a line. It opens the key
// with the master key, as a thief of the database and the master key could. A forgery
// that is signed with this key and refused was refused for its content.
func (b *Testbed) Signer(t *testing.T, line string) (string, crypto.Signer) {
	t.Helper()
	rows, err := b.DB.Keys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Line == line && row.State == storage.KeyActive {
			key, err := x509.ParsePKCS8PrivateKey(b.privateKey(t, row))
			if err != nil {
				t.Fatal(err)
			}
			return row.ID, key.(crypto.Signer)
		}
	}
	t.Fatalf("no active key of %s", line)
	return "", nil
}

// B64 encodes a part of a JWS (base64url without padding).
func B64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// Signed signs exactly this header and payload and returns the JWS.
func Signed(t *testing.T, key crypto.Signer, header, payload string) string {
	t.Helper()
	input := B64(header) + "." + B64(payload)
	digest := sha256.Sum256([]byte(input))
	if k, ok := key.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, k, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, 64)
		r.FillBytes(raw[:32])
		s.FillBytes(raw[32:])
		return input + "." + B64(string(raw))
	}
	raw, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + B64(string(raw))
}

// Specimen is a valid token in parts, with its signing key and the names of the Consumers
// that accept this kind of token.
type Specimen struct {
	name, Alg, Kid, Typ, Payload string
	Key                          crypto.Signer
	consumers                    []string
}

// Header returns the header of the token as JSON. Change the fields of s to change it.
func (s Specimen) Header() string {
	return `{"alg":"` + s.Alg + `","kid":"` + s.Kid + `","typ":"` + s.Typ + `"}`
}

// specimens returns the access token (ES256) and the ID token (RS256) of this bench.
func (s *Bench) specimens(t *testing.T) []Specimen {
	t.Helper()
	ec, ecKey := s.Bed.Signer(t, "ES256")
	rs, rsKey := s.Bed.Signer(t, "RS256")
	return []Specimen{
		{"access token", "ES256", ec, "at+jwt", string(Decoded(t, s.Tokens["access_token"])), ecKey, []string{"bearer", "introspect"}},
		{"ID token", "RS256", rs, "JWT", string(Decoded(t, s.Tokens["id_token"])), rsKey, []string{"hint at authorize", "hint at end_session"}},
	}
}

// WantForgeriesRefused makes forgeries of each Specimen and fails the test if a consumer
// accepts one, or if a consumer refuses the unchanged token. forge returns forged tokens by
// name; "aud …" names are not offered to introspection.
func (s *Bench) WantForgeriesRefused(t *testing.T, forge func(Specimen) map[string]string) {
	t.Helper()
	for _, good := range s.specimens(t) {
		for name, token := range forge(good) {
			for _, consumer := range good.consumers {
				if consumer == "introspect" && strings.HasPrefix(name, "aud ") {
					continue // introspection also answers for tokens of other audiences
				}
				if Consumers[consumer](t, s, token) {
					t.Errorf("%s, %s: accepted as %s", good.name, name, consumer)
				}
			}
		}
		for _, consumer := range good.consumers {
			if !Consumers[consumer](t, s, Signed(t, good.Key, good.Header(), good.Payload)) {
				t.Errorf("the valid %s is refused as %s, so the refused forgeries prove nothing", good.name, consumer)
			}
		}
	}
}

// OpenKeys opens the keys of this installation, as another node does. The signatures of the
// returned ring are valid for the provider.
func (b *Testbed) OpenKeys(t *testing.T) *keys.Ring {
	t.Helper()
	opened, err := vault.New(vault.Config{Master: [32]byte{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(context.Background(), keys.Config{
		DB: b.DB, Vault: opened, Issuer: b.Issuer, Now: b.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
