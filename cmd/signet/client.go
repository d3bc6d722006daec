package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/exit"
	"signet/storage"
)

func (p *program) clientCommand() *cobra.Command {
	c := &cobra.Command{Use: "client", Short: "Register, change and look at clients"}
	asNoun(c)
	c.AddCommand(p.clientCreateCommand(), p.clientListCommand(), p.clientShowCommand(),
		p.clientUpdateCommand(), p.clientSwitchCommand("disable", true), p.clientSwitchCommand("enable", false), p.clientSecretCommand(), p.clientDeleteCommand())
	return c
}

func (p *program) clientCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "create --name NAME --redirect-uri URI",
		Short: "Register a client",
		Long: `Register a client. Its type sets what is not given:

  web      a server that keeps a secret
  spa      a single-page application, without a secret
  native   a desktop, mobile or command line program, without a secret
  service  a program that acts for itself

The secret of a web client or a service is printed once; only its hash is kept.`,
		Example: `  signet client create --name "My app" --redirect-uri https://app.example.com/callback
  signet client create --type spa --name Shop --redirect-uri https://shop.example.com/ --json`,
		Args: exactly(),
	}
	name := c.Flags().String("name", "", "name that people see")
	id := c.Flags().String("id", "", "client_id (default: a random one)")
	kind := c.Flags().String("type", string(storage.Web), "web, spa, native or service")
	members := addClientFlags(c)
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, config Config, db *storage.DB, _ []string) error {
		if *id == "" {
			*id = newClientID()
		}
		made := storage.NewClient(storage.ClientType(*kind), *id, *name)
		if err := members.onto(&made); err != nil {
			return usage(c, err)
		}
		if err := signable(ctx, db, config, made.Metadata.IDTokenSignedResponseAlg); err != nil {
			return err
		}
		secret, err := p.createClient(ctx, db, made)
		if errors.Is(err, errClientInvalid) {
			return usage(c, err)
		}
		if err != nil {
			return err
		}
		if made, err = db.Client(ctx, *id); err != nil {
			return fmt.Errorf("read the new client: %w", err)
		}
		return p.showClient(made, secret, *asJSON)
	})
	return c
}

// newClientID gives 128 random bits. None begins with a dash: a command that takes
// the id would read a flag.
func newClientID() string {
	for {
		if id := randomText(16); id[0] != '-' {
			return id
		}
	}
}

// errClientInvalid: what was asked for breaks a rule about clients.
var errClientInvalid = errors.New("the client breaks a rule")

// createClient stores the client, with a new secret if it authenticates by one,
// and gives the secret: it is nowhere else.
func (p *program) createClient(ctx context.Context, db *storage.DB, c storage.Client) (secret string, err error) {
	if !c.Public() {
		secret = randomText(32)
	}
	return secret, p.storeClient(ctx, db, c, secret)
}

func (p *program) storeClient(ctx context.Context, db *storage.DB, c storage.Client, secret string) error {
	at := p.now()
	if secret != "" {
		c.Secrets[0] = storage.ClientSecret{Hash: secretHash(secret), CreatedAt: storage.At(at)}
	}
	if err := invalidClient(c.Validate()); err != nil {
		return err
	}
	err := db.CreateClient(ctx, c, storage.By{From: fromCommandLine(), At: at})
	if errors.Is(err, storage.ErrConflict) {
		return exit.New(exit.Conflict, fmt.Errorf("there is a client %q already", c.ID), "choose another --id, or look at it with: signet client show "+c.ID)
	}
	if err != nil {
		return fmt.Errorf("create client %s: %w", c.ID, err)
	}
	return nil
}

// invalidClient says all that is wrong with a client, one line for each.
func invalidClient(problems error) error {
	if problems != nil {
		return fmt.Errorf("%w:\n  %s", errClientInvalid, strings.ReplaceAll(problems.Error(), "\n", "\n  "))
	}
	return nil
}

// secretHash is how a client secret is stored. A plain hash is enough for 256
// random bits: there is no list of them to try.
func secretHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// randomText gives n random bytes in base64url.
func randomText(n int) string {
	raw := make([]byte, n)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (p *program) clientListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the clients", Example: "  signet client list --json", Args: exactly()}
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ Config, db *storage.DB, _ []string) error {
		clients, err := db.Clients(ctx)
		if err != nil {
			return fmt.Errorf("list clients: %w", err)
		}
		if *asJSON {
			described := []describedClient{} // never null
			for _, c := range clients {
				described = append(described, describeClient(c))
			}
			return p.writeJSON(map[string]any{"clients": described})
		}
		if len(clients) == 0 {
			p.say("there are no clients yet: signet client create --name NAME --redirect-uri URI")
			return nil
		}
		rows := [][]string{{"CLIENT ID", "TYPE", "NAME", "STATE"}}
		for _, c := range clients {
			rows = append(rows, []string{c.ID, string(c.Type), c.Name, clientState(c)})
		}
		return p.writeTable(rows)
	})
	return c
}

