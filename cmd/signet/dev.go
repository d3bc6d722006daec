package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/exit"
	"signet/federation/foreign"
	"signet/provider"
	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
)

// What dev makes. None of it exists in a database that serve has made.
const (
	demoUserEmail  = "demo@example.com"
	demoAdminEmail = "admin@example.com"
	demoClient     = "demo"
	demoPath       = "/demo"
)

// demoPasswords are those of the people that dev makes.
type demoPasswords struct{ user, admin string }

func (p *program) devCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run a provider to try out, with a demo user, an administrator, a demo client and a demo page",
		Long: `Run a provider to try out, on this machine only.

It needs no settings and reads none: everything is kept in one folder, which can
be removed at any time. ` + demoPath + ` is a relying party that shows the tokens it gets.
The buttons for Google and GitHub lead to pretend ones on the next two ports, with
accounts to choose from.`,
		Args: exactly(),
	}
	address := c.Flags().String("listen", "localhost:8080", "loopback address to listen on; port 0 takes a free one")
	dir := c.Flags().String("data-dir", "signet-dev", "folder to keep everything in")
	app := c.Flags().String("app", "", "origin of a React app that passes /auth on to here, as http://localhost:5173; it takes the place of the demo page")
	c.RunE = func(c *cobra.Command, _ []string) error { return p.dev(c.Context(), *address, *dir, *app) }
	return c
}

func (p *program) dev(ctx context.Context, address, dir, app string) error {
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	if err := checkApp(app); err != nil {
		return err
	}
	listener, issuer, err := listenLoopback(ctx, address)
	if err != nil {
		return err
	}
	demo := demoPath
	if app != "" {
		issuer, demo = app+"/auth", ""
	}
	upstreams, err := p.startPretend(issuer)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer upstreams.close()
	config := defaults()
	config.Issuer, config.DataDir, config.Connectors = issuer, dir, upstreams.connectors()
	n, err := p.openNode(ctx, config, log, func(c *provider.Config) {
		c.Development = true
		c.DemoPath = demo
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	handler, err := p.devHandler(ctx, n, config, app)
	if err != nil {
		return errors.Join(err, listener.Close(), n.close())
	}
	return errors.Join(n.serve(ctx, listener, atLoopback(config.Issuer, log, handler)), n.close())
}

// atLoopback answers requests for this machine alone. A page on the internet can have its
// host name point here (DNS rebinding) and could then read and post what it likes, with
// passwords that stand in files.
func atLoopback(issuer string, log *slog.Logger, next http.Handler) http.Handler {
	refuse := web.Headers(false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Warn("refused a request for another host", "code", "host_not_loopback", "host", r.Host)
		http.Error(w, "host_not_loopback: signet dev answers only localhost and loopback addresses. Open "+issuer+
			", or run signet serve for other hosts.", http.StatusMisdirectedRequest)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if foreign.AtLoopback(r.Host) {
			next.ServeHTTP(w, r)
			return
		}
		refuse.ServeHTTP(w, r)
	})
}

// listenLoopback listens and gives the issuer that follows from the address. The
// host stays as it was written: to a browser, localhost and 127.0.0.1 are two sites.
func listenLoopback(ctx context.Context, address string) (net.Listener, string, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !foreign.IsLoopback(host) {
		return nil, "", exit.New(
			exit.Usage, fmt.Errorf("--listen %s is not a loopback host and a port", address),
			"dev is for this machine only: --listen localhost:8080; for others to reach it: signet serve",
		)
	}
	listener, err := listen(ctx, address)
	if err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return listener, "http://" + net.JoinHostPort(host, port), err
}

// devHandler makes what the demo needs, and puts its page beside the provider.
func (p *program) devHandler(ctx context.Context, n *node, c Config, app string) (http.Handler, error) {
	passwords, err := p.ensureDemoPeople(ctx, n.db, c)
	if err != nil {
		return nil, err
	}
	if app != "" {
		return p.devApp(ctx, n, c, app, passwords)
	}
	secret, err := p.ensureDemoClient(ctx, n.db, c)
	if err != nil {
		return nil, fmt.Errorf("make the demo client: %w", err)
	}
	demo, err := newDemo(c.Issuer, secret, n.clock.now, n.log)
	if err != nil {
		return nil, err
	}
	// Its own client must work from the first request on, not from the next tick.
	if err := n.provider().FollowOnce(ctx, n.clock.now()); err != nil {
		return nil, fmt.Errorf("load the demo client: %w", err)
	}
	p.devBanner(c, passwords, secret)
	mux := http.NewServeMux()
	mux.Handle(demoPath, demo)
	mux.Handle(demoPath+"/", demo)
	mux.Handle("/", n)
	return mux, nil
}

// ensureDemoPeople makes a user, and an administrator who sees what users do not.
func (p *program) ensureDemoPeople(ctx context.Context, db *storage.DB, c Config) (demoPasswords, error) {
	user, err := p.ensureDemoUser(ctx, db, c, "demo-password", storage.User{
		Email: demoUserEmail, EmailVerified: true,
		Name: "Demo User", GivenName: "Demo", FamilyName: "User", PreferredUsername: "demo", Locale: "en",
	})
	if err != nil {
		return demoPasswords{}, fmt.Errorf("make the demo user: %w", err)
	}
	admin, err := p.ensureDemoUser(ctx, db, c, "admin-password", storage.User{
		Email: demoAdminEmail, EmailVerified: true, Admin: true, Name: "Demo Administrator", PreferredUsername: "admin", Locale: "en",
	})
	if err != nil {
		return demoPasswords{}, fmt.Errorf("make the demo administrator: %w", err)
	}
	return demoPasswords{user, admin}, nil
}

// ensureDemoUser gives the password of a user that it makes where there is none. It
// is random, and kept in a file so that the next start has the same.
func (p *program) ensureDemoUser(ctx context.Context, db *storage.DB, c Config, name string, want storage.User) (string, error) {
	file := filepath.Join(c.DataDir, name)
	kept, err := readPrivate(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	found, _, err := db.UserByEmail(ctx, want.Email)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return "", err
	case exists && kept != "":
		return kept, nil
	}
	password := kept
	if password == "" {
		if password, err = keepPrivate(file, demoPassword()); err != nil {
			return "", err
		}
	}
	if !exists {
		_, err = p.directory(c, db).CreateUser(ctx, want, password, fromCommandLine())
		return password, err
	}
	// The file was removed: whoever may do that may have a new password.
	_, err = p.directory(c, db).ResetPassword(ctx, directory.NewPassword{
		User: found, Password: password, Reason: byAdministrator, Unproven: storage.KeepAttached,
	}, fromCommandLine())
	return password, err
}

// demoPassword is 100 random bits that can be typed.
func demoPassword() string {
	text := strings.ToLower(rand.Text())
	return strings.Join([]string{text[0:5], text[5:10], text[10:15], text[15:20]}, "-")
}

// ensureDemoClient gives the secret of the demo client, whose redirect URIs follow
// the address that dev listens on.
func (p *program) ensureDemoClient(ctx context.Context, db *storage.DB, c Config) (string, error) {
	file := filepath.Join(c.DataDir, "demo-secret")
	secret, err := readPrivate(file)
	if errors.Is(err, os.ErrNotExist) {
		secret, err = keepPrivate(file, directory.NewSecret())
	}
	if err != nil {
		return "", err
	}
	want := directory.NewClient(storage.Web, demoClient, "Signet demo")
	want.Metadata.RedirectURIs = []string{c.Issuer + demoPath + "/callback"}
	want.Metadata.PostLogoutRedirectURIs = []string{c.Issuer + demoPath}
	want.Metadata.ClientURI = c.Issuer + demoPath
	have, err := db.Client(ctx, demoClient)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		_, err := p.directory(c, db).CreateClientWithSecret(ctx, want, secret, fromCommandLine())
		return secret, err
	case err != nil:
		return "", err
	case !directory.SecretMatches(have.Secrets, secret, p.now()):
		return "", exit.New(
			exit.Conflict, fmt.Errorf("%s is not the secret of the demo client in the database", file),
			"begin anew: remove the folder "+c.DataDir+", nothing in it is worth keeping",
		)
	}
	return secret, p.remakeClient(ctx, db, c, want)
}

