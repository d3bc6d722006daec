package templates

import "signet/templates/words"

// Account is the frame of all account pages.
type Account struct {
	Common
	User Person
	Here string         // the entry of the navigation for this page: "profile"
	Done words.Sentence // the change that was just made; zero: none

	Admin bool // the person may see the operators' pages
}

// accountPage is an entry of the navigation. The first page of the account lists the
// entries that have a Sentence.
type accountPage struct {
	Name, Path string
	Label      words.Sentence
	Sentence   func(AccountOverview) words.Sentence
}

// accountPages lists all pages of the account.
func accountPages() []accountPage {
	return []accountPage{
		{Name: "overview", Path: "/account", Label: words.Say("account.overview")},
		{"profile", "/account/profile", words.Say("account.profile"), always(words.Say("account.profile-note"))},
		{"email", "/account/email", words.Say("account.email"), emailSentence},
		{"security", "/account/security", words.Say("account.security"), securitySentence},
		{"password", "/account/password", words.Say("account.password"), passwordSentence},
		{"passkeys", "/account/passkeys", words.Say("account.passkeys"), always(words.Say("account.passkeys-note"))},
		{"sessions", "/account/sessions", words.Say("account.sessions"), sessionsSentence},
		{"apps", "/account/apps", words.Say("account.apps"), appsSentence},
		{"identities", "/account/identities", words.Say("account.identities"), always(words.Say("account.identities-note"))},
	}
}

func always(sentence words.Sentence) func(AccountOverview) words.Sentence {
	return func(AccountOverview) words.Sentence { return sentence }
}

func securitySentence(o AccountOverview) words.Sentence {
	if o.SecondFactor {
		return words.Say("account.security-on")
	}
	return words.Say("account.security-off")
}

func passwordSentence(o AccountOverview) words.Sentence {
	if o.NoPassword {
		return words.Say("account.password-none")
	}
	return words.Say("account.password-note")
}

func sessionsSentence(o AccountOverview) words.Sentence {
	if o.Sessions > 1 {
		return words.Say("account.sessions-note", "Count", o.Sessions)
	}
	return words.Say("account.sessions-here")
}

func appsSentence(o AccountOverview) words.Sentence {
	if o.Apps == 0 {
		return words.Say("account.apps-none")
	}
	return words.Say("account.apps-note", "Count", o.Apps)
}

// Moment is a time to show on a page. The zero value is shown as "never".
type Moment struct {
	ISO  string         // RFC 3339
	Text string         // "2 March 2026, 15:04 CET"
	Ago  words.Sentence // "3 hours ago"
}

// AccountOverview is the first page of the account.
type AccountOverview struct {
	Account
	Emergency    []words.Sentence // for administrators: the emergency links of the last weeks, the newest first
	Sessions     int              // in how many browsers the person is signed in
	Apps         int              // how many applications have access
	NoPassword   bool             // the person signs in only with connected accounts
	Email        EmailState
	SecondFactor bool // the person is asked for a second factor
}

func (AccountOverview) page() string { return "accountoverview.html" }

// AccountPassword is the form that changes the password.
type AccountPassword struct {
	Account
	None      bool // the person has no password, so there is nothing to change
	Ticket    string
	MinLength int // characters; 0: the page does not mention it
	Error     *FormError
}

func (AccountPassword) page() string { return "accountpassword.html" }

// AccountSessions lists where the person is signed in.
type AccountSessions struct {
	Account
	Sessions     []SessionRow
	Stolen       []StolenSession
	Others       bool // the person has other sessions
	OthersTicket string
	Trusted      []TrustedRow
}

func (AccountSessions) page() string { return "accountsessions.html" }

// StolenSession is a session that ended because one of its tokens was used twice.
type StolenSession struct {
	Agent words.Sentence // zero: unknown
	Ended Moment
}

// SessionRow is one session.
type SessionRow struct {
	ID         string // sid
	Ticket     string
	Agent      words.Sentence // "Firefox on Linux"; zero: unknown
	Address    string
	Here       bool // this browser
	SignedIn   Moment
	LastActive Moment
	Apps       []Client // applications that used this session
}

// TrustedRow is a browser in which the person signs in without the second factor.
type TrustedRow struct {
	ID      string
	Ticket  string
	Agent   words.Sentence // zero: unknown
	Address string
	Since   Moment
	Used    Moment
	Until   Moment
}

// AccountEndAll asks whether to sign out everywhere.
type AccountEndAll struct {
	Account
	Ticket string
}

func (AccountEndAll) page() string { return "accountendall.html" }

// AccountApps lists the applications that have access to the account.
type AccountApps struct {
	Account
	Apps []AppRow
}

func (AccountApps) page() string { return "accountapps.html" }

// AppRow is one application.
type AppRow struct {
	ClientID string
	App      Client
	Wants    []Want // allowed scopes; empty if the application never asked for consent
	Since    Moment // zero if the application never asked for consent
	LastUsed Moment
	Offline  bool   // the access lasts after sign-out
	StartURL string // where a sign-in at the application begins; shown only if https
}

// AccountWithdraw asks whether to remove the access of an application.
type AccountWithdraw struct {
	Account
	Ticket string
	App    AppRow
}

func (AccountWithdraw) page() string { return "accountwithdraw.html" }

// Loses says which access the application loses.
func (w AccountWithdraw) Loses() words.Sentence {
	app, host := clientName(w.App.App), clientHost(w.App.App)
	switch {
	case w.App.Offline && host != "":
		return words.Say("account-withdraw.lede-offline-at", "App", app, "Host", host)
	case w.App.Offline:
		return words.Say("account-withdraw.lede-offline", "App", app)
	case host != "":
		return words.Say("account-withdraw.lede-at", "App", app, "Host", host)
	}
	return words.Say("account-withdraw.lede", "App", app)
}
