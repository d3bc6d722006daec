package passkey

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

// ErrStale: the challenge has expired, or was made for another browser, request, purpose or user.
// web.CauseOf tells them apart.
var ErrStale = errors.New("challenge is out of date")

// Expired is the cause of ErrStale for a page that was open for too long.
const Expired = "challenge_expired"

// challengeLife is the time after which an open page must be loaded again, as for other forms.
const challengeLife = 30 * time.Minute

const (
	challengePurpose = "passkey"
	challengeBytes   = 32
)

// Purpose is what a challenge is for. An answer to a challenge of another purpose is refused.
type Purpose string

// The purposes of a challenge.
const (
	Add          Purpose = "add"
	AddByLink    Purpose = "add by link"   // by a person with a link of an operator, who is not signed in
	AddByItself  Purpose = "add by itself" // a passkey that the browser makes without being asked
	SignIn       Purpose = "sign-in"
	AddKey       Purpose = "add key"       // a security key
	SecondFactor Purpose = "second factor" // of a user whose first proof was right
)

// Ceremony is what a challenge is bound to. All fields must be equal when the answer comes.
type Ceremony struct {
	Purpose Purpose `json:"p"`
	Browser string  `json:"b"` // a random value of the browser, or the ID of its session or link
	Request string  `json:"r"` // ID of the authorization request; "": none
	UserID  string  `json:"u"` // "": a sign-in of any user
}

// Challenge is the challenge of one page.
type Challenge struct {
	Text   string // base64url without padding, as the browser's answer contains it
	Sealed string // for a hidden field of the form
}

// Config is the configuration of Passkeys. All fields but RPID are required.
type Config struct {
	Ring   *keys.Ring
	Issuer *url.URL
	RPID   string // see RPID
	Now    func() time.Time
}

// Passkeys makes and checks challenges.
type Passkeys struct {
	ring   *keys.Ring
	now    func() time.Time
	rpID   string // "": this issuer cannot have passkeys
	origin string
}

// New makes the Passkeys of a provider.
func New(c Config) *Passkeys {
	return &Passkeys{ring: c.Ring, now: c.Now, rpID: RPID(c.Issuer, c.RPID), origin: c.Issuer.Scheme + "://" + c.Issuer.Host}
}

// RPID returns the RP ID of an issuer: its host, or chosen, if that is a parent domain of the host.
// A browser accepts no other one (WebAuthn, section 5.1.3, step 8). It returns "" if browsers make no
// passkeys for the issuer: its host is an IP address (the same step), or it has no TLS and is not
// localhost (section 5.1.3, secure context).
func RPID(issuer *url.URL, chosen string) string {
	host := strings.ToLower(issuer.Hostname())
	switch {
	case net.ParseIP(host) != nil, host == "":
		return ""
	case issuer.Scheme != "https" && host != "localhost" && !strings.HasSuffix(host, ".localhost"):
		return ""
	case strings.HasSuffix(host, "."+chosen) && chosen != "":
		return chosen
	}
	return host
}

// Offered reports whether pages may offer passkeys.
func (p *Passkeys) Offered() bool { return p.rpID != "" }

// RPID returns the RP ID; "" if passkeys are not offered.
func (p *Passkeys) RPID() string { return p.rpID }

// sealedChallenge is the content of Challenge.Sealed.
type sealedChallenge struct {
	Ceremony
	Text string `json:"c"`
}

// Begin makes a challenge.
func (p *Passkeys) Begin(c Ceremony) (Challenge, error) {
	var random [challengeBytes]byte
	_, _ = rand.Read(random[:]) // never fails: the program stops instead
	text := base64.RawURLEncoding.EncodeToString(random[:])
	payload, err := json.Marshal(sealedChallenge{c, text})
	if err != nil {
		return Challenge{}, fmt.Errorf("encode challenge: %w", err)
	}
	sealed, err := p.ring.Seal(challengePurpose, payload, p.now().Add(challengeLife))
	if err != nil {
		return Challenge{}, fmt.Errorf("seal challenge: %w", err)
	}
	return Challenge{Text: text, Sealed: sealed}, nil
}

// Opened is a challenge that came back.
type Opened struct {
	Text  string         // also its ID, see storage.PasskeyUse
	Until storage.Millis // how long its use must be remembered
}

// Open opens a sealed challenge and checks that it was made for this ceremony. ErrStale: it was
// not.
func (p *Passkeys) Open(sealed string, want Ceremony) (Opened, error) {
	payload, err := p.ring.Unseal(challengePurpose, sealed, p.now())
	switch {
	case errors.Is(err, keys.ErrExpired):
		return Opened{}, stale(Expired, "it has expired")
	case errors.Is(err, keys.ErrInvalid):
		return Opened{}, stale("challenge_invalid", "it was not made by this server")
	case err != nil:
		return Opened{}, fmt.Errorf("open challenge: %w", err)
	}
	var got sealedChallenge
	if json.Unmarshal(payload, &got) != nil {
		return Opened{}, stale("challenge_invalid", "it was not made by this server")
	}
	switch {
	case got.Purpose != want.Purpose:
		return Opened{}, stale("challenge_of_other_purpose", "it is for another purpose")
	case got.Browser != want.Browser || want.Browser == "":
		return Opened{}, stale("challenge_of_other_browser", "it is for another browser or session")
	case got.Request != want.Request:
		return Opened{}, stale("challenge_of_other_request", "it is for another request")
	case got.UserID != want.UserID:
		return Opened{}, stale("challenge_of_other_user", "it is for another user")
	}
	// A clock of another node may be behind.
	return Opened{Text: got.Text, Until: storage.At(p.now().Add(challengeLife + storage.MaxClockSkew))}, nil
}

func stale(code, text string) error {
	return web.Because(code, fmt.Errorf("%w: %s", ErrStale, text))
}
