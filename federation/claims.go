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
	} else if a.wantsFresh() && c.Reauthenticates() == AsksAgain {
		i.AuthTime = a.Started
	}
	i.Fresh = a.freshBy(i.AuthTime)
	if i.ACR, err = token.text("acr"); err != nil {
		return i, err
	}
	if i.AMR, err = token.list("amr"); err != nil {
		return i, err
	}
	// Address and word on it from one document: the signed one, if it has any.
	document, other := token, more
	if token[c.config.claim("email")] == nil && more != nil {
		document, other = more, token
	}
	if err := c.readAddress(document, other, &i); err != nil {
		return i, err
	}
	all := merged(token, more)
	if name := c.config.Claims["groups"]; name != "" {
		if i.Groups, err = all.list(name); err != nil {
			return i, err
		}
	}
	c.readProfile(all, &i)
	i.Claims = all
	return i, nil
}

func (c *relyingParty) readAddress(document, other object, i *Identity) error {
	text, err := document.text(c.config.claim("email"))
	if err != nil {
		return err
	}
	name := c.config.claim("email_verified")
	said, err := document.word(name)
	if err != nil {
		return err
	}
	if said == saidYes && !c.speaksOf(document, text) {
		said = saidNothing
	}
	// A "yes" of the other document is about another address, perhaps. A "no", or what
	// cannot be read, is one all the same.
	if elsewhere, err := other.word(name); said == saidNothing && (err != nil || elsewhere == saidNo) {
		said = saidNo
	}
	c.setAddress(i, text, said)
	return nil
}

// speaksOf reports whether email_verified of the document is about this address. The
// standard claim is about the claim email (OpenID Connect Core, section 5.1): an address
// that the settings take from another claim is another one if the two differ.
func (c *base) speaksOf(document object, text string) bool {
	standard, there := document["email"].(string)
	return c.config.claim("email_verified") != "email_verified" || !there || strings.EqualFold(standard, text)
}

func (c *base) readProfile(all object, i *Identity) {
	i.Name = all.words(c.config.claim("name"))
	i.GivenName = all.words(c.config.claim("given_name"))
	i.FamilyName = all.words(c.config.claim("family_name"))
	i.Username = all.words(c.config.claim("preferred_username"))
	i.Locale = all.words(c.config.claim("locale"))
	i.Picture = pictureURL(all.words(c.config.claim("picture")))
}

// merged is what both documents say; the signed one wins.
func merged(token, more object) object {
	all := object{}
	for name, value := range more {
		all[name] = value
	}
	for name, value := range token {
		all[name] = value
	}
	return all
}
