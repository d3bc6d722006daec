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

// ErrNone means that the browser has no valid session.
var ErrNone = web.Because("no_session", errors.New("no session"))

// Config is the configuration of Sessions. All fields except TrustFor are required.
type Config struct {
	DB       *storage.DB
	Ring     *keys.Ring
	Cookies  Cookies
	Idle     time.Duration // a session ends after this time without use
	KeptIdle time.Duration // the same for a session with "Keep me signed in"
	Max      time.Duration // a session ends after this time in any case
	TrustFor time.Duration // how long a browser is trusted; 0: browsers cannot be trusted
	Now      func() time.Time
}

// Sessions starts, finds and ends the sessions of browsers.
type Sessions struct{ Config }

// New makes the sessions of a provider.
func New(c Config) *Sessions { return &Sessions{c} }

// Current is a valid session with its user.
type Current struct {
	storage.Session
	User storage.User
}

// Current returns the browser's session.
//
// ErrNone: the browser has no valid session. storage.ErrUnavailable: the database cannot
// be reached; the caller must not treat this as a browser without a session.
func (s *Sessions) Current(r *http.Request) (Current, error) {
	return s.current(r, func(handleHash string) (storage.Session, storage.User, error) {
		return s.DB.SessionByHandle(r.Context(), handleHash, s.Now())
	})
}

// current returns the session of the cookie. The function read looks it up in the database.
func (s *Sessions) current(r *http.Request, read func(handleHash string) (storage.Session, storage.User, error)) (Current, error) {
	handle, ok := s.Cookies.read(r, s.Cookies.sessionName())
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

// TheftNoticeLife is how long the pages tell a person that a session was stolen.
const TheftNoticeLife = 30 * 24 * time.Hour

// WasStolen reports whether the browser's session ended because one of its tokens was used
// twice. After such an end the browser still has the session's cookie. Anyone with the
// cookie may learn this, since the answer says nothing about the person.
func (s *Sessions) WasStolen(r *http.Request) (bool, error) {
	handle, ok := s.Cookies.read(r, s.Cookies.sessionName())
	if !ok {
		return false, nil
	}
	return s.DB.IsHandleStolen(r.Context(), storage.SecretHash(handle), s.Now().Add(-TheftNoticeLife))
}

// CurrentWithRenewal returns the browser's session as Current does, and when the session's
// first-party grant was last opened or rotated; 0 if the session has no such grant.
func (s *Sessions) CurrentWithRenewal(r *http.Request) (Current, storage.Millis, error) {
	var renewed storage.Millis
	current, err := s.current(r, func(handleHash string) (row storage.Session, user storage.User, err error) {
		state, err := s.DB.FirstPartySession(r.Context(), handleHash, s.Now())
		renewed = state.Renewed
		return state.Session, state.User, err
	})
	return current, renewed, err
}

// ByPassword is the amr of a password (RFC 8176).
var ByPassword = []string{"pwd"}

// End ends the browser's session and removes its cookies.
func (s *Sessions) End(ctx context.Context, w http.ResponseWriter, current Current, reason string) error {
	err := s.DB.EndSession(ctx, current.UserID, current.ID, reason, web.TraceOf(ctx).By(s.Now()))
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	s.Clear(w)
	return nil
}

// EndAll ends every session and every grant of the user, also those with offline access.
// It removes the same cookies of this browser as Clear does.
func (s *Sessions) EndAll(ctx context.Context, w http.ResponseWriter, current Current, reason string) error {
	err := s.DB.SignOutEverywhere(ctx, current.UserID, reason, web.TraceOf(ctx).By(s.Now()))
	if err != nil {
		return fmt.Errorf("end all sessions: %w", err)
	}
	s.Clear(w)
	return nil
}

// Clear removes the session's cookie, those of the first-party app and the browser's state. The device's cookie
// stays, see DeviceLife.
func (s *Sessions) Clear(w http.ResponseWriter) {
	s.Cookies.Clear(w, "")
	s.Cookies.ClearTokens(w)
	s.clearState(w)
}

// newHandle returns 256 random bits as 43 base64url characters.
func newHandle() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: the program stops instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
