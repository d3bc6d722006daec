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

// Decoded is the payload of a JWT as it was written.
func Decoded(t *testing.T, token any) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token.(string), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Bench is one signed-in visitor with a fresh specimen of everything that is
// signed, sealed, or known under a name.
type Bench struct {
	Bed     *Testbed
	Visitor *Visitor
	Tokens  map[string]any
}

// Bench signs alice in and redeems a code for her tokens.
func (b *Testbed) Bench(t *testing.T) *Bench {
	t.Helper()
	v := b.Visitor(t)
	page := v.SignIn(t, v.Get(t, b.AuthorizeURL()), Alice, Password)
	if page.LeftTo == nil {
		page = v.Allow(t, page)
	}
	return &Bench{b, v, b.Redeem(t, page.Code(t))}
}

// Consumers are the places that take one of them; each tells whether it did.
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
			return false // longer than any request may be
		}
		return page.Response(t).Get("error") != "invalid_request"
	},
	"hint at end_session": func(t *testing.T, s *Bench, value string) bool {
		if !s.Visitor.SignedIn(t) {
			t.Fatal("there is no session to end")
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
	"client secret": func(t *testing.T, s *Bench, value string) bool {
		a := s.Bed.TokenRequest(t, s.Bed.CodeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", Basic(s.Bed.Client.ID, value)) })
		return a.StatusCode == http.StatusBadRequest && a.JSON(t)["error"] == "invalid_grant"
	},
}

// Request is the one that the bench's forms belong to: one for all, so that a
// ticket of one form differs from that of another in its purpose alone.
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

// Form is the form of a step, for one request of this bench.
func (s *Bench) Form(t *testing.T, path string) Form {
	t.Helper()
	if s.Tokens["request"] == nil {
		s.Tokens["request"] = s.Request(t, "prompt", "select_account consent")
	}
	page := s.Visitor.Get(t, s.Bed.Issuer+path+"?"+url.Values{"request": {s.Tokens["request"].(string)}}.Encode())
	return page.Form(t)
}

// Ticket is the ticket in the only form of a page.
func (s *Bench) Ticket(t *testing.T, path string) string { return s.Form(t, path).Values.Get("ticket") }

// SignOutForm is the form that asks whether to sign out, always for the same message:
// a ticket is bound to what was shown.
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

// SignedIn asks the home page.
func (v *Visitor) SignedIn(t *testing.T) bool {
	t.Helper()
	return strings.Contains(v.Fetch(t, v.Bed.Issuer+"/").Body, Alice)
}

// Signer is the active key of a line, as only a thief of database and master key
// has it: what is refused although this key has signed it is refused for itself.
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

// B64 encodes as a part of a JWS is encoded.
func B64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// Signed is a JWS of exactly these bytes.
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

// Specimen is a good token taken apart, with the key that signed it and the
// places that take its kind.
type Specimen struct {
	name, Alg, Kid, Typ, Payload string
	Key                          crypto.Signer
	consumers                    []string
}

// Header is the token's own header with some members changed.
func (s Specimen) Header() string {
	return `{"alg":"` + s.Alg + `","kid":"` + s.Kid + `","typ":"` + s.Typ + `"}`
}

// specimens: an access token (ES256) and an ID token (RS256) of this bench.
func (s *Bench) specimens(t *testing.T) []Specimen {
	t.Helper()
	ec, ecKey := s.Bed.Signer(t, "ES256")
	rs, rsKey := s.Bed.Signer(t, "RS256")
	return []Specimen{
		{"access token", "ES256", ec, "at+jwt", string(Decoded(t, s.Tokens["access_token"])), ecKey, []string{"bearer", "introspect"}},
		{"ID token", "RS256", rs, "JWT", string(Decoded(t, s.Tokens["id_token"])), rsKey, []string{"hint at authorize", "hint at end_session"}},
	}
}

// WantForgeriesRefused wants none of these tokens to be taken where such tokens are taken, and
// the untouched one to be taken.
func (s *Bench) WantForgeriesRefused(t *testing.T, forge func(Specimen) map[string]string) {
	t.Helper()
	for _, good := range s.specimens(t) {
		for name, token := range forge(good) {
			for _, consumer := range good.consumers {
				if consumer == "introspect" && strings.HasPrefix(name, "aud ") {
					continue // it tells of tokens for other audiences
				}
				if Consumers[consumer](t, s, token) {
					t.Errorf("%s, %s: accepted as %s", good.name, name, consumer)
				}
			}
		}
		for _, consumer := range good.consumers {
			if !Consumers[consumer](t, s, Signed(t, good.Key, good.Header(), good.Payload)) {
				t.Errorf("the good %s is refused as %s: the others would prove nothing", good.name, consumer)
			}
		}
	}
}

// OpenKeys opens the keys of this installation, as another node does: what it signs is
// genuine, whatever it says.
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
