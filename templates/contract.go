package templates

import (
	"io"

	"signet/static"
)

// Common is what every page shows around its own content.
type Common struct {
	Base   string // the issuer's path, "" or "/auth": links and form actions begin with it
	Client Client // the application the person is on the way to; zero: none
	Issuer string // host name shown where there is no client
}

// Client is the application as the person should know it.
type Client struct {
	Name      string
	Host      string // of its redirect URI or client_uri, so that a name cannot lie
	LogoURL   string // https or "" — shown only if same origin, else ignored
	PolicyURL string
	TermsURL  string
}

// SignIn is the sign-in page.
type SignIn struct {
	Common
	Request  string // sealed request, as a hidden field; "" when there is none
	ReturnTo string // hidden field; "" when there is none
	Username string // kept after an error, or from login_hint
	KeepDays int    // of "Keep me signed in for N days"
	Keep     bool
	Error    *FormError
	SignedIn string // e-mail of the user who must prove it again; "" for none
}

// FormError is why a form was refused: a summary on top that links to the field.
type FormError struct {
	Code  string // stable, shown: "invalid_credentials"
	Text  string
	Field string // id of the field it is about, "" for the form
	Retry string // "in 40 s", for a throttled attempt; "" otherwise
}

// Consent asks whether the client may have what it wants.
type Consent struct {
	Common
	Request string
	Ticket  string
	User    Person
	Wants   []Want
	Switch  string // link "not you?": the account choice
}

// Want is one thing a client asks for, as a verb phrase.
type Want struct {
	Scope   string // raw name, shown for unknown ones
	Text    string // "see your e-mail address"; "" shows the raw scope
	Detail  string
	New     bool // not allowed before
	Offline bool
}

// Person is a signed-in user as pages show it.
type Person struct {
	Name  string // "" shows the e-mail alone
	Email string
}

// ChooseAccount asks which account to go on with.
type ChooseAccount struct {
	Common
	Request string
	Ticket  string
	User    Person
}

// SignOut asks whether to sign out.
type SignOut struct {
	Common
	Request string // opaque hidden field "logout": what was asked for, sealed
	Ticket  string
	User    Person
}

// SignedOut says that it is done.
type SignedOut struct {
	Common
	ContinueURL  string // "" for none
	ContinueName string
}

// Continue is the answer to a form: 200 with Refresh and a link that works
// without waiting, since Chromium applies form-action to redirects.
type Continue struct {
	Common
	URL string // a path of ours
}

// Error is every page that says something went wrong.
type Error struct {
	Common
	Status    int
	Code      string // stable: "invalid_redirect_uri"
	Title     string // "Sign-in cannot start"
	Text      string // a plain sentence, and what to do
	Detail    []Difference
	Reference string // the request id, for the log
	StartURL  string // "Start again"; "" for none
	StartText string
}

// Difference shows what was received beside what was registered (development).
type Difference struct {
	Label      string
	Received   string
	Registered []string
}

// FormPost is not here yet: response_mode=form_post is refused.

// Demo is the demo relying party of `signet dev`.
type Demo struct {
	Common
	SignedIn bool
	Email    string
	Error    string
	Login    string // path that starts the sign-in
	Logout   string
	Username string // of the demo user, shown before the first sign-in
	Tokens   []DemoToken
	UserInfo string // indented JSON
}

// DemoToken is one decoded token.
type DemoToken struct {
	Name    string // "ID token"
	Checked string // "signature, issuer, audience, nonce and expiry verified by go-oidc"
	Header  string // indented JSON
	Claims  string
	Raw     string
}

// Home is the page at the issuer itself.
type Home struct {
	Common
	User     *Person
	DemoPath string // "" outside dev
	SignOut  string
}

// Page is one of the models above.
type Page interface{ page() string }

// Pages renders models.
type Pages struct{}

// New parses the embedded files once.
func New(files *static.Files) (*Pages, error) { panic("to build") }

// Write renders a page as a whole, or writes nothing and says why.
func (p *Pages) Write(w io.Writer, page Page) error { panic("to build") }
