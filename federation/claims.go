package federation

import (
	"strings"
)

// identify makes the identity of the ID token's claims and what userinfo adds.
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
	// Address and word on it from one document: the signed one, if it has any.
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
	if err != nil || text == "" { // then there is nothing that a word on it could be about
		return err
	}
	name := c.config.claim("email_verified")
	said, err := document.assertion(name)
	if err != nil {
		return err
	}
	if said == assertedTrue && !c.isAboutAddress(document, other, text) {
		said = notAsserted
	}
	// A "yes" of the other document is about another address, perhaps. A "no", or what
	// cannot be read, is one all the same.
	if elsewhere, err := other.assertion(name); said == notAsserted && (err != nil || elsewhere == assertedFalse) {
		said = assertedFalse
	}
	c.setAddress(i, text, said)
	return nil
}

// isAboutAddress reports whether email_verified of the document is about this address. The
// standard claim is about the claim email (OpenID Connect Core, section 5.1), which may
// stand in the other document: an address that the settings take from another claim is
// another one if the two differ.
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

// readProfile takes each claim from the signed document, and from the other one where the
// first has none that can be read.
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
