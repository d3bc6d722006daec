package session

import (
	"fmt"
	"net/http"

	"signet/provider/web"
	"signet/storage"
)

// SignIn is how a person proved who it is.
type SignIn struct {
	UserID   string
	Request  string // id of the authorization request that asked, "" for none
	ClientID string
	ACR      string
	AMR      []string
	Asserted *storage.AssertedFreshness // by an upstream; nil: proved here and now
	Keep     bool                       // "Keep me signed in"

	OldHash, NewHash string          // the password hash to renew, if any
	NotBefore        *storage.Millis // of the user when it was checked: what is ended meanwhile stays ended
	GiveBack         storage.Reservation
}

// Start signs the browser in under a new handle and sets its cookies. The same
// user keeps its sid; another user's session in this browser ends.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, in SignIn) (storage.Session, error) {
	handle := newHandle()
	started, err := s.DB.SignIn(r.Context(), s.storageSignIn(r, in, handle), s.Now())
	if err != nil {
		return storage.Session{}, fmt.Errorf("sign in: %w", err)
	}
	return started, s.set(w, r, handle, started)
}

// StartThrough signs the browser in by an arrival from a connector, whose SignIn
// is made here. Who arrives is decided by the caller.
func (s *Sessions) StartThrough(w http.ResponseWriter, r *http.Request, in SignIn, arrival storage.ConnectorSignIn) error {
	handle := newHandle()
	arrival.SignIn = s.storageSignIn(r, in, handle)
	started, err := s.DB.SignInThrough(r.Context(), arrival, s.Now())
	if err != nil {
		return fmt.Errorf("sign in through connector: %w", err)
	}
	return s.set(w, r, handle, started)
}

// storageSignIn returns the input of storage.DB.SignIn.
func (s *Sessions) storageSignIn(r *http.Request, in SignIn, handle string) storage.SignIn {
	old := ""
	if handle, ok := s.Cookies.read(r, s.Cookies.session()); ok {
		old = storage.SecretHash(handle)
	}
	idle := s.Idle
	if in.Keep {
		idle = s.KeptIdle
	}
	return storage.SignIn{
		UserID: in.UserID, HandleHash: storage.SecretHash(handle), Replaces: old,
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
