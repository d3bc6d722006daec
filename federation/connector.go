package federation

import (
	"context"
	"net/url"
	"time"
)

// Connector turns a callback into an identity.
//
// Every error of Start and Finish is one of ErrDenied, ErrUnreachable,
// ErrUntrusted, ErrNoEmail, ErrNotAllowed and ErrMisconfigured, wrapped with the
// step it came from and holding no secret. All methods may be called at once from
// several goroutines.
type Connector interface {
	// ID is as configured: part of the callback's path and of every identity.
	ID() string
	// Kind says which upstream it is, for the button and the texts about it.
	Kind() Kind
	// Name is what people call it: the label of the button.
	Name() string
	// Trust is the most that may be thought of an address it vouches for; what
	// holds for one identity is Identity.Trust.
	Trust() Trust
	// Reauthenticates says what the upstream does when it is asked to let the user
	// prove again who it is.
	Reauthenticates() Reauthentication
	// Scopes are what every attempt asks for.
	Scopes() []string
	// Start makes an attempt and the URL to send the browser to. It may fetch the
	// upstream's discovery document, which is then remembered.
	Start(ctx context.Context, o Options) (Attempt, string, error)
	// Finish exchanges the callback's code and returns the identity the upstream
	// asserts. The callback is the query, or the form of an upstream that answers
	// by POST (see AnswersByPOST). Finish checks state, nonce, issuer, signature,
	// audience and times, in that order where they come so.
	//
	// It does not spend the attempt: the caller does, in the transaction that signs
	// in. It does not decide which user this is, nor whether the address may be
	// used to find one.
	Finish(ctx context.Context, a Attempt, callback url.Values) (Identity, error)
	// AnswersByPOST reports whether the upstream's callback is a form that the
	// browser posts across sites; from all others a POST is to be refused.
	AnswersByPOST() bool
	// Probe looks at the upstream without a user.
	Probe(ctx context.Context) Report
}

// Kind is the type of upstream, as in the settings.
type Kind string

// The kinds of upstream.
const (
	Google    Kind = "google"
	GitHub    Kind = "github"
	OIDC      Kind = "oidc"
	Microsoft Kind = "microsoft"
	Apple     Kind = "apple"
	GitLab    Kind = "gitlab"
)

// Kinds lists the kinds of upstream, in the order in which settings and their
// documentation name them.
func Kinds() []Kind { return []Kind{Google, GitHub, OIDC, Microsoft, Apple, GitLab} }

// KindNames lists the kinds of upstream as settings spell them.
func KindNames() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return names
}

// Trust is what an upstream's word on an e-mail address is worth. The zero value
// is the least.
type Trust int

const (
	// Unknown: anybody may have typed the address.
	Unknown Trust = iota
	// Verifies: the upstream says email_verified once it has sent mail there. The
	// mailbox may be another's by now.
	Verifies
	// Authoritative: the upstream runs the mailbox or its domain, one of
	// Config.Domains.
	Authoritative
)

// Distrust in a Config is Unknown for a kind that would be trusted otherwise.
const Distrust Trust = -1

func (t Trust) String() string {
	return [...]string{"unknown", "verifies", "authoritative"}[max(t, Unknown)]
}

// Reauthentication is what an upstream does when an attempt asks it to let the user
// prove again who it is.
type Reauthentication int

const (
	// SaysWhen: it may ask again or not; the auth_time that it signs tells.
	SaysWhen Reauthentication = iota
	// NeverAsks: it answers from a session of its own and does not say how old that is.
	NeverAsks
	// AsksAgain: it documents that it honours prompt=login. Its answer counts as a new
	// proof even if it names no auth_time.
	AsksAgain
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

// Identity is what an upstream asserts about a person.
type Identity struct {
	Connector string
	Issuer    string // who said it, so that links made with another upstream under the same id do not match
	Subject   string // 1 to 255 bytes, compared byte for byte

	// Email is one address with its domain as a lower-case A-label, or "": none was
	// sent, or nothing that is an address.
	Email string
	// EmailVerified is the upstream's word on Email, from the same document: true if it
	// says so, or if it says nothing and is authoritative for the domain. False without
	// Email.
	EmailVerified bool
	// Trust is what that word is worth for this address: at most the connector's. See
	// Vouched.
	Trust Trust
	said  word

	Name, GivenName, FamilyName, Username string
	Picture                               string // an https URL, or ""
	Locale                                string

	// AuthTime is when the user last proved to the upstream who it is, in Unix
	// milliseconds; 0 if it did not say. Of an upstream that AsksAgain, was asked to and
	// did not say, it is when the attempt started: the proof is no older.
	AuthTime int64
	ACR      string
	AMR      []string
	// Fresh: the attempt asked for a new proof, and there was one after it started: the
	// upstream says so under its signature, or AsksAgain and says nothing else.
	Fresh bool

	// Groups come only from the claim that the settings name for them.
	Groups []string
	// Claims are all the upstream sent, unjudged; numbers are json.Number. Nothing
	// may be decided by them that a field above decides.
	Claims map[string]any
	// Token is set only if the settings ask to keep it.
	Token *Token
}

// Token is the upstream's own token for the user. It does not print itself.
type Token struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	ExpiresAt    int64  `json:"expires_at,omitempty"` // Unix milliseconds; 0: unknown
}

func (Token) String() string { return "***" }

// GoString keeps %#v from showing the value.
func (Token) GoString() string { return "***" }

// Report is what a look at an upstream found.
type Report struct {
	Issuer string
	// Err says why nobody can sign in through it now; nil if all is well. It is one
	// of a Connector's errors.
	Err error
	// ClockSkew is how far the upstream's clock is ahead of ours, to the second, by
	// its Date header. See ClockOff.
	ClockSkew time.Duration
	// Endpoints by name (authorization, token, userinfo, jwks).
	Endpoints map[string]string
	// What it says it can do; empty where it does not say.
	Algorithms, Scopes, ClientAuth, Prompts []string
	PKCE                                    bool
	// IssuerInCallback: the callback names the issuer (RFC 9207).
	IssuerInCallback bool
	Keys             int // published keys that tokens may be verified with
	IgnoredKeys      int // and others of kinds that we use, which are malformed, too weak or too many
}
