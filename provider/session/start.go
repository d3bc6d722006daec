package session

import (
	"fmt"
	"net/http"

	"signet/provider/web"
	"signet/storage"
)

// SignIn is the input of Start and StartThrough: the user, and how they proved their
// identity.
type SignIn struct {
	UserID   string
	Request  string // id of the authorization request; "" for a sign-in without one
	ClientID string
	ACR      string
	AMR      []string
	Asserted *storage.AssertedFreshness // the time that an upstream claims; nil if the person gave the proof here, now
	Keep     bool                       // "Keep me signed in"

	// KeepStronger is what a stronger proof of this browser's session must still meet to be kept;
	// nil: this sign-in replaces it.
	KeepStronger *storage.Freshness

	OldHash, NewHash string              // replace the stored password hash, if it is still OldHash; "" for no change
	NotBefore        *storage.Millis     // NotBefore of the user at the check; ErrRevoked if it has moved since then
	GiveBack         storage.Reservation // the reserved attempt, which does not count

	Factor  *storage.FactorUse  // the second factor; nil: none was given
	Through string              // key of the identity, or ID of the passkey, of the first proof; "": it was a password
	Raises  bool                // the factor raises the session of this browser; ErrRevoked: it has ended
	Passkey *storage.PasskeyUse // signs in, and sets ACR and AMR; nil: none

	AcceptsTrust bool // a trusted browser needs no second factor
	Trust        bool // the user trusts this browser from now on; only with a second factor
}

// Start signs the browser in with a new handle and sets its cookies. If the user already
// has a session in this browser, the sid stays the same. The session of another user in
// this browser ends. *storage.FactorDueError: the user has a second factor, and in has none.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, in SignIn) (storage.Session, error) {
	handle, deviceID, trust := newHandle(), nextDeviceID(s.Device(r), in.UserID), ""
	row := s.storageSignIn(r, in, in.UserID, handle)
	if in.Trust && s.TrustFor > 0 {
		trust, row.Trust = s.newTrust(deviceID)
	}
	started, err := s.DB.SignIn(r.Context(), row, s.Now())
	if err != nil {
		return storage.Session{}, fmt.Errorf("sign in: %w", err)
	}
	if trust != "" {
		s.Cookies.Set(w, trustCookie, trust, s.TrustFor)
	}
	return started, s.setCookies(w, r, handle, deviceID, started)
}

// StartThrough signs the browser in with an identity from a connector. It fills
// arrival.SignIn from in. The caller has decided to which user the identity belongs.
func (s *Sessions) StartThrough(w http.ResponseWriter, r *http.Request, in SignIn, arrival storage.ConnectorSignIn) error {
	handle := newHandle()
	arrival.SignIn = s.storageSignIn(r, in, arrival.Identity.UserID, handle)
	started, err := s.DB.SignInThrough(r.Context(), arrival, s.Now())
	if err != nil {
		return fmt.Errorf("sign in through connector: %w", err)
	}
	web.TraceOf(r.Context()).NoteUser(started.UserID)
	return s.setCookies(w, r, handle, nextDeviceID(s.Device(r), started.UserID), started)
}

// storageSignIn returns the input of SignIn in storage.
func (s *Sessions) storageSignIn(r *http.Request, in SignIn, userID, handle string) storage.SignIn {
	old := ""
	if handle, ok := s.Cookies.read(r, s.Cookies.sessionName()); ok {
		old = storage.SecretHash(handle)
	}
	idle := s.Idle
	if in.Keep {
		idle = s.KeptIdle
	}
	var trusted storage.BrowserKey
	if in.AcceptsTrust {
		trusted = s.trustedBrowser(r, userID)
	}
	return storage.SignIn{
		UserID: in.UserID, Trusted: trusted, HandleHash: storage.SecretHash(handle), Replaces: old,
		Request: in.Request, ClientID: in.ClientID, ACR: in.ACR, AMR: in.AMR, Asserted: in.Asserted, KeepStronger: in.KeepStronger,
		Persistent: in.Keep, IdleFor: idle, AbsoluteFor: s.Max,
		OldHash: in.OldHash, NewHash: in.NewHash, NotBefore: in.NotBefore, GiveBack: in.GiveBack, Factor: in.Factor, Through: in.Through, Raises: in.Raises, Passkey: in.Passkey,
		From: web.TraceOf(r.Context()).Origin(), NewBrowser: s.Device(r).UserID != userID,
	}
}

// setCookies sets the session's cookie and the device's cookie. It removes the tokens of the
// first-party app, since they may belong to another person. The app gets new ones with its
// next call of /refresh.
func (s *Sessions) setCookies(w http.ResponseWriter, r *http.Request, handle, deviceID string, started storage.Session) error {
	if len(r.CookiesNamed(s.Cookies.accessCookie("").Name)) > 0 {
		s.Cookies.ClearTokens(w)
	}
	cookie := s.Cookies.newCookie(s.Cookies.sessionName(), handle)
	if started.Persistent {
		cookie.MaxAge = int(s.Max.Seconds())
	}
	http.SetCookie(w, cookie)
	s.setState(w, started)
	return s.setDeviceCookie(w, deviceID, started)
}
