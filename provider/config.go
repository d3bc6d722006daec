package provider

import (
	"cmp"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/flow"
	"signet/provider/keys/keeper"
	"signet/provider/keys/openssl"
	"signet/provider/keys/vault"
	"signet/provider/mail"
	"signet/provider/notice"
	"signet/provider/oauth"
	"signet/provider/outbound"
	"signet/provider/passkey"
	"signet/provider/session"
	"signet/provider/webhook"
	"signet/storage"
)

// Config holds the settings of a provider. Issuer and MasterKey are required; the zero
// value of every other field means its default.
type Config struct {
	Issuer           string                     // https, or http on a loopback host; no trailing slash
	MasterKey        [32]byte                   // seals private keys at rest
	MasterKeys       func() ([][32]byte, error) // see vault.Config.Masters
	CookieName       string                     // base name of the cookies; default "signet"
	CookieDomain     string                     // domain of the cookie with the first-party access token; default: only the issuer's host
	FirstParty       FirstParty
	TrustedProxies   []netip.Prefix
	Algorithms       []string        // signing algorithms with published keys; default ES256, RS256
	Keys             keeper.Life     // times of key rotation; KeyLife adds the lifetimes of the tokens
	Module           vault.Module    // see vault.Config
	ModuleAlgorithms []string        // see vault.Config
	RSA              *openssl.Engine // signs with RSA keys; default: crypto/rsa
	Lifetimes        Lifetimes
	Webhook          webhook.Target               // gets the audit events; zero: none
	EventRetention   time.Duration                // audit events are deleted after this time; default 400 d
	Passwords        credential.Params            // cost of argon2id
	PasswordLength   int                          // fewest characters of a new password; default 10
	RateLimits       credential.Limits            // for wrong passwords; the number of a network also for wrong secrets of clients and user codes
	RequestLimits    RequestLimits                // for requests of clients that do not authenticate
	Connectors       []Connector                  // upstreams, in the order of their buttons
	Registration     directory.RegistrationPolicy // for clients that register themselves; default: off
	Outbound         outbound.Config              // limits of calls to other hosts
	ResponseTypes    []string                     // in the discovery document, and for clients that register themselves; default code
	RequirePushed    bool                         // every authorization request must be pushed (RFC 9126)
	AdminFactor      bool                         // administrators without a second factor may only read the pages of administrators
	EveryFactor      bool                         // every person must sign in with a second factor, and adds one if there is none
	OpenSignUp       bool                         // people can create an account with a mailed link; without mails, it offers nothing
	PasskeyRPID      string                       // parent domain of the issuer's host, to which passkeys belong; default: the host
	MakesPasskeys    bool                         // browsers may make a passkey by themselves after a sign-in with a password
	EditUsername     bool                         // users may edit their preferred_username
	Mail             mail.Config                  // the mail server; zero: no mails are sent
	Mailer           notice.Mailer                // sends the mails instead of that server; nil: the server does
	Development      bool                         // error pages also show the received and the registered values
	DemoPath         string                       // path that the home page links to; "" for no link
	Now              func() time.Time             // default time.Now
	Log              *slog.Logger                 // default slog.Default

	FrontchannelLogout bool // the page after a sign-out opens the frontchannel_logout_uri of the clients in iframes
	SessionManagement  bool // OIDC Session Management: session_state, check_session_iframe and their cookie
}

// SendsMails reports whether this instance sends mails. If not, no page offers an act that needs
// one.
func (c Config) SendsMails() bool { return c.Mailer != nil || c.Mail.IsSet() }

// RPID returns the RP ID to which passkeys belong; "" if none are offered at the issuer.
func (c Config) RPID() string {
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return ""
	}
	return passkey.RPID(issuer, c.PasskeyRPID)
}

// FirstParty configures the first-party app: its pages use Signet's cookies and never see
// a token.
type FirstParty struct {
	ClientID string   // client of the app; default: the only first-party client
	Origins  []string // origins of its pages (scheme, host and port); the issuer's own origin always counts
	Audience string   // aud of its access tokens, never the issuer; default: the client's id
}

// RequestLimits are the numbers of requests of clients that do not authenticate, from one IPv4
// address or IPv6 /64, before the answer is 429. Zero means the default, which each comment gives.
type RequestLimits struct {
	Pushed      int // authorization requests that are pushed in 15 minutes; 300
	DeviceCodes int // device codes that are opened for one client in the life of a code; 50
}

func (l RequestLimits) pushes() storage.NetworkLimit {
	return storage.NetworkLimit{Max: cmp.Or(l.Pushed, 300), Window: 15 * time.Minute}
}

