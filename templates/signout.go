package templates

// SignOut asks whether to sign out.
type SignOut struct {
	Common
	Request string // opaque hidden field "logout": what was asked for, sealed
	Ticket  string
	User    Person
}

func (SignOut) page() string { return "signout.html" }

// SignedOut says that it is done.
type SignedOut struct {
	Common
	ContinueURL  string // shown only if http, https or a path of ours; "" for none
	ContinueName string
}

func (SignedOut) page() string { return "signedout.html" }
