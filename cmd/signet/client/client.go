package client

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/storage"
)

// commands are the commands of the noun.
type commands struct{ *cli.Program }

// refusedClient answers a refusal to create or change a client: a broken rule is a
// mistake of the command line. It is nil for other errors.
func refusedClient(c *cobra.Command, id string, err error) error {
	switch noKey, is := errors.AsType[*directory.NoKeyError](err); {
	case is:
		return exit.New(exit.Denied, noKey, "add it to keys.algorithms on every node and restart them first")
	case errors.Is(err, directory.ErrInvalidClient):
		return cli.Usage(c, err)
	case errors.Is(err, storage.ErrConflict):
		return exit.New(exit.Conflict, fmt.Errorf("there is a client %q already", id), "choose another --id, or look at it with: signet client show "+id)
	}
	return nil
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
		Resources: c.Resources, Audiences: c.Audiences, AllowOrigins: c.Origins, Enabled: c.Enabled(), OldSecretUntil: cli.Moment(c.Secrets[1].ExpiresAt),
	}
	if c.RefreshGrace >= 0 {
		d.RefreshGrace = config.FormatDuration(c.RefreshGrace)
	}
	return d
}

// showClient prints a client; secret is "" but right after it was made.
func (p commands) showClient(c storage.Client, secret string, asJSON bool) error {
	if secret != "" {
		p.Say("keep the secret now: it is not stored, and not shown again")
	}
	d := describeClient(c)
	if d.ClientSecret = secret; secret != "" {
		d.SecretExpiresAt = new(int64) // RFC 7591, section 3.2.1: 0 is never
	}
	if asJSON {
		return p.WriteJSON(d)
	}
	return p.WriteTable(cli.Filled([][]string{
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
