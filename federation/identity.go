package federation

import (
	"net/url"
	"strings"

	"signet/federation/foreign"
)

// Identity is what an upstream asserts about a person.
type Identity struct {
	Connector string
	Issuer    string // who said it, so that links made with another upstream under the same id do not match
	Subject   string // 1 to 255 bytes, compared byte for byte

	// Email is one address with its domain as a lower-case A-label, or "": none was
	// sent, or nothing that is an address.
	Email string
	// EmailVerified is the upstream's word on Email, from the same document: true if it
	// says so, or if it says nothing and is authoritative for the domain. False without
	// Email.
	EmailVerified bool
	// Trust is what that word is worth for this address: at most the connector's. See
	// HasTrustedEmail.
	Trust    Trust
	verified assertion

	Name, GivenName, FamilyName, MiddleName, Nickname, Username string
	Picture                                                     string // an https URL, or ""
	ProfileURL, Website, Gender, Birthdate, Zoneinfo, Locale    string // as the upstream says them, unjudged
	PhoneNumber                                                 string // likewise; nobody says that it is the person's
	Address                                                     Address

	// AuthTime is when the user last proved to the upstream who it is, in Unix
	// milliseconds; 0 if it did not say. Of an upstream that AlwaysReauthenticates, was asked to and
	// did not say, it is when the attempt started: the proof is no older.
	AuthTime int64
	// ACR and AMR are how it did that, in its own words; empty where they cannot be read.
	// Nothing is decided by them.
	ACR string
	AMR []string
	// Fresh: the attempt asked for a new proof, and there was one after it started: the
	// upstream says so under its signature, or AlwaysReauthenticates and says nothing else.
	Fresh bool

	// Groups come only from the claim that the settings name for them. GroupsRefused is a
	// stable code for why they were not taken, "" if they were; Groups is empty then.
	Groups        []string
	GroupsRefused string
	// ProfileError says why a document that would have completed the profile was not used; nil if
	// nothing is missing. It is for the log and stops nobody.
	ProfileError error
	// Token is set only if the settings ask to keep it.
	Token *Token
}

// Address is the address claim (OIDC Core, section 5.1.1).
type Address struct{ Formatted, StreetAddress, Locality, Region, PostalCode, Country string }

// HasTrustedEmail reports whether somebody who is trusted with it says that the address is
// the person's own. An address that is not vouched for must find, make and change no
// account, and must look the same in every answer, whether an account has it or not.
func (i Identity) HasTrustedEmail() bool { return i.EmailVerified && i.Trust >= Verifies }

// DescribeTrust says in a few words what the address is worth, for the log.
func (i Identity) DescribeTrust() string {
	switch {
	case i.Email == "":
		return "none"
	case !i.EmailVerified && i.verified == assertedFalse:
		return "not verified"
	case !i.EmailVerified:
		return "no email_verified"
	case i.Trust == Unknown:
		return "verified, but the connector's trust does not reach it"
	}
	return i.Trust.String()
}

// setTrust sets how far the address may be relied on. An upstream that runs the mailbox
// need not say that it is verified; a "no" counts against every upstream.
func (i *Identity) setTrust(trust Trust) {
	i.EmailVerified = i.verified == assertedTrue || i.verified == notAsserted && trust == Authoritative && i.Email != ""
	i.Trust = Unknown
	if i.EmailVerified {
		i.Trust = trust
	}
}

// Token is the upstream's own token for the user. It does not print itself.
type Token struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	ExpiresAt    int64  `json:"expires_at,omitempty"` // Unix milliseconds; 0: unknown
}

// String keeps the tokens out of logs.
func (Token) String() string { return "***" }

// GoString keeps %#v from showing the value.
func (Token) GoString() string { return "***" }

// parseAddress reads one e-mail address, by the rules of foreign.SplitEmail. The domain comes
// back in its one form, the local part as it was; "" and "" for everything else.
func parseAddress(text string) (whole, domain string) {
	local, domain, err := foreign.SplitEmail(text)
	if err != nil || !isMailDomain(domain) {
		return "", ""
	}
	return local + "@" + domain, domain
}

// canonicalDomain is the one form of a domain name that mail can reach; "" for any other
// text.
func canonicalDomain(domain string) string {
	if domain = foreign.CanonicalDomain(domain); !isMailDomain(domain) {
		return ""
	}
	return domain
}

func isMailDomain(domain string) bool { return strings.Contains(domain, ".") || domain == "localhost" }

// pictureURL lets only https through: a page will show it, and a data or script
// URL is no picture.
func pictureURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return text
}
