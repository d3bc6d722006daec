//go:build cgo && pkcs11

package pkcs11

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

// Config selects the token of a module.
type Config struct {
	Module string // path of the PKCS #11 module
	Token  string // label of the token
	PIN    string // of the normal user
}

const (
	// maxSessions is the largest number of open sessions; further callers wait. A token may
	// allow fewer.
	maxSessions = 16
	// longestWait is how long a caller waits for a free session.
	longestWait = 5 * time.Second
)

// Token is a PKCS #11 token. It is opened at its first use. It is safe for concurrent use.
type Token struct {
	config Config
	module *pkcs11.Ctx

	mu      sync.Mutex
	current *connection // nil: not open
	opened  bool        // it has been open before
	refused error       // not nil: the token refused the PIN; trying it again could lock the token

	calls sync.RWMutex // the module must not be restarted during a call
}

// connection is the state of an open token. It is valid until the token is removed or the
// module is restarted.
type connection struct {
	slot     uint
	anchor   pkcs11.SessionHandle      // never used: closing the last session would end the login
	sessions chan pkcs11.SessionHandle // free sessions; 0 is a session that is not open yet
}

// New loads the module. It does not open the token: see Ready.
func New(c Config) (*Token, error) {
	if _, err := os.Stat(c.Module); err != nil {
		return nil, fmt.Errorf("load PKCS #11 module: %w", err)
	}
	module := pkcs11.New(c.Module)
	if module == nil {
		return nil, fmt.Errorf("load PKCS #11 module: %s is not a PKCS #11 module for this machine", c.Module)
	}
	return &Token{config: c, module: module}, nil
}

// Ready returns nil if the token can be used. It opens the token if it is not open.
func (t *Token) Ready() error {
	return t.with(func(_ *connection, s pkcs11.SessionHandle) error { return t.checkSignedIn(s) })
}

func (t *Token) checkSignedIn(s pkcs11.SessionHandle) error {
	state, err := t.module.GetSessionInfo(s)
	if err == nil && state.State != pkcs11.CKS_RW_USER_FUNCTIONS {
		err = pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	return err
}

// with calls do with a session that no other caller uses at the same time. If the connection
// was lost, it opens the token again and calls do once more.
func (t *Token) with(do func(c *connection, s pkcs11.SessionHandle) error) error {
	c, err := t.connect(nil)
	if err == nil {
		err = t.lend(c, do)
	}
	if c == nil || !isConnectionLost(err) {
		return err
	}
	if c, err = t.connect(c); err != nil {
		return err
	}
	return t.lend(c, do)
}

func (t *Token) lend(c *connection, do func(c *connection, s pkcs11.SessionHandle) error) error {
	var s pkcs11.SessionHandle
	wait := time.NewTimer(longestWait)
	defer wait.Stop()
	select {
	case s = <-c.sessions:
	case <-wait.C:
		return fmt.Errorf("all sessions of the token were in use for %s: try again later", longestWait)
	}
	t.calls.RLock()
	defer t.calls.RUnlock()
	var err error
	if s == 0 {
		s, err = t.module.OpenSession(c.slot, sessionFlags)
	}
	if err == nil {
		err = do(c, s)
	}
	if err != nil && s != 0 { // an operation may be unfinished in it
		_ = t.module.CloseSession(s)
		s = 0
	}
	c.sessions <- s
	return err
}

const sessionFlags = pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION

// connect returns the current connection. It opens a new one if there is none, or if lost is
// the current one.
func (t *Token) connect(lost *connection) (*connection, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused != nil {
		return nil, t.refused
	}
	if t.current != nil && t.current != lost {
		return t.current, nil
	}
	t.calls.Lock()
	defer t.calls.Unlock()
	if t.current != nil {
		_ = t.module.CloseAllSessions(t.current.slot)
		t.current = nil
	}
	c, err := t.reopen()
	if err != nil {
		return nil, fmt.Errorf("open PKCS #11 token %q: %w", t.config.Token, err)
	}
	t.current, t.opened = c, true
	return c, nil
}

const (
	reopenings = 10
	reopenWait = 20 * time.Millisecond
)

// reopen opens the token. If that fails, it restarts the module: many modules detect an
// inserted token only at their start. SoftHSM rewrites the file of the token at each
// sign-in. A process that reads the file at that moment does not see the token until it
// restarts the module.
func (t *Token) reopen() (*connection, error) {
	c, err := t.open()
	for i := range reopenings {
		again := errors.Is(err, errNoToken) || t.opened && i == 0
		if err == nil || t.refused != nil || !again {
			break
		}
		if i > 0 {
			time.Sleep(reopenWait)
		}
		_ = t.module.Finalize()
		c, err = t.open()
	}
	return c, err
}

func (t *Token) open() (*connection, error) {
	if err := t.module.Initialize(); err != nil && !is(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		return nil, err
	}
	slot, most, err := t.find()
	if err != nil {
		return nil, err
	}
	c := &connection{slot: slot, sessions: make(chan pkcs11.SessionHandle, most)}
	if c.anchor, err = t.module.OpenSession(slot, sessionFlags); err != nil {
		return nil, err
	}
	if err := t.module.Login(c.anchor, pkcs11.CKU_USER, t.config.PIN); err != nil && !is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
		_ = t.module.CloseSession(c.anchor)
		if is(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LOCKED) {
			err = fmt.Errorf("it refuses the PIN, which is not tried again: %w", err)
			t.refused = err
		}
		return nil, err
	}
	for range most {
		c.sessions <- 0
	}
	return c, nil
}

var errNoToken = errors.New("the module has no token with this label")

// find returns the slot of the token and the number of sessions to use beside the anchor.
func (t *Token) find() (slot uint, sessions int, err error) {
	slots, err := t.module.GetSlotList(true)
	if err != nil {
		return 0, 0, err
	}
	found := 0
	for _, s := range slots {
		info, err := t.module.GetTokenInfo(s)
		if err != nil || info.Label != t.config.Token {
			continue // this token may have just been removed
		}
		slot, sessions, found = s, maxSessions, found+1
		if limit := info.MaxRwSessionCount; limit > 1 && limit <= maxSessions {
			sessions = int(limit) - 1
		}
	}
	switch {
	case found == 0:
		return 0, 0, errNoToken
	case found > 1:
		return 0, 0, fmt.Errorf("%d tokens have this label: give each token its own label", found)
	}
	return slot, sessions, nil
}

// is reports whether the error is one of these PKCS #11 codes.
func is(err error, codes ...pkcs11.Error) bool {
	code, ok := errors.AsType[pkcs11.Error](err)
	return ok && slices.Contains(codes, code)
}

// isConnectionLost reports whether the module returned an error as after a removed token or
// a restarted module.
func isConnectionLost(err error) bool {
	return is(err, pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_USER_NOT_LOGGED_IN,
		pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_SLOT_ID_INVALID,
		pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_FUNCTION_FAILED,
		pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)
}
