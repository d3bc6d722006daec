package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"signet/cmd/signet/exit"
	"signet/federation/foreign"
	"signet/provider/directory"
	"signet/storage"
)

const appClient = "app"

// checkApp refuses what a browser on this machine could not have as its origin.
func checkApp(app string) error {
	if app == "" {
		return nil
	}
	if u, err := url.Parse(app); checkOrigin(app) != nil || err != nil || u.Scheme != "http" || !foreign.IsLoopback(u.Hostname()) {
		return exit.New(
			exit.Usage, fmt.Errorf("--app %s is not the origin of an app on this machine", app),
			"write scheme, host and port alone: --app http://localhost:5173",
		)
	}
	return nil
}

// devApp makes the first-party client of the app, in place of the demo.
func (p *program) devApp(ctx context.Context, n *node, c Config, app string, passwords demoPasswords) (http.Handler, error) {
	if err := p.ensureAppClient(ctx, n.db, c, app); err != nil {
		return nil, fmt.Errorf("make the client of the app: %w", err)
	}
	if err := n.provider().FollowOnce(ctx, n.clock.now()); err != nil { // as for the demo
		return nil, fmt.Errorf("load the client of the app: %w", err)
	}
	p.banner(c, app+", once your app runs there", passwords, [][2]string{{"Issuer", c.Issuer}, {"Audience", appClient}})
	return n, nil
}

// ensureAppClient makes it, or lets it follow the app to another origin.
func (p *program) ensureAppClient(ctx context.Context, db *storage.DB, c Config, app string) error {
	want := directory.NewClient(storage.SPA, appClient, "Your app")
	want.FirstParty = true
	want.Metadata.RedirectURIs = []string{app + "/"}
	_, err := db.Client(ctx, appClient)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		_, _, err := p.directory(c, db).CreateClient(ctx, want, fromCommandLine())
		return err
	case err != nil:
		return err
	}
	return p.remakeClient(ctx, db, c, want)
}
