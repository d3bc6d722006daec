//go:build cgo && linux && (amd64 || arm64)

package openssl_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"signet/provider/keys/keystest"
	"signet/provider/keys/openssl"
)

// system returns the engine with the libcrypto of this machine.
func system(tb testing.TB) *openssl.Engine {
	tb.Helper()
	e := openssl.Open(openssl.Config{})
	if f := e.Failure(); f != nil {
		tb.Fatalf("%s: %v", f.Reason, f.Err)
	}
	return e
}

// pairs returns RSA keys of 2048 bits. All tests share them.
var pairs = sync.OnceValue(func() (list []*rsa.PrivateKey) {
	for range 3 {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		list = append(list, k)
	}
	return list
})

var schemes = map[string]crypto.SignerOpts{
	"RS256": crypto.SHA256,
	"PS256": &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256},
}

// signVerified signs a text and lets crypto/rsa verify the signature.
func signVerified(s crypto.Signer, text string, opts crypto.SignerOpts) error {
	digest := sha256.Sum256([]byte(text))
	signature, err := s.Sign(rand.Reader, digest[:], opts)
	if err != nil {
		return err
	}
	public := s.Public().(*rsa.PublicKey)
	if padding, is := opts.(*rsa.PSSOptions); is {
		return rsa.VerifyPSS(public, crypto.SHA256, digest[:], signature, padding)
	}
	return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature)
}

