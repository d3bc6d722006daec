package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/federation"
	"signet/provider"
	"signet/provider/directory"
	"signet/provider/outbound"
	"signet/provider/spelling"
)

func (p *program) connectorCommand() *cobra.Command {
	c := &cobra.Command{Use: "connector", Short: "List and check the upstreams that users sign in through"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.connectorListCommand(), p.connectorCheckCommand(), p.connectorTokenCommand())
	return c
}

func (p *program) connectorListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the connectors of the settings, with the redirect URI to register at each",
		Example: "  signet connector list",
		Args:    cli.ExactArgs(),
	}
	file := cli.SettingFlags(c, "issuer")
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
		}
		described := []directory.ConnectorDocument{} // never null
		rows := [][]string{{"ID", "TYPE", "SIGN-UP", "DOMAINS", "REDIRECT URI"}}
		for _, one := range settings.Connectors {
			d := provider.DescribeConnector(settings.Issuer, one)
			described = append(described, d)
			domains := "any"
			if len(d.AllowedDomains) > 0 {
				domains = strings.Join(d.AllowedDomains, " ")
			}
			rows = append(rows, []string{d.ID, d.Type, yesNo(d.SignUp), domains, d.RedirectURI})
		}
		switch {
		case *asJSON:
			return p.WriteJSON(map[string]any{"connectors": described})
		case len(described) == 0:
			p.Say("there are no connectors yet; set SIGNET_GOOGLE_CLIENT_ID and SIGNET_GOOGLE_CLIENT_SECRET, or add connectors to %s", config.DefaultFile)
			return nil
		}
		return p.WriteTable(rows)
	}
	return c
}

func (p *program) connectorCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check [ID…]",
		Short: "Call the upstreams and check whether users can sign in through them",
		Long: `Call the upstreams and check whether users can sign in through them. The check runs the
steps of a sign-in that need no user: it fetches the upstream's metadata and keys,
requests its sign-in page, and redeems an invalid code, which shows whether the
upstream accepts the client id and the secret. It reports the upstream's features, the
difference of its clock, and the redirect URI that you must register there.`,
	}
	file := cli.SettingFlags(c, "issuer")
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
		}
		chosen, err := chooseConnectors(settings, args)
		if err != nil {
			return err
		}
		checked := []checkedConnector{}
		for _, one := range chosen {
			found, err := p.checkConnector(c.Context(), settings, one)
			if err != nil {
				return err
			}
			checked = append(checked, found)
		}
		if *asJSON {
			err = p.WriteJSON(map[string]any{"connectors": checked})
		} else {
			err = p.writeChecks(checked)
		}
		return errors.Join(err, notWorkingError(checked))
	}
	return c
}

// chooseConnectors returns the connectors with these ids, or all without ids.
func chooseConnectors(c config.Config, ids []string) ([]provider.Connector, error) {
	if len(c.Connectors) == 0 {
		return nil, exit.New(
			exit.Config, errors.New("there are no connectors"),
			"set SIGNET_GOOGLE_CLIENT_ID and SIGNET_GOOGLE_CLIENT_SECRET, or add connectors to "+config.DefaultFile,
		)
	}
	if len(ids) == 0 {
		return c.Connectors, nil
	}
	var known []string
	for _, one := range c.Connectors {
		known = append(known, one.ID)
	}
	var chosen []provider.Connector
	for _, id := range ids {
		i := slices.Index(known, id)
		if i < 0 {
			return nil, exit.New(exit.NotFound, fmt.Errorf("there is no connector %q%s", id, spelling.DidYouMean(id, known)), "list them with: signet connector list")
		}
		chosen = append(chosen, c.Connectors[i])
	}
	return chosen, nil
}

// checkedConnector is the JSON form of the result of a check.
type checkedConnector struct {
	directory.CheckedConnectorDocument
	unreachable bool
}

func (p *program) checkConnector(ctx context.Context, c config.Config, one provider.Connector) (checkedConnector, error) {
	connector, err := federation.New(one.Config, outbound.New(c.Outbound).Configured(), p.Now)
	if err != nil {
		return checkedConnector{}, err
	}
	described := provider.DescribeConnector(c.Issuer, one)
	report := connector.Probe(ctx, described.RedirectURI)
	found := checkedConnector{directory.DescribeCheck(described, report), errors.Is(report.Err, federation.ErrUnreachable)}
	if found.RedirectURI == "" {
		found.Warnings = append(found.Warnings, "the setting issuer is missing, so the redirect URI is unknown and the sign-in page was not requested")
	}
	return found, nil
}

func (p *program) writeChecks(checked []checkedConnector) error {
	for _, c := range checked {
		state := "ok"
		if !c.OK {
			state = "NOT WORKING: " + c.Error
		}
		rows := [][]string{
			{c.ID, state},
			{"  redirect URI", orNone(c.RedirectURI)},
			{"  issuer", orNone(c.Issuer)},
		}
		if c.OK {
			rows = append(rows,
				[]string{"  signs with", orNone(strings.Join(c.Algorithms, " "))},
				[]string{"  keys", fmt.Sprint(c.Keys)},
				[]string{"  scopes", orNone(strings.Join(c.Scopes, " "))},
				[]string{"  client authentication", orNone(strings.Join(c.ClientAuth, " "))},
				[]string{"  PKCE", yesNo(c.PKCE)},
				[]string{"  iss in the callback", yesNo(c.IssuerInCallback)},
				[]string{"  clock", fmt.Sprintf("%+.0f s", c.ClockSkew)},
			)
		}
		if err := p.WriteTable(rows); err != nil {
			return err
		}
		for _, warning := range c.Warnings {
			p.Say("%s: %s", c.ID, warning)
		}
	}
	return nil
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func orNone(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// notWorkingError returns an error if one of the connectors does not work.
func notWorkingError(checked []checkedConnector) error {
	code, failed := exit.Code(exit.Failure), []string{}
	for _, c := range checked {
		if !c.OK {
			failed = append(failed, c.ID)
			if c.unreachable {
				code = exit.Unreachable
			}
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return exit.New(code, fmt.Errorf("users cannot sign in through %s", strings.Join(failed, ", ")), "fix the problems above, then run: signet connector check "+strings.Join(failed, " "))
}
