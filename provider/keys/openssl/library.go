//go:build cgo && linux && (amd64 || arm64)

package openssl

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is a loaded libcrypto. The fields with the names of its functions hold their
// addresses.
//
// Memory of Go is passed to the library in two ways only: converted to uintptr in the
// arguments of purego.SyscallN, which then keeps it alive and in its place for the call, or
// pinned. The library stores no such address beyond the call.
type library struct {
	version, path string

	context uintptr // OSSL_LIB_CTX
	sha256  uintptr // EVP_MD; static

	// lanes has one place for each processor. A signature keeps its thread busy, so more of
	// them at once would only make more threads.
	lanes chan struct{}

	initCrypto, newContext, loadProvider               uintptr
	clearErrors, nextError, errorText                  uintptr
	parsePrivate, keySize, freeKey                     uintptr
	newOperation, freeOperation, initSign, signDigest  uintptr
	setPadding, setDigest, setSaltLength, sha256Method uintptr
}

// Constants of the headers of OpenSSL 3.
const (
	majorVersion     = 3
	initNoLoadConfig = 0x00000080 // OPENSSL_INIT_NO_LOAD_CONFIG
	initNoAtExit     = 0x00080000 // OPENSSL_INIT_NO_ATEXIT
	paddingPKCS1     = 1          // RSA_PKCS1_PADDING
	paddingPSS       = 6          // RSA_PKCS1_PSS_PADDING
	saltLength       = 32         // bytes
)

// load loads the first usable file of the list, by default of usualPaths. The error tells
// why each existing file is not usable.
func load(paths []string) (*library, error) {
	if len(paths) == 0 {
		paths = usualPaths()
	}
	var found []error
	for _, name := range paths {
		path, err := trustedFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		var l *library
		if err == nil {
			if l, err = loadFile(path); err == nil {
				return l, nil
			}
		}
		found = append(found, fmt.Errorf("load %s: %w", name, err))
	}
	if found == nil {
		return nil, fmt.Errorf("there is no libcrypto of OpenSSL 3 on this machine (looked for %s): install it, on Debian with apt-get install libssl3", strings.Join(paths, ", "))
	}
	return nil, errors.Join(found...)
}

// loadFile loads a file and prepares it for signing. A file that is not usable stays mapped,
// since to unload a library of unknown content is a risk of its own.
func loadFile(path string) (*library, error) {
	runtime.LockOSThread() // the errors of dlopen, dlsym and OpenSSL belong to a thread
	defer runtime.UnlockOSThread()
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	l := &library{path: path, lanes: make(chan struct{}, runtime.NumCPU())}
	if err := l.checkVersion(handle); err != nil {
		return nil, err
	}
	if err := l.lookUp(handle); err != nil {
		return nil, err
	}
	return l, l.init()
}

// checkVersion reads the version before any other function is called. Forks of OpenSSL have
// functions of the same names, with other arguments.
func (l *library) checkVersion(handle uintptr) error {
	var number, text uintptr
	if err := lookUp(handle, map[string]*uintptr{"OpenSSL_version_num": &number, "OpenSSL_version": &text}); err != nil {
		return err
	}
	n, _, _ := purego.SyscallN(number)
	var version func(kind int32) string
	purego.RegisterFunc(&version, text)
	l.version = version(0)
	if n>>28 != majorVersion || !strings.HasPrefix(l.version, fmt.Sprintf("OpenSSL %d.", majorVersion)) {
		return fmt.Errorf("it is %q with the version number %#x: OpenSSL %d is needed", l.version, n, majorVersion)
	}
	return nil
}