func TestEngine_SignsInTheSystemsLibcrypto(t *testing.T) {
	e := system(t)
	if got := e.String(); !strings.HasPrefix(got, "OpenSSL 3.") || !strings.Contains(got, "(/") {
		t.Errorf("the engine describes itself as %q", got)
	}
	counting := keystest.Libcrypto(t, "")
	for name, opts := range schemes {
		s, before := openssl.Open(openssl.Config{Paths: []string{counting}}).Signer(pairs()[0]), count(t, counting, "signs")
		for i := range 3 {
			if err := errors.Join(signVerified(s, fmt.Sprint(i), opts), signVerified(e.Signer(pairs()[0]), fmt.Sprint(i), opts)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if signed := count(t, counting, "signs") - before; signed != 3 {
			t.Errorf("%s: the library made %d of 3 signatures", name, signed)
		}
	}
	// RSASSA-PKCS1-v1_5 has one signature for a key and a text, so both must return it.
	digest := sha256.Sum256([]byte("the same"))
	got, _ := e.Signer(pairs()[0]).Sign(rand.Reader, digest[:], crypto.SHA256)
	want, err := rsa.SignPKCS1v15(nil, pairs()[0], crypto.SHA256, digest[:])
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("crypto/rsa makes another signature (%v)", err)
	}
}

// The library signs only in the way of RS256 and PS256. All else is left to crypto/rsa, and is
// no failure of the library.
func TestEngine_LeavesTheRestToGo(t *testing.T) {
	counting := keystest.Libcrypto(t, "")
	e := openssl.Open(openssl.Config{Paths: []string{counting}})
	long, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	if err := signVerified(e.Signer(long), "a key of 3072 bits", crypto.SHA256); err != nil {
		t.Error(err)
	}
	s := e.Signer(pairs()[0])
	if err := signVerified(s, "a short salt", &rsa.PSSOptions{SaltLength: 16, Hash: crypto.SHA256}); err != nil {
		t.Error(err)
	}
	digest := make([]byte, 64)
	if signature, err := s.Sign(rand.Reader, digest, crypto.SHA512); err != nil || rsa.VerifyPKCS1v15(&pairs()[0].PublicKey, crypto.SHA512, digest, signature) != nil {
		t.Error("SHA-512: ", err)
	}
	if _, err := s.Sign(rand.Reader, digest, crypto.SHA256); err == nil {
		t.Error("a digest of the wrong length was signed")
	}
	if signed := count(t, counting, "signs"); signed != 0 || e.Failure() != nil {
		t.Errorf("the library made %d signatures, failure %v", signed, e.Failure())
	}
}

// function returns the address of a function of a shim.
func function(t *testing.T, path, name string) uintptr {
	t.Helper()
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Fatal(err)
	}
	address, err := purego.Dlsym(handle, name)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// count calls count_signs or count_frees of a shim.
func count(t *testing.T, path, name string) int {
	t.Helper()
	n, _, _ := purego.SyscallN(function(t, path, "count_"+name))
	return int(int32(n))
}

// systemPath returns the path of the libcrypto of this machine.
func systemPath(t *testing.T) string {
	t.Helper()
	_, path, _ := strings.Cut(system(t).String(), " (")
	return strings.TrimSuffix(path, ")")
}

// The faults of a library, as a library has them: none of them may reach a caller. The
// request gets a right signature, the engine is switched off for the process, and the log
// says so once.
func TestEngine_FaultOfTheLibraryFallsBackToGo(t *testing.T) {
	for fault, c := range map[string]struct{ scheme, reason, text string }{
		"flipped bit":                  {"RS256", openssl.WrongSignature, "does not verify"},
		"first bit":                    {"RS256", openssl.WrongSignature, "does not verify"},
		"last bit":                     {"RS256", openssl.WrongSignature, "does not verify"},
		"zeros":                        {"RS256", openssl.WrongSignature, "does not verify"},
		"ones":                         {"RS256", openssl.WrongSignature, "does not verify"},
		"nothing is written":           {"RS256", openssl.WrongSignature, "does not verify"},
		"another hash is signed":       {"RS256", openssl.WrongSignature, "does not verify"},
		"hash is ignored":              {"RS256", openssl.WrongSignature, "does not verify"},
		"padding is ignored":           {"PS256", openssl.LibraryError, "EVP_PKEY_CTX_set_rsa_pss_saltlen: error:"},
		"salt is ignored":              {"PS256", openssl.WrongSignature, "does not verify"},
		"short":                        {"RS256", openssl.LibraryError, "255 bytes"},
		"long":                         {"RS256", openssl.LibraryError, "4096 bytes"},
		"empty":                        {"RS256", openssl.LibraryError, "0 bytes"},
		"huge":                         {"RS256", openssl.LibraryError, "18446744073709551615 bytes"},
		"refusal":                      {"RS256", openssl.LibraryError, "EVP_PKEY_sign failed and named no reason"},
		"negative":                     {"RS256", openssl.LibraryError, "EVP_PKEY_sign"},
		"refusal with a reason":        {"RS256", openssl.LibraryError, "EVP_PKEY_sign: error:"},
		"no key":                       {"RS256", openssl.LibraryError, "d2i_AutoPrivateKey_ex"},
		"key is refused with a reason": {"RS256", openssl.LibraryError, "d2i_AutoPrivateKey_ex: error:"},
		"key of another size":          {"RS256", openssl.LibraryError, "512 bytes"},
		"no operation":                 {"RS256", openssl.LibraryError, "EVP_PKEY_CTX_new_from_pkey"},
		"no operation start":           {"RS256", openssl.LibraryError, "EVP_PKEY_sign_init"},
		"padding is refused":           {"RS256", openssl.LibraryError, "EVP_PKEY_CTX_set_rsa_padding"},
		"hash is refused":              {"RS256", openssl.LibraryError, "EVP_PKEY_CTX_set_signature_md"},
		"salt is refused":              {"PS256", openssl.LibraryError, "EVP_PKEY_CTX_set_rsa_pss_saltlen"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			path := keystest.Libcrypto(t, fault)
			e := openssl.Open(openssl.Config{Paths: []string{path}})
			if f := e.Failure(); f != nil {
				t.Fatalf("the shim is not loaded: %v", f.Err)
			}
			before := e.String()
			var log bytes.Buffer
			e.LogTo(slog.New(slog.NewTextHandler(&log, nil)))
			first, second := e.Signer(pairs()[0]), e.Signer(pairs()[1])
			for _, s := range []*openssl.Signer{first, second, first, e.Signer(pairs()[2])} {
				if err := signVerified(s, "text", schemes[c.scheme]); err != nil {
					t.Errorf("the caller got a wrong signature: %v", err)
				}
			}
			f := e.Failure()
			if f == nil || f.Reason != c.reason || !strings.Contains(f.Err.Error(), c.text) || f.Library != before {
				t.Fatalf("failure %+v, want reason %s and text %q", f, c.reason, c.text)
			}
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), c.reason) {
				t.Errorf("%d lines are logged: %s", n, log.String())
			}
			if e.String() != "go" {
				t.Errorf("%s still signs", e)
			}
			if count(t, path, "signs") > 1 {
				t.Error("the library was called again after its fault")
			}
		})
	}
}

