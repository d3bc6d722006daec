package provider

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"signet/provider/assertion"
	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/factor"
	"signet/provider/flow"
	"signet/provider/front"
	"signet/provider/interaction"
	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/keys/vault"
	"signet/provider/link"
	"signet/provider/logo"
	"signet/provider/mail"
	"signet/provider/notice"
	"signet/provider/outbound"
	"signet/provider/passkey"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/subject"
	"signet/provider/upkeep"
	"signet/provider/web"
	"signet/provider/webhook"
	"signet/static"
	"signet/storage"
	"signet/templates"
)

// shared holds the parts that survive a reload of the settings: the database, the keys,
// the caches that follow the change counter, and the state of the periodic jobs.
type shared struct {
	config Config // without Live
	issuer *url.URL
	db     *storage.DB
	seen   atomic.Int64 // value of the change counter when the caches were loaded

	ring     *keys.Ring
	keeper   *keeper.Keeper
	rotator  *keeper.Rotator
	clients  *request.Clients
	subjects subject.Subjects
	tokens   *flow.Tokens
	proofs   *assertion.Verifier
	logos    *logo.Logos

	passwords *credential.Passwords
	factors   *factor.Factors
	passkeys  *passkey.Passkeys
	directory *directory.Directory
	sessions  *session.Sessions
	outbound  *outbound.Client
	notices   *notice.Outbox
	links     *link.Links
	mails     *notice.Mails
	webhook   *webhook.Sender
	names     atomic.Pointer[map[string]string] // of the connectors, by id
	health    *interaction.Health
	jobs      *upkeep.Jobs
	gates     *front.Gates
	files     *static.Files
	site      *web.Site
}

// newShared opens the keys and loads the clients.
func newShared(ctx context.Context, c Config, db *storage.DB) (*shared, error) {
	issuer, err := url.Parse(c.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("issuer %q is not a URL: use one like https://id.example.com", c.Issuer)
	}
	s := &shared{
		config: c, issuer: issuer, db: db, outbound: outbound.New(c.Outbound), health: interaction.NewHealth(db),
		jobs: upkeep.New(upkeep.Deps{DB: db, EventRetention: c.EventRetention, Now: c.Now, Log: c.Log}), gates: front.NewGates(),
	}
	changes, err := db.Changes(ctx)
	if err != nil {
		return nil, fmt.Errorf("read change counter: %w", err)
	}
	s.seen.Store(changes)
	if err := s.openKeys(ctx); err != nil {
		return nil, fmt.Errorf("open key ring: %w", err)
	}
	if s.clients, err = request.NewClients(ctx, db); err != nil {
		return nil, err
	}
	if err := s.openSite(); err != nil {
		return nil, err
	}
	s.passwords = credential.New(credential.Config{
		DB: db, Params: c.Passwords, Limits: c.RateLimits, MinLength: c.PasswordLength, Issuer: c.Issuer, Now: c.Now, Bucket: s.ring.Bucket,
	})
	s.factors = factor.New(factor.Config{DB: db, Ring: s.ring, Limits: c.RateLimits, Now: c.Now})
	s.passkeys = passkey.New(passkey.Config{Ring: s.ring, Issuer: issuer, RPID: c.PasskeyRPID, Now: c.Now})
	s.directory = directory.New(directory.Deps{DB: db, Issuer: c.Issuer, Passwords: s.passwords, Algorithms: c.Algorithms, Outbound: s.outbound, Registration: c.Registration, FrontchannelLogout: c.FrontchannelLogout, Passkeys: s.passkeys.RPID() != "", Now: c.Now})
	if err := db.CheckRPID(ctx, s.passkeys.RPID()); err != nil {
		return nil, err
	}
	s.subjects = subject.New(s.ring)
	s.tokens = flow.New(flow.Deps{DB: db, Ring: s.ring, Subjects: s.subjects, Issuer: c.Issuer, Audience: c.FirstParty.Audience, Lifetimes: c.Lifetimes.forTokens()})
	s.sessions = session.New(session.Config{
		DB: db, Ring: s.ring, Now: c.Now,
		Cookies: session.Cookies{Base: c.CookieName, HTTPS: issuer.Scheme == "https", Path: issuer.Path, Domain: c.CookieDomain, State: c.SessionManagement},
		Idle:    c.Lifetimes.Session, KeptIdle: c.Lifetimes.SessionKept, Max: c.Lifetimes.SessionMax, TrustFor: c.Lifetimes.TrustedBrowser,
	})
	s.proofs = assertion.New(assertion.Config{
		DB: db, Issuer: c.Issuer, Algorithms: keys.SigningAlgorithms(), Now: c.Now,
		HTTP: s.outbound.Configured(), Foreign: s.outbound.Foreign(),
	})
	s.logos = logo.New(logo.Config{Clients: s.clients, HTTP: s.outbound.Configured(), Foreign: s.outbound.Foreign(), Now: c.Now, Log: c.Log})
	s.notices = notice.New(notice.Config{
		DB: db, Ring: s.ring, Subjects: s.subjects, Clients: s.clients, Now: c.Now, Log: c.Log,
		HTTP: s.outbound.Configured(), Foreign: s.outbound.Foreign(),
		Follow: s.reload, Issuer: c.Issuer, FrontChannel: c.FrontchannelLogout,
	})
	s.links = link.New(link.Config{DB: db, Ring: s.ring, Issuer: c.Issuer, SendsMails: c.SendsMails(), Now: c.Now})
	s.mails = notice.NewMails(notice.MailConfig{DB: db, Links: s.links, Clients: s.clients, Mailer: s.mailer(), ConnectorName: s.connectorName, Issuer: issuer, Now: c.Now, Log: c.Log})
	s.webhook = webhook.New(webhook.Config{DB: db, Target: c.Webhook, HTTP: s.outbound.Configured(), Now: c.Now, Log: c.Log})
	return s, nil
}