func (l RequestLimits) deviceCodes(life time.Duration) storage.NetworkLimit {
	return storage.NetworkLimit{Max: cmp.Or(l.DeviceCodes, 50), Window: life}
}

// Lifetimes are the times after which tokens, sessions and the like expire. Zero means
// the default, which each comment gives.
type Lifetimes struct {
	Access       time.Duration // access token; 15 min
	ID           time.Duration // ID token; 15 min
	Code         time.Duration // authorization code; 60 s
	Request      time.Duration // authorization request, from /authorize to its answer; 30 min
	Refresh      time.Duration // refresh token that is not used; 7 d
	RefreshMax   time.Duration // refresh token, however often it is used; 30 d
	Offline      time.Duration // offline grant that is not used; 30 d
	OfflineMax   time.Duration // offline grant, however often it is used; 365 d
	RefreshGrace time.Duration // time in which a rotated refresh token still gets an answer; 30 s
	Session      time.Duration // inactive session without "Keep me signed in"; 12 h
	SessionKept  time.Duration // inactive session with "Keep me signed in"; 7 d
	SessionMax   time.Duration // session, however active it is; 30 d
	StepUp       time.Duration // time after a sign-in in which sensitive acts need no new proof; 5 min
	AdminIdle    time.Duration // time without use after which the pages for operators ask for a sign-in; 15 min
	Consent      time.Duration // remembered consent; 365 d
	DeviceCode   time.Duration // device code and its user code; 10 min

	TrustedBrowser time.Duration // how long a user may trust a browser, in whole days; 0: not at all
}

const day = 24 * time.Hour

func (l *Lifetimes) setDefaults() {
	for value, fallback := range map[*time.Duration]time.Duration{
		&l.Access: 15 * time.Minute, &l.ID: 15 * time.Minute, &l.Code: time.Minute, &l.Request: 30 * time.Minute,
		&l.Refresh: 7 * day, &l.RefreshMax: 30 * day, &l.Offline: 30 * day, &l.OfflineMax: 365 * day,
		&l.RefreshGrace: 30 * time.Second, &l.Session: 12 * time.Hour, &l.SessionKept: 7 * day,
		&l.SessionMax: 30 * day, &l.StepUp: 5 * time.Minute, &l.AdminIdle: 15 * time.Minute, &l.Consent: 365 * day, &l.DeviceCode: 10 * time.Minute,
	} {
		if *value == 0 {
			*value = fallback
		}
	}
}

// forTokens returns the lifetimes of grants and their tokens.
func (l Lifetimes) forTokens() flow.Lifetimes {
	return flow.Lifetimes{
		Access: l.Access, ID: l.ID, Refresh: l.Refresh, RefreshMax: l.RefreshMax,
		Offline: l.Offline, OfflineMax: l.OfflineMax, RefreshGrace: l.RefreshGrace,
	}
}

// KeyLife completes the times of key rotation with the longest lifetimes of the messages
// that the keys sign and seal. A retired key must stay until the last of these has
// expired. Logout tokens do not count: their two minutes are shorter than the margin that
// the keeper adds.
func (l Lifetimes) KeyLife(of keeper.Life) keeper.Life {
	l.setDefaults()
	of.Tokens = max(l.Access, l.ID)
	of.Internal = max(l.Refresh, l.Offline, l.Request, l.Code+oauth.CodeRemembered, l.DeviceCode, session.DeviceLife, storage.LongestLinkLife)
	return of
}

// Live holds the settings that can change without a restart: the fields of the same
// names in Config, and Config.FirstParty.Origins.
type Live struct {
	Connectors     []Connector
	TrustedProxies []netip.Prefix
	Origins        []string
	OpenSignUp     bool
}

// takeLive moves the Live settings out of c. The rest of c is shared by all generations.
func (c *Config) takeLive() Live {
	l := Live{Connectors: c.Connectors, TrustedProxies: c.TrustedProxies, Origins: c.FirstParty.Origins, OpenSignUp: c.OpenSignUp}
	c.Connectors, c.TrustedProxies, c.FirstParty.Origins, c.OpenSignUp = nil, nil, nil, false
	return l
}

func (c *Config) setDefaults() {
	c.Lifetimes.setDefaults()
	if c.EventRetention == 0 {
		c.EventRetention = storage.EventRetention
	}
	if c.Keys.MaxAge == 0 {
		c.Keys.MaxAge = oauth.DocumentsCached
	}
	c.Registration.Networks, c.Registration.ResponseTypes = c.Outbound.Allowed, c.ResponseTypes
	if c.CookieName == "" {
		c.CookieName = session.DefaultBase
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}