// A fault that comes later, while many sign, is caught too.
func TestEngine_LateFaultAmongManyAtOnce(t *testing.T) {
	spoiling := keystest.Libcrypto(t, "50th is wrong")
	e := openssl.Open(openssl.Config{Paths: []string{spoiling}})
	s := e.Signer(pairs()[0])
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 20 {
				if err := signVerified(s, fmt.Sprint(worker, i), crypto.SHA256); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if f := e.Failure(); f == nil || f.Reason != openssl.WrongSignature {
		t.Fatalf("failure %+v", f)
	}
	// The others go on until the one that got the wrong signature has noticed it.
	if n := count(t, spoiling, "signs"); n < 50 || n == 8*20 {
		t.Errorf("the library made %d signatures, and its 50th was wrong", n)
	}
	before := count(t, spoiling, "signs")
	for i := range 10 {
		if err := signVerified(s, fmt.Sprint("after ", i), crypto.SHA256); err != nil {
			t.Error(err)
		}
	}
	if n := count(t, spoiling, "signs"); n != before {
		t.Errorf("the library made %d more signatures after a wrong one", n-before)
	}
}

// What is not OpenSSL 3 with all functions is not called.
func TestOpen_RefusesOtherLibraries(t *testing.T) {
	noFile := filepath.Join(t.TempDir(), "libcrypto.so.3")
	noLibrary := filepath.Join(t.TempDir(), "libcrypto.so.3")
	if err := os.WriteFile(noLibrary, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, text string }{
		"missing":         {noFile, "there is no libcrypto"},
		"not a library":   {noLibrary, noLibrary},
		"folder":          {filepath.Dir(noFile), "is not a file"},
		"relative":        {"libcrypto.so.3", "is not an absolute path"},
		"OpenSSL 1.1":     {keystest.Libcrypto(t, "OpenSSL 1.1"), `"OpenSSL 1.1.1w`},
		"OpenSSL 4":       {keystest.Libcrypto(t, "OpenSSL 4"), "OpenSSL 3 is needed"},
		"LibreSSL":        {keystest.Libcrypto(t, "LibreSSL"), `"LibreSSL 3.9.2"`},
		"no version":      {keystest.Libcrypto(t, "no version"), "OpenSSL 3 is needed"},
		"no functions":    {compileBare(t, `int x;`), "lacks the function OpenSSL_version"},
		"some functions":  {compileBare(t, `unsigned long OpenSSL_version_num() { return 0x30000000L; } const char *OpenSSL_version(int t) { return "OpenSSL 3.0.0"; }`), "lacks the function"},
		"no start":        {keystest.Libcrypto(t, "no start"), "OPENSSL_init_crypto"},
		"no context":      {keystest.Libcrypto(t, "no context"), "OSSL_LIB_CTX_new"},
		"no algorithms":   {keystest.Libcrypto(t, "no algorithms"), "OSSL_PROVIDER_load"},
		"no SHA-256":      {keystest.Libcrypto(t, "no SHA-256"), "EVP_sha256"},
		"missing library": {compileBare(t, `extern int nowhere(); int OpenSSL_version_num() { return nowhere(); }`), "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			e := openssl.Open(openssl.Config{Paths: []string{c.path}})
			f := e.Failure()
			if f == nil || f.Reason != openssl.NoLibrary || !strings.Contains(f.Err.Error(), c.text) || f.Library != "" {
				t.Fatalf("failure %+v, want %q", f, c.text)
			}
			if err := signVerified(e.Signer(pairs()[0]), "text", crypto.SHA256); err != nil || e.String() != "go" {
				t.Errorf("%s signs: %v", e, err)
			}
		})
	}
	if e := openssl.Open(openssl.Config{Paths: []string{noFile, noLibrary, systemPath(t)}}); e.Failure() != nil {
		t.Errorf("a file that is not usable hides the next one: %v", e.Failure().Err)
	}
}

