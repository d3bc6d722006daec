//go:build cgo && pkcs11

package pkcs11_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"

	token "signet/provider/keys/pkcs11"
)

const pin = "1234"

// softHSM is the path of the SoftHSM module. Its tokens are in a temporary folder.
var softHSM string

// TestMain makes the tokens before all tests, since a module reads its settings only once per
// process.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "softhsm")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		settings := filepath.Join(dir, "softhsm2.conf")
		if err := os.WriteFile(settings, fmt.Appendf(nil, "directories.tokendir = %s\nlog.level = ERROR\n", dir), 0o600); err != nil {
			panic(err)
		}
		os.Setenv("SOFTHSM2_CONF", settings)
		for _, label := range []string{"signet", "another token", "twin", "twin", "locked"} {
			made := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "87654321")
			if out, err := made.CombinedOutput(); err != nil {
				panic(fmt.Sprintf("%v: %s", err, out))
			}
		}
		softHSM = token.SoftHSM()
		return m.Run()
	}())
}

func open(t testing.TB, label, pin string) *token.Token {
	t.Helper()
	opened, err := token.New(token.Config{Module: softHSM, Token: label, PIN: pin})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// sum is the input of all signatures.
var sum = sha256.Sum256([]byte("what is signed"))

// pairs has the options for signing and a verifier of the standard library, by JWS algorithm.
var pairs = map[string]struct {
	opts   crypto.SignerOpts
	verify func(public crypto.PublicKey, signature []byte) bool
}{
	"ES256": {crypto.SHA256, func(k crypto.PublicKey, signature []byte) bool {
		return ecdsa.VerifyASN1(k.(*ecdsa.PublicKey), sum[:], signature)
	}},
	"EdDSA": {crypto.Hash(0), func(k crypto.PublicKey, signature []byte) bool {
		return ed25519.Verify(k.(ed25519.PublicKey), sum[:], signature)
	}},
	"RS256": {crypto.SHA256, func(k crypto.PublicKey, signature []byte) bool {
		return rsa.VerifyPKCS1v15(k.(*rsa.PublicKey), crypto.SHA256, sum[:], signature) == nil
	}},
	"PS256": {&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}, func(k crypto.PublicKey, signature []byte) bool {
		return rsa.VerifyPSS(k.(*rsa.PublicKey), crypto.SHA256, sum[:], signature, &rsa.PSSOptions{SaltLength: 32}) == nil
	}},
}

// For each algorithm, the standard library verifies the signatures, the token does not reveal
// the private half, and a destroyed key does not sign.
func TestToken_SignsWithoutRevealingKeys(t *testing.T) {
	hsm := open(t, "signet", pin)
	for alg, p := range pairs {
		public, uri, err := hsm.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(uri, "pkcs11:token=signet;id=%") || len(uri) != len("pkcs11:token=signet;id=")+3*16 {
			t.Errorf("%s is named %s", alg, uri)
		}
		signer, err := open(t, "signet", pin).Signer(uri, public) // as after a restart
		if err != nil {
			t.Fatal(err)
		}
		for range 20 { // often enough for an r or s with a leading zero byte
			signature, err := signer.Sign(rand.Reader, sum[:], p.opts)
			if err != nil || !p.verify(public, signature) {
				t.Fatalf("%s: signature %x, %v", alg, signature, err)
			}
		}
		if _, err := signer.Sign(rand.Reader, sum[:], crypto.SHA512); err == nil {
			t.Errorf("%s signs a SHA-512", alg)
		}
		for _, secret := range []uint{pkcs11.CKA_VALUE, pkcs11.CKA_PRIVATE_EXPONENT, pkcs11.CKA_PRIME_1} {
			if value, err := hsm.Attribute(uri, secret); err == nil && len(value) > 0 {
				t.Errorf("%s: the token gives %#x: %x", alg, secret, value)
			}
		}
		for range 2 {
			if err := hsm.Destroy(uri); err != nil {
				t.Errorf("%s: destroy: %v", alg, err)
			}
		}
		if _, err := signer.Sign(rand.Reader, sum[:], p.opts); err == nil || !strings.Contains(err.Error(), "holds no such key") {
			t.Errorf("%s: a destroyed key: got %v", alg, err)
		}
		if n := hsm.Objects(t, uri); n != 0 {
			t.Errorf("%s: %d objects are left of the pair", alg, n)
		}
	}
	if _, _, err := hsm.Generate("HS256"); err == nil {
		t.Error("a key for HS256 was made")
	}
}

// There are more callers than sessions: each waits for a free session.
func TestToken_ManySignAtOnce(t *testing.T) {
	hsm := open(t, "signet", pin)
	public, uri, err := hsm.Generate("ES256")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := hsm.Signer(uri, public)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 5 {
				signature, err := signer.Sign(nil, sum[:], crypto.SHA256)
				if err != nil || !pairs["ES256"].verify(public, signature) {
					t.Errorf("signature %x, %v", signature, err)
				}
			}
		})
	}
	all.Wait()
}

