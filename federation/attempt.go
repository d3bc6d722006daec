package federation

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"signet/federation/foreign"
)

// Options of one attempt.
type Options struct {
	// RedirectURI is the callback as registered at the upstream.
	RedirectURI string
	// Fresh requests that the upstream authenticates the user again.
	Fresh bool
	// MaxAge is the highest allowed age of the user's sign-in at the upstream, in
	// seconds. Nil: no limit.
	MaxAge *int64
	// AuthTime requests that the upstream reports when it last authenticated the user.
	AuthTime bool
	// LoginHint is sent unchanged; "" for none. Do not pass on a client's hint unless the
	// operator lets clients choose the account.
	LoginHint string
}

// checkRedirectURI finds a caller's mistake here, where the error can name it; the upstream
// would show an unclear page. ErrMisconfigured.
func checkRedirectURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return fmt.Errorf("start: redirect URI is not an absolute URL: %w", ErrMisconfigured)
	}
	return nil
}

// Attempt is one sign-in that has started. The caller seals its JSON into a cookie of the
// browser, and marks ID as used in the end. An Attempt does not print its secrets.
//
// The JSON is short because browsers send cookies with each request. It contains one seed,
// from which ID, State, Nonce and Verifier are derived, and a hash of the issuer, which may
// be long. It does not contain RedirectURI: the caller sets it again, to that of Options.
type Attempt struct {
	ID          string
	Connector   string
	IssuerHash  string // see issuerHash
	State       string // begins with ID: see AttemptID
	Nonce       string
	Verifier    string
	RedirectURI string
	Started     int64 // Unix milliseconds
	Fresh       bool
	MaxAge      *int64 // seconds

	seed []byte
}

// attemptJSON is the stored form of an Attempt.
type attemptJSON struct {
	Seed      []byte `json:"k"`
	Connector string `json:"c"`
	Issuer    string `json:"u"` // its hash
	Started   int64  `json:"t"`
	Fresh     bool   `json:"f,omitempty"`
	MaxAge    *int64 `json:"m,omitempty"`
}

// MarshalJSON writes the seed and the values that cannot be derived from it.
func (a Attempt) MarshalJSON() ([]byte, error) {
	return json.Marshal(attemptJSON{a.seed, a.Connector, a.IssuerHash, a.Started, a.Fresh, a.MaxAge})
}

// UnmarshalJSON reads the output of MarshalJSON and derives the other values.
func (a *Attempt) UnmarshalJSON(text []byte) error {
	var stored attemptJSON
	if err := json.Unmarshal(text, &stored); err != nil {
		return err
	}
	if len(stored.Seed) != seedSize {
		return errSeed
	}
	*a = deriveAttempt(stored.Seed)
	a.Connector, a.IssuerHash, a.Started, a.Fresh, a.MaxAge = stored.Connector, stored.Issuer, stored.Started, stored.Fresh, stored.MaxAge
	return nil
}

// issuerHash returns 16 characters that identify an issuer in an attempt.
func issuerHash(issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

var errSeed = errors.New("the attempt has no seed of 16 bytes")

// seedSize is in bytes: 128 bits are more than an attempt of ten minutes needs.
const seedSize = 16

// deriveAttempt derives the values of an attempt from its seed.
func deriveAttempt(seed []byte) Attempt {
	derive := func(use string) string {
		mac := hmac.New(sha256.New, seed)
		mac.Write([]byte(use))
		return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)) // 52 characters
	}
	a := Attempt{seed: seed, ID: derive("id")[:idLength], Nonce: derive("nonce")[:idLength], Verifier: derive("verifier")} // RFC 7636, section 4.1: 43 to 128
	a.State = a.ID + "." + derive("state")[:idLength]
	return a
}

// String returns the id and the connector of the attempt, and no secrets.
func (a Attempt) String() string { return "attempt " + a.ID + " at " + a.Connector }

// GoString keeps %#v from showing state, nonce and verifier.
func (a Attempt) GoString() string { return a.String() }

// AttemptID returns the id of the attempt in a callback's state, by which the caller finds
// the cookie; "" if state does not have our form. It does not check the state: Finish
// compares the whole value.
func AttemptID(state string) string {
	id, rest, found := strings.Cut(state, ".")
	if !found || len(id) != idLength || rest == "" || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return ""
	}
	return id
}

