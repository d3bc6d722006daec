package federation

import (
	"fmt"
	"slices"
)

// word is what an upstream's document says about an address.
type word int

const (
	saidNothing word = iota
	saidNo
	saidYes
)

// setAddress notes an upstream's address and what the upstream's word on it is
// worth. Text that is no address counts as none.
func (c *base) setAddress(i *Identity, text string, said word) {
	whole, domain := address(text)
	i.Email, i.said, i.EmailVerified, i.Trust = whole, said, false, Unknown
	if whole == "" {
		i.said = saidNothing
		return
	}
	i.rely(c.config.trustIn(domain))
}

// rely sets how far the address may be relied on. An upstream that runs the mailbox
// need not say that it is verified; a "no" counts against every upstream.
func (i *Identity) rely(trust Trust) {
	i.EmailVerified = i.said == saidYes || i.said == saidNothing && trust == Authoritative && i.Email != ""
	i.Trust = Unknown
	if i.EmailVerified {
		i.Trust = trust
	}
}

// Vouched reports whether somebody who is trusted with it says that the address is
// the person's own. An address that is not vouched for must find, make and change no
// account, and must look the same in every answer, whether an account has it or not.
func (i Identity) Vouched() bool { return i.EmailVerified && i.Trust >= Verifies }

// Standing says in a few words what the address is worth, for the log.
func (i Identity) Standing() string {
	switch {
	case i.Email == "":
		return "none"
	case !i.EmailVerified && i.said == saidNo:
		return "not verified"
	case !i.EmailVerified:
		return "no email_verified"
	case i.Trust == Unknown:
		return "verified, but the connector's trust does not reach it"
	}
	return i.Trust.String()
}

// trustIn is the most that the upstream's word on an address of this domain is worth.
func (c Config) trustIn(domain string) Trust {
	if c.Trust < Authoritative || len(c.Domains) == 0 || everyDomain(c.Domains) || slices.Contains(c.Domains, domain) {
		return c.Trust
	}
	return Unknown
}

// everyDomain reports whether the list is the "*" that has to be written to trust an
// upstream with the addresses of every domain.
func everyDomain(domains []string) bool { return len(domains) == 1 && domains[0] == "*" }

// Warnings says which settings work and are dangerous all the same.
func (c Config) Warnings() []string {
	var list []string
	if c.Trust == Authoritative && everyDomain(c.Domains) {
		list = append(list, fmt.Sprintf("connector %s: domains is *, so its upstream can take over the account of every address; "+
			"name the domains whose mailboxes it runs (example: domains: [example.com])", c.ID))
	}
	if c.Trust <= Unknown && presets[c.Kind].trust == Unknown && len(c.AllowedDomains) > 0 {
		list = append(list, fmt.Sprintf("connector %s: allowed_domains goes by the address, and trust is unknown, so anybody may have typed it; "+
			"if email_verified of this upstream is to be believed, set trust: verifies", c.ID))
	}
	return list
}

// trusting settles the trust of a connector, the kind's where the settings name none,
// and refuses settings that contradict it.
func trusting(c Config, preset Trust) (Config, error) {
	named := c.Trust != Unknown
	if !named {
		c.Trust = preset
	}
	c.Trust = max(c.Trust, Unknown)
	const example = "(example: trust: authoritative, domains: [example.com])"
	switch {
	case named && c.Trust == Authoritative && len(c.Domains) == 0 && preset == Authoritative:
		return c, wrong(c, "domains", "is missing: trust: authoritative counts only for the domains that it names "+example+
			"; without trust and domains the connector is authoritative for gmail.com and for its Workspace domains")
	case c.Trust == Authoritative && len(c.Domains) == 0 && preset != Authoritative:
		return c, wrong(c, "domains", "is missing: trust: authoritative counts only for the domains whose mailboxes the upstream runs "+example)
	case c.Trust != Authoritative && len(c.Domains) > 0:
		return c, wrong(c, "domains", "is set, and only trust: authoritative has domains: set both or neither "+example)
	case slices.Contains(c.Domains, "*") && !everyDomain(c.Domains):
		return c, wrong(c, "domains", `has "*" beside other domains: "*" alone means every domain`)
	case c.Trust == Unknown && c.RequireEmail:
		return c, wrong(c, "require_email", "would refuse everybody: trust is unknown, so no address of this upstream counts as verified (example: trust: verifies)")
	}
	return c, nil
}

// allow applies the settings' rules on addresses. AllowedDomains goes by the
// upstream's own word: it limits who may sign in and opens no account.
func (c *base) allow(i Identity) error {
	if c.config.RequireEmail && !i.Vouched() || len(c.config.AllowedDomains) > 0 && !i.EmailVerified {
		return ErrNoEmail
	}
	_, domain := address(i.Email)
	if len(c.config.AllowedDomains) > 0 && !slices.Contains(c.config.AllowedDomains, domain) {
		return ErrNotAllowed
	}
	return nil
}
