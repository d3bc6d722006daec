package provider

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"signet/provider/account"
	"signet/provider/admin"
	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/firstparty"
	"signet/provider/flow"
	"signet/provider/interaction"
	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/keys/vault"
	"signet/provider/notice"
	"signet/provider/oauth"
	"signet/provider/outbound"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/upkeep"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/static"
	"signet/storage"
	"signet/templates"
)

// FirstParty is the app whose pages live on Signet's cookies and never see a token.
type FirstParty struct {
	ClientID string   // its client; default: the only first-party client
	Origins  []string // of its pages, beside the issuer's own: scheme, host and port
	Audience string   // of its access tokens, never the issuer; default: the client's id
}

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
	RateLimits     credential.Limits // of wrong passwords
	Connectors     []Connector       // upstreams, in the order of their buttons
	Outbound       outbound.Config   // how other hosts are called
	EditUsername   bool              // people may edit their preferred_username
	Development    bool              // error pages show what was received and registered
	DemoPath       string            // linked from the home page; "" for no link
	Now            func() time.Time  // default time.Now
	Log            *slog.Logger      // default slog.Default
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

// Provider is an OpenID provider over one database. Any number of them may share
// one; none keeps anything in memory but caches that follow the change counter.
//
// Whatever changes while it serves is behind a pointer: With shares it.
type Provider struct {
	Config
	db         *storage.DB
	ring       *keys.Ring
	tokens     *flow.Tokens
	clients    *request.Clients
	carrier    *request.Requests
	sessions   *session.Sessions
	visits     *visit.Visits
	site       *web.Site
	files      *static.Files
	outbound   *outbound.Client
	notices    *notice.Outbox
	steps      *interaction.Handler
	account    *account.Handler
	admin      *admin.Handler
	oauth      *oauth.Handler
	firstParty *firstparty.Handler
	base       string // the issuer's path
	passwords  *credential.Passwords
	health     *interaction.Health
	keeper     *keeper.Keeper
	rotator    *keeper.Rotator
	issuer     *url.URL
	jobs       *upkeep.Jobs
	gates      gates
	seen       *atomic.Int64 // change counter that the caches stand at
	handler    http.Handler
}

// New opens the key ring, loads the clients and builds the handler.
func New(ctx context.Context, c Config, db *storage.DB) (*Provider, error) {
	issuer, err := url.Parse(c.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("issuer %q is not a URL: use one like https://id.example.com", c.Issuer)
	}
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
	p := &Provider{
		Config: c, db: db, issuer: issuer, base: issuer.Path, outbound: outbound.New(c.Outbound),
		jobs: upkeep.New(upkeep.Deps{DB: db, Now: c.Now, Log: c.Log}), seen: &atomic.Int64{}, health: interaction.NewHealth(db), gates: newGates(),
	}
	changes, err := db.Changes(ctx)
	if err != nil {
		return nil, fmt.Errorf("read change counter: %w", err)
	}
	p.seen.Store(changes)
	if err := p.openKeys(ctx); err != nil {
		return nil, fmt.Errorf("open key ring: %w", err)
	}
	p.passwords = credential.New(credential.Config{
		DB: db, Params: c.Passwords, Limits: c.RateLimits, Now: c.Now, Bucket: p.ring.Bucket,
	})
	p.tokens = flow.New(flow.Deps{DB: db, Ring: p.ring, Issuer: c.Issuer, Audience: c.FirstParty.Audience, Lifetimes: c.Lifetimes.ofTokens()})
	if p.clients, err = request.NewClients(ctx, db); err != nil {
		return nil, err
	}
	if err := p.furnish(); err != nil {
		return nil, err
	}
	return p, p.open()
}

// Live are the settings that a running provider takes over: the fields of Config of
// these names, and FirstParty.Origins.
type Live struct {
	Connectors     []Connector
	TrustedProxies []netip.Prefix
	Origins        []string
}

// With gives a provider of other Live settings on the same database, keys and caches.
// p still serves the requests that it has; whoever is on the way to an upstream comes
// back to the one or the other.
func (p *Provider) With(l Live) (*Provider, error) {
	next := *p
	next.Connectors, next.TrustedProxies, next.FirstParty.Origins = l.Connectors, l.TrustedProxies, l.Origins
	return &next, next.open()
}

