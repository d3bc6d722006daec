package templates

import "signet/templates/words"

// PasskeyAsk is the form with which a browser signs in with a passkey. The script of the pages
// shows it, if the browser knows passkeys.
type PasskeyAsk struct {
	Page      string // path below the issuer of the page, which makes a new challenge for its request
	RPID      string
	Challenge string // base64url without padding
	Sealed    string // the sealed challenge, as a hidden field
	Unknown   string // handle of a passkey that this server no longer has; "": none. The browser forgets it
	Keep      bool   // "Keep me signed in", if the page has no such box
	Other     bool   // the person is signed in and wants to use another account
	Only      bool   // the page has no other way: it says so if the browser knows no passkeys
}

// AccountPasskeys lists the passkeys of the person.
type AccountPasskeys struct {
	Account
	Passkeys    []PasskeyRow
	Offered     bool // people can add passkeys at this address
	Full        bool // the person has as many as possible
	AcceptedIDs string
	RPID        string
	UserHandle  string // base64url without padding
	AccountName string
	Error       *FormError
}

func (AccountPasskeys) page() string { return "accountpasskeys.html" }

// PasskeyRow is one passkey.
type PasskeyRow struct {
	ID        string
	Name      string // "": it has none
	Ticket    string // of the form that renames it
	BackedUp  bool   // its maker copies it to other devices of the person
	Automatic bool   // a browser made it by itself after a sign-in
	Suspect   Moment // when a copy of its key may have been used; zero: never
	Since     Moment
	LastUsed  Moment
	Unproven  bool // a sign-in with it counts as one factor
	Unusable  bool // it belongs to another host: nobody can sign in with it
}

// AccountAddPasskey asks the browser to make a passkey.
type AccountAddPasskey struct {
	Account
	Ticket      string
	RPID        string
	Challenge   string // base64url without padding
	Sealed      string
	UserHandle  string         // base64url without padding
	AccountName string         // that the browser shows beside the passkey
	Algorithms  string         // numbers, with commas
	Exclude     string         // handles of the passkeys that the person has, with commas
	SecurityKey bool           // the browser makes a security key, not a passkey
	Unable      words.Sentence // why there can be no new passkey; zero: there can be one
	Request     string         // sealed request of the sign-in that goes on afterwards, as a hidden field; "": none
	Cancel      string         // path
	Error       *FormError
}

func (p AccountAddPasskey) page() string {
	if p.SecurityKey {
		return "accountaddkey.html"
	}
	return "accountaddpasskey.html"
}

// AccountRemovePasskey asks whether to remove a passkey.
type AccountRemovePasskey struct {
	Account
	Ticket  string
	Passkey PasskeyRow
}

func (AccountRemovePasskey) page() string { return "accountremovepasskey.html" }
