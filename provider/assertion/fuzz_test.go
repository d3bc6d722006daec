package assertion_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"signet/provider/assertion"
)

// FuzzRead reads assertions of strangers. An assertion that is read has an issuer, a subject and a
// bounded length.
func FuzzRead(f *testing.F) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, payload := range []string{
		`{"iss":"a","sub":"a","aud":["https://id.example.com"],"exp":1700000000.5,"iat":1700000000,"jti":"x"}`,
		`{"iss":"a","sub":"a","aud":"","exp":-1}`, `{"iss":"a","iss":"b","sub":"a"}`, `{"iss":"a","ISS":"b","sub":"a"}`, `{"iss":"a","sub":"a","exp":1e400}`, `{"iss":"\u0000","sub":"a"}`,
	} {
		f.Add(`{"alg":"ES256","typ":"JWT"}`, payload)
	}
	f.Add(`{"alg":"ES256","typ":"at+jwt"}`, `{"iss":"a","sub":"a"}`)
	f.Add(`{"alg":7}`, `{"iss":"a","sub":"a"}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		text := encode([]byte(header)) + "." + encode([]byte(payload)) + ".AAAA"
		read, err := assertion.Read(text)
		if err == nil && (read.Issuer == "" || read.Subject == "" || len(text) > assertion.MaxLength) {
			t.Errorf("%s %s was read as %+v", header, payload, read)
		}
		if _, err := assertion.Read(header + payload); err == nil && len(header+payload) > assertion.MaxLength {
			t.Error("a text over the limit was read")
		}
	})
}

// FuzzReadRequestObject reads request objects of strangers. What is read has a bounded length, and each
// parameter but resource has one value that is not empty and that a form could carry.
func FuzzReadRequestObject(f *testing.F) {
	for _, payload := range []string{
		`{"iss":"a","client_id":"a","aud":["x"],"exp":1700000000,"max_age":3600,"claims":{"userinfo":{"name":null}},"scope":"openid"}`,
		`{"resource":["https://a.example/","https://b.example/"]}`, `{"resource":[1]}`, `{"scope":"a","scope":"b"}`, `{"scope":"a","Scope":"b"}`,
		`{"state":"\u0000"}`, `{"state":"\ud800"}`, `{"prompt":null,"max_age":1e400,"a":true,"b":[]}`, `{"request":"x"}`, `[]`,
	} {
		f.Add(`{"alg":"ES256","typ":"oauth-authz-req+jwt"}`, payload)
	}
	f.Add(`{"alg":"none"}`, `{"iss":"a"}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		encode := base64.RawURLEncoding.EncodeToString
		text := encode([]byte(header)) + "." + encode([]byte(payload)) + ".AAAA"
		read, err := assertion.ReadRequestObject(text)
		if err != nil {
			return
		}
		if len(text) > assertion.MaxRequestObject {
			t.Error("a text over the limit was read")
		}
		for name, values := range assertion.ParametersOf(read) {
			if len(values) == 0 || len(values) > 1 && name != "resource" {
				t.Errorf("%s has the values %q", name, values)
			}
			for _, value := range values {
				if value == "" || strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
					t.Errorf("%s has the value %q", name, value)
				}
			}
		}
	})
}
