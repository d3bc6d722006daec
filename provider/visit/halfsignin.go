package visit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/provider/factor"
	"signet/provider/keys"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

const (
	halfCookie  = "_factor"
	halfPurpose = "half sign-in"
	halfLife    = 10 * time.Minute
)

// HalfSignIn is a sign-in whose first proof was right and whose second factor is due. It is sealed
// into a cookie of its own and signs nobody in. It ends when the user's NotBefore moves.
type HalfSignIn struct {
	UserID    string
	NotBefore storage.Millis // of the user at the first proof
	Keep      bool           // "Keep me signed in"

	Through  string                     // key of the identity, or ID of the passkey, of the first proof; "": it was a password
	Asserted *storage.AssertedFreshness // of the upstream, without its connector; nil: the first proof was a password or passkey

	// Raises: the first proof is that of the session of this browser, which the second factor raises.
	// No cookie holds this.
	Raises bool

	request [requestHashSize]byte
}

// RaiseOf returns the half sign-in of a session whose user gives only a second factor.
func RaiseOf(current session.Current) HalfSignIn {
	return HalfSignIn{UserID: current.UserID, NotBefore: current.User.NotBefore, Keep: current.Persistent, Raises: true}
}

const requestHashSize = 12 // bytes; see encode

// ErrNoHalf: the browser has no half sign-in for this request.
var ErrNoHalf = web.Because("no_half_sign_in", errors.New("no sign-in waits for a second factor"))

func requestHash(id string) (short [requestHashSize]byte) {
	sum := sha256.Sum256([]byte(id))
	copy(short[:], sum[:])
	return short
}

// The flags of an encoded half sign-in.
const (
	flagKeep = 1 << iota
	flagThrough
	flagReauthenticated
	flagPasskey // Through is the ID of a passkey
)

// encode writes the flags, the hash of the request, the key of the identity, the times and the
// user. The browser sends the cookie with each request, so it must be small.
func (s HalfSignIn) encode() ([]byte, error) {
	flags, authTime := byte(0), storage.Millis(0)
	if s.Keep {
		flags |= flagKeep
	}
	through, err := []byte(s.Through), error(nil)
	switch {
	case storage.IsPasskeyID(s.Through):
		flags |= flagPasskey
	case s.Through != "":
		flags |= flagThrough
		through, err = hex.DecodeString(s.Through)
	}
	if err != nil {
		return nil, fmt.Errorf("encode half sign-in: %w", err)
	}
	if s.Asserted != nil {
		authTime = s.Asserted.AuthTime
		if s.Asserted.Reauthenticated {
			flags |= flagReauthenticated
		}
	}
	out := []byte{flags, byte(len(through))}
	out = append(append(out, s.request[:]...), through...)
	out = binary.AppendVarint(binary.AppendVarint(out, int64(s.NotBefore)), int64(authTime))
	return append(out, s.UserID...), nil
}

// decodeHalf reads the output of encode; false for anything else.
func decodeHalf(payload []byte) (s HalfSignIn, ok bool) {
	const head = 2 + requestHashSize
	if len(payload) < head || len(payload) < head+int(payload[1]) {
		return s, false
	}
	flags, through := payload[0], payload[head:head+int(payload[1])]
	s.Keep, s.Through = flags&flagKeep != 0, hex.EncodeToString(through)
	if flags&flagPasskey != 0 {
		s.Through = string(through)
	}
	copy(s.request[:], payload[2:])
	r := bytes.NewReader(payload[head+len(through):])
	notBefore, err := binary.ReadVarint(r)
	authTime, err2 := binary.ReadVarint(r)
	if err != nil || err2 != nil || r.Len() == 0 || (s.Through != "") != (flags&(flagThrough|flagPasskey) != 0) {
		return HalfSignIn{}, false
	}
	s.NotBefore, s.UserID = storage.Millis(notBefore), string(payload[len(payload)-r.Len():])
	if flags&flagThrough != 0 {
		s.Asserted = &storage.AssertedFreshness{AuthTime: storage.Millis(authTime), Reauthenticated: flags&flagReauthenticated != 0}
	}
	if again, err := s.encode(); err != nil || !bytes.Equal(again, payload) {
		return HalfSignIn{}, false
	}
	return s, true
}

