package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signet/provider/keys/pkcs11"
)

// A build without PKCS #11 refuses the settings and names the build that they need. A build
// with PKCS #11 checks them.
func TestConfig_PKCS11Settings(t *testing.T) {
	module := filepath.Join(t.TempDir(), "module.so")
	if err := os.WriteFile(module, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  map[string]string // keys without the prefix SIGNET_KEYS_PKCS11_
		want string            // the error; "" for none
	}{
		{map[string]string{"MODULE": module, "TOKEN": "signet", "PIN": "1234"}, ""},
		{map[string]string{"MODULE": module, "TOKEN": "signet", "PIN": "1234", "ALGORITHMS": "ES256"}, ""},
		{map[string]string{"MODULE": module, "PIN": "1234"}, "is missing, but keys.pkcs11.module is set"},
		{map[string]string{"MODULE": module, "TOKEN": "signet"}, "is missing, but keys.pkcs11.module is set"},
		{map[string]string{"TOKEN": "signet", "PIN": "1234"}, "TOKEN: is set, but keys.pkcs11.module is not"},
		{map[string]string{"MODULE": "/no/such.so", "TOKEN": "signet", "PIN": "1234"}, "cannot be read"},
		{map[string]string{"MODULE": module, "TOKEN": strings.Repeat("x", 33), "PIN": "1234"}, "1 to 32 bytes"},
		{map[string]string{"MODULE": module, "TOKEN": "signet", "PIN": ""}, "is missing"}, // an empty variable counts as not set
	} {
		_, err := readConfig(Sources{Env: pkcs11Env(c.env)})
		want := c.want
		if !pkcs11.Built {
			want = "go build -tags pkcs11"
		}
		if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: got %v, want %q", c.env, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "1234") {
			t.Errorf("the error repeats the PIN: %v", err)
		}
	}
	if pkcs11.Built {
		file := fmt.Sprintf("issuer: https://id.example.com\nkeys:\n  pkcs11: {module: %q, token: signet, pin: the PIN}\n", module)
		c, err := readConfig(Sources{File: fileWith(t, file)})
		if err != nil || c.PKCS11.Module != module || c.PKCS11.Token != "signet" || c.PKCS11.PIN.Reveal() != "the PIN" {
			t.Errorf("from the file: %+v, %v", c.PKCS11, err)
		}
	}
	for text, want := range map[string]string{"HS256": "use only ES256", ",": "write all or none", "EdDSA": "is not in keys.algorithms"} {
		_, err := readConfig(Sources{Env: pkcs11Env(map[string]string{"ALGORITHMS": text})})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("algorithms %q: got %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string][]string{"all": {"ES256", "RS256"}, "none": {}, "RS256": {"RS256"}} {
		c, err := readConfig(Sources{Env: pkcs11Env(map[string]string{"ALGORITHMS": text})})
		c.PKCS11.Module = module
		if err != nil || !slices.Equal(c.inModule(), want) {
			t.Errorf("algorithms %q: got %v, %v, want %v", text, c.inModule(), err, want)
		}
	}
}

func pkcs11Env(settings map[string]string) map[string]string {
	env := map[string]string{"SIGNET_ISSUER": "https://id.example.com"}
	for name, value := range settings {
		env["SIGNET_KEYS_PKCS11_"+name] = value
	}
	return env
}