func (l *library) lookUp(handle uintptr) error {
	return lookUp(handle, map[string]*uintptr{
		"OPENSSL_init_crypto":              &l.initCrypto,
		"OSSL_LIB_CTX_new":                 &l.newContext,
		"OSSL_PROVIDER_load":               &l.loadProvider,
		"ERR_clear_error":                  &l.clearErrors,
		"ERR_get_error":                    &l.nextError,
		"ERR_error_string_n":               &l.errorText,
		"d2i_AutoPrivateKey_ex":            &l.parsePrivate,
		"EVP_PKEY_get_size":                &l.keySize,
		"EVP_PKEY_free":                    &l.freeKey,
		"EVP_PKEY_CTX_new_from_pkey":       &l.newOperation,
		"EVP_PKEY_CTX_free":                &l.freeOperation,
		"EVP_PKEY_sign_init":               &l.initSign,
		"EVP_PKEY_sign":                    &l.signDigest,
		"EVP_PKEY_CTX_set_rsa_padding":     &l.setPadding,
		"EVP_PKEY_CTX_set_signature_md":    &l.setDigest,
		"EVP_PKEY_CTX_set_rsa_pss_saltlen": &l.setSaltLength,
		"EVP_sha256":                       &l.sha256Method,
	})
}

// lookUp sets the addresses of functions. A missing function is an error, so that the
// address 0 is never called.
func lookUp(handle uintptr, functions map[string]*uintptr) error {
	for name, address := range functions {
		var err error
		if *address, err = purego.Dlsym(handle, name); err != nil || *address == 0 {
			return fmt.Errorf("it lacks the function %s: %w", name, err)
		}
	}
	return nil
}

// init prepares the library. The configuration of OpenSSL is not read, since OPENSSL_CONF
// could make it load any file. No function runs at the exit, when other threads still sign. A
// context of its own keeps apart what a PKCS #11 module sets in the same libcrypto.
func (l *library) init() error {
	purego.SyscallN(l.clearErrors)
	if r, _, _ := purego.SyscallN(l.initCrypto, initNoLoadConfig|initNoAtExit, 0); int32(r) != 1 {
		return l.errorOf("OPENSSL_init_crypto")
	}
	if l.context, _, _ = purego.SyscallN(l.newContext); l.context == 0 {
		return l.errorOf("OSSL_LIB_CTX_new")
	}
	name := []byte("default\x00") // it is part of libcrypto, not a file
	if r, _, _ := purego.SyscallN(l.loadProvider, l.context, uintptr(unsafe.Pointer(&name[0]))); r == 0 {
		return l.errorOf("OSSL_PROVIDER_load")
	}
	if l.sha256, _, _ = purego.SyscallN(l.sha256Method); l.sha256 == 0 {
		return l.errorOf("EVP_sha256")
	}
	return nil
}

// do runs calls on one thread with an empty error queue.
func (l *library) do(calls func() error) error {
	l.lanes <- struct{}{}
	defer func() { <-l.lanes }()
	runtime.LockOSThread() // the error queue belongs to the thread
	defer runtime.UnlockOSThread()
	purego.SyscallN(l.clearErrors)
	return calls()
}

// maxErrors is the largest number of entries of the error queue that are reported.
const maxErrors = 4

// errorOf returns the error of a call, and empties the error queue of this thread. The texts
// name the place and the reason of errors, no data.
func (l *library) errorOf(call string) error {
	var texts []string
	for range maxErrors {
		code, _, _ := purego.SyscallN(l.nextError)
		if code == 0 {
			break
		}
		var text [256]byte
		purego.SyscallN(l.errorText, code, uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)))
		until, _, _ := strings.Cut(string(text[:]), "\x00")
		texts = append(texts, until)
	}
	purego.SyscallN(l.clearErrors)
	if texts == nil {
		return fmt.Errorf("%s failed and named no reason", call)
	}
	return fmt.Errorf("%s: %s", call, strings.Join(texts, "; "))
}

// key is a private key in the library.
type key struct {
	library *library
	pkey    uintptr // EVP_PKEY

	mu   sync.Mutex
	idle [schemes][]*operation
}

// operation is a prepared EVP_PKEY_CTX with the memory of its arguments. One caller uses it
// at a time.
type operation struct {
	context uintptr // EVP_PKEY_CTX
	*arguments
}

// arguments is the memory that the library reads and writes to sign.
type arguments struct {
	digest    [32]byte
	signature [keyBits / 8]byte
	length    uintptr // of signature
}

