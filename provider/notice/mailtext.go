package notice

import (
	"fmt"
	"net/url"
	"time"

	"signet/federation/foreign"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// content is what the text of a mail is made from.
type content struct {
	storage.Mail
	issuer      *url.URL
	zone        *time.Location
	application string // "": none
	connector   string // name of the upstream; "": none
	disabled    bool   // the user is
	link        string // URL of the one-time link; "": none
}

// setUser takes over the time zone and the state of the user.
func (c *content) setUser(u storage.User) {
	c.disabled = !u.Enabled()
	if zone, err := foreign.TimeZone(u.Zoneinfo); err == nil {
		c.zone = zone
	}
}

// mailTexts lists the texts by the kind of mail.
var mailTexts = map[storage.MailKind]func(content) templates.Mail{
	storage.MailPasswordChanged: content.passwordChanged,
	storage.MailNewBrowser:      content.newBrowser,
	storage.MailIdentityLinked:  content.identityLinked,
	storage.MailIdentityRemoved: content.identityRemoved,
	storage.MailPasskeyAdded:    content.passkeyAdded,
	storage.MailPasskeyMade:     content.passkeyMade,
	storage.MailPasskeyRemoved:  content.passkeyRemoved,
	storage.MailAccountDisabled: content.accountDisabled,
	storage.MailAccountEnabled:  content.accountEnabled,
	storage.MailPasswordReset:   content.passwordReset,
	storage.MailNoPassword:      content.noPassword,
	storage.MailSignUp:          content.signUp,
	storage.MailHasAccount:      content.hasAccount,
	storage.MailAddressProof:    content.addressProof,
	storage.MailInvitation:      content.invitation,
	storage.MailInvitationUsed:  content.invitationUsed,

	storage.MailFactorAdded: content.factorAdded, storage.MailFactorRemoved: content.factorRemoved, storage.MailFactorsReset: content.factorsReset,
	storage.MailRecoveryCodesReplaced: content.recoveryCodesReplaced, storage.MailRecoveryCodeUsed: content.recoveryCodeUsed,
	storage.MailBrowserTrusted:  content.browserTrusted,
	storage.MailAlwaysAskOn:     content.alwaysAskOn,
	storage.MailAlwaysAskOff:    content.alwaysAskOff,
	storage.MailPasswordLink:    content.passwordLink,
	storage.MailPasskeyLink:     content.passkeyLink,
	storage.MailAddressChange:   content.addressChange,
	storage.MailEnrolment:       content.enrolment,
	storage.MailAddressTaken:    content.addressTaken,
	storage.MailAddressReserved: content.addressReserved,
	storage.MailAddressChanged:  content.addressChanged,
	storage.MailAddressRestored: content.addressRestored,
}

// render makes the text of the mail. There is one language yet.
func (c content) render() (templates.Texts, error) {
	text, known := mailTexts[c.Message.Kind]
	if !known {
		return templates.Texts{}, fmt.Errorf("there is no text for mails of the kind %q", c.Message.Kind)
	}
	return text(c).Render(words.English())
}

func (c content) passwordChanged() templates.Mail {
	m := templates.Mail{
		Issuer: c.issuer.Host, Subject: words.Say("mail-password-changed.subject"), Facts: c.facts(),
		Lines:  []words.Sentence{words.Say("mail-password-changed.text", "Email", c.Recipient, "Issuer", c.issuer.Host)},
		Advice: words.Say("mail-password-changed.not-you", "Issuer", c.issuer.Host), AdviceURL: c.page("reset"),
	}
	if c.Message.Facts.Operator {
		m.Lines = []words.Sentence{words.Say("mail-password-changed.text-operator", "Email", c.Recipient, "Issuer", c.issuer.Host)}
		m.Advice, m.AdviceURL = words.Say("mail-password-changed.not-expected", "Issuer", c.issuer.Host), ""
	}
	if c.Message.Facts.PasskeysRemoved {
		m.Lines = append(m.Lines, words.Say("mail-password-changed.passkeys-removed"))
	}
	if c.Message.Facts.AsksPasskey {
		m.Lines = append(m.Lines, words.Say("mail-password-changed.asks-passkey"))
	}
	return m
}

// mail returns a mail with one paragraph, the facts and an advice.
func (c content) mail(subject, text, advice words.Sentence) templates.Mail {
	return templates.Mail{Issuer: c.issuer.Host, Subject: subject, Lines: []words.Sentence{text}, Facts: c.facts(), Advice: advice}
}

// page returns the URL of a page of the account.
func (c content) page(path string) string { return c.issuer.JoinPath(path).String() }

func (c content) newBrowser() templates.Mail {
	m := c.mail(words.Say("mail-new-browser.subject"), words.Say("mail-new-browser.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-new-browser.not-you"))
	m.AdviceURL = c.page("account/sessions")
	return m
}

func (c content) identityLinked() templates.Mail {
	text := words.Say("mail-identity-linked.text", "Connector", c.connector, "Email", c.Recipient, "Issuer", c.issuer.Host)
	if identity := c.Message.Facts.Identity; identity != "" {
		text = words.Say("mail-identity-linked.text-named", "Connector", c.connector, "Identity", identity, "Email", c.Recipient, "Issuer", c.issuer.Host)
	}
	m := c.mail(words.Say("mail-identity-linked.subject", "Connector", c.connector), text, words.Say("mail-identity-linked.not-you"))
	m.AdviceURL = c.page("account/identities")
	return m
}

func (c content) identityRemoved() templates.Mail {
	text := words.Say("mail-identity-removed.text", "Connector", c.connector, "Email", c.Recipient, "Issuer", c.issuer.Host)
	if identity := c.Message.Facts.Identity; identity != "" {
		text = words.Say("mail-identity-removed.text-named", "Connector", c.connector, "Identity", identity, "Email", c.Recipient, "Issuer", c.issuer.Host)
	}
	m := c.mail(words.Say("mail-identity-removed.subject", "Connector", c.connector), text, words.Say("mail-identity-removed.not-you"))
	m.AdviceURL = c.page("account")
	return m
}

func (c content) passkeyAdded() templates.Mail {
	text := words.Say("mail-passkey-added.text", "Email", c.Recipient, "Issuer", c.issuer.Host)
	if name := c.Message.Facts.Name; name != "" {
		text = words.Say("mail-passkey-added.text-named", "Name", name, "Email", c.Recipient, "Issuer", c.issuer.Host)
	}
	m := c.mail(words.Say("mail-passkey-added.subject"), text, words.Say("mail-passkey-added.not-you"))
	m.AdviceURL = c.page("account/passkeys")
	return m
}

func (c content) passkeyMade() templates.Mail {
	text := words.Say("mail-passkey-made.text", "Email", c.Recipient, "Issuer", c.issuer.Host)
	if name := c.Message.Facts.Name; name != "" {
		text = words.Say("mail-passkey-made.text-named", "Name", name, "Email", c.Recipient, "Issuer", c.issuer.Host)
	}
	m := c.mail(words.Say("mail-passkey-made.subject"), text, words.Say("mail-passkey-made.not-you"))
	m.AdviceURL = c.page("account/passkeys")
	return m
}

func (c content) passkeyRemoved() templates.Mail {
	text := words.Say("mail-passkey-removed.text", "Email", c.Recipient, "Issuer", c.issuer.Host)
	if name := c.Message.Facts.Name; name != "" {
		text = words.Say("mail-passkey-removed.text-named", "Name", name, "Email", c.Recipient, "Issuer", c.issuer.Host)
	}
	m := c.mail(words.Say("mail-passkey-removed.subject"), text, words.Say("mail-passkey-removed.not-you"))
	m.AdviceURL = c.page("account/passkeys")
	return m
}

func (c content) accountDisabled() templates.Mail {
	return c.mail(words.Say("mail-account-disabled.subject"), words.Say("mail-account-disabled.text", "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-account-disabled.not-expected", "Issuer", c.issuer.Host))
}

func (c content) accountEnabled() templates.Mail {
	return c.mail(words.Say("mail-account-enabled.subject"), words.Say("mail-account-enabled.text", "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-account-enabled.not-expected", "Issuer", c.issuer.Host))
}

func (c content) passwordReset() templates.Mail {
	m := c.mail(words.Say("mail-password-reset.subject"), words.Say("mail-password-reset.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-password-reset.not-you"))
	m.Action = templates.MailAction{Label: words.Say("mail-password-reset.action"), URL: c.link}
	return m
}

func (c content) noPassword() templates.Mail {
	m := c.mail(words.Say("mail-no-password.subject", "Connector", c.connector),
		words.Say("mail-no-password.text", "Email", c.Recipient, "Issuer", c.issuer.Host, "Connector", c.connector), words.Say("mail-no-password.not-you"))
	m.AdviceURL = c.page("login")
	return m
}

func (c content) signUp() templates.Mail {
	m := c.mail(words.Say("mail-sign-up.subject"), words.Say("mail-sign-up.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-sign-up.not-you"))
	m.Action = templates.MailAction{Label: words.Say("mail-sign-up.action"), URL: c.link}
	return m
}

func (c content) hasAccount() templates.Mail {
	if c.disabled {
		return c.mail(words.Say("mail-has-account.subject"), words.Say("mail-has-account.disabled", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-has-account.not-you"))
	}
	m := c.mail(words.Say("mail-has-account.subject"), words.Say("mail-has-account.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-has-account.not-you"))
	m.Action = templates.MailAction{Label: words.Say("mail-has-account.action"), URL: c.page("login")}
	return m
}

func (c content) addressProof() templates.Mail {
	m := c.mail(words.Say("mail-address-proof.subject"), words.Say("mail-address-proof.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-address-proof.not-you"))
	m.Action = templates.MailAction{Label: words.Say("mail-address-proof.action"), URL: c.link}
	return m
}

func (c content) invitation() templates.Mail {
	m := c.mail(words.Say("mail-invitation.subject", "Issuer", c.issuer.Host), words.Say("mail-invitation.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-invitation.not-expected"))
	m.Action = templates.MailAction{Label: words.Say("mail-invitation.action"), URL: c.link}
	return m
}

func (c content) invitationUsed() templates.Mail {
	return c.mail(words.Say("mail-invitation-used.subject"), words.Say("mail-invitation-used.text", "Invited", c.Message.Facts.Invited, "Issuer", c.issuer.Host),
		words.Say("mail-invitation-used.not-expected"))
}

// factorKinds name the factors in the mails about them.
var factorKinds = map[string]words.Sentence{storage.FactorTOTP: words.Say("factor-kind.totp"), storage.FactorSecurityKey: words.Say("factor-kind.security-key")}

// factor names the factor of the mail.
func (c content) factor() words.Sentence {
	if name, known := factorKinds[c.Message.Facts.Factor]; known {
		return name
	}
	return words.Say("factor-kind.another")
}

func (c content) factorAdded() templates.Mail {
	m := c.mail(words.Say("mail-factor-added.subject"), words.Say("mail-factor-added.text", "Factor", c.factor(), "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-factor-added.not-you", "Issuer", c.issuer.Host))
	m.AdviceURL = c.page("account/security")
	return m
}

func (c content) factorRemoved() templates.Mail {
	m := c.mail(words.Say("mail-factor-removed.subject"), words.Say("mail-factor-removed.text", "Factor", c.factor(), "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-factor-removed.not-you", "Issuer", c.issuer.Host))
	m.AdviceURL = c.page("account/security")
	return m
}

func (c content) factorsReset() templates.Mail {
	return c.mail(words.Say("mail-factors-reset.subject"), words.Say("mail-factors-reset.text", "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-factors-reset.not-expected", "Issuer", c.issuer.Host))
}

func (c content) passwordLink() templates.Mail {
	return c.mail(words.Say("mail-password-link.subject"), words.Say("mail-password-link.text", "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-password-link.not-expected", "Issuer", c.issuer.Host))
}

func (c content) passkeyLink() templates.Mail {
	return c.mail(words.Say("mail-passkey-link.subject"), words.Say("mail-passkey-link.text", "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-passkey-link.not-expected", "Issuer", c.issuer.Host))
}

func (c content) recoveryCodesReplaced() templates.Mail {
	m := c.mail(words.Say("mail-recovery-codes-replaced.subject"), words.Say("mail-recovery-codes-replaced.text", "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-recovery-codes-replaced.not-you", "Issuer", c.issuer.Host))
	m.AdviceURL = c.page("account/security")
	return m
}

func (c content) recoveryCodeUsed() templates.Mail {
	left := int64(0)
	if n := c.Message.Facts.CodesLeft; n != nil {
		left = *n
	}
	m := c.mail(words.Say("mail-recovery-code-used.subject"), words.Say("mail-recovery-code-used.text", "Count", int(left), "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-recovery-code-used.not-you"))
	m.AdviceURL = c.page("account/security")
	return m
}

func (c content) alwaysAskOn() templates.Mail {
	m := c.mail(words.Say("mail-always-ask-on.subject"), words.Say("mail-always-ask-on.text", "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-always-ask-on.not-you", "Issuer", c.issuer.Host))
	m.AdviceURL = c.page("account/security")
	return m
}

func (c content) alwaysAskOff() templates.Mail {
	m := c.mail(words.Say("mail-always-ask-off.subject"), words.Say("mail-always-ask-off.text", "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-always-ask-off.not-you", "Issuer", c.issuer.Host))
	m.AdviceURL = c.page("account/security")
	return m
}

func (c content) browserTrusted() templates.Mail {
	facts := c.Message.Facts
	days := int(facts.Until.Time().Sub(facts.At.Time()) / (24 * time.Hour))
	m := c.mail(words.Say("mail-browser-trusted.subject"), words.Say("mail-browser-trusted.text", "Count", days, "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-browser-trusted.not-you"))
	m.AdviceURL = c.page("account/password")
	return m
}

func (c content) addressChange() templates.Mail {
	m := c.mail(words.Say("mail-address-change.subject"), words.Say("mail-address-change.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-address-change.not-you"))
	m.Action = templates.MailAction{Label: words.Say("mail-address-change.action"), URL: c.link}
	return m
}

func (c content) enrolment() templates.Mail {
	m := c.mail(words.Say("mail-enrolment.subject"), words.Say("mail-enrolment.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-enrolment.not-you"))
	m.Action, m.AdviceURL = templates.MailAction{Label: words.Say("mail-enrolment.action"), URL: c.link}, c.page("account/password")
	return m
}

func (c content) addressTaken() templates.Mail {
	m := c.mail(words.Say("mail-address-taken.subject"), words.Say("mail-address-taken.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-address-taken.not-you"))
	m.AdviceURL = c.page("login")
	return m
}

func (c content) addressReserved() templates.Mail {
	return c.mail(words.Say("mail-address-reserved.subject"), words.Say("mail-address-reserved.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-address-reserved.not-you"))
}

// addressChanged is for the former address. The new one is not named: the former one may belong
// to another person now.
func (c content) addressChanged() templates.Mail {
	m := c.mail(words.Say("mail-address-changed.subject"), words.Say("mail-address-changed.text", "Email", c.Recipient, "Issuer", c.issuer.Host), words.Say("mail-address-changed.not-expected", "Issuer", c.issuer.Host))
	switch {
	case c.link != "":
		m.Lines = []words.Sentence{words.Say("mail-address-changed.text-undo", "Email", c.Recipient, "Issuer", c.issuer.Host)}
		m.Action, m.Advice = templates.MailAction{Label: words.Say("mail-address-changed.action"), URL: c.link}, words.Say("mail-address-changed.you")
	case c.Message.Facts.Operator:
		m.Lines = []words.Sentence{words.Say("mail-address-changed.text-operator", "Email", c.Recipient, "Issuer", c.issuer.Host)}
	}
	return m
}

func (c content) addressRestored() templates.Mail {
	return c.mail(words.Say("mail-address-restored.subject"), words.Say("mail-address-restored.text", "Email", c.Recipient, "Issuer", c.issuer.Host),
		words.Say("mail-address-restored.not-expected", "Issuer", c.issuer.Host))
}

// facts lists the time, the network address, the browser and the application of the act, as far
// as they are known.
func (c content) facts() (list []templates.MailFact) {
	f := c.Message.Facts
	add := func(label words.Sentence, value string) {
		if value != "" {
			list = append(list, templates.MailFact{Label: label, Value: words.Say("mail.value", "Value", value)})
		}
	}
	add(words.Say("mail.time"), templates.WriteTime(f.At.Time(), c.zone))
	add(words.Say("mail.application"), c.application)
	add(words.Say("mail.network-address"), f.Address)
	if f.Agent != "" {
		list = append(list, templates.MailFact{Label: words.Say("mail.browser"), Value: web.DescribeAgent(f.Agent)})
	}
	return list
}

// TestMail returns the texts of the mail with which an operator tries the settings.
func TestMail(issuer *url.URL) (templates.Texts, error) {
	return templates.Mail{
		Issuer: issuer.Host, Subject: words.Say("mail.test-subject", "Issuer", issuer.Host),
		Lines: []words.Sentence{words.Say("mail.test-text", "Issuer", issuer.Host)},
	}.Render(words.English())
}
