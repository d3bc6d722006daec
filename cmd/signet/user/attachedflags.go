package user

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/federation/foreign"
	"signet/provider/directory"
	"signet/storage"
)

// attachedFlags holds the flags --evict and --keep. An account with an unproven address may have
// a password, identities, sessions or tokens that another person set up. Some commands stop at
// such an account unless one of the flags says whether to delete them.
type attachedFlags struct{ evict, keep *bool }

func addAttachedFlags(c *cobra.Command) attachedFlags {
	return attachedFlags{
		evict: c.Flags().Bool("evict", false, "if the email address is unproven: first delete the account's password, identities, sessions and tokens"),
		keep:  c.Flags().Bool("keep", false, "if the email address is unproven: keep the account's password, identities, sessions and tokens; you confirm that they belong to this user"),
	}
}

// check returns an error if both flags were passed.
func (f attachedFlags) check() error {
	if *f.evict && *f.keep {
		return errors.New("--evict and --keep cannot be used together")
	}
	return nil
}

func (f attachedFlags) policy() storage.UnprovenPolicy {
	switch {
	case *f.evict:
		return storage.EvictAttached
	case *f.keep:
		return storage.KeepAttached
	}
	return storage.StopIfAttached
}

// DescribedAttached is the JSON form of the factors, identities, sessions and grants of a user.
type DescribedAttached struct {
	Factors    []directory.FactorDocument   `json:"factors"`    // including the password
	Identities []directory.IdentityDocument `json:"identities"` // at upstreams
	Sessions   int64                        `json:"sessions"`   // valid sessions
	Grants     int64                        `json:"grants"`     // valid grants: applications with access
}

// codesLeft says how many recovery codes are left; "" for other factors.
func codesLeft(f directory.FactorDocument) string {
	if f.Left == 0 {
		return ""
	}
	return fmt.Sprintf("%d left", f.Left)
}

// useOf says that the factor cannot be used; "" if it can.
func useOf(f directory.FactorDocument) string {
	if f.Unusable {
		return "unusable: it belongs to a former host"
	}
	return ""
}

func describeAttached(a storage.Attached) DescribedAttached {
	d := DescribedAttached{Factors: directory.DescribeFactors(a.Factors), Identities: []directory.IdentityDocument{}, Sessions: a.Sessions, Grants: a.Grants}
	for _, i := range a.Identities {
		d.Identities = append(d.Identities, directory.DescribeIdentity(i))
	}
	return d
}

// rows returns the rows for the table of a user: a kind and its details.
func (d DescribedAttached) rows() [][]string {
	var rows [][]string
	for _, f := range d.Factors {
		rows = append(rows, []string{f.Kind, commaList(f.Name, codesLeft(f), useOf(f), usagePeriod(f.Since, f.LastUsed))})
	}
	for _, i := range d.Identities {
		rows = append(rows, []string{"identity", commaList(i.Connector+":"+i.Subject, i.Email, "at "+i.Issuer, usagePeriod(i.Since, i.LastUsed), groupsOf(i))})
	}
	if d.Sessions > 0 {
		rows = append(rows, []string{"sessions", fmt.Sprint(d.Sessions)})
	}
	if d.Grants > 0 {
		rows = append(rows, []string{"grants", fmt.Sprint(d.Grants)})
	}
	return rows
}

// groupsOf returns the groups of the identity for the table, or the reason for their refusal.
func groupsOf(i directory.IdentityDocument) string {
	switch {
	case i.Refused != "":
		return "groups refused: " + i.Refused
	case len(i.Groups) == 0:
		return ""
	}
	return "groups: " + strings.Join(i.Groups, ", ")
}

func commaList(parts ...string) string { return strings.Join(cli.DropEmpty(parts), ", ") }

func usagePeriod(since time.Time, used *time.Time) string {
	text := "since " + since.Format(time.RFC3339)
	if used != nil {
		text += ", last used " + used.Format(time.RFC3339)
	}
	return text
}

// sayAttached prints a title and a list of everything attached to an account, as a message.
func (p commands) sayAttached(title string, a storage.Attached) {
	p.Say("%s", title)
	for _, row := range describeAttached(a).rows() {
		fmt.Fprintf(p.Stderr, "  %s: %s\n", row[0], foreign.ForTerminal(row[1]))
	}
}

// unprovenError returns the error of a command that stopped at an account with an unproven
// address, and prints everything attached to the account. With asJSON it prints the list to
// standard output too. It returns other errors unchanged.
func (p commands) unprovenError(u storage.User, err error, asJSON bool) error {
	stopped, is := errors.AsType[*storage.UnprovenError](err)
	if !is {
		return err
	}
	p.sayAttached("attached to the account "+DisplayName(u)+":", stopped.Attached)
	refused := exit.New(
		exit.AddressUnproven, fmt.Errorf("%w; nothing was changed", stopped),
		"",
	)
	if !asJSON {
		return refused
	}
	return errors.Join(refused, p.WriteJSON(map[string]any{
		"error": exit.AddressUnproven.Name(), "error_description": stopped.Error(), "sub": u.ID, "email": u.Email, "attached": describeAttached(stopped.Attached),
	}))
}

// DisplayName returns the user's email address, or the subject if there is none.
func DisplayName(u storage.User) string {
	if u.Email == "" {
		return u.ID
	}
	return u.Email
}

// showChanged shows a user after a change. If the change evicted something, it lists that too.
func (p commands) showChanged(u storage.User, evicted storage.Attached, asJSON bool) error {
	anyEvicted := !evicted.IsEmpty()
	if anyEvicted {
		p.sayAttached("deleted, because it was attached while the address of "+DisplayName(u)+" was unproven:", evicted)
		p.Say("the profile and the consents are also deleted, and all sessions and tokens have ended")
	}
	if !asJSON {
		return p.showUser(u, false)
	}
	changed := struct {
		directory.UserDocument
		Evicted *DescribedAttached `json:"evicted,omitempty"`
	}{UserDocument: directory.DescribeUser(u)}
	if anyEvicted {
		deleted := describeAttached(evicted)
		changed.Evicted = &deleted
	}
	return p.WriteJSON(changed)
}
