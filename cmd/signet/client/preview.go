package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/cmd/signet/user"
	"signet/provider/flow"
	"signet/storage"
)

func (p commands) previewCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "preview CLIENT_ID --user EMAIL|SUB",
		Short: "Show the claims that a client gets about a user",
		Long: `Show the claims that a client would get about a user now: in the ID token, in the access
token and from /userinfo, with the reason for each, and for each that is left out. The
scopes decide, and the claims parameter of the authorization request.

Nothing is signed or changed. The claims of a sign-in are left out: acr, amr, auth_time,
sid, gid, nonce, jti, iat, exp, at_hash and c_hash.`,
		Example: `  signet client preview my-app --user ada@example.com
  signet client preview my-app --user ada@example.com --scope openid --scope email --json
  signet client preview my-app --user ada@example.com --scope openid --claims '{"id_token":{"email":null}}'`,
		Args: cli.ExactArgs("the client's id"),
	}
	asked := flow.PreviewRequest{}
	name := c.Flags().String("user", "", user.EmailOrSubject)
	c.Flags().StringArrayVar(&asked.Scopes, "scope", nil, "scope of the authorization request (default: all scopes that the client may request)")
	c.Flags().StringVar(&asked.Claims, "claims", "", "claims parameter of the authorization request, a JSON object")
	c.Flags().StringVar(&asked.ResponseType, "response-type", "", "response type of the authorization request (default: code, or the first one of a client without code)")
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if asked.Claims == "" {
			return cli.RequireFlags(c, "user")
		}
		if _, err := flow.ParseClaimsRequest(asked.Claims); err != nil {
			return fmt.Errorf("--claims: %w: pass one such as {\"id_token\":{\"email\":null}}", err)
		}
		return cli.RequireFlags(c, "user")
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) (err error) {
		if err := settings.RequireIssuer(); err != nil {
			return err
		}
		asked.Issuer = settings.Issuer
		if asked.Client, err = db.Client(ctx, args[0]); err != nil {
			return clientError(args[0], err)
		}
		if asked.User, err = user.Find(ctx, db, *name); err != nil {
			return err
		}
		if asked.Subject, err = node.SubjectOf(ctx, settings, db, p.Now, asked.Client, asked.User); err != nil {
			return err
		}
		shown, err := flow.PreviewClaims(asked)
		if err != nil {
			return previewError(asked, err)
		}
		p.sayWhatIsDisabled(asked)
		if *asJSON {
			return p.WriteJSON(shown)
		}
		return p.showPreview(shown)
	})
	return c
}

// previewError returns the error of a preview with its code and next step.
func previewError(asked flow.PreviewRequest, err error) error {
	show := "show the client with: signet client show " + asked.Client.ID
	switch {
	case errors.Is(err, flow.ErrNoSignIn):
		return exit.New(exit.Denied, fmt.Errorf("client %s: %w", asked.Client.ID, err), show)
	case errors.Is(err, flow.ErrUnregisteredResponseType):
		return exit.New(exit.Denied, fmt.Errorf("client %s: %w %q", asked.Client.ID, err, asked.ResponseType), show)
	case errors.Is(err, flow.ErrNothingLeft):
		return exit.New(exit.Denied, fmt.Errorf("client %s is registered for none of the scopes %q", asked.Client.ID, asked.Scopes), show)
	}
	if _, tooLong := errors.AsType[*flow.ListTooLongError](err); tooLong {
		return exit.New(exit.Denied, fmt.Errorf("no token is issued: %w", err), "")
	}
	return err
}

// sayWhatIsDisabled tells why a sign-in would be refused although its claims are shown.
func (p commands) sayWhatIsDisabled(asked flow.PreviewRequest) {
	if !asked.Client.Enabled() {
		p.Say("the client %s is disabled, so it gets no tokens", asked.Client.ID)
	}
	if !asked.User.Enabled() {
		p.Say("%s is disabled, so the client gets no tokens", user.DisplayName(asked.User))
	}
}

// showPreview prints one row for each claim and for each that is left out.
func (p commands) showPreview(shown flow.Preview) error {
	rows := [][]string{{"PLACE", "CLAIM", "VALUE", "WHY"}}
	for _, place := range []struct {
		name   string
		claims map[string]any
		why    map[string]string
	}{
		{"id_token", shown.IDToken, shown.Why.IDToken}, {"access_token", shown.AccessToken, shown.Why.AccessToken}, {"userinfo", shown.UserInfo, shown.Why.UserInfo},
		{"scope", nil, shown.Why.Scopes},
	} {
		names := slices.Sorted(maps.Keys(place.claims))
		for _, name := range slices.Sorted(maps.Keys(place.why)) {
			if _, there := place.claims[name]; !there {
				names = append(names, name)
			}
		}
		for _, name := range names {
			value := "–"
			if claim, there := place.claims[name]; there {
				text, err := json.Marshal(claim)
				if err != nil {
					return fmt.Errorf("encode claim %s: %w", name, err)
				}
				value = string(text)
			}
			rows = append(rows, []string{place.name, name, value, place.why[name]})
		}
	}
	return p.WriteTable(rows)
}