const (
	idLength = 26 // characters of base32: 130 bits
	// skew is the allowed difference between the upstream's clock and ours.
	skew = 60 * time.Second
	// attemptLife is the time from Start to Finish; after it the attempt has expired.
	attemptLife = 10 * time.Minute
)

func newAttempt(connector, issuer string, o Options, at time.Time) Attempt {
	seed := make([]byte, seedSize)
	_, _ = rand.Read(seed) // never returns an error: the program ends instead
	a := deriveAttempt(seed)
	a.Connector, a.IssuerHash, a.RedirectURI = connector, issuerHash(issuer), o.RedirectURI
	a.Started, a.Fresh, a.MaxAge = at.UnixMilli(), o.Fresh, o.MaxAge
	return a
}

// wantsFresh reports whether the attempt requested a new authentication of the user.
func (a Attempt) wantsFresh() bool { return a.Fresh || a.MaxAge != nil && *a.MaxAge == 0 }

// isFreshAt reports whether the attempt requested a new authentication, and authTime (Unix
// milliseconds, 0: unknown) is late enough to be that authentication.
func (a Attempt) isFreshAt(authTime int64) bool {
	return a.wantsFresh() && authTime != 0 && authTime >= a.Started-skew.Milliseconds()
}

// callbackParameters lists the parameters of a callback that a sign-in reads; only Apple
// sends user. Other parameters may be repeated or malformed.
var callbackParameters = []string{"state", "code", "iss", "error", "user"}

// CallbackValues reads the query or the form of a callback. It returns only the parameters
// that a sign-in reads. Other parameters may be malformed (RFC 6749, section 4.1.2: a client
// ignores unknown response parameters). Empty values count as absent (section 3.1).
//
// ErrUntrusted: a parameter that a sign-in reads cannot be decoded, is not UTF-8 without
// NUL, or is repeated. CallbackValues does not check the values: Finish does.
func CallbackValues(encoded string) (url.Values, error) {
	values := url.Values{}
	for pair := range strings.SplitSeq(encoded, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !slices.Contains(callbackParameters, name) {
			continue
		}
		value, err = url.QueryUnescape(value)
		switch {
		case err != nil || !foreign.IsStorable(value):
			return nil, untrusted("read callback: %q is not UTF-8 in percent-encoding", name)
		case values.Has(name):
			return nil, untrusted("read callback: %q is repeated", name)
		case value != "":
			values.Set(name, value)
		}
	}
	return values, nil
}

// codeFromCallback returns the authorization code if the callback belongs to the attempt:
// same connector, same upstream, same state, and in time. It reads no other parameter
// before these checks. issuerOK checks the parameter iss, "" if it is absent.
func (a Attempt) codeFromCallback(connector, issuer string, callback url.Values, issuerOK func(string) bool, at time.Time) (string, error) {
	if a.Connector != connector || a.IssuerHash != issuerHash(issuer) {
		return "", untrusted("read callback: the attempt was started with another upstream")
	}
	for _, name := range callbackParameters {
		if len(callback[name]) > 1 {
			return "", untrusted("read callback: %q is repeated", name)
		}
	}
	if a.State == "" || subtle.ConstantTimeCompare([]byte(a.State), []byte(callback.Get("state"))) != 1 {
		return "", untrusted("read callback: state does not match the attempt")
	}
	started := time.UnixMilli(a.Started)
	if at.Sub(started) > attemptLife || started.Sub(at) > skew {
		return "", untrusted("read callback: the attempt is older than %s, or started in the future", attemptLife)
	}
	// RFC 9207, section 2.4: iss is checked before all other members, also before error.
	if !issuerOK(callback.Get("iss")) {
		return "", untrusted("read callback: iss %q is not the upstream's (RFC 9207)", foreign.ForError(callback.Get("iss")))
	}
	if callback.Get("error") != "" { // wins over a code; an empty error counts as absent (RFC 6749, section 3.1)
		return "", upstreamError("read callback", callback.Get("error"))
	}
	code := callback.Get("code")
	if code == "" || len(code) > 4096 {
		return "", untrusted("read callback: code is missing or longer than 4096 bytes")
	}
	return code, nil
}
