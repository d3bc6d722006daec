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

// Options are what one attempt wants.
type Options struct {
	// RedirectURI is where the upstream sends the browser back to, as registered
	// there.
	RedirectURI string
	// Fresh asks the upstream to let the user prove again who it is.
	Fresh bool
	// MaxAge asks for a sign-in at the upstream that is no older, in seconds. Nil:
	// any.
	MaxAge *int64
	// AuthTime asks the upstream to say when the user last proved who it is.
	AuthTime bool
	// LoginHint is passed on as it is; "" for none. It must not be what a client
	// sent unless the operator wants clients to steer.
	LoginHint string
}

// checkRedirectURI keeps a mistake of the caller from becoming a mystery at the
// upstream.
func checkRedirectURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return fmt.Errorf("start: redirect URI is not an absolute URL: %w", ErrMisconfigured)
	}
	return nil
}

// Attempt is one sign-in on its way. The caller seals its JSON into a cookie of the
// browser that started it, and spends ID when it is used. It does not print itself.
//
// ID, State, Nonce and Verifier are derived from one seed, which alone stands in the JSON:
// a browser sends its cookies with each request. For the same reason the issuer stands
// there as a hash: an issuer may be as long as its operator likes. RedirectURI does not
// stand there either; the caller sets it again, to that of Options.
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

// attemptJSON is what is kept of an Attempt.
type attemptJSON struct {
	Seed      []byte `json:"k"`
	Connector string `json:"c"`
	Issuer    string `json:"u"` // its hash
	Started   int64  `json:"t"`
	Fresh     bool   `json:"f,omitempty"`
	MaxAge    *int64 `json:"m,omitempty"`
}

// MarshalJSON writes the seed, and what the attempt was started with.
func (a Attempt) MarshalJSON() ([]byte, error) {
	return json.Marshal(attemptJSON{a.seed, a.Connector, a.IssuerHash, a.Started, a.Fresh, a.MaxAge})
}

// UnmarshalJSON reads what MarshalJSON wrote, and derives the rest.
func (a *Attempt) UnmarshalJSON(text []byte) error {
	var kept attemptJSON
	if err := json.Unmarshal(text, &kept); err != nil {
		return err
	}
	if len(kept.Seed) != seedSize {
		return errSeed
	}
	*a = deriveAttempt(kept.Seed)
	a.Connector, a.IssuerHash, a.Started, a.Fresh, a.MaxAge = kept.Connector, kept.Issuer, kept.Started, kept.Fresh, kept.MaxAge
	return nil
}

// issuerHash stands for an issuer in an attempt: 16 characters, whatever its length.
func issuerHash(issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

var errSeed = errors.New("the attempt has no seed")

// seedSize is 128 bits: more than an attempt of ten minutes needs.
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

// String names the attempt without its secrets.
func (a Attempt) String() string { return "attempt " + a.ID + " at " + a.Connector }

// GoString keeps %#v from showing state, nonce and verifier.
func (a Attempt) GoString() string { return a.String() }

// AttemptID gives the id of the attempt that a callback's state claims to belong
// to, so that its cookie can be found; "" if it is none of ours. It proves
// nothing: Finish compares the whole state.
func AttemptID(state string) string {
	id, rest, found := strings.Cut(state, ".")
	if !found || len(id) != idLength || rest == "" || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return ""
	}
	return id
}

const (
	idLength = 26 // characters of base32: 130 bits
	// skew is how far the clocks of an upstream and of ours may differ.
	skew = 60 * time.Second
	// attemptLife ends an attempt whose user went for a walk.
	attemptLife = 10 * time.Minute
)

func newAttempt(connector, issuer string, o Options, at time.Time) Attempt {
	seed := make([]byte, seedSize)
	_, _ = rand.Read(seed) // never fails: the program stops instead
	a := deriveAttempt(seed)
	a.Connector, a.IssuerHash, a.RedirectURI = connector, issuerHash(issuer), o.RedirectURI
	a.Started, a.Fresh, a.MaxAge = at.UnixMilli(), o.Fresh, o.MaxAge
	return a
}

// wantsFresh reports whether the attempt asked for a new proof of who the user is.
func (a Attempt) wantsFresh() bool { return a.Fresh || a.MaxAge != nil && *a.MaxAge == 0 }

// isFreshAt reports whether a sign-in at that time (Unix milliseconds, 0: unknown)
// answers the attempt's wish for one.
func (a Attempt) isFreshAt(authTime int64) bool {
	return a.wantsFresh() && authTime != 0 && authTime >= a.Started-skew.Milliseconds()
}

// callbackParameters are those of a callback that a sign-in goes by; user is Apple's.
// Others may be repeated or malformed.
var callbackParameters = []string{"state", "code", "iss", "error", "user"}

// CallbackValues reads the query or the form of a callback, and of it only the parameters
// that a sign-in goes by. Other parameters of an upstream may be malformed (RFC 6749,
// section 4.1.2: a client ignores response parameters that it does not know). Empty values
// count as absent (section 3.1). It is an error if a parameter of ours cannot be decoded, is
// not UTF-8 without NUL, or comes twice. It compares none of them: Finish does.
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
			return nil, untrusted("read callback: %q comes more than once", name)
		case value != "":
			values.Set(name, value)
		}
	}
	return values, nil
}

// codeFromCallback takes the authorization code from the callback, if this is the callback of
// the attempt: of this connector and upstream, with its state, in time. Nothing
// else of the callback is looked at before that. issuerOK judges the iss
// parameter, "" if there was none.
func (a Attempt) codeFromCallback(connector, issuer string, callback url.Values, issuerOK func(string) bool, at time.Time) (string, error) {
	if a.Connector != connector || a.IssuerHash != issuerHash(issuer) {
		return "", untrusted("read callback: the attempt was started with another upstream")
	}
	for _, name := range callbackParameters {
		if len(callback[name]) > 1 {
			return "", untrusted("read callback: %q comes more than once", name)
		}
	}
	if a.State == "" || subtle.ConstantTimeCompare([]byte(a.State), []byte(callback.Get("state"))) != 1 {
		return "", untrusted("read callback: state is not the attempt's")
	}
	started := time.UnixMilli(a.Started)
	if at.Sub(started) > attemptLife || started.Sub(at) > skew {
		return "", untrusted("read callback: the attempt is over")
	}
	// RFC 9207, section 2.4: before anything else is done with the answer, errors
	// included.
	if !issuerOK(callback.Get("iss")) {
		return "", untrusted("read callback: iss is missing or another upstream's")
	}
	if callback.Get("error") != "" { // beside a code, too; an empty one counts as none (RFC 6749, section 3.1)
		return "", upstreamError("read callback", callback.Get("error"))
	}
	code := callback.Get("code")
	if code == "" || len(code) > 4096 {
		return "", untrusted("read callback: no code")
	}
	return code, nil
}