// compileBare compiles a library without the functions of libcrypto.
func compileBare(t *testing.T, source string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "libcrypto.so.3")
	c := exec.CommandContext(t.Context(), "cc", "-shared", "-fPIC", "-x", "c", "-o", name, "-")
	c.Stdin = strings.NewReader(source)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("compile: %v\n%s", err, out)
	}
	return name
}

// TestOpen_ChildOfEnvironment is not a test: other tests run it in a process of its own.
func TestOpen_ChildOfEnvironment(t *testing.T) {
	if os.Getenv("SIGNET_TEST_CHILD") == "" {
		return
	}
	e := system(t)
	if err := signVerified(e.Signer(pairs()[0]), "text", crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	fmt.Println("signed by", e)
}

// Variables cannot bring another library or a module into the process: neither the search
// path of the dynamic linker nor the configuration of OpenSSL counts.
func TestOpen_IgnoresTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "loaded")
	source := `#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void start() { close(open("` + mark + `", O_CREAT|O_WRONLY, 0600)); }`
	module := compileBare(t, source)
	config := filepath.Join(dir, "openssl.cnf")
	text := "openssl_conf = start\n[start]\nproviders = list\n[list]\nmine = mine\n[mine]\nmodule = " + module + "\nactivate = 1\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		c := exec.CommandContext(t.Context(), name, args...)
		c.Env = append(os.Environ(), "SIGNET_TEST_CHILD=1", "OPENSSL_CONF="+config, "LD_LIBRARY_PATH="+filepath.Dir(module))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out := run(self, "-test.run", "^TestOpen_ChildOfEnvironment$"); !strings.Contains(out, "signed by OpenSSL 3") || strings.Contains(out, dir) {
		t.Errorf("the child says: %s", out)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a library of the environment was loaded")
	}
	// The configuration does load the module in a program that reads it.
	c := exec.CommandContext(t.Context(), "openssl", "list", "-providers")
	c.Env = append(os.Environ(), "OPENSSL_CONF="+config)
	out, _ := c.CombinedOutput()
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("openssl does not load the module either: this test cannot fail\n%s", out)
	}
}

// Keys come and go under load while the garbage collector runs all the time. A key is freed
// when nothing refers to it, and never while a signature uses it.
func TestSigner_KeysAreReplacedUnderLoad(t *testing.T) {
	counting := keystest.Libcrypto(t, "")
	e := openssl.Open(openssl.Config{Paths: []string{counting}})
	var current [2]struct {
		sync.RWMutex
		s *openssl.Signer
	}
	for i := range current {
		current[i].s = e.Signer(pairs()[i])
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	rounds := 20
	if os.Getenv("SIGNET_SOAK") != "" {
		rounds = 4000
	}
	all.Go(func() {
		defer close(stop)
		for round := range rounds {
			next := e.Signer(pairs()[round%len(pairs())])
			at := &current[round%2]
			at.Lock()
			at.s = next
			at.Unlock()
			runtime.GC()
		}
	})
	for worker := range 8 {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				at := &current[i%2]
				at.RLock()
				s := at.s
				at.RUnlock()
				for _, opts := range schemes {
					if err := signVerified(s, fmt.Sprint(worker, i), opts); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	if f := e.Failure(); f != nil {
		t.Fatalf("%s: %v", f.Reason, f.Err)
	}
	for deadline := time.Now().Add(time.Minute); count(t, counting, "frees") < rounds; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d replaced keys are freed", count(t, counting, "frees"), rounds)
		}
	}
	if n := count(t, counting, "frees"); n != rounds {
		t.Errorf("%d keys were freed, but only %d were replaced", n, rounds)
	}
	for i := range current {
		if err := signVerified(current[i].s, "after", crypto.SHA256); err != nil {
			t.Error(err)
		}
	}
}
