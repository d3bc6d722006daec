package credential

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"runtime"
	"time"

	"golang.org/x/crypto/argon2"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

var (
	// ErrWrong: unknown user, wrong password, no password, disabled: all the same.
	ErrWrong = web.Because("invalid_credentials", errors.New("wrong user name or password"))
	// ErrWeak: the password may not be set; the error's text says why.
	ErrWeak = web.Because("weak_password", errors.New("password refused"))
)

// Config of Passwords. The zero value of each optional field is its default.
type Config struct {
	DB     *storage.DB
	Params Params // default 19 MiB, 2, 1
	Limits Limits
	// MinLength is how many characters a new password has at least; default 10.
	MinLength int
	// Issuer is where people know the service by: its names are no passwords.
	Issuer  string
	Workers int // hashes at once; default GOMAXPROCS
	Queue   int // callers that may wait; default 64
	Now     func() time.Time
	// Bucket gives the bucket that a typed name is counted in, the same on all nodes
	// (see keys.Ring.Bucket). Default: under a random key of this process alone.
	Bucket func(name string) (string, error)
}

// Passwords hashes and checks passwords. It is safe for concurrent use.
type Passwords struct {
	db           *storage.DB
	params       Params
	limits       Limits
	minLength    int
	serviceWords []string // see consistsOf
	queue        *queue
	dummy        hash // what users without a password of their own are checked against
	now          func() time.Time
	argon2       argon2id
	bucket       func(name string) (string, error)
}

// New makes the queue and the dummy hash that unknown users are checked against.
// It hashes nothing, so it costs the start nothing.
func New(c Config) *Passwords {
	p := &Passwords{
		db:        c.DB,
		params:    c.Params.orDefault(),
		limits:    c.Limits.orDefault(),
		minLength: positiveOr(c.MinLength, defaultMinLength), serviceWords: wordsOfService(c.Issuer),
		now:    c.Now,
		argon2: argon2.IDKey,
		bucket: c.Bucket,
	}
	if p.bucket == nil {
		p.bucket = localBuckets()
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.queue = newQueue(positiveOr(c.Workers, runtime.GOMAXPROCS(0)), positiveOr(c.Queue, 64))
	p.dummy = randomHash(p.params)
	return p
}

func localBuckets() func(string) (string, error) {
	key := make([]byte, 32)
	rand.Read(key)
	return func(name string) (string, error) { return keys.BucketUnder(key, name), nil }
}

func (p *Passwords) hash(password string) hash {
	h := hash{Params: p.params, salt: make([]byte, saltSize)}
	rand.Read(h.salt)
	h.sum = p.argon2([]byte(password), h.salt, h.Time, h.Memory, h.Threads, sumSize)
	return h
}

// Matches reports whether a stored hash is that of the password. It counts no attempt and knows
// no user: it is for programs that hold the password themselves, never for one that came in.
func (p *Passwords) Matches(stored, password string) bool {
	h, err := parseHash(stored)
	return err == nil && p.verify(h, password)
}

func (p *Passwords) verify(h hash, password string) bool {
	sum := p.argon2([]byte(password), h.salt, h.Time, h.Memory, h.Threads, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}
