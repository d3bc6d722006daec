package config

import (
	"strings"
	"testing"

	"signet/provider/keys/openssl"
)

// keys.rsa is go or openssl. A build without OpenSSL refuses openssl and says which build has it.
func TestConfig_RSASetting(t *testing.T) {
	for text, want := range map[string]string{"go": "", "": "", "openssl": "built without OpenSSL", "OpenSSL": "use go or openssl", "opensl": "did you mean openssl?", "libressl": "use go or openssl"} {
		c, err := readConfig(Sources{Env: map[string]string{"SIGNET_ISSUER": "https://id.example.com", "SIGNET_KEYS_RSA": text}})
		if text == "openssl" && openssl.Built {
			want = ""
		}
		if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
		if err == nil && c.OpenSSL != (text == "openssl") {
			t.Errorf("%q: OpenSSL is %v", text, c.OpenSSL)
		}
	}
}
