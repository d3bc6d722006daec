package federation

import (
	"net/url"
	"strings"

	"signet/federation/foreign"
)

// Identity holds an upstream's assertions about a person.
type Identity struct {
	Connector string
	Issuer    string // part of the key: a link to another upstream that had the same connector id does not match
	Subject   string // 1 to 255 bytes, compared byte for byte

	// Email is one address, its domain as lower-case A-labels; "" if the upstream sent no
	// valid address.
	Email string
	// EmailVerified: the document that contains Email also says that it is verified, or it
	// says nothing and the upstream is authoritative for the domain. False without Email.
	EmailVerified bool
	// Trust is how far EmailVerified can be trusted for this address: at most the trust of
	// the connector. See HasTrustedEmail.
	Trust    Trust
	verified assertion // email_verified

	Name, GivenName, FamilyName, MiddleName, Nickname, Username string
	Picture                                                     string // an https URL, or ""
	ProfileURL, Website, Gender, Birthdate, Zoneinfo, Locale    string // unchecked text of the upstream
	PhoneNumber                                                 string // unchecked and not verified
	Address                                                     Address

	// AuthTime is when the upstream last authenticated the user, in Unix milliseconds; 0 if
	// unknown. If an upstream that AlwaysReauthenticates got a request to do so and sent no
	// auth_time, it is the start of the attempt: the authentication was not earlier.
	AuthTime int64
	// ACR and AMR describe how the upstream authenticated the user; empty if they cannot be
	// read. No decision depends on them.
	ACR string
	AMR []string
	// Fresh: the attempt requested a new authentication, and the upstream authenticated the
	// user after the attempt started. A signed auth_time shows this, or the upstream
	// AlwaysReauthenticates and sent no auth_time.
	Fresh bool

	// Groups come only from the claim that the settings map to groups. If they were not
	// read, Groups is empty and GroupsRefused has a stable code for the reason.
	Groups        []string
	GroupsRefused string
	// ProfileError says why userinfo, which would have completed the profile, was not used;
	// nil if nothing is missing. It is only for the log: the sign-in succeeds.
	ProfileError error
	// Token is set only if Config.KeepToken is.
	Token *Token
}

// Address is the address claim (OIDC Core, section 5.1.1).
type Address struct{ Formatted, StreetAddress, Locality, Region, PostalCode, Country string }

// HasTrustedEmail reports whether a trusted upstream says that the address belongs to the
// person. If it reports false, the address must not find, create or change an account, and
// every answer must look the same whether an account has this address or not.
func (i Identity) HasTrustedEmail() bool { return i.EmailVerified && i.Trust >= Verifies }

// DescribeTrust describes the trust in the address in a few words, for the log.
func (i Identity) DescribeTrust() string {
	switch {
	case i.Email == "":
		return "none"
	case !i.EmailVerified && i.verified == assertedFalse:
		return "not verified"
	case !i.EmailVerified:
		return "no email_verified"
	case i.Trust == Unknown:
		return "verified, but the connector is not trusted for it"
	}
	return i.Trust.String()
}

// setTrust sets EmailVerified and Trust. An authoritative upstream may leave out
// email_verified; if it is false, the address is not verified, whatever the trust.
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

// GoString keeps %#v from showing the tokens.
func (Token) GoString() string { return "***" }

// parseAddress reads one email address by the rules of foreign.SplitEmail. It returns the
// address with its domain in canonical form and the local part unchanged; "" and "" for any
// other text.
func parseAddress(text string) (whole, domain string) {
	local, domain, err := foreign.SplitEmail(text)
	if err != nil || !isMailDomain(domain) {
		return "", ""
	}
	return local + "@" + domain, domain
}

// canonicalDomain returns the canonical form of a domain name that can receive mail; "" for
// any other text.
func canonicalDomain(domain string) string {
	if domain = foreign.CanonicalDomain(domain); !isMailDomain(domain) {
		return ""
	}
	return domain
}

func isMailDomain(domain string) bool { return strings.Contains(domain, ".") || domain == "localhost" }

// pictureURL returns text if it is an https URL, else "". A page will show it, so data and
// script URLs must not pass.
func pictureURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return text
}
