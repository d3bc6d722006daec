package templates

import "signet/templates/words"

// AdminToken gives an access token for the administration API.
type AdminToken struct {
	Admin
	Scopes  []TokenScope // those that the role of the person stands for
	Ticket  string
	Token   string // the token that was just made; "": none
	Granted string // its scopes
}

func (AdminToken) page() string { return "admintoken.html" }

// TokenScope is a scope of the administration API.
type TokenScope struct {
	Name  string
	About words.Sentence
}
