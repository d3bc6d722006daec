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
	// ErrWrong: the user is unknown or disabled, has no password, or the password is wrong.
	// Callers cannot tell these apart.
	ErrWrong = web.Because("invalid_credentials", errors.New("wrong user name or password"))
	// ErrWeak: the new password breaks a rule. The text of the error says which one.
	ErrWeak = web.Because("weak_password", errors.New("password refused"))
)

// Config configures Passwords. Only DB is required; a zero value means the default.
type Config struct {
	DB     *storage.DB
	Params Params // default 19 MiB, 2 passes, 1 thread
	Limits Limits
	// MinLength is the minimum length of a new password, in characters; default 10.
	MinLength int
	// Issuer is the URL of the service. New passwords may not consist of its names.
	Issuer  string
	Workers int // hashes at once; default GOMAXPROCS
	Queue   int // callers that may wait; default 64
	Now     func() time.Time
	// Bucket returns the bucket in which a typed name is counted. It must be the same
	// function on all nodes (see keys.Ring.Bucket). The default uses a random key of this
	// process.
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
	dummy        hash // for users without a usable hash, see hashOf
	now          func() time.Time
	argon2       argon2id
	bucket       func(name string) (string, error)
}

// New makes Passwords. It computes no hash, so it does not delay the start.
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

// Matches reports whether a stored hash belongs to the password. It counts no attempt, so
// it is only for callers that already know the password, never for one from a request.
func (p *Passwords) Matches(stored, password string) bool {
	h, err := parseHash(stored)
	return err == nil && p.verify(h, password)
}

func (p *Passwords) verify(h hash, password string) bool {
	sum := p.argon2([]byte(password), h.salt, h.Time, h.Memory, h.Threads, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}
