package templates

// Demo is the demo relying party of `signet dev`.
type Demo struct {
	Common
	SignedIn bool
	Email    string
	Error    *FormError
	Login    string // path that starts the sign-in
	Logout   string // path of the POST that signs out; "" for none
	DataDir  string // of the server, as a word of a shell
	Username string // of the demo user, shown before the first sign-in
	Tokens   []DemoToken
	UserInfo string // indented JSON

	Refresh       string // path of the POST that refreshes the tokens; "" without a refresh token
	Refreshed     string // indented JSON: introspection of the previous refresh token; "" until there is one
	Introspect    string // path of the POST that introspects the access token
	Introspection string // indented JSON; "" until requested
}

func (Demo) page() string { return "demo.html" }

// DemoToken is one decoded token.
type DemoToken struct {
	Name    string // "ID token"
	Checked string // "signature, issuer, audience, nonce and expiry verified by go-oidc"
	Header  string // indented JSON
	Claims  string
	Raw     string
}
