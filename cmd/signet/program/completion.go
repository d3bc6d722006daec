package program

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/node"
	"signet/cmd/signet/user"
	"signet/federation/foreign"
	"signet/provider"
	"signet/provider/directory"
	"signet/provider/spelling"
	"signet/storage"
)

func (p *program) completionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes commands in a shell",
		Long: `Print a script that completes commands, flags and their values: clients, keys,
connectors and the email addresses of users. The values come from the settings and
their database. If the database does not answer, no values are completed.`,
		Example: `  source <(signet completion bash)
  signet completion zsh > "${fpath[1]}/_signet"
  signet completion fish > ~/.config/fish/completions/signet.fish
  signet completion powershell | Out-String | Invoke-Expression`,
		Args: cli.ExactArgs("a shell: bash, zsh, fish or powershell"),
	}
	scripts := map[string]func(root *cobra.Command, out io.Writer) error{
		"bash":       func(root *cobra.Command, out io.Writer) error { return root.GenBashCompletionV2(out, true) },
		"zsh":        func(root *cobra.Command, out io.Writer) error { return root.GenZshCompletion(out) },
		"fish":       func(root *cobra.Command, out io.Writer) error { return root.GenFishCompletion(out, true) },
		"powershell": func(root *cobra.Command, out io.Writer) error { return root.GenPowerShellCompletionWithDesc(out) },
	}
	shells := []string{"bash", "zsh", "fish", "powershell"}
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return shells, cobra.ShellCompDirectiveNoFileComp
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		write := scripts[args[0]]
		if write == nil {
			return cli.UsageError(c, fmt.Errorf("unknown shell %q%s", args[0], cmp.Or(spelling.DidYouMean(args[0], shells), ": use bash, zsh, fish or powershell")))
		}
		return write(c.Root(), p.Stdout)
	}
	return c
}

// completer returns the values that can complete an argument or a flag. One field is set.
type completer struct {
	fromConfig   func(config.Config) []cobra.Completion
	fromDatabase func(ctx context.Context, db *storage.DB, typed string) ([]cobra.Completion, error)
	ofUser       func(ctx context.Context, db *storage.DB, u storage.User) ([]cobra.Completion, error) // u is the first argument
	ofClient     func(storage.Client) []cobra.Completion                                               // the first argument
}

// completers maps the name of an argument in a usage line, or a flag, to its completer.
var completers = map[string]completer{
	"EMAIL|SUB":  {fromDatabase: completeUsers},
	"EMAIL":      {fromDatabase: completeInvitations},
	"CLIENT_ID":  {fromDatabase: completeClients},
	"KID":        {fromDatabase: completeKeys},
	"TOKEN_ID":   {fromDatabase: completeRegistrationTokens},
	"[MAIL_ID…]": {fromDatabase: completeMails},
	"EVENT_ID":   {fromDatabase: completeEvents},
	"CONNECTOR":  {fromConfig: completeConnectors},
	"[ID…]":      {fromConfig: completeConnectors},

	"CONNECTOR[:SUBJECT]": {ofUser: completeIdentities},

	"KIND":       {fromConfig: completeFederationKinds},
	"FEDERATION": {ofClient: completeFederations},

	"ALG": {fromDatabase: completeLines},
	"KEY": {fromConfig: completeSettings},

	"--user":   {fromDatabase: completeUsers},
	"--client": {fromDatabase: completeClients},
	"--alg":    {fromDatabase: completeLines},

	"--library": {fromConfig: completeLibraries},
	"--for":     {fromConfig: completeLinkUses},
}

// maxCompletions limits the number of completed users.
const maxCompletions = 100

func completeUsers(ctx context.Context, db *storage.DB, typed string) ([]cobra.Completion, error) {
	users, err := db.Users(ctx, storage.UserFilter{Email: typed}, maxCompletions)
	return completions(users, func(u storage.User) (string, string) { return u.ListPosition(), u.Name }), err
}

func completeClients(ctx context.Context, db *storage.DB, _ string) ([]cobra.Completion, error) {
	clients, err := db.Clients(ctx)
	return completions(clients, func(c storage.Client) (string, string) { return c.ID, c.Name }), err
}

func completeInvitations(ctx context.Context, db *storage.DB, _ string) ([]cobra.Completion, error) {
	list, err := db.Invitations(ctx, storage.InvitationFilter{}, maxCompletions, time.Now())
	list = slices.DeleteFunc(list, func(i storage.SentInvitation) bool { return i.State != storage.InvitationOpen })
	return completions(list, func(i storage.SentInvitation) (string, string) { return i.Link.Address, i.Name }), err
}

func completeKeys(ctx context.Context, db *storage.DB, _ string) ([]cobra.Completion, error) {
	rows, err := db.Keys(ctx)
	rows = slices.DeleteFunc(rows, func(k storage.Key) bool { return k.State == storage.KeyGone || k.State == storage.KeyRevoked })
	return completions(rows, func(k storage.Key) (string, string) { return k.ID, string(k.State) + " " + k.Line }), err
}

func completeLines(ctx context.Context, db *storage.DB, _ string) ([]cobra.Completion, error) {
	rows, err := db.Keys(ctx)
	rows = slices.DeleteFunc(rows, func(k storage.Key) bool { return k.State != storage.KeyActive })
	return completions(rows, func(k storage.Key) (string, string) { return k.Line, "signs with " + k.ID }), err
}