// A signer works again after its sessions were closed, after a sign-out, after a restart of
// the module, and after the token was removed and inserted again.
func TestToken_ReconnectsWithoutRestart(t *testing.T) {
	hsm := open(t, "signet", pin)
	public, uri, err := hsm.Generate("ES256")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := hsm.Signer(uri, public)
	if err != nil {
		t.Fatal(err)
	}
	for name, lose := range map[string]func(t testing.TB){
		"nothing": func(testing.TB) {}, "sessions closed": hsm.CloseSessions, "signed out": hsm.SignOut, "module restarted": hsm.Restart,
	} {
		lose(t)
		for range 2 {
			if signature, err := signer.Sign(nil, sum[:], crypto.SHA256); err != nil || !pairs["ES256"].verify(public, signature) {
				t.Errorf("%s: signature %x, %v", name, signature, err)
			}
		}
		lose(t)
		if err := hsm.Ready(); err != nil {
			t.Errorf("%s: not ready: %v", name, err)
		}
	}

	removed := filepath.Join(t.TempDir(), "token")
	folder := tokenFolder(t, "signet")
	if err := os.Rename(folder, removed); err != nil {
		t.Fatal(err)
	}
	hsm.CloseSessions(t)
	if _, err := signer.Sign(nil, sum[:], crypto.SHA256); err == nil {
		t.Error("a token that is not there signs")
	}
	if err := hsm.Destroy(uri); err == nil {
		t.Error("a key was destroyed in a token that is not there")
	}
	if err := os.Rename(removed, folder); err != nil {
		t.Fatal(err)
	}
	if signature, err := signer.Sign(nil, sum[:], crypto.SHA256); err != nil || !pairs["ES256"].verify(public, signature) {
		t.Errorf("put back: signature %x, %v", signature, err)
	}

	hsm.CloseSessions(t) // without a sign-in the token hides private keys: Destroy must not take them for destroyed
	if err := hsm.Destroy(uri); err != nil || hsm.Objects(t, uri) != 0 {
		t.Errorf("destroyed after a sign-out: %v, %d objects are left", err, hsm.Objects(t, uri))
	}
}

func TestToken_ErrorsNameTheCause(t *testing.T) {
	text := filepath.Join(t.TempDir(), "module.so")
	if err := os.WriteFile(text, []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"/no/such/module.so": "no such file", text: "is not a PKCS #11 module"} {
		if _, err := token.New(token.Config{Module: file, Token: "signet", PIN: pin}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
	for label, want := range map[string]string{"missing": "no token with this label", "twin": "2 tokens have this label"} {
		hsm := open(t, label, pin)
		if err := hsm.Ready(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", label, err, want)
		}
	}
	_, uri, err := open(t, "another token", pin).Generate("ES256")
	if err != nil {
		t.Fatal(err)
	}
	hsm := open(t, "signet", pin)
	for wrong, want := range map[string]string{uri: "is in another token: pkcs11:token=another%20token", "pkcs11:token=signet;id=%00": "not the reference of a key", "": "not the reference of a key"} {
		if _, err := hsm.Signer(wrong, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", wrong, err, want)
		}
		if err := hsm.Destroy(wrong); err == nil {
			t.Errorf("%s was destroyed", wrong)
		}
	}
}

// A token locks itself after a few wrong PINs, so a refused PIN is never sent again. In this
// test the PIN becomes right after the refusal, and is still not sent.
func TestToken_RefusedPINIsNotTriedAgain(t *testing.T) {
	hsm := open(t, "locked", "4321")
	if err := hsm.Ready(); err == nil || !strings.Contains(err.Error(), "refuses the PIN") || strings.Contains(err.Error(), "4321") {
		t.Fatalf("got %v, want that it refuses the PIN", err)
	}
	hsm.ChangePIN(t, pin, "4321")
	if err := hsm.Ready(); err == nil || !strings.Contains(err.Error(), "not tried again") {
		t.Errorf("got %v, want the same as before", err)
	}
	again := open(t, "locked", "4321")
	if err := again.Ready(); err != nil {
		t.Fatalf("a new start, with the PIN that is right now: %v", err)
	}
	again.ChangePIN(t, "4321", pin) // as it was
	again.SignOut(t)
}

// tokenFolder returns the folder in which SoftHSM stores a token. A file there has the label,
// padded with blanks.
func tokenFolder(t *testing.T, label string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(os.Getenv("SOFTHSM2_CONF")), "*", "token.object"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, fmt.Appendf(nil, "%-32s", label)) {
			return filepath.Dir(file)
		}
	}
	t.Fatalf("there is no token %s", label)
	return ""
}

// BenchmarkToken_Sign measures signatures in the token.
func BenchmarkToken_Sign(b *testing.B) {
	hsm := open(b, "signet", pin)
	for _, alg := range []string{"ES256", "EdDSA", "RS256"} {
		public, uri, err := hsm.Generate(alg)
		if err != nil {
			b.Fatal(err)
		}
		signer, err := hsm.Signer(uri, public)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(alg, func(b *testing.B) {
			for b.Loop() {
				if _, err := signer.Sign(nil, sum[:], pairs[alg].opts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