// openKeys opens the ring and what changes the life of its keys; all three share one
// vault. Lines without a key get their first ones.
func (p *Provider) openKeys(ctx context.Context) error {
	opened, err := vault.New(vault.Config{Master: p.MasterKey, Masters: p.MasterKeys, Module: p.Module, InModule: p.InModule})
	if err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	p.ring, err = keys.Open(ctx, keys.Config{DB: p.db, Vault: opened, Issuer: p.Issuer, Algorithms: p.Algorithms, Now: p.Now, Log: p.Log})
	if err != nil {
		return err
	}
	p.keeper, err = keeper.New(keeper.Config{DB: p.db, Vault: opened, Algorithms: p.Algorithms, Life: p.Lifetimes.KeyLife(p.Keys)})
	if err != nil {
		return err
	}
	p.rotator = keeper.NewRotator(p.keeper, p.ring, p.Log)
	return p.keeper.Start(ctx, p.ring, p.Now())
}

// furnish builds what no Live setting changes.
func (p *Provider) furnish() error {
	var err error
	if p.files, err = static.New(p.base); err != nil {
		return fmt.Errorf("load static files: %w", err)
	}
	pages, err := templates.New(p.files)
	if err != nil {
		return fmt.Errorf("load templates: %w", err)
	}
	if p.site, err = web.NewSite(p.issuer, pages); err != nil {
		return err
	}
	p.sessions = session.New(session.Config{
		DB: p.db, Ring: p.ring, Now: p.Now,
		Cookies: session.Cookies{Base: p.CookieName, HTTPS: p.issuer.Scheme == "https", Path: p.base, Domain: p.CookieDomain},
		Idle:    p.Lifetimes.Session, Kept: p.Lifetimes.SessionKept, Max: p.Lifetimes.SessionMax,
	})
	p.notices = notice.New(notice.Config{
		DB: p.db, Ring: p.ring, Clients: p.clients, Now: p.Now, Log: p.Log,
		HTTP: p.outbound.Configured(), // every client was typed in by an admin
	})
	return nil
}

// open builds the rooms on top of that, and their routes.
func (p *Provider) open() error {
	connectors, err := p.connectors()
	if err != nil {
		return err
	}
	p.carrier = request.New(request.Config{
		Ring: p.ring, Clients: p.clients, Life: p.Lifetimes.Request, Base: p.base, Explain: p.Development,
		FirstParty: p.FirstParty.ClientID, Origins: append([]string{p.issuer.Scheme + "://" + p.issuer.Host}, p.FirstParty.Origins...),
	})
	p.visits = visit.New(visit.Deps{
		Site: p.site, DB: p.db, Ring: p.ring, Requests: p.carrier, Sessions: p.sessions, Passwords: p.passwords,
		Connectors: upstreams(connectors), Now: p.Now,
	})
	p.steps = interaction.New(interaction.Deps{
		Site: p.site, DB: p.db, Ring: p.ring, Requests: p.carrier, Sessions: p.sessions, Passwords: p.passwords, Visits: p.visits,
		Directory:  directory.New(directory.Deps{DB: p.db, Passwords: p.passwords, Algorithms: p.Algorithms, Now: p.Now}),
		Connectors: connectors, Health: p.health, KeepFor: p.Lifetimes.SessionKept, Consent: p.Lifetimes.Consent, Now: p.Now,
	})
	p.account = account.New(account.Deps{
		Site: p.site, DB: p.db, Clients: p.clients, Sessions: p.sessions, Passwords: p.passwords, Visits: p.visits, Notices: p.notices,
		Requests: p.carrier, Connectors: buttons(connectors), Now: p.Now, EditUsername: p.EditUsername,
	})
	p.admin = admin.New(admin.Deps{
		Site: p.site, DB: p.db, Visits: p.visits, Connectors: p.described(connectors), Keys: p.keeper, Now: p.Now,
	})
	p.firstParty = firstparty.New(firstparty.Deps{
		Issuer: p.Issuer, DB: p.db, Ring: p.ring, Requests: p.carrier, Sessions: p.sessions, Visits: p.visits, Tokens: p.tokens, Now: p.Now,
	})
	p.oauth, err = oauth.New(oauth.Deps{
		DB: p.db, Ring: p.ring, Tokens: p.tokens, Clients: p.clients, Requests: p.carrier, Sessions: p.sessions, Visits: p.visits, Notices: p.notices,
		Apps: p.firstParty, Site: p.site, Jobs: p.jobs, Issuer: p.Issuer, CodeLife: p.Lifetimes.Code, KeysCached: p.Keys.MaxAge, Proxies: p.TrustedProxies, Now: p.Now,
	})
	if err != nil {
		return err
	}
	p.handler = p.serve(p.Routes())
	return nil
}

// Handler serves every path below the issuer.
func (p *Provider) Handler() http.Handler { return p.handler }
