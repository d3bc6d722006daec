package templates

// Home is the page at the issuer itself.
type Home struct {
	Common
	User     *Person // nil: nobody is signed in
	DemoPath string  // "" outside dev
	Account  string  // path of the account pages, "" for none
	SignOut  string  // path of the sign-out page, "" for none
}

func (Home) page() string { return "home.html" }
