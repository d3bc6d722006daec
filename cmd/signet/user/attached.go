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
	"signet/storage"
)

// attachedFlags are the answers to the question that stops an act on an account whose
// address is only claimed: what becomes of what is attached to it?
type attachedFlags struct{ evict, keep *bool }

func addAttachedFlags(c *cobra.Command) attachedFlags {
	return attachedFlags{
		evict: c.Flags().Bool("evict", false, "if the address is only claimed: first delete what is attached to the account"),
		keep:  c.Flags().Bool("keep", false, "if the address is only claimed: keep what is attached to the account; you vouch for it"),
	}
}

func (f attachedFlags) read() (storage.UnprovenPolicy, error) {
	switch {
	case *f.evict && *f.keep:
		return storage.StopIfAttached, errors.New("--evict and --keep exclude each other")
	case *f.evict:
		return storage.EvictAttached, nil
	case *f.keep:
		return storage.KeepAttached, nil
	}
	return storage.StopIfAttached, nil
}

// describedFactor is a factor as --json shows it.
type describedFactor struct {
	Kind     string     `json:"kind"`
	Name     string     `json:"name,omitempty"`
	Since    time.Time  `json:"since"`
	LastUsed *time.Time `json:"last_used,omitempty"`
}

// DescribedIdentity is an identity as --json shows it.
type DescribedIdentity struct {
	Connector string     `json:"connector"`
	Issuer    string     `json:"issuer"`
	Subject   string     `json:"subject"` // at the upstream
	Email     string     `json:"email,omitempty"`
	Name      string     `json:"name,omitempty"`
	Groups    []string   `json:"groups,omitempty"`         // that the upstream gave at the last sign-in
	Refused   string     `json:"groups_refused,omitempty"` // why its groups were not taken then
	Since     time.Time  `json:"since"`
	LastUsed  *time.Time `json:"last_used,omitempty"`
}

// DescribedAttached is what hangs on an account as --json shows it.
type DescribedAttached struct {
	Factors    []describedFactor   `json:"factors"`    // the password included
	Identities []DescribedIdentity `json:"identities"` // at upstreams
	Sessions   int64               `json:"sessions"`   // that live
	Grants     int64               `json:"grants"`     // that live: applications with access
}

func describeIdentity(i storage.Identity) DescribedIdentity {
	return DescribedIdentity{
		Connector: i.Connector, Issuer: i.Issuer, Subject: i.Subject, Email: i.Email, Name: i.Name, Groups: i.Groups, Refused: i.Detail.GroupsRefused,
		Since: i.CreatedAt.Time(), LastUsed: cli.OptionalTime(i.UsedAt),
	}
}

func describeAttached(a storage.Attached) DescribedAttached {
	d := DescribedAttached{Factors: []describedFactor{}, Identities: []DescribedIdentity{}, Sessions: a.Sessions, Grants: a.Grants}
	for _, f := range a.Factors {
		d.Factors = append(d.Factors, describedFactor{Kind: f.Kind, Name: f.Name, Since: f.CreatedAt.Time(), LastUsed: cli.OptionalTime(f.UsedAt)})
	}
	for _, i := range a.Identities {
		d.Identities = append(d.Identities, describeIdentity(i))
	}
	return d
}

// members are what is attached as members of the JSON of a user.
func (d DescribedAttached) members() []member {
	return []member{{"factors", d.Factors}, {"identities", d.Identities}, {"sessions", d.Sessions}, {"grants", d.Grants}}
}

// rows are what is attached as rows of a table: a kind and what there is to say of it.
func (d DescribedAttached) rows() [][]string {
	var rows [][]string
	for _, f := range d.Factors {
		rows = append(rows, []string{f.Kind, commaList(f.Name, sinceThen(f.Since, f.LastUsed))})
	}
	for _, i := range d.Identities {
		rows = append(rows, []string{"identity", commaList(i.Connector+":"+i.Subject, i.Email, "at "+i.Issuer, sinceThen(i.Since, i.LastUsed), i.groups())})
	}
	if d.Sessions > 0 {
		rows = append(rows, []string{"sessions", fmt.Sprint(d.Sessions)})
	}
	if d.Grants > 0 {
		rows = append(rows, []string{"grants", fmt.Sprint(d.Grants)})
	}
	return rows
}

// groups says which groups the identity brought, or why none.
func (i DescribedIdentity) groups() string {
	switch {
	case i.Refused != "":
		return "groups not taken: " + i.Refused
	case len(i.Groups) == 0:
		return ""
	}
	return "groups: " + strings.Join(i.Groups, ", ")
}

func commaList(parts ...string) string { return strings.Join(cli.DropEmpty(parts), ", ") }

func sinceThen(since time.Time, used *time.Time) string {
	text := "since " + since.Format(time.RFC3339)
	if used != nil {
		text += ", last used " + used.Format(time.RFC3339)
	}
	return text
}

// sayAttached lists what is attached to the person at the terminal.
func (p commands) sayAttached(title string, a storage.Attached) {
	p.Say("%s", title)
	for _, row := range describeAttached(a).rows() {
		fmt.Fprintf(p.Stderr, "  %s: %s\n", row[0], foreign.ForTerminal(row[1]))
	}
}

// unproven answers an act that stopped because something is attached to an account
// whose address is only claimed; any other error it gives back. With asJSON the list
// is a document on standard output too.
func (p commands) unproven(u storage.User, err error, asJSON bool) error {
	stopped, is := errors.AsType[*storage.UnprovenError](err)
	if !is {
		return err
	}
	p.sayAttached("attached to "+DisplayName(u)+":", stopped.Attached)
	refused := exit.New(
		exit.AddressUnproven, fmt.Errorf("%w; nothing was changed", stopped),
		"delete it first with --evict, or keep it with --keep if you know that it is this person's",
	)
	if !asJSON {
		return refused
	}
	return errors.Join(refused, p.WriteJSON(map[string]any{
		"error": exit.AddressUnproven.Name(), "error_description": stopped.Error(), "sub": u.ID, "email": u.Email, "attached": describeAttached(stopped.Attached),
	}))
}

// DisplayName is the user's e-mail, or the subject of a user who has none.
func DisplayName(u storage.User) string {
	if u.Email == "" {
		return u.ID
	}
	return u.Email
}

// showChanged shows a user after an act that may have evicted something.
func (p commands) showChanged(u storage.User, evicted storage.Attached, asJSON bool) error {
	gone := !evicted.IsEmpty()
	if gone {
		p.sayAttached("deleted, because the address of "+DisplayName(u)+" was only claimed when it was attached:", evicted)
		p.Say("profile and consents are deleted too, and every session and token has ended")
	}
	if !asJSON {
		return p.showUser(u, false)
	}
	changed := describeUser(u)
	if gone {
		changed = append(changed, member{"evicted", describeAttached(evicted)})
	}
	return p.WriteJSON(changed)
}
