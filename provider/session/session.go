package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
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

// Config of Sessions. All is required.
type Config struct {
	DB       *storage.DB
	Ring     *keys.Ring
	Cookies  Cookies
	Idle     time.Duration // unused for that long, the session is over
	KeptIdle time.Duration // the same with "Keep me signed in"
	Max      time.Duration // in all; nothing extends it
	Now      func() time.Time
}

// Sessions starts, finds and ends the sessions of browsers.
type Sessions struct{ Config }

// New makes the sessions of a provider.
func New(c Config) *Sessions { return &Sessions{c} }

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

// current finds the session of the cookie by reading it in one of two ways.
func (s *Sessions) current(r *http.Request, read func(handleHash string) (storage.Session, storage.User, error)) (Current, error) {
	handle, ok := s.Cookies.read(r, s.Cookies.session())
	if !ok {
		return Current{}, ErrNone
	}
	row, user, err := read(storage.SecretHash(handle))
	if errors.Is(err, storage.ErrNotFound) {
		return Current{}, ErrNone
	}
	if err != nil {
		return Current{}, fmt.Errorf("read session: %w", err)
	}
	web.TraceOf(r.Context()).NoteUser(user.ID)
	return Current{Session: row, User: user}, nil
}

// TheftNoticeLife is how long a person is told that a session was stolen.
const TheftNoticeLife = 30 * 24 * time.Hour

// WasStolen reports whether the browser's session ended because a token of it was used
// twice, which is when its cookie is left in place. Who holds the cookie may know: it
// says nothing of the person.
func (s *Sessions) WasStolen(r *http.Request) (bool, error) {
	handle, ok := s.Cookies.read(r, s.Cookies.session())
	if !ok {
		return false, nil
	}
	return s.DB.IsHandleStolen(r.Context(), storage.SecretHash(handle), s.Now().Add(-TheftNoticeLife))
}

// CurrentWithRenewal is the browser's session, as Current gives it, and when its first-party
// grant was last opened or rotated; 0 if it has none.
func (s *Sessions) CurrentWithRenewal(r *http.Request) (Current, storage.Millis, error) {
	var renewed storage.Millis
	current, err := s.current(r, func(handleHash string) (row storage.Session, user storage.User, err error) {
		state, err := s.DB.FirstPartySession(r.Context(), handleHash, s.Now())
		renewed = state.Renewed
		return state.Session, state.User, err
	})
	return current, renewed, err
}

// OneFactor is the acr of every session: one proof, whatever it was (the value is
// Signet's own).
const OneFactor = "urn:signet:1fa"

// ByPassword is the amr of a password (RFC 8176).
var ByPassword = []string{"pwd"}

// End ends the browser's session and clears its cookie.
func (s *Sessions) End(ctx context.Context, w http.ResponseWriter, current Current, reason string) error {
	err := s.DB.EndSession(ctx, current.UserID, current.ID, reason, web.TraceOf(ctx).By(s.Now()))
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	s.Clear(w)
	return nil
}

// EndAll ends every session and every grant of the user, offline ones too, and
// clears this browser's cookie.
func (s *Sessions) EndAll(ctx context.Context, w http.ResponseWriter, current Current, reason string) error {
	err := s.DB.SignOutEverywhere(ctx, current.UserID, reason, web.TraceOf(ctx).By(s.Now()))
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
