package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/outbound"
	"signet/provider/passkey"
	"signet/storage"
)

func (p *program) passkeysCommand() *cobra.Command {
	c := &cobra.Command{Use: "passkeys", Short: "Show and change the host to which the passkeys of all users belong"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.passkeysShowCommand(), p.passkeysCheckCommand(), p.passkeysAbandonCommand())
	return c
}

// describedPasskeyHost is the JSON form of the passkeys of an instance.
type describedPasskeyHost struct {
	RPID     string `json:"rp_id"`           // of the settings; "": no passkeys are offered
	Stored   string `json:"stored_rp_id"`    // of the database; "": no passkey was added yet
	Passkeys int64  `json:"passkeys"`        // that belong to stored_rp_id
	Users    int64  `json:"users"`           // who have them
	Unusable int64  `json:"unusable"`        // passkeys of other RP IDs
	Affected int64  `json:"users_of_others"` // who have those
}

func describePasskeyHost(rpID string, h storage.PasskeyHost) describedPasskeyHost {
	return describedPasskeyHost{rpID, h.RPID, h.Passkeys, h.Users, h.Lost, h.LostUsers}
}

func (d describedPasskeyHost) rows() [][]string {
	return [][]string{
		{"RP ID of the settings", orNone(d.RPID)}, {"RP ID of the database", orNone(d.Stored)},
		{"passkeys", fmt.Sprint(d.Passkeys)}, {"users with passkeys", fmt.Sprint(d.Users)},
		{"unusable passkeys", fmt.Sprint(d.Unusable)}, {"users with those", fmt.Sprint(d.Affected)},
	}
}

func (p *program) passkeysShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the host to which passkeys belong, and the number of passkeys",
		Long: `Show the host to which passkeys belong, and the number of passkeys and security keys. A
browser uses a passkey only for the domain for which it was made, the RP ID: the host of
the issuer, or the setting passkeys.rp_id.`,
		Example: "  signet passkeys show --json",
		Args:    cli.ExactArgs(),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		if err := settings.RequireIssuer(); err != nil {
			return err
		}
		host, err := db.PasskeyHost(ctx)
		if err != nil {
			return err
		}
		described := describePasskeyHost(settings.RPID(), host)
		if *asJSON {
			return p.WriteJSON(described)
		}
		return p.WriteTable(described.rows())
	})
	return c
}

func (p *program) passkeysAbandonCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "abandon",
		Short: "Give the passkeys of the former host up, so that the server starts at another one",
		Long: `Give the passkeys of the former host up, so that the server starts with the issuer or the
passkeys.rp_id of the settings. Nobody can use these passkeys then. They are no way to
sign in and no factor any more. Their users see them as unusable and can remove them.

Users who have no other way to sign in need a link from you: signet user link. If you put
the former settings back before new passkeys were added, the passkeys work again.`,
		Example: "  signet passkeys abandon --yes",
		Args:    cli.ExactArgs(),
	}
	yes := c.Flags().Bool("yes", false, "do not ask for confirmation")
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		if err := settings.RequireIssuer(); err != nil {
			return err
		}
		rpID := settings.RPID()
		host, err := db.PasskeyHost(ctx)
		if err != nil {
			return err
		}
		lost, is := errors.AsType[*storage.RPIDError](host.Check(rpID))
		if is && !*yes {
			name := orNone(host.RPID)
			if err := p.Confirm(c, "With these settings, "+lost.Error()+".", "the former host, "+name+",", func(typed string) bool { return typed == name }); err != nil {
				return err
			}
		}
		if _, err := db.ReplaceRPID(ctx, rpID, storage.By{From: cli.Origin(), At: p.Now()}); err != nil {
			return err
		}
		if !is {
			p.Say("no passkey is lost with these settings")
		}
		if host, err = db.PasskeyHost(ctx); err != nil {
			return err
		}
		described := describePasskeyHost(rpID, host)
		if *asJSON {
			return p.WriteJSON(described)
		}
		return p.WriteTable(described.rows())
	})
	return c
}

func (p *program) passkeysCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Check whether password managers find the pages for passkeys",
		Long: `Check whether password managers find the pages on which people add and manage passkeys.
They look for https://RP_ID/.well-known/passkey-endpoints. Signet serves this document at
the issuer's host. If passkeys.rp_id is a parent domain, its web server must serve the
same document, without a redirect. Sign-ins need no document: a browser accepts a parent
domain of the issuer's host without asking there.

The exit code is 8 if the document is missing or differs.`,
		Example: "  signet passkeys check",
		Args:    cli.ExactArgs(),
	}
	file := cli.SettingFlags(c, "issuer")
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := p.Settings(c, *file)
		if err == nil {
			err = settings.RequireIssuer()
		}
		if err != nil {
			return err
		}
		if settings.RPID() == "" {
			return exit.New(exit.Denied, fmt.Errorf("no passkeys are offered at the issuer %s", settings.Issuer), "give the issuer a host name with https")
		}
		found := checkedEndpoints{URL: "https://" + settings.RPID() + passkey.EndpointsPath, Want: passkey.EndpointsOf(settings.Issuer)}
		found.Problem = findPasskeyEndpoints(c.Context(), outbound.New(settings.Outbound).Configured(), found)
		if *asJSON {
			err = p.WriteJSON(found)
		} else if found.Problem == "" {
			_, err = fmt.Fprintln(p.Stdout, "ok")
		}
		if found.Problem != "" {
			wanted, _ := json.Marshal(found.Want)
			err = errors.Join(err, exit.New(exit.Findings, fmt.Errorf("%s %s", found.URL, found.Problem), fmt.Sprintf("serve this document there, as application/json and without a redirect: %s", wanted)))
		}
		return err
	}
	return c
}

// checkedEndpoints is the JSON form of the result of a check.
type checkedEndpoints struct {
	URL     string            `json:"url"`
	Want    passkey.Endpoints `json:"want"`
	Problem string            `json:"problem,omitempty"` // "": the document is right
}

// findPasskeyEndpoints returns what is wrong with the document; "" if it is right.
func findPasskeyEndpoints(ctx context.Context, client *http.Client, c checkedEndpoints) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return err.Error()
	}
	direct := *client // the specification forbids redirects
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := direct.Do(request)
	if err != nil {
		return "cannot be read: " + err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	var got passkey.Endpoints
	switch {
	case err != nil:
		return "cannot be read: " + err.Error()
	case answer.StatusCode != http.StatusOK:
		return fmt.Sprintf("answers with status %d", answer.StatusCode)
	case json.Unmarshal(body, &got) != nil:
		return "is no JSON object"
	case got != c.Want:
		return fmt.Sprintf("names the pages %q and %q", got.Enroll, got.Manage)
	}
	return ""
}
