package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/provider/spelling"
	"signet/storage"
)

func (p commands) federationCommand() *cobra.Command {
	c := &cobra.Command{Use: "federation", Short: "Let a client authenticate with tokens of GitHub, GitLab, Kubernetes or another issuer"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.federationAddCommand(), p.federationListCommand(), p.federationRemoveCommand())
	return c
}

func (p commands) federationAddCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "add CLIENT_ID KIND",
		Short: "Let tokens of a foreign issuer prove a client",
		Long: `Let tokens of a foreign issuer prove a client, so that a workload needs no secret. The client
must be registered for --token-endpoint-auth-method private_key_jwt. KIND is one of:

  github      GitHub Actions; tokens of pull requests are refused
  gitlab      GitLab CI/CD
  kubernetes  service accounts of a cluster; --foreign-issuer is required
  oidc        any other issuer; --foreign-issuer is required

The workload sends its token as client_assertion, together with client_id. iss and aud must
be exactly as registered, and exp at most an hour after iat. In --subject, a star stands for
a segment between : and /, or for a part of one. The parts that name the owner of the
workload must be literal.`,
		Example: `  signet client federation add deploy github --subject repo:octo-org/octo-repo:ref:refs/heads/main
  signet client federation add deploy gitlab --subject "project_path:my-group/my-project:ref_type:tag:ref:v*"
  signet client federation add backup kubernetes --foreign-issuer https://kubernetes.default.svc.cluster.local --jwks-uri https://10.0.0.1:6443/openid/v1/jwks --subject system:serviceaccount:backup:nightly`,
		Args: knownFederationKind,
	}
	f := storage.Federation{}
	c.Flags().StringVar(&f.Name, "name", "", "name of the federation, unique for the client (default: KIND)")
	c.Flags().StringVar(&f.Subject, "subject", "", "pattern of sub")
	c.Flags().StringVar(&f.Issuer, "foreign-issuer", "", "exact iss of the tokens (default for github and gitlab: that of the public service)")
	c.Flags().StringVar(&f.JWKSURI, "jwks-uri", "", "URL of the keys of the issuer (default: the discovery document of the issuer names it)")
	c.Flags().StringVar(&f.Audience, "audience", "", "exact aud of the tokens (default: the issuer of this server)")
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error { return cli.RequireFlags(c, "subject") })
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		f.Kind = storage.FederationKind(args[1])
		revised, err := p.Directory(settings, db).AddFederation(ctx, args[0], f, cli.Origin())
		if err != nil {
			return cmp.Or(refusalError(c, args[0], err), clientError(args[0], err))
		}
		added := revised.Federations[len(revised.Federations)-1]
		p.Say("tokens of %s with aud %s prove the client %s", added.Issuer, cmp.Or(added.Audience, settings.Issuer), revised.ID)
		return p.showFederations(revised, *asJSON)
	})
	return c
}

// knownFederationKind accepts the id of a client and a kind of issuer.
func knownFederationKind(c *cobra.Command, args []string) error {
	var kinds []string
	for _, preset := range directory.FederationPresets() {
		kinds = append(kinds, string(preset.Kind))
	}
	list := strings.Join(kinds, ", ")
	if err := cli.ExactArgs("the client's id", "a kind of issuer: "+list)(c, args); err != nil {
		return err
	}
	if !slices.Contains(kinds, args[1]) {
		return cli.UsageError(c, fmt.Errorf("unknown kind of issuer %q%s", args[1], cmp.Or(spelling.DidYouMean(args[1], kinds), ": use "+list)))
	}
	return nil
}

func (p commands) federationListCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list CLIENT_ID", Short: "List the foreign issuers whose tokens prove a client",
		Example: "  signet client federation list deploy --json", Args: cli.ExactArgs("the client's id"),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, args []string) error {
		found, err := db.Client(ctx, args[0])
		if err != nil {
			return clientError(args[0], err)
		}
		if len(found.Federations) == 0 && !*asJSON {
			p.Say("the client has no federations; add one with: signet client federation add %s KIND --subject PATTERN", found.ID)
			return nil
		}
		return p.showFederations(found, *asJSON)
	})
	return c
}

func (p commands) federationRemoveCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "remove CLIENT_ID FEDERATION", Short: "Refuse the tokens of a foreign issuer again",
		Long: `Refuse the tokens of a foreign issuer again. Access tokens that the client has got stay valid
until they expire.`,
		Example: "  signet client federation remove deploy github", Args: cli.ExactArgs("the client's id", "the name of a federation"),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		revised, err := p.Directory(settings, db).RemoveFederation(ctx, args[0], args[1], cli.Origin())
		if errors.Is(err, directory.ErrNoFederation) {
			return exit.New(exit.NotFound, fmt.Errorf("the client %q has no federation %q", args[0], args[1]), "list them with: signet client federation list "+args[0])
		}
		if err != nil {
			return cmp.Or(refusalError(c, args[0], err), clientError(args[0], err))
		}
		p.Say("federation %s of the client %s is removed", args[1], revised.ID)
		p.sayWhatIsMissing(revised)
		if *asJSON {
			return p.showFederations(revised, true)
		}
		return nil
	})
	return c
}

// showFederations prints the federations of a client.
func (p commands) showFederations(c storage.Client, asJSON bool) error {
	if asJSON {
		list := []storage.Federation{} // never null
		return p.WriteJSON(map[string]any{"federations": append(list, c.Federations...)})
	}
	rows := [][]string{{"NAME", "KIND", "ISSUER", "KEYS", "AUDIENCE", "SUBJECT"}}
	for _, f := range c.Federations {
		rows = append(rows, []string{f.Name, string(f.Kind), f.Issuer, cmp.Or(f.JWKSURI, "discovered"), cmp.Or(f.Audience, "this server"), f.Subject})
	}
	return p.WriteTable(rows)
}

// textOfFederations returns the federations of a client in one line.
func textOfFederations(list []storage.Federation) string {
	var texts []string
	for _, f := range list {
		texts = append(texts, fmt.Sprintf("%s (%s)", f.Name, f.Subject))
	}
	return strings.Join(texts, " ")
}
