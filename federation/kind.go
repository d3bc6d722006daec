package federation

// Kind is the type of upstream, as in the settings.
type Kind string

// The kinds of upstream.
const (
	Google    Kind = "google"
	GitHub    Kind = "github"
	OIDC      Kind = "oidc"
	Microsoft Kind = "microsoft"
	Apple     Kind = "apple"
	GitLab    Kind = "gitlab"
)

// Kinds lists the kinds of upstream, in the order in which settings and their
// documentation name them.
func Kinds() []Kind { return []Kind{Google, GitHub, OIDC, Microsoft, Apple, GitLab} }

// KindNames lists the kinds of upstream as settings spell them.
func KindNames() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return names
}

// Trust is how far an upstream's email_verified can be trusted for an address. The zero
// value is the lowest trust.
type Trust int

const (
	// Unknown: anybody may have typed the address.
	Unknown Trust = iota
	// Verifies: the upstream sets email_verified after it has sent mail to the address.
	// The mailbox may belong to another person by now.
	Verifies
	// Authoritative: the upstream runs the mailbox or its domain, one of
	// Config.Domains.
	Authoritative
)

// Distrust, in a Config only, sets Unknown for a kind that is trusted by default.
const Distrust Trust = -1

// String returns the value that settings use; for Distrust it is "unknown".
func (t Trust) String() string {
	return [...]string{"unknown", "verifies", "authoritative"}[max(t, Unknown)]
}

// Reauthentication is how an upstream reacts to a request to authenticate the user again.
type Reauthentication int

const (
	// ReportsAuthTime: the signed auth_time shows whether the upstream authenticated the
	// user again.
	ReportsAuthTime Reauthentication = iota
	// NeverReauthenticates: the upstream answers from its own session and does not report
	// how old that session is.
	NeverReauthenticates
	// AlwaysReauthenticates: the upstream documents that it obeys prompt=login. Its answer
	// counts as a new authentication even without auth_time.
	AlwaysReauthenticates
)

// The methods of client authentication at a token endpoint (OIDC Core, section 9).
const (
	secretBasic   = "client_secret_basic"
	secretPost    = "client_secret_post"
	privateKeyJWT = "private_key_jwt"
	noSecret      = "none"
)

// preset holds the known facts about one kind of upstream, which settings may leave out.
// The steps in which a kind departs from the standard are in its quirks.
type preset struct {
	name        string
	issuer      string
	scopes      []string
	trust       Trust
	hosts       []string // of endpoints outside the issuer's domain
	formPost    bool
	noUserinfo  bool
	freshPrompt string // sent instead of prompt=login, which the upstream does not support
	// clientAuth lists the supported methods of an upstream that requires a secret or a
	// key. Nil: any method, and public clients with PKCE.
	clientAuth []string

	reauthenticates Reauthentication
}

func (p preset) supportsPromptLogin() bool { return p.freshPrompt == "" }

var standardScopes = []string{"openid", "profile", "email"}

const googleIssuer = "https://accounts.google.com"

var presets = map[Kind]preset{
	Google: {
		name: "Google", issuer: googleIssuer, scopes: standardScopes, trust: Authoritative,
		hosts:       []string{"oauth2.googleapis.com", "openidconnect.googleapis.com", "www.googleapis.com"},
		freshPrompt: "select_account", // Google refuses prompt=login
		clientAuth:  []string{secretBasic, secretPost},
	},
	GitHub: {
		name: "GitHub", scopes: []string{"read:user", "user:email"}, trust: Verifies,
		freshPrompt: "select_account", reauthenticates: NeverReauthenticates, clientAuth: []string{secretPost},
	},
	OIDC: {name: "OpenID Connect", scopes: standardScopes},
	Microsoft: {
		name: "Microsoft", scopes: standardScopes, noUserinfo: true,
		reauthenticates: AlwaysReauthenticates, // documents prompt=login, and sends auth_time rarely
		// Entra ID requires a credential for a redirect URI of type web.
		clientAuth: []string{secretBasic, secretPost, privateKeyJWT},
	},
	Apple: {
		name: "Apple", issuer: "https://appleid.apple.com", scopes: []string{"openid", "name", "email"}, trust: Verifies,
		formPost: true, noUserinfo: true,
	},
	GitLab: {name: "GitLab", issuer: "https://gitlab.com", scopes: standardScopes, trust: Verifies},
}
