package storage

import "strings"

// FederationKind is the kind of a foreign issuer of tokens for workloads. It decides the form of the
// subjects and which tokens are refused.
type FederationKind string

// The kinds of foreign issuers.
const (
	FederationGitHub     FederationKind = "github"     // GitHub Actions
	FederationGitLab     FederationKind = "gitlab"     // GitLab CI/CD
	FederationKubernetes FederationKind = "kubernetes" // service accounts of a cluster
	FederationOIDC       FederationKind = "oidc"       // any other issuer
)

// Federation lets the tokens of a foreign issuer prove a client instead of a secret or a key of its
// own (RFC 7521, section 4.2; RFC 7523, section 3).
type Federation struct {
	Name     string         `json:"name"` // unique for the client
	Kind     FederationKind `json:"kind"`
	Issuer   string         `json:"issuer"`             // exact iss of the tokens
	JWKSURI  string         `json:"jwks_uri,omitempty"` // "": the discovery document of the issuer names it
	Audience string         `json:"audience,omitempty"` // exact aud of the tokens; "": our issuer
	Subject  string         `json:"subject"`            // pattern of sub, see AllowsSubject
}

// AllowsSubject reports whether the pattern of the federation covers a subject. The separators ":"
// and "/" divide both into segments. In each segment of the pattern, "*" stands for one or more
// characters, so it never covers a separator. All other characters must be equal.
func (f Federation) AllowsSubject(subject string) bool {
	pattern := f.Subject
	for {
		wanted, given := subjectSegment(pattern), subjectSegment(subject)
		if !segmentCovers(wanted, given) {
			return false
		}
		pattern, subject = pattern[len(wanted):], subject[len(given):]
		if pattern == "" || subject == "" {
			return pattern == subject
		}
		if pattern[0] != subject[0] { // another separator
			return false
		}
		pattern, subject = pattern[1:], subject[1:]
	}
}

// subjectSegment returns the text up to the first separator.
func subjectSegment(text string) string {
	if end := strings.IndexAny(text, ":/"); end >= 0 {
		return text[:end]
	}
	return text
}

// segmentCovers reports whether one segment of a pattern covers one of a subject. A segment with
// several stars covers nothing.
func segmentCovers(pattern, segment string) bool {
	before, after, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == segment
	}
	return !strings.Contains(after, "*") && len(segment) > len(before)+len(after) &&
		strings.HasPrefix(segment, before) && strings.HasSuffix(segment, after)
}
