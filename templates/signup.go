package templates

// SignUp is the page on which people ask for an account. Sent and Created are the pages that
// follow.
type SignUp struct {
	Common
	Request string // sealed authorization request, as a hidden field; "": none
	SignIn  string // address of the sign-in page
	Email   string // kept after an error
	Sent    bool   // the mail was asked for; the page does not say whether there is an account
	Created bool   // an account was created, in another browser than the one in which it was asked for
	App     string // name of the application for which it was created
	// StartURL is the address of the application; "": the page leads to the sign-in only.
	StartURL string
	Error    *FormError

	Connectors []ConnectorButton // upstreams with which people can create an account
	Trip       string            // sealed authorization request that the upstreams answer
}

func (SignUp) page() string { return "signup.html" }

// NewAccount is the page of a one-time link that creates an account. People choose its name and
// its password there.
type NewAccount struct {
	Common
	Invited    bool              // the link is that of an invitation
	Connectors []ConnectorButton // with which an invited person can continue instead
	Link       string            // sealed one-time link, as a hidden field
	Email      string            // of the new account
	Name       string
	MinLength  int // of a password; 0: not said
	Error      *FormError
}

func (NewAccount) page() string { return "newaccount.html" }

// Invited is the page after an invitation was accepted.
type Invited struct {
	Common
	SignedIn bool   // through an upstream; otherwise the person has chosen a password
	App      string // name of the application to which the person goes on
	StartURL string // of the application; "": the page leads to the sign-in or to the account only
	SignIn   string // address of the sign-in page
}

func (Invited) page() string { return "invited.html" }