// mailer returns what sends the mails; nil if this instance sends none.
func (s *shared) mailer() notice.Mailer {
	c := s.config
	switch {
	case c.Mailer != nil:
		return c.Mailer
	case !c.Mail.IsSet():
		return nil
	}
	server := c.Mail
	server.Roots, server.Name = c.Outbound.Roots, s.issuer.Hostname()
	return mail.NewServer(server, 0)
}

// connectorName returns the name of a connector of the current settings, or else its id.
func (s *shared) connectorName(id string) string {
	if names := s.names.Load(); names != nil && (*names)[id] != "" {
		return (*names)[id]
	}
	return id
}

// openKeys opens the ring, the keeper and the rotator; all three share one vault. An
// algorithm that has no keys yet gets its first ones.
func (s *shared) openKeys(ctx context.Context) error {
	c := s.config
	opened, err := vault.New(vault.Config{Master: c.MasterKey, Masters: c.MasterKeys, Module: c.Module, ModuleAlgorithms: c.ModuleAlgorithms, RSA: c.RSA})
	if err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	s.ring, err = keys.Open(ctx, keys.Config{DB: s.db, Vault: opened, Issuer: c.Issuer, Algorithms: c.Algorithms, Now: c.Now, Log: c.Log})
	if err != nil {
		return err
	}
	s.keeper, err = keeper.New(keeper.Config{DB: s.db, Vault: opened, Algorithms: c.Algorithms, Life: c.Lifetimes.KeyLife(c.Keys)})
	if err != nil {
		return err
	}
	s.rotator = keeper.NewRotator(s.keeper, s.ring, c.Log)
	return s.keeper.Start(ctx, s.ring, c.Now())
}

// openSite loads the templates and the static files that they refer to.
func (s *shared) openSite() error {
	var err error
	if s.files, err = static.New(s.issuer.Path); err != nil {
		return fmt.Errorf("load static files: %w", err)
	}
	pages, err := templates.New(s.files)
	if err != nil {
		return fmt.Errorf("load templates: %w", err)
	}
	s.site, err = web.NewSite(s.issuer, pages)
	return err
}

// reload loads the cached keys and clients again if the change counter has moved.
func (s *shared) reload(ctx context.Context, at time.Time) error {
	changes, err := s.db.Changes(ctx)
	if err != nil {
		return fmt.Errorf("read change counter: %w", err)
	}
	if changes == s.seen.Load() {
		return nil
	}
	if err := s.ring.ReloadOnce(ctx, at); err != nil {
		return fmt.Errorf("reload keys: %w", err)
	}
	if err := s.clients.Reload(ctx); err != nil {
		return err
	}
	s.seen.Store(changes)
	return nil
}