func (p *program) clientShowCommand() *cobra.Command {
	c := &cobra.Command{Use: "show CLIENT_ID", Short: "Show one client", Example: "  signet client show my-app", Args: exactly("the client's id")}
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ Config, db *storage.DB, args []string) error {
		found, err := db.Client(ctx, args[0])
		if err != nil {
			return aboutClient(args[0], err)
		}
		return p.showClient(found, "", *asJSON)
	})
	return c
}

// aboutClient names the client that an error is about, and for one that is not
// there the way to find it.
func aboutClient(id string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return exit.New(exit.NotFound, fmt.Errorf("there is no client %q", id), "list the clients with: signet client list")
	}
	return fmt.Errorf("client %s: %w", id, err)
}

// describedClient is a client as --json shows it: the members of RFC 7591, and
// what is ours beside them.
type describedClient struct {
	ClientID        string `json:"client_id"`
	ClientSecret    string `json:"client_secret,omitempty"` // only when it was made just now
	SecretExpiresAt *int64 `json:"client_secret_expires_at,omitempty"`
	IssuedAt        int64  `json:"client_id_issued_at"` // Unix seconds
	ClientName      string `json:"client_name"`
	Type            string `json:"type"`
	storage.ClientMetadata
	FirstParty   bool     `json:"first_party"`
	SkipConsent  bool     `json:"skip_consent"`
	Introspect   bool     `json:"introspect"`
	PKCEOptional bool     `json:"pkce_optional"`
	PromptLogin  string   `json:"prompt_login"` // strict or best-effort
	AnyEmail     bool     `json:"unverified_email"`
	Resources    []string `json:"resources,omitempty"`
	Audiences    []string `json:"audiences,omitempty"`
	AllowOrigins []string `json:"allow_origins,omitempty"`
	RefreshGrace string   `json:"refresh_grace,omitempty"`
	Enabled      bool     `json:"enabled"`

	OldSecretUntil *time.Time `json:"old_secret_expires_at,omitempty"` // of the secret before the last, if it was given time
}

func describeClient(c storage.Client) describedClient {
	d := describedClient{
		ClientID: c.ID, IssuedAt: c.CreatedAt.Unix(), ClientName: c.Name, Type: string(c.Type), ClientMetadata: c.Metadata,
		FirstParty: c.FirstParty, SkipConsent: c.SkipConsent, Introspect: c.Introspects, PKCEOptional: c.PKCEOptional,
		PromptLogin: cmp.Or(c.PromptLogin, promptLoginStrict), AnyEmail: c.UnverifiedEmail,
		Resources: c.Resources, Audiences: c.Audiences, AllowOrigins: c.Origins, Enabled: c.Enabled(), OldSecretUntil: moment(c.Secrets[1].ExpiresAt),
	}
	if c.RefreshGrace >= 0 {
		d.RefreshGrace = shortDuration(c.RefreshGrace)
	}
	return d
}

// showClient prints a client; secret is "" but right after it was made.
func (p *program) showClient(c storage.Client, secret string, asJSON bool) error {
	if secret != "" {
		p.say("keep the secret now: it is not stored, and not shown again")
	}
	d := describeClient(c)
	if d.ClientSecret = secret; secret != "" {
		d.SecretExpiresAt = new(int64) // RFC 7591, section 3.2.1: 0 is never
	}
	if asJSON {
		return p.writeJSON(d)
	}
	return p.writeTable(filled([][]string{
		{"client_id", d.ClientID},
		{"client_secret", secret},
		{"client_name", d.ClientName},
		{"type", d.Type},
		{"redirect_uris", strings.Join(d.RedirectURIs, " ")},
		{"post_logout_redirect_uris", strings.Join(d.PostLogoutRedirectURIs, " ")},
		{"token_endpoint_auth_method", authMethodOf(c)},
		{"grant_types", strings.Join(d.GrantTypes, " ")},
		{"scope", d.Scope},
		{"id_token_signed_response_alg", d.IDTokenSignedResponseAlg},
		{"resources", strings.Join(d.Resources, " ")},
		{"audiences", strings.Join(d.Audiences, " ")},
		{"allow_origins", strings.Join(d.AllowOrigins, " ")},
		{"introspect", introspectOf(c)},
		{"consent", consentOf(c)},
		{"prompt_login", c.PromptLogin},
		{"email", emailOf(c)},
		{"state", clientState(c)},
		{"created", c.CreatedAt.Time().Format(time.RFC3339)},
	}))
}

// authMethodOf says how the client authenticates.
func authMethodOf(c storage.Client) string {
	if c.Metadata.TokenEndpointAuthMethod == "" {
		return "basic or post (not chosen)"
	}
	return c.Metadata.TokenEndpointAuthMethod
}

func consentOf(c storage.Client) string {
	switch {
	case c.FirstParty:
		return "never asked: first party"
	case c.SkipConsent:
		return "never asked"
	}
	return ""
}

func introspectOf(c storage.Client) string {
	if c.Introspects {
		return "every token"
	}
	return ""
}

// emailOf says which addresses the client receives, where it is not the default.
func emailOf(c storage.Client) string {
	if c.UnverifiedEmail {
		return "also unverified"
	}
	return ""
}

func clientState(c storage.Client) string {
	if !c.Enabled() {
		return "disabled"
	}
	return "enabled"
}
