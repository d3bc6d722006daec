package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/node"
)

// Deps holds the settings and parts of a demo.
type Deps struct {
	Listen  string // loopback host and port; port 0 takes a free one
	DataDir string // holds the database, the keys and the passwords
	App     string // origin of an app that is used instead of the demo page, or ""
	Now     func() time.Time
	Log     *slog.Logger
	Talk    io.Writer // receives the banner, which shows passwords
}

// Serve runs a provider for trying out, with people, a client and upstreams, until ctx ends.
func Serve(ctx context.Context, d Deps) error {
	if err := checkApp(d.App); err != nil {
		return err
	}
	listener, issuer, err := listenLoopback(ctx, d.Listen)
	if err != nil {
		return err
	}
	if d.App != "" {
		issuer = d.App + "/auth"
	}
	upstreams, err := startPretend(issuer, d.Now)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer upstreams.close()
	s, err := open(ctx, d, issuer, upstreams)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	handler, err := s.handler(ctx)
	if err != nil {
		return errors.Join(err, listener.Close(), s.node.Close())
	}
	return errors.Join(s.node.Serve(ctx, atLoopback(issuer, d.Log, handler), listener), s.node.Close())
}

func open(ctx context.Context, d Deps, issuer string, upstreams pretend) (*server, error) {
	settings := config.Default()
	settings.Issuer, settings.DataDir, settings.Connectors = issuer, d.DataDir, upstreams.connectors()
	settings.Development, settings.OpenSignUp = true, true
	settings.AdminFactor = false // the printed password is all that a person who tries this out has
	base := pathOf(issuer)
	if d.App == "" {
		settings.DemoPath = Path
	}
	mails, err := newMailbox(issuer, base, d.Log)
	if err != nil {
		return nil, err
	}
	settings.Mailer = mails
	n, err := node.New(ctx, node.Deps{Config: settings, Now: d.Now, Log: d.Log})
	if err != nil {
		return nil, err
	}
	return &server{
		settings: settings, node: n, mails: mails, directory: node.Directory(settings, n.DB(), d.Now), app: d.App, now: d.Now, log: d.Log, talk: d.Talk,
	}, nil
}

// handler creates the demo's people and clients, and serves the demo page beside the
// provider. If there is an app, it has its own pages instead.
func (s *server) handler(ctx context.Context) (http.Handler, error) {
	people, err := s.ensurePeople(ctx)
	if err != nil {
		return nil, err
	}
	if s.app != "" {
		if err := s.ensureAppClient(ctx); err != nil {
			return nil, fmt.Errorf("make the client of the app: %w", err)
		}
		if err := s.follow(ctx); err != nil {
			return nil, fmt.Errorf("load the client of the app: %w", err)
		}
		s.appBanner(people)
		return s.withMails(s.node), nil
	}
	secret, err := s.ensureClient(ctx)
	if err != nil {
		return nil, fmt.Errorf("make the demo client: %w", err)
	}
	page, err := newRelyingParty(s.settings.Issuer, secret, s.settings.DataDir, s.node.Now, s.log)
	if err != nil {
		return nil, err
	}
	if err := s.follow(ctx); err != nil {
		return nil, fmt.Errorf("load the demo client: %w", err)
	}
	s.demoBanner(people, secret)
	mux := http.NewServeMux()
	mux.Handle(Path, page)
	mux.Handle(Path+"/", page)
	mux.Handle("/", s.node)
	return s.withMails(mux), nil
}

// withMails serves the page of the mails beside the other pages.
func (s *server) withMails(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(pathOf(s.settings.Issuer)+MailPath, s.mails.page())
	mux.Handle("/", next)
	return mux
}

// pathOf returns the path of an issuer: "" or "/auth".
func pathOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return u.Path
}
