package flow

import (
	"crypto/rand"
	"strings"
	"time"

	"signet/federation/foreign"
	"signet/provider/keys"
	"signet/storage"
)

// operatorTokenLife is the lifetime of the access tokens that people with a role of administration get
// for the administration API.
const operatorTokenLife = 5 * time.Minute

// OperatorToken makes an access token for the administration API, for the person of the session. It
// belongs to no grant: whoever accepts it reads session, user and role, see OperatorScopes. The caller has
// checked that the role stands for the scopes.
func (t *Tokens) OperatorToken(s storage.Session, u storage.User, scopes []string, at time.Time) (Issued, error) {
	access := keys.AccessToken{
		Subject: u.PublicSubject(), Audience: []string{storage.AdminAudience(t.Issuer)}, ClientID: storage.ConsoleClientID(t.Issuer),
		Scope: joinScopes(scopes), ID: rand.Text(), SessionID: s.ID,
		AuthTime: s.AuthTime.Unix(), ACR: s.ACR, AMR: s.AMR,
		IssuedAt: at.Unix(), Expires: at.Add(operatorTokenLife).Unix(),
	}
	signed, err := t.signAccess(access)
	return Issued{Access: signed, Scope: access.Scope, Life: operatorTokenLife}, err
}

// IsOperatorToken reports whether a token is one of OperatorToken.
func (t *Tokens) IsOperatorToken(access keys.AccessToken) bool {
	return access.ClientID == storage.ConsoleClientID(t.Issuer) && access.GrantID == ""
}

// OperatorScopes returns the scopes of a token of OperatorToken that the role still stands for.
func OperatorScopes(access keys.AccessToken, role storage.AdminRole) []string {
	var left []string
	for _, scope := range foreign.Distinct(strings.Fields(access.Scope)) {
		if role.May([]string{scope}) {
			left = append(left, scope)
		}
	}
	return left
}
