package assertion_test

import (
	"encoding/base64"
	"testing"

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
