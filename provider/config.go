package provider

import (
	"log/slog"
	"net/netip"
	"time"

	"signet/provider/credential"
	"signet/provider/flow"
	"signet/provider/keys/keeper"
	"signet/provider/keys/vault"
	"signet/provider/oauth"
	"signet/provider/outbound"
	"signet/provider/session"
)

// Config is what a provider needs to know. Issuer and MasterKey are required;
// the zero value of every other field is its default.
type Config struct {
	Issuer         string                     // https, or http on a loopback host; no trailing slash
	MasterKey      [32]byte                   // seals private keys at rest
	MasterKeys     func() ([][32]byte, error) // see vault.Config.Masters
	CookieName     string                     // base name of the cookies; default "signet"
	CookieDomain   string                     // whose hosts get the first-party access token; default: the issuer's host alone
	FirstParty     FirstParty
	TrustedProxies []netip.Prefix
	Algorithms     []string     // published signing lines; default ES256, RS256
	Keys           keeper.Life  // how long keys live; that of their tokens follows from Lifetimes
	Module         vault.Module // see vault.Config
	InModule       []string     // likewise
	Lifetimes      Lifetimes
	Passwords      credential.Params // costs of argon2id
	PasswordLength int               // characters that a new password has at least; 10
	RateLimits     credential.Limits // of wrong passwords
	Connectors     []Connector       // upstreams, in the order of their buttons
	Outbound       outbound.Config   // how other hosts are called
	EditUsername   bool              // people may edit their preferred_username
	Development    bool              // error pages show what was received and registered
	DemoPath       string            // linked from the home page; "" for no link
	Now            func() time.Time  // default time.Now
	Log            *slog.Logger      // default slog.Default
}

// FirstParty is the app whose pages live on Signet's cookies and never see a token.
type FirstParty struct {
	ClientID string   // its client; default: the only first-party client
	Origins  []string // of its pages, beside the issuer's own: scheme, host and port
	Audience string   // of its access tokens, never the issuer; default: the client's id
}

// Lifetimes tell how long things are good for. Zero means the default.
type Lifetimes struct {
	Access       time.Duration // access token: refused after it; 15 min
	ID           time.Duration // ID token; 15 min
	Code         time.Duration // authorization code; 60 s
	Request      time.Duration // authorization request, from /authorize to the answer; 30 min
	Refresh      time.Duration // refresh token unused; 7 d
	RefreshMax   time.Duration // refresh token in all; 30 d
	Offline      time.Duration // offline grant unused; 30 d
	OfflineMax   time.Duration // offline grant in all; 365 d
	RefreshGrace time.Duration // how long a rotated refresh token is answered again; 30 s
	Session      time.Duration // session unused, not kept; 12 h
	SessionKept  time.Duration // session unused, "Keep me signed in"; 7 d
	SessionMax   time.Duration // session in all; 30 d
	Consent      time.Duration // remembered consent; 365 d
}

const day = 24 * time.Hour

func (l *Lifetimes) setDefaults() {
	for value, fallback := range map[*time.Duration]time.Duration{
		&l.Access: 15 * time.Minute, &l.ID: 15 * time.Minute, &l.Code: time.Minute, &l.Request: 30 * time.Minute,
		&l.Refresh: 7 * day, &l.RefreshMax: 30 * day, &l.Offline: 30 * day, &l.OfflineMax: 365 * day,
		&l.RefreshGrace: 30 * time.Second, &l.Session: 12 * time.Hour, &l.SessionKept: 7 * day,
		&l.SessionMax: 30 * day, &l.Consent: 365 * day,
	} {
		if *value == 0 {
			*value = fallback
		}
	}
}

// ofTokens are those that decide about grants and their tokens.
func (l Lifetimes) ofTokens() flow.Lifetimes {
	return flow.Lifetimes{
		Access: l.Access, ID: l.ID, Refresh: l.Refresh, RefreshMax: l.RefreshMax,
		Offline: l.Offline, OfflineMax: l.OfflineMax, RefreshGrace: l.RefreshGrace,
	}
}

// KeyLife tells how long the keys of such a provider live: what the settings say of
// them, and how long what they sign does. A logout token's two minutes lie within the
// time that a retired key stays published beyond that.
func (l Lifetimes) KeyLife(of keeper.Life) keeper.Life {
	l.setDefaults()
	of.Tokens = max(l.Access, l.ID)
	of.Internal = max(l.Refresh, l.Offline, l.Request, l.Code+oauth.CodeRemembered, session.DeviceLife)
	return of
}

// Live are the settings that a running provider takes over: the fields of Config of
// these names, and FirstParty.Origins.
type Live struct {
	Connectors     []Connector
	TrustedProxies []netip.Prefix
	Origins        []string
}

// live takes the settings out of c that a running provider takes over: what is left
// belongs to all generations.
func (c *Config) live() Live {
	l := Live{Connectors: c.Connectors, TrustedProxies: c.TrustedProxies, Origins: c.FirstParty.Origins}
	c.Connectors, c.TrustedProxies, c.FirstParty.Origins = nil, nil, nil
	return l
}

func (c *Config) setDefaults() {
	c.Lifetimes.setDefaults()
	if c.Keys.MaxAge == 0 {
		c.Keys.MaxAge = oauth.DocumentsCached
	}
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
