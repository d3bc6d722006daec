package credential

import (
	"context"
	"errors"
	"time"

	"signet/storage"
)

var (
	// ErrWrong: unknown user, wrong password, no password, disabled: all the same.
	ErrWrong = errors.New("wrong user name or password")
	// ErrBusy: the hashing queue is full. The answer is 503 with Retry-After.
	ErrBusy = errors.New("too many sign-ins at once")
	// ErrWeak: the password may not be set; the error's text says why.
	ErrWeak = errors.New("password refused")
)

// Params are the costs of argon2id.
type Params struct {
	Memory  uint32 // KiB
	Time    uint32
	Threads uint8
}

// Config of Passwords. The zero value of each optional field is its default.
type Config struct {
	DB         *storage.DB
	Params     Params        // default 19 MiB, 2, 1
	Workers    int           // hashes at once; default GOMAXPROCS
	Queue      int           // callers that may wait; default 64
	PerAccount int           // wrong passwords per account and window; default 20
	PerNetwork int           // default 100
	Window     time.Duration // default 15 min
	Now        func() time.Time
}

// Passwords hashes and checks passwords.
type Passwords struct{}

// New makes the queue and the dummy hash that unknown users are checked against.
func New(c Config) *Passwords { panic("to build") }

// Attempt is one try to sign in.
type Attempt struct {
	Username string // an e-mail, as typed
	Password string
	Address  string // the client's IP address
}

// Checked is what a right password gives.
type Checked struct {
	User             storage.User
	OldHash, NewHash string              // both set when the hash must be renewed at sign-in
	Reserved         storage.Reservation // to be given back by the sign-in
}

// Check reserves the attempt, reads the user, hashes and compares.
//
// ErrWrong, ErrBusy, *storage.ThrottledError, storage.ErrUnavailable. A refusal of a
// known user is recorded as an event.
func (p *Passwords) Check(ctx context.Context, a Attempt, from storage.Origin) (Checked, error) {
	panic("to build")
}

// Hash hashes a new password, after checking that it may be one (NFC, 8 to 1024
// characters, not the address itself, not among the commonest). ErrWeak, ErrBusy.
func (p *Passwords) Hash(ctx context.Context, password string, user storage.User) (string, error) {
	panic("to build")
}
