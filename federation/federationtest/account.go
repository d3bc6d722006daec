package federationtest

// Account is an account at a pretend upstream.
type Account struct {
	Key      string // the button on the sign-in page has id=account-{Key}
	Subject  string // at Google and Lying
	ID       int64  // at GitHub
	Email    string
	Verified bool
	Name     string
	Given    string
	Family   string
	Username string
	Hosted   string // Google's hd: the organization's domain, "" for a consumer account
	Emails   []GitHubEmail
	// NoScope: the person does not grant the scope user:email.
	NoScope bool
	// Revoked: the person revokes the grant before the API is called.
	Revoked bool
}

// GitHubEmail is one entry of GitHub's /user/emails.
type GitHubEmail struct {
	Email      string  `json:"email"`
	Primary    bool    `json:"primary"`
	Verified   bool    `json:"verified"`
	Visibility *string `json:"visibility"`
}

// GoogleAccounts lists the accounts of the pretend Google.
func GoogleAccounts() []Account {
	return []Account{
		{Key: "ada", Subject: "110169484474386276334", Email: "ada.example@gmail.com", Verified: true, Name: "Ada Example", Given: "Ada", Family: "Example"},
		{Key: "grace", Subject: "104958392001938475610", Email: "grace@corp.example", Verified: true, Name: "Grace Corp", Given: "Grace", Family: "Corp", Hosted: "corp.example"},
		{Key: "mallory", Subject: "118830011223344556677", Email: "mallory@corp.example", Verified: true, Name: "Mallory (not a member of corp.example)", Given: "Mallory"},
		{Key: "newbie", Subject: "102000000000000000001", Email: "newbie@elsewhere.example", Name: "Newbie (address not verified)", Given: "Newbie"},
	}
}

// GitHubAccounts lists the accounts of the pretend GitHub.
func GitHubAccounts() []Account {
	private := "private"
	return []Account{
		{Key: "octo", ID: 583231, Username: "octo", Name: "Octo Cat", Emails: []GitHubEmail{
			{Email: "old@octo.example", Verified: true},
			{Email: "octo@octo.example", Primary: true, Verified: true, Visibility: &private},
			{Email: "583231+octo@users.noreply.github.com", Verified: true},
		}},
		{Key: "big", ID: 1<<53 + 1, Username: "big", Name: "Big Number", Emails: []GitHubEmail{{Email: "big@octo.example", Primary: true, Verified: true}}},
		{Key: "unproven", ID: 583233, Username: "unproven", Email: "boss@corp.example", Emails: []GitHubEmail{
			{Email: "unproven@octo.example", Primary: true},
			{Email: "other@octo.example", Verified: true},
		}},
		{Key: "hidden", ID: 583234, Username: "hidden", Name: "Hidden", Emails: []GitHubEmail{
			{Email: "583234+hidden@users.noreply.github.com", Primary: true, Verified: true},
		}},
		{Key: "shy", ID: 583235, Username: "shy", Name: "Shy (shares no email addresses)", NoScope: true},
		{Key: "fickle", ID: 583236, Username: "fickle", Name: "Fickle (revokes access right away)", Revoked: true},
	}
}