// StoreHalf seals a half sign-in for a request into the cookie of the browser. A browser has only
// one: a later one replaces it.
func (v *Visits) StoreHalf(w http.ResponseWriter, s HalfSignIn, requestID string) error {
	s.request = requestHash(requestID)
	payload, err := s.encode()
	if err != nil {
		return err
	}
	sealed, err := v.Ring.Seal(halfPurpose, payload, v.Now().Add(halfLife))
	if err != nil {
		return fmt.Errorf("seal half sign-in: %w", err)
	}
	v.Sessions.Cookies.Set(w, halfCookie, sealed, halfLife)
	return nil
}

// ReadHalf returns the half sign-in of this browser and this request, with its user. ErrNoHalf:
// there is none, it has expired, or the user has changed since.
func (v *Visits) ReadHalf(r *http.Request, requestID string) (HalfSignIn, storage.User, error) {
	sealed, ok := v.Sessions.Cookies.Read(r, halfCookie)
	if !ok {
		return HalfSignIn{}, storage.User{}, ErrNoHalf
	}
	payload, err := v.Ring.Unseal(halfPurpose, sealed, v.Now())
	if errors.Is(err, keys.ErrExpired) || errors.Is(err, keys.ErrInvalid) {
		return HalfSignIn{}, storage.User{}, ErrNoHalf
	}
	if err != nil {
		return HalfSignIn{}, storage.User{}, fmt.Errorf("open half sign-in: %w", err)
	}
	s, ok := decodeHalf(payload)
	if !ok || s.request != requestHash(requestID) {
		return HalfSignIn{}, storage.User{}, ErrNoHalf
	}
	user, err := v.DB.User(r.Context(), s.UserID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && (!user.Enabled() || user.NotBefore != s.NotBefore) {
		return HalfSignIn{}, storage.User{}, ErrNoHalf
	}
	if err != nil {
		return HalfSignIn{}, storage.User{}, fmt.Errorf("read half sign-in: %w", err)
	}
	web.TraceOf(r.Context()).NoteUser(user.ID)
	return s, user, nil
}

// Second is the second factor of a sign-in, as the person gave it.
type Second struct {
	Code                string
	Key                 *storage.PasskeyUse // the checked answer of a security key or passkey; nil: there is a code
	Trust               bool                // "Trust this browser"
	RequestID, ClientID string              // of the authorization request that the sign-in answers

	KeepStronger *storage.Freshness // see the function KeepStronger
}

// FinishHalf checks the code of a second factor, unless a key has answered, and starts the session.
// Then it removes the half sign-in.
//
// factor.ErrWrong, factor.ErrUsed, *storage.ThrottledError. storage.ErrReplayed: the challenge of the
// key was used before. ErrNoHalf: the user has changed, or the key was removed.
func (v *Visits) FinishHalf(w http.ResponseWriter, r *http.Request, s HalfSignIn, user storage.User, second Second) error {
	checked := factor.Checked{Use: storage.FactorUse{Key: second.Key}} // storage adds the amr of the key
	if second.Key == nil {
		origin := web.TraceOf(r.Context()).Origin()
		var err error
		checked, err = v.Factors.Check(r.Context(), factor.Attempt{User: user, Code: second.Code, Address: origin.Address, Device: v.Sessions.Device(r)}, origin)
		if err != nil {
			return err
		}
	}
	first := session.ByPassword
	switch {
	case s.Raises, storage.IsPasskeyID(s.Through):
		first = nil // storage adds that of the session or passkey
	case s.Through != "":
		first = ByUpstream
	}
	_, err := v.Sessions.Start(w, r, session.SignIn{
		UserID: s.UserID, Request: second.RequestID, ClientID: second.ClientID, ACR: storage.ACRTwoFactors, AMR: append(append([]string{}, first...), checked.AMR...),
		Asserted: s.Asserted, Keep: s.Keep, NotBefore: &s.NotBefore, GiveBack: checked.Reserved, Factor: &checked.Use, Through: s.Through, Raises: s.Raises,
		KeepStronger: second.KeepStronger, Trust: second.Trust && v.Sessions.OffersTrust(user),
	})
	switch {
	case errors.Is(err, storage.ErrReplayed) && second.Key == nil:
		return factor.ErrUsed
	case errors.Is(err, storage.ErrRevoked):
		return ErrNoHalf
	case err != nil:
		return err
	}
	v.DropHalf(w)
	return nil
}

// DropHalf removes the half sign-in from the browser.
func (v *Visits) DropHalf(w http.ResponseWriter) { v.Sessions.Cookies.Clear(w, halfCookie) }

// ByUpstream is the amr of a sign-in through an upstream. RFC 8176 has no value for it; "fed" is in
// common use.
var ByUpstream = []string{"fed"}
