package federation

import (
	"strings"
)

// identify makes the identity from the claims of the ID token and of userinfo (more).
func (c *relyingParty) identify(a Attempt, token, more object) (Identity, error) {
	subject, err := token.subject()
	if err != nil {
		return Identity{}, err
	}
	i := Identity{Connector: c.config.ID, Issuer: c.issuer, Subject: subject}
	if at, ok, _ := token.seconds("auth_time"); ok {
		i.AuthTime = at * 1000
	} else if a.wantsFresh() && c.Reauthenticates() == AlwaysReauthenticates {
		i.AuthTime = a.Started
	}
	i.Fresh = a.isFreshAt(i.AuthTime)
	i.ACR, i.AMR = token.optionalText("acr"), token.optionalList("amr")
	// Address and email_verified come from one document: from the ID token if it has an
	// address.
	document, other := token, more
	if token.isEmpty(c.config.claim("email")) && !more.isEmpty(c.config.claim("email")) {
		document, other = more, token
	}
	if err := c.readAddress(document, other, &i); err != nil {
		return i, err
	}
	if name := c.config.Claims["groups"]; name != "" {
		i.Groups, i.GroupsRefused = readGroups(name, token, more)
	}
	c.readProfile(token, more, &i)
	return i, nil
}

func (c *relyingParty) readAddress(document, other object, i *Identity) error {
	text, err := document.text(c.config.claim("email"))
	if err != nil || text == "" { // email_verified means nothing without an address
		return err
	}
	name := c.config.claim("email_verified")
	verified, err := document.assertion(name)
	if err != nil {
		return err
	}
	if verified == assertedTrue && !c.isAboutAddress(document, other, text) {
		verified = notAsserted
	}
	// true in the other document may be about another address, so it is ignored there. false
	// or an unreadable value counts as false.
	if inOther, err := other.assertion(name); verified == notAsserted && (err != nil || inOther == assertedFalse) {
		verified = assertedFalse
	}
	c.setAddress(i, text, verified)
	return nil
}

// isAboutAddress reports whether email_verified of the document is about this address. The
// standard claim is about the claim email (OpenID Connect Core, section 5.1), which may be in
// the other document. If the settings map email to another claim, the two addresses can
// differ; then email_verified is not about this address.
func (c *base) isAboutAddress(document, other object, text string) bool {
	if c.config.claim("email_verified") != "email_verified" {
		return true
	}
	standard, err := document.text("email")
	if err == nil && standard == "" {
		standard, err = other.text("email")
	}
	return err == nil && standard == "" || strings.EqualFold(standard, text)
}

// readProfile reads each claim from the ID token. If the ID token has no readable value, it
// reads the claim from userinfo (more).
func (c *base) readProfile(token, more object, i *Identity) {
	for name, into := range i.textClaims() {
		claim := c.config.claim(name)
		if *into = token.optionalText(claim); *into == "" {
			*into = more.optionalText(claim)
		}
	}
	i.Picture = pictureURL(i.Picture)
	claim := c.config.claim("address")
	if i.Address = token.optionalAddress(claim); i.Address == (Address{}) {
		i.Address = more.optionalAddress(claim)
	}
}