// remakeClient makes a client that exists the one that is wanted; its secret stays.
func (p *program) remakeClient(ctx context.Context, db *storage.DB, c Config, want storage.Client) error {
	_, err := p.directory(c, db).ReviseClient(ctx, want.ID, func(have *storage.Client) error {
		*have = want
		return nil
	}, fromCommandLine())
	return err
}

// devBanner tells all that is needed for a first sign-in.
func (p *program) devBanner(c Config, passwords demoPasswords, secret string) {
	p.banner(c, c.Issuer+demoPath, passwords, [][2]string{{"Issuer", c.Issuer}, {"Client", demoClient}, {"Secret", secret}})
}

// banner tells where to begin, as whom, and what an application is to be told.
func (p *program) banner(c Config, open string, passwords demoPasswords, application [][2]string) {
	fmt.Fprintf(p.stderr, `
  *** Signet in development mode: for trying out on this machine only ***

  Open       %s
  E-mail     %s
  Password   %s
  Or with    a pretend Google or GitHub: their buttons are on the page

  For administrators:
  Open       %s/admin
  E-mail     %s
  Password   %s

  For an application of yours:
`, open, demoUserEmail, passwords.user, c.Issuer, demoAdminEmail, passwords.admin)
	for _, fact := range application {
		fmt.Fprintf(p.stderr, "  %-9s  %s\n", fact[0], fact[1])
	}
	fmt.Fprintf(p.stderr, "\n  Everything is kept in %s; end with Ctrl-C.\n\n", c.DataDir)
}
