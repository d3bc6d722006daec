package provider

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"signet/provider/credential"
	"signet/storage"
)

// Config is what a provider needs to know. Issuer and MasterKey are required;
// the zero value of every other field is its default.
type Config struct {
	Issuer         string   // https, or http on a loopback host; no trailing slash
	MasterKey      [32]byte // seals private keys at rest
	CookieName     string   // base name of the cookies; default "signet"
	TrustedProxies []netip.Prefix
	Algorithms     []string // published signing lines; default ES256, RS256
	Lifetimes      Lifetimes
	Passwords      credential.Params // costs of argon2id
	Development    bool              // error pages show what was received and registered
	DemoPath       string            // linked from the home page in dev
	Now            func() time.Time  // default time.Now
	Log            *slog.Logger      // default slog.Default
}

// Lifetimes: how long things are good for. Zero means the default of DESIGN section 5.
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

// Provider is an OpenID provider over one database.
type Provider struct{}

// New opens the key ring, loads the clients and builds the handler.
func New(ctx context.Context, c Config, db *storage.DB) (*Provider, error) { panic("to build") }

// Handler serves every path below the issuer, and /healthz and /readyz.
func (p *Provider) Handler() http.Handler { panic("to build") }

// FollowOnce reloads what is cached (clients, keys) when the change counter moved.
// Its caller calls it once a second.
func (p *Provider) FollowOnce(ctx context.Context, at time.Time) error { panic("to build") }
