package openssl

import (
	"fmt"
	"log/slog"
	"sync/atomic"
)

// Config configures an engine.
type Config struct {
	// Paths lists absolute paths of libcrypto. The first usable file is loaded. Default: the
	// places where Linux distributions install it.
	Paths []string
}

// Engine makes the signatures of RSA keys. It is safe for concurrent use. A nil *Engine
// stands for crypto/rsa.
type Engine struct {
	library *library // nil: none was usable
	log     atomic.Pointer[slog.Logger]
	failure atomic.Pointer[Failure]
}

// Failure is the reason why crypto/rsa signs instead of the library.
type Failure struct {
	Reason  string // a stable code
	Library string // version and path; "" if none was loaded
	Err     error
}

// The reasons of failures.
const (
	NoLibrary      = "library_unavailable" // none was found, or it may not be used
	LibraryError   = "library_error"       // the library returned an error
	WrongSignature = "wrong_signature"     // the library returned success and a wrong signature
)

// Open loads libcrypto. If it cannot be used, Failure returns the reason, and crypto/rsa
// signs.
func Open(c Config) *Engine {
	e := &Engine{}
	library, err := load(c.Paths)
	if err != nil {
		e.failure.Store(&Failure{Reason: NoLibrary, Err: err})
		return e
	}
	e.library = library
	return e
}

// LogTo sets the log for a failure while the engine signs. Failures of Open are not logged.
func (e *Engine) LogTo(log *slog.Logger) {
	if e != nil {
		e.log.Store(log)
	}
}

// Failure returns the first failure, or nil. After a failure crypto/rsa makes all signatures
// of this process.
func (e *Engine) Failure() *Failure {
	if e == nil {
		return nil
	}
	return e.failure.Load()
}

// String describes the program part that makes RSA signatures now: "go", or version and path
// of the library.
func (e *Engine) String() string {
	if e == nil || e.Failure() != nil {
		return "go"
	}
	return e.library.String()
}

func (l *library) String() string { return fmt.Sprintf("%s (%s)", l.version, l.path) }

// fail switches the library off. Only the first failure counts and is logged.
func (e *Engine) fail(reason string, err error) {
	failure := &Failure{Reason: reason, Library: e.library.String(), Err: err}
	if !e.failure.CompareAndSwap(nil, failure) {
		return
	}
	if log := e.log.Load(); log != nil {
		log.Error("OpenSSL does not sign any more, Go signs in its place until the restart", "reason", reason, "library", failure.Library, "error", err)
	}
}
