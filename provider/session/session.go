package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

// ErrNone: the browser has no live session.
var ErrNone = web.Because("no_session", errors.New("no session"))

// Config of Sessions.
type Config struct {
	DB      *storage.DB
	Ring    *keys.Ring
	Cookies Cookies
	Idle    time.Duration // unused for that long, the session is over
	Kept    time.Duration // the same with "Keep me signed in"
	Max     time.Duration // in all; nothing extends it
	Now     func() time.Time
}

// Sessions starts, finds and ends the sessions of browsers.
type Sessions struct{ Config }

// Current is a live session with its user.
type Current struct {
	storage.Session
	User storage.User
}

// Current finds the browser's session. ErrNone; or storage.ErrUnavailable, which
// must never be read as "none".
func (s *Sessions) Current(r *http.Request) (Current, error) {
	return s.current(r, func(handleHash string) (storage.Session, storage.User, error) {
		return s.DB.SessionByHandle(r.Context(), handleHash, s.Now())
	})
}

func (s *Sessions) current(r *http.Request, read func(handleHash string) (storage.Session, storage.User, error)) (Current, error) {
	handle, ok := s.Cookies.read(r, s.Cookies.session())
	if !ok {
		return Current{}, ErrNone
	}
	row, user, err := read(hash(handle))
	if errors.Is(err, storage.ErrNotFound) {
		return Current{}, ErrNone
	}
	if err != nil {
		return Current{}, fmt.Errorf("read session: %w", err)
	}
	web.TraceOf(r.Context()).User(user.ID)
	return Current{Session: row, User: user}, nil
}

// ToldFor is how long a person is told that a session was stolen.
const ToldFor = 30 * 24 * time.Hour

// Stolen reports whether the browser's session ended because a token of it was used
// twice, which is when its cookie is left in place. Who holds the cookie may know: it
// says nothing of the person.
func (s *Sessions) Stolen(r *http.Request) (bool, error) {
	handle, ok := s.Cookies.read(r, s.Cookies.session())
	if !ok {
		return false, nil
	}
	return s.DB.HandleStolen(r.Context(), hash(handle), s.Now().Add(-ToldFor))
}

// Renewed is the browser's session, as Current gives it, and when its first-party
// grant was last opened or rotated; 0 if it has none.
func (s *Sessions) Renewed(r *http.Request) (Current, storage.Millis, error) {
	var renewed storage.Millis
	current, err := s.current(r, func(handleHash string) (row storage.Session, user storage.User, err error) {
		state, err := s.DB.FirstPartySession(r.Context(), handleHash, s.Now())
		renewed = state.Renewed
		return state.Session, state.User, err
	})
	return current, renewed, err
}

// Started is how a person proved who it is.
type Started struct {
	UserID   string
	Request  string // id of the authorization request that asked, "" for none
	ClientID string
	ACR      string
	AMR      []string
	Asserted *storage.Asserted // by an upstream; nil: proved here and now
	Keep     bool              // "Keep me signed in"

	OldHash, NewHash string          // the password hash to renew, if any
	NotBefore        *storage.Millis // of the user when it was checked: what is ended meanwhile stays ended
	GiveBack         storage.Reservation
}

// Start signs the browser in under a new handle and sets its cookies. The same
// user keeps its sid; another user's session in this browser ends.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, in Started) (storage.Session, error) {
	handle := newHandle()
	started, err := s.DB.SignIn(r.Context(), s.signIn(r, in, handle), s.Now())
	if err != nil {
		return storage.Session{}, fmt.Errorf("sign in: %w", err)
	}
	return started, s.set(w, r, handle, started)
}

// StartThrough signs the browser in by an arrival from a connector, whose SignIn
// is made here. Who arrives is decided by the caller.
func (s *Sessions) StartThrough(w http.ResponseWriter, r *http.Request, in Started, arrival storage.Arrival) error {
	handle := newHandle()
	arrival.SignIn = s.signIn(r, in, handle)
	started, err := s.DB.SignInThrough(r.Context(), arrival, s.Now())
	if err != nil {
		return fmt.Errorf("sign in through connector: %w", err)
	}
	return s.set(w, r, handle, started)
}

func (s *Sessions) signIn(r *http.Request, in Started, handle string) storage.SignIn {
	old := ""
	if handle, ok := s.Cookies.read(r, s.Cookies.session()); ok {
		old = hash(handle)
	}
	idle := s.Idle
	if in.Keep {
		idle = s.Kept
	}
	return storage.SignIn{
		UserID: in.UserID, HandleHash: hash(handle), Replaces: old,
		Request: in.Request, ClientID: in.ClientID, ACR: in.ACR, AMR: in.AMR, Asserted: in.Asserted,
		Persistent: in.Keep, IdleFor: idle, AbsoluteFor: s.Max,
		OldHash: in.OldHash, NewHash: in.NewHash, NotBefore: in.NotBefore, GiveBack: in.GiveBack,
		From: web.TraceOf(r.Context()).Origin(),
	}
}

// set gives the browser its session, and makes it known to its user. What the
// first-party app had goes: it may be another person's. The app gets its cookies anew
// when it asks.
func (s *Sessions) set(w http.ResponseWriter, r *http.Request, handle string, started storage.Session) error {
	if len(r.CookiesNamed(s.Cookies.access("").Name)) > 0 {
		s.Cookies.ClearTokens(w)
	}
	cookie := s.Cookies.make(s.Cookies.session(), handle)
	if started.Persistent {
		cookie.MaxAge = int(s.Max.Seconds())
	}
	http.SetCookie(w, cookie)
	return s.keepDevice(w, s.Device(r), started)
}

// End ends the browser's session and clears its cookie.
func (s *Sessions) End(ctx context.Context, w http.ResponseWriter, current Current, reason string) error {
	err := s.DB.EndSession(ctx, current.UserID, current.ID, reason, storage.By{From: web.TraceOf(ctx).Origin(), At: s.Now()})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	s.Clear(w)
	return nil
}

// EndAll ends every session and every grant of the user, offline ones too, and
// clears this browser's cookie.
func (s *Sessions) EndAll(ctx context.Context, w http.ResponseWriter, current Current, reason string) error {
	err := s.DB.SignOutEverywhere(ctx, current.UserID, reason, storage.By{From: web.TraceOf(ctx).Origin(), At: s.Now()})
	if err != nil {
		return fmt.Errorf("end all sessions: %w", err)
	}
	s.Clear(w)
	return nil
}

// Clear removes the cookies that say who is signed in, the first-party app's too. The
// device stays known: see DeviceLife.
func (s *Sessions) Clear(w http.ResponseWriter) {
	s.Cookies.Clear(w, "")
	s.Cookies.ClearTokens(w)
}

// newHandle is 256 random bits as 43 base64url characters.
func newHandle() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: the program stops instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func hash(handle string) string {
	sum := sha256.Sum256([]byte(handle))
	return hex.EncodeToString(sum[:])
}