// parse copies a private key (PKCS #1, DER) into the library. The caller wipes der.
func (l *library) parse(der []byte) (*key, error) {
	k := &key{library: l}
	err := l.do(func() error {
		var pin runtime.Pinner
		pin.Pin(&der[0])
		defer pin.Unpin()
		next := new(uintptr) // the library moves it behind the key, where it is no pointer of Go
		*next = uintptr(unsafe.Pointer(&der[0]))
		k.pkey, _, _ = purego.SyscallN(l.parsePrivate, 0, uintptr(unsafe.Pointer(next)), uintptr(len(der)), l.context, 0)
		if k.pkey == 0 {
			return l.errorOf("d2i_AutoPrivateKey_ex")
		}
		if n, _, _ := purego.SyscallN(l.keySize, k.pkey); int32(n) != keyBits/8 {
			purego.SyscallN(l.freeKey, k.pkey)
			return fmt.Errorf("EVP_PKEY_get_size: a key of %d bits makes signatures of %d bytes", keyBits, int32(n))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// sign returns the signature of a SHA-256 hash. The caller must verify it.
func (k *key) sign(digest []byte, s scheme) (signature []byte, err error) {
	l := k.library
	err = l.do(func() error {
		o, err := k.take(s)
		if err != nil {
			return err
		}
		copy(o.digest[:], digest)
		o.length = uintptr(len(o.signature))
		r, _, _ := purego.SyscallN(l.signDigest, o.context,
			uintptr(unsafe.Pointer(&o.signature)), uintptr(unsafe.Pointer(&o.length)), uintptr(unsafe.Pointer(&o.digest)), uintptr(len(o.digest)))
		switch {
		case int32(r) != 1:
			err = l.errorOf("EVP_PKEY_sign")
		case o.length != uintptr(len(o.signature)):
			err = fmt.Errorf("EVP_PKEY_sign: the signature has %d bytes, not %d", o.length, len(o.signature))
		}
		if err != nil {
			purego.SyscallN(l.freeOperation, o.context)
			return err
		}
		signature = append(signature, o.signature[:]...)
		k.give(s, o)
		return nil
	})
	return signature, err
}

// take returns an operation that no other caller uses.
func (k *key) take(s scheme) (*operation, error) {
	k.mu.Lock()
	if n := len(k.idle[s]); n > 0 {
		o := k.idle[s][n-1]
		k.idle[s] = k.idle[s][:n-1]
		k.mu.Unlock()
		return o, nil
	}
	k.mu.Unlock()
	return k.newOperation(s)
}

// give lets the next caller use an operation. There are at most as many as lanes.
func (k *key) give(s scheme, o *operation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.idle[s] = append(k.idle[s], o)
}

// newOperation prepares an operation for the signatures of one scheme. EVP_PKEY_sign may be
// called many times on it.
func (k *key) newOperation(s scheme) (*operation, error) {
	l := k.library
	o := &operation{arguments: &arguments{}}
	if o.context, _, _ = purego.SyscallN(l.newOperation, l.context, k.pkey, 0); o.context == 0 {
		return nil, l.errorOf("EVP_PKEY_CTX_new_from_pkey")
	}
	type step struct {
		name    string
		address uintptr
		args    []uintptr
	}
	steps := []step{
		{"EVP_PKEY_sign_init", l.initSign, nil},
		{"EVP_PKEY_CTX_set_rsa_padding", l.setPadding, []uintptr{paddingPKCS1}},
		{"EVP_PKEY_CTX_set_signature_md", l.setDigest, []uintptr{l.sha256}},
	}
	if s == pss {
		steps[1].args[0] = paddingPSS
		steps = append(steps, step{"EVP_PKEY_CTX_set_rsa_pss_saltlen", l.setSaltLength, []uintptr{saltLength}})
	}
	for _, step := range steps {
		if r, _, _ := purego.SyscallN(step.address, append([]uintptr{o.context}, step.args...)...); int32(r) != 1 {
			err := l.errorOf(step.name)
			purego.SyscallN(l.freeOperation, o.context)
			return nil, err
		}
	}
	return o, nil
}

// free removes the key from the library, which overwrites it. Nobody may use it any more.
func (k *key) free() {
	_ = k.library.do(func() error {
		for _, list := range k.idle {
			for _, o := range list {
				purego.SyscallN(k.library.freeOperation, o.context)
			}
		}
		purego.SyscallN(k.library.freeKey, k.pkey)
		return nil
	})
}
