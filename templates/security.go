package templates

import "signet/templates/words"

// SecondFactor asks for a security key, the code of an authenticator app, or a recovery code, after the
// first proof of a sign-in.
type SecondFactor struct {
	Common
	Request   string // sealed request, as a hidden field
	User      Person
	Key       *KeyAsk // nil: the person has no key that can be used here
	App       bool    // the person has an authenticator app
	Recovery  bool    // asks for a recovery code, which has letters
	Switch    string  // path of the same page for the other kind of code; "": there is one kind
	TrustDays int     // for how long the person may trust this browser; 0: the page does not offer it
	Trust     bool    // that is chosen
	Refused   string  // hidden field: a code was refused; "": none yet
	ClockHint bool    // the page says that the clock of the phone may be wrong
	Other     string  // path of the sign-in page for another account
	Error     *FormError
}

func (SecondFactor) page() string { return "secondfactor.html" }

// Enrol asks a person, within a sign-in, to add a factor. If an address must be proved first, it asks
// for that only.
type Enrol struct {
	Common
	Request     string // sealed request, as a hidden field
	Ticket      string // of the form that cancels; "": there is none
	ProofTicket string // of the form that mails the link
	User        Person
	ForApp      bool        // the application requires it; if false, this service does
	Key         bool        // only a passkey or a security key is strong enough
	Unverified  bool        // the address must be verified first
	Prove       bool        // the mailed link comes first
	Email       string      // its recipient
	FormerUntil Moment      // see AccountProof
	App         bool        // the person can add an authenticator app
	AddPasskey  bool        // the person can add a passkey
	Passkey     *PasskeyAsk // a passkey that the account has can be confirmed here; nil: it has none
	AddKey      bool        // the person can add a security key
	Other       string      // path of the sign-in page for another account
}

func (Enrol) page() string { return "enrol.html" }

// KeyAsk is the form with which a browser asks a security key or passkey of a known person.
type KeyAsk struct {
	Page         string // path of the page with the form
	RPID         string
	Challenge    string // base64url without padding
	Sealed       string // the sealed challenge, as a hidden field
	Allowed      string // the keys: commas between them, semicolons before the ways to reach each
	Verification string // whether the authenticator verifies the person: discouraged or preferred
	Passkeys     bool   // a passkey may answer too
}

// AccountSecurity lists the ways in which the person proves their identity.
type AccountSecurity struct {
	Account
	Password bool // the account has one
	Passkeys int
	App      *AppState // nil: no authenticator app
	Keys     []PasskeyRow
	Offered  bool // people can add security keys at this address
	Full     bool // the person has as many as possible
	Recovers bool // the person can be asked for a recovery code
	Codes    int  // recovery codes that are left

	AlwaysAsk *AlwaysAskChoice // nil: the page does not offer it
}

// AlwaysAskChoice is the choice to be asked for a passkey at every sign-in.
type AlwaysAskChoice struct {
	On bool // the person has chosen it
}

func (AccountSecurity) page() string { return "accountsecurity.html" }

// AppState is the authenticator app of the account.
type AppState struct {
	Since, LastUsed Moment
}

// CodesAreFew reports whether the person should make new recovery codes soon.
func (s AccountSecurity) CodesAreFew() bool { return s.Recovers && s.Codes < 4 }

// AccountProof asks whether to mail the link that comes before the first factor.
type AccountProof struct {
	Account
	Ticket  string
	For     string // what the person wants to add, as a hidden field
	Request string // sealed request of the sign-in that goes on afterwards, as a hidden field; "": none
	Email   string // the recipient
	Sent    bool   // the mail was sent
	Cancel  string // path
	Error   *FormError

	FormerUntil Moment // until then, the recipient is the former address of the account; zero: it is the present one
}

func (AccountProof) page() string { return "accountproof.html" }

// EnrolLink is the page of the mailed link that comes before the first factor.
type EnrolLink struct {
	Common
	Link  string // sealed one-time link, as a hidden field
	Email string
	Own   bool // the browser is signed in to the account of the link
	Other bool // it is signed in to another account
}

func (EnrolLink) page() string { return "enrollink.html" }

// AccountTOTP shows the secret of a new authenticator app and asks for its first code.
type AccountTOTP struct {
	Account
	Ticket  string
	Secret  string // in groups of four, for people who type it
	URL     string // otpauth URL of the secret
	Picture QRCode // of URL
	Sealed  string // the secret, sealed, as a hidden field
	Request string // sealed request of the sign-in that goes on afterwards, as a hidden field; "": none
	Cancel  string // path
	Error   *FormError
}

func (AccountTOTP) page() string { return "accounttotp.html" }

// QRCode is a picture: Path is an SVG path for a line that is one unit wide.
type QRCode struct {
	Size int
	Path string
}

// AccountRemoveTOTP asks whether to remove the authenticator app.
type AccountRemoveTOTP struct {
	Account
	Ticket     string
	App        string // id of the credential
	Last       bool   // no second factor is left afterwards
	LosesCodes bool   // the recovery codes stop working with it
}

func (AccountRemoveTOTP) page() string { return "accountremovetotp.html" }

// The values of the form of AccountAlwaysAsk.
const (
	AlwaysAskOn  = "on"
	AlwaysAskOff = "off"
)

// AccountAlwaysAsk asks whether to change the choice to be asked for a passkey at every sign-in.
type AccountAlwaysAsk struct {
	Account
	Ticket string
	On     bool // the form turns it on
}

func (AccountAlwaysAsk) page() string { return "accountalwaysask.html" }

// Value is the value of the form.
func (p AccountAlwaysAsk) Value() string {
	if p.On {
		return AlwaysAskOn
	}
	return AlwaysAskOff
}

// AccountRemoveKey asks whether to remove a security key.
type AccountRemoveKey struct {
	Account
	Ticket     string
	Key        PasskeyRow
	Last       bool // no second factor is left afterwards
	LosesCodes bool // the recovery codes stop working with it
}

func (AccountRemoveKey) page() string { return "accountremovekey.html" }

// AccountCodes shows new recovery codes, once. Without codes, it asks whether to make new ones.
type AccountCodes struct {
	Account
	Ticket string
	Codes  []string
	Added  words.Sentence // the factor that the person has just added; zero: none
	// Request is the sealed request of the sign-in that goes on afterwards, as a hidden field; "": none.
	Request string
	Left    int // old codes that are left, if the page asks
}

func (AccountCodes) page() string { return "accountcodes.html" }