func completeRegistrationTokens(ctx context.Context, db *storage.DB, _ string) ([]cobra.Completion, error) {
	tokens, err := db.RegistrationTokens(ctx)
	return completions(tokens, func(t storage.RegistrationToken) (string, string) { return t.ID, t.Name }), err
}

func completeIdentities(ctx context.Context, db *storage.DB, u storage.User) ([]cobra.Completion, error) {
	list, err := db.IdentitiesOf(ctx, u.ID)
	list = slices.DeleteFunc(list, func(i storage.Identity) bool {
		return foreign.ForTerminal(user.IdentityName(i)) != user.IdentityName(i)
	})
	return completions(list, func(i storage.Identity) (string, string) { return user.IdentityName(i), i.Email }), err
}

func completeFederationKinds(config.Config) []cobra.Completion {
	return completions(directory.FederationPresets(), func(p directory.FederationPreset) (string, string) { return string(p.Kind), p.Title })
}

func completeFederations(c storage.Client) []cobra.Completion {
	return completions(c.Federations, func(f storage.Federation) (string, string) { return f.Name, f.Subject })
}

func completeConnectors(c config.Config) []cobra.Completion {
	return completions(c.Connectors, func(c provider.Connector) (string, string) { return c.ID, string(c.Kind) })
}

func completeSettings(config.Config) []cobra.Completion {
	var found []cobra.Completion
	for key, unit := range config.Units() {
		found = append(found, completion(key, unit))
	}
	return found
}

func completeLibraries(config.Config) []cobra.Completion {
	return completions(directory.Libraries(), func(l directory.Library) (string, string) { return l.Name, "a " + string(l.Type) + " client" })
}

func completeLinkUses(config.Config) []cobra.Completion {
	return completions(directory.LinkUses(), func(use string) (string, string) { return use, "" })
}

func completions[T any](list []T, of func(T) (value, description string)) []cobra.Completion {
	found := make([]cobra.Completion, len(list))
	for i, one := range list {
		found[i] = completion(of(one))
	}
	return found
}

// completion returns a value with its description, separated by a tab. It cleans the
// description, because it may come from outside.
func completion(value, description string) cobra.Completion {
	return value + "\t" + strings.ReplaceAll(foreign.ForTerminal(description), "\uFFFD", " ")
}

// addCompletions adds completion functions to all commands below c.
func (p *program) addCompletions(c *cobra.Command) {
	for _, sub := range c.Commands() {
		p.addCompletions(sub)
	}
	if c.ValidArgsFunction == nil && !c.HasSubCommands() {
		c.ValidArgsFunction = p.completeArguments(argumentNames(c.Use))
	}
	for name, values := range completers {
		flag, is := strings.CutPrefix(name, "--")
		if !is || c.Flags().Lookup(flag) == nil {
			continue
		}
		err := c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return p.complete(c, values, nil, typed), cobra.ShellCompDirectiveNoFileComp
		})
		if err != nil {
			panic(err) // cannot happen: the flag exists and has no completion yet
		}
	}
}

// argumentNames returns the arguments of a usage line, without its flags.
func argumentNames(use string) []string {
	var names []string
	for _, word := range strings.Fields(use)[1:] {
		if strings.HasPrefix(word, "-") || word == "|" {
			break
		}
		names = append(names, word)
	}
	return names
}

func (p *program) completeArguments(names []string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		name := ""
		switch {
		case len(args) < len(names):
			name = names[len(args)]
		case len(names) > 0 && strings.HasSuffix(names[len(names)-1], "…]"):
			name = names[len(names)-1]
		}
		if strings.HasPrefix(name, "FILE") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		values, known := completers[name]
		if !known {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return p.complete(c, values, args, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// completionTimeout is the limit for one completion.
const completionTimeout = 5 * time.Second

// complete returns the values that begin with typed, from the settings or their database. It
// prints no errors, because they would appear in the line that the user is typing.
func (p *program) complete(c *cobra.Command, values completer, args []string, typed string) []cobra.Completion {
	file, _ := c.Flags().GetString("config")
	settings, err := p.Settings(c, file)
	if err != nil {
		return nil
	}
	var found []cobra.Completion
	if values.fromConfig != nil {
		found = values.fromConfig(settings)
	} else {
		found = completeFromDatabase(c.Context(), settings, values, args, typed)
	}
	return slices.DeleteFunc(found, func(s cobra.Completion) bool { return !strings.HasPrefix(s, typed) })
}

// completeFromDatabase returns values from the database. It never creates or migrates a database,
// and returns nil on any error.
func completeFromDatabase(ctx context.Context, c config.Config, values completer, args []string, typed string) []cobra.Completion {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	db, err := storage.OpenExisting(ctx, node.StorageConfig(c))
	if err != nil {
		return nil
	}
	defer db.Close()
	found, err := values.query(ctx, db, args, typed)
	if err != nil {
		return nil
	}
	return found
}

func (values completer) query(ctx context.Context, db *storage.DB, args []string, typed string) ([]cobra.Completion, error) {
	switch {
	case values.fromDatabase != nil:
		return values.fromDatabase(ctx, db, typed)
	case values.ofClient != nil:
		c, err := db.Client(ctx, args[0])
		return values.ofClient(c), err
	}
	u, err := user.Find(ctx, db, args[0])
	if err != nil {
		return nil, err
	}
	return values.ofUser(ctx, db, u)
}
